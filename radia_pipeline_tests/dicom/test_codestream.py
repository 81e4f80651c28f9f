"""What a stream says of itself, and its bits counted, against streams that are written here bit by bit.

Restart intervals and point transforms come from scanners and from no encoder that we have; the decoder of libjpeg says
that what is written here is sound.
"""

from __future__ import annotations

import struct
from itertools import pairwise

import imagecodecs
import numpy as np
import pytest

from radia_pipeline.dicom import codestream
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.privacy.test_markers import segment

CODE_BITS, CATEGORIES = 5, 17


def predicted(x: list[list[int]], row: int, column: int, first_row: int, predictor: int, start: int) -> int:
    """Return the prediction of a sample (ITU-T T.81 H.1.2.1, table H.1)."""
    if row == first_row:
        return start if column == 0 else x[row][column - 1]
    if column == 0:
        return x[row - 1][0]
    a, b, c = x[row][column - 1], x[row - 1][column], x[row - 1][column - 1]
    return (a, b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1)[predictor - 1]


def coded(difference: int) -> str:
    """Return the bits of a difference: its category in five bits, then what is left of it (T.81 H.1.2.2)."""
    signed = (difference + (1 << 15)) % (1 << 16) - (1 << 15)
    category = abs(signed).bit_length()
    rest = signed if signed > 0 else signed + (1 << category) - 1
    return f"{category:0{CODE_BITS}b}" + (f"{rest:0{category}b}" if 0 < category < 16 else "")


def lossless(pixels: np.ndarray, bits: int, *, predictor: int = 1, lines: int = 0, point: int = 0) -> bytes:
    """Write a lossless JPEG. ``lines``: rows of a restart interval, 0: none; ``point``: the point transform."""
    x, columns = (pixels.astype(int) >> point).tolist(), pixels.shape[1]
    firsts = list(range(0, len(x), lines or len(x)))
    parts = []
    for first, end in pairwise([*firsts, len(x)]):
        said = "".join(
            coded(x[row][column] - predicted(x, row, column, first, predictor, 1 << (bits - point - 1)))
            for row in range(first, end)
            for column in range(columns)
        )
        said += "1" * (-len(said) % 8)
        parts.append(int(said, 2).to_bytes(len(said) // 8, "big").replace(b"\xff", b"\xff\0"))
    scan = parts[0] + b"".join(bytes([0xFF, 0xD0 + at % 8]) + part for at, part in enumerate(parts[1:]))
    table = bytes(CODE_BITS - 1) + bytes([CATEGORIES]) + bytes(16 - CODE_BITS) + bytes(range(CATEGORIES))
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xC4, b"\0" + table),
            segment(0xC3, struct.pack(">BHHB", bits, *pixels.shape, 1) + b"\1\x11\0"),
            segment(0xDD, struct.pack(">H", lines * columns)) if lines else b"",
            segment(0xDA, bytes([1, 1, 0, predictor, 0, point])),
            scan,
            b"\xff\xd9",
        )
    )


def check(stream: bytes, pixels: np.ndarray) -> None:
    codestream.check_lossless_bits(stream, codestream.jpeg_header(stream), pixels)


@pytest.mark.parametrize(
    ("bits", "predictor", "lines", "point"),
    [
        (12, 1, 0, 0),
        (12, 1, 1, 0),
        (12, 1, 4, 0),
        (16, 1, 5, 0),
        (16, 4, 5, 0),
        (12, 7, 24, 0),
        (12, 1, 0, 2),
        (12, 1, 4, 3),
        (16, 6, 0, 1),
    ],
)
def test_bits_are_counted_in_every_restart_interval(bits: int, predictor: int, lines: int, point: int) -> None:
    pixels = files.picture(3, (24, 20), bits) >> point << point
    stream = lossless(pixels, bits, predictor=predictor, lines=lines, point=point)
    assert np.array_equal(imagecodecs.jpeg8_decode(stream), pixels), "what is written here is a sound stream"
    check(stream, pixels)
    header = codestream.jpeg_header(stream)
    assert (header.process, header.rows, header.columns, header.components) == ("lossless", 24, 20, 1)
    assert (header.precision, header.selection, header.point_transform) == (bits, predictor, point)
    assert header.restart_interval == lines * 20
    for row in (0, 11, 23):
        wrong = pixels.copy()
        wrong[row, 5::2], wrong[row, 6::2] = 0, (1 << bits) - 1  # steps that need many bits
        with pytest.raises(Refusal):
            check(stream, wrong)


def test_an_interval_too_few_or_too_many_is_damage() -> None:
    pixels = files.picture(3, (24, 20), 12)
    stream = lossless(pixels, 12, lines=4)
    third, fourth = stream.index(b"\xff\xd2"), stream.index(b"\xff\xd3")
    for changed in (
        stream[:third] + stream[fourth:],
        stream[:third] + stream[third:fourth] * 2 + stream[fourth:],
        stream[:third] + b"\xff\xe2" + stream[third + 2 :],  # a marker that no scan holds
        stream[:fourth] + b"\0" + stream[fourth:],
    ):
        with pytest.raises(Refusal) as caught:
            check(changed, pixels)
        assert caught.value.reason == reasons.DECODE_FAILED


def test_fill_bytes_before_a_marker_are_no_data() -> None:
    pixels = files.picture(3, (24, 20), 12)
    stream = lossless(pixels, 12, lines=4)
    third = stream.index(b"\xff\xd2")
    check(stream[:third] + b"\xff" + stream[third:], pixels)
    check(stream[:-2] + b"\xff\xff\xd9", pixels)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fill_bytes_between_the_segments_of_a_header_are_passed_over(count: int) -> None:
    pixels = files.picture(3, (24, 20), 12)
    stream = lossless(pixels, 12, lines=4)
    check(stream[:2] + b"\xff" * count + stream[2:], pixels)


@pytest.mark.parametrize("value", [0, 1, 65535])
def test_a_difference_of_the_whole_range_has_no_further_bits(value: int) -> None:
    pixels = np.array([[32768, 0, 32768, value]], np.uint16)  # modulo 2^16 the second is -32768: category 16
    stream = lossless(pixels, 16)
    check(stream, pixels)
    assert codestream._bits_per_difference({16: 3, 15: 4, 0: 1})[[32768, 32767, 0, 1]].tolist()[:3] == [3, 4 + 15, 1]


@pytest.mark.parametrize(("signed", "bits"), [(False, 8), (False, 12), (True, 12), (True, 16)])
def test_size_precision_and_sign_of_a_jpeg_2000_stream(signed: bool, bits: int) -> None:
    pixels = files.picture(1, (40, 32), bits)
    if signed:
        pixels = (pixels.astype(np.int32) - (1 << (bits - 1))).astype(np.int16)
    stream = imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, bitspersample=bits)
    header = codestream.j2k_header(stream)
    assert (header.process, header.rows, header.columns, header.components) == ("j2k", 40, 32, 1)
    assert (header.precision, header.is_signed) == (bits, signed)
    moved = stream[:8] + struct.pack(">IIII", 32 + 5, 40 + 7, 5, 7) + stream[24:]  # an offset of the picture's grid
    assert (codestream.j2k_header(moved).rows, codestream.j2k_header(moved).columns) == (40, 32)


def test_tile_parts_lead_to_the_end() -> None:
    stream = files.stream(files.picture(1, (32, 24)), files.JPEG_2000, 12)
    part = stream.index(b"\xff\x90")
    length = int.from_bytes(stream[part + 6 : part + 10], "big")
    assert stream[part + length :] == b"\xff\xd9"

    def with_length(said: int) -> bytes:
        return stream[: part + 6] + said.to_bytes(4, "big") + stream[part + 10 :]

    codestream.j2k_header(with_length(0))  # to the end of the stream
    for said, reason in (
        (13, reasons.DECODE_FAILED),
        (14, reasons.DECODE_FAILED),
        (length - 20, reasons.DECODE_FAILED),
        (length - 1, reasons.TRUNCATED),
        (length + 1, reasons.TRUNCATED),
    ):
        with pytest.raises(Refusal) as caught:
            codestream.j2k_header(with_length(said))
        assert caught.value.reason == reason, said

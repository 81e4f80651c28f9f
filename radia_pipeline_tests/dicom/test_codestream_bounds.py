"""Streams at the bounds of what their standards allow, written here byte by byte: markers, tables, scans, tile parts.

Expected figures are counted in whole numbers of Python, or stand in the standard; no decoder is asked.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest

from radia_pipeline.dicom import codestream
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline_tests.dicom.test_codestream import check, lossless, predicted
from radia_pipeline_tests.privacy.test_markers import segment

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
FRAME = segment(0xC3, struct.pack(">BHHB", 12, 3, 5, 1) + b"\1\x11\0")
SCAN = segment(0xDA, bytes([1, 1, 0, 1, 0, 0]))


def reason_of(stream: bytes, header: Callable[[bytes], object] = codestream.jpeg_header) -> str:
    """Return why the walk over a JPEG, or another, refuses a stream, empty where it does not."""
    try:
        header(stream)
    except Refusal as refused:
        return refused.reason
    return ""


def test_all_that_a_jpeg_says_of_itself_and_nothing_else() -> None:
    plain = codestream.jpeg_header(SOI + FRAME + SCAN + b"ab" + EOI)
    start = len(SOI + FRAME + SCAN)
    assert asdict(plain) == {
        "process": "lossless", "rows": 3, "columns": 5, "precision": 12, "components": 1, "is_signed": False,
        "selection": 1, "point_transform": 0, "restart_interval": 0, "code_lengths": {}, "table_id": 0,
        "scan_start": start, "scan_end": start + 2,
    }  # fmt: skip
    table = bytes([0x11, 0, 1, 2, *[0] * 13, 7, 8, 9])
    scan = segment(0xDA, bytes([1, 1, 0x12, 6, 0, 0x23]))
    full = codestream.jpeg_header(SOI + segment(0xC4, table) + FRAME + segment(0xDD, b"\1\2") + scan + EOI)
    assert (full.selection, full.point_transform, full.table_id, full.restart_interval) == (6, 3, 1, 258)
    assert full.code_lengths == {0x11: {7: 2, 8: 3, 9: 3}}
    assert full.scan_start == full.scan_end, "an empty scan is no damage of the markers"


def test_a_scan_of_several_components_names_no_predictor_of_one() -> None:
    scan = segment(0xDA, bytes([3, 1, 0x11, 2, 0x11, 3, 0x11, 6, 0, 2]))
    header = codestream.jpeg_header(SOI + FRAME + scan + EOI)
    assert (header.table_id, header.selection, header.point_transform) == (0, 0, 0)


def test_a_segment_holds_as_many_tables_as_it_likes() -> None:
    first = bytes([0, 1, 0, 1, *[0] * 13, 5, 4])
    second = bytes([1, *[0] * 15, 2, 3, 2])
    header = codestream.jpeg_header(SOI + segment(0xC4, first + second) + FRAME + SCAN + EOI)
    assert header.code_lengths == {0: {5: 1, 4: 3}, 1: {3: 16, 2: 16}}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        *((code, "") for code in (0xC0, 0xC1, 0xC3, 0xC8, 0xCC, 0xBF, 0xD0, 0xE0, 0xF7, 0xFE)),
        *((code, reasons.UNSUPPORTED_SYNTAX) for code in (0xC2, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)),
    ],
)
def test_which_processes_dicom_does_not_use(code: int, reason: str) -> None:
    body = struct.pack(">BHHB", 12, 3, 5, 1) + b"\1\x11\0"
    assert reason_of(SOI + segment(code, body) + FRAME + SCAN + EOI) == reason


@pytest.mark.parametrize(
    ("code", "process"), [(0xC0, "baseline"), (0xC1, "extended"), (0xC3, "lossless"), (0xF7, "jpegls")]
)
def test_the_process_is_that_of_the_frames_marker(code: int, process: str) -> None:
    frame = segment(code, struct.pack(">BHHB", 12, 3, 5, 1) + b"\1\x11\0")
    assert codestream.jpeg_header(SOI + frame + SCAN + EOI).process == process


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"\xff\xd7" + FRAME + SCAN + EOI, reasons.DECODE_FAILED),
        (SOI + b"\xff\xda\0\2", reasons.DECODE_FAILED),  # the last four bytes are a whole segment
        (SOI + b"\xff\xda\0", reasons.TRUNCATED),
        (SOI + SCAN + EOI, reasons.DECODE_FAILED),  # no frame
        (SOI + b"\xff\xfe\0\2" + FRAME + SCAN + EOI, ""),  # a comment without text
        (SOI + b"\xff\xfe\0\1" + FRAME + SCAN + EOI, reasons.TRUNCATED),
        (SOI + b"\xff\xfe\0\0" + FRAME + SCAN + EOI, reasons.TRUNCATED),
        (SOI + FRAME[:-1], reasons.TRUNCATED),
        (SOI + FRAME + SCAN[:-1], reasons.TRUNCATED),
        (SOI + FRAME[:6], reasons.TRUNCATED),
        (SOI + b"\0" + FRAME + SCAN + EOI, reasons.DECODE_FAILED),
        (SOI + segment(0xC3, b"\x0c\0\3\0\5") + SCAN + EOI, reasons.DECODE_FAILED),
        (SOI + segment(0xC3, b"\x0c\0\3\0\5\1") + SCAN + EOI, ""),
        (SOI + segment(0xC4, b"\0" + b"\1" + bytes(15)) + FRAME + SCAN + EOI, reasons.DECODE_FAILED),
        (SOI + segment(0xC4, b"\0" + bytes(15)) + FRAME + SCAN + EOI, reasons.DECODE_FAILED),
        (SOI + segment(0xC4, b"\0" + bytes(16)) + FRAME + SCAN + EOI, ""),
        (SOI + FRAME + segment(0xDA, b"") + EOI, reasons.DECODE_FAILED),
        (SOI + FRAME + segment(0xDA, bytes([1, 1, 0, 1, 0])) + EOI, reasons.DECODE_FAILED),
        (SOI + FRAME + SCAN, reasons.TRUNCATED),
        (SOI + FRAME + segment(0xFE, EOI) + SCAN + b"abc", reasons.TRUNCATED),  # an end marker in front of the scan
        (SOI + FRAME + SCAN + EOI + b"\0", ""),
        (SOI + FRAME + SCAN + EOI + b"x", reasons.DECODE_FAILED),
        (SOI + FRAME + SCAN + EOI + b"\0x", reasons.DECODE_FAILED),
    ],
)
def test_where_the_walk_over_the_markers_ends(stream: bytes, reason: str) -> None:
    assert reason_of(stream) == reason


def test_bits_of_every_difference_are_its_codes_and_those_of_its_category() -> None:
    """ITU-T T.81 table H.2: the category of a difference is the length of its magnitude; 16 has no further bits."""
    lengths = {category: 2 + category % 5 for category in range(17)}
    signed = [value - (1 << 16) if value >= 1 << 15 else value for value in range(1 << 16)]
    expected = [
        lengths[abs(value).bit_length()] + (abs(value).bit_length() if abs(value).bit_length() < 16 else 0)
        for value in signed
    ]
    assert codestream._bits_per_difference(lengths).tolist() == expected
    assert (codestream._bits_per_difference({}) < 0).all()
    assert (codestream._bits_per_difference(dict.fromkeys(range(16), 1)) < 0).nonzero()[0].tolist() == [1 << 15]


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("lines", [0, 1, 3])
def test_differences_are_those_of_the_standards_table(predictor: int, lines: int) -> None:
    pixels = np.random.default_rng(predictor).integers(0, 1 << 16, (9, 7)).astype(np.uint16)
    pixels[4, :3], pixels[5, :3] = [65535, 0, 65535], [0, 65535, 0]
    header = codestream.StreamHeader(
        "lossless", 9, 7, 16, 1, selection=predictor, point_transform=2, restart_interval=lines * 7
    )
    x = pixels.astype(int).tolist()
    expected = [
        [
            (x[row][column] - predicted(x, row, column, row - row % (lines or 9), predictor, 1 << 13)) % (1 << 16)
            for column in range(7)
        ]
        for row in range(9)
    ]
    assert codestream._differences(pixels, header).tolist() == expected


@pytest.mark.parametrize("predictor", [0, 8])
def test_lossless_jpeg_has_seven_predictors(predictor: int) -> None:
    pixels = np.full((2, 3), 2048, np.uint16)
    stream = lossless(pixels, 12, predictor=1)
    scan = stream.index(b"\xff\xda")
    with pytest.raises(Refusal) as caught:
        check(stream[: scan + 7] + bytes([predictor]) + stream[scan + 8 :], pixels)
    assert caught.value.reason == reasons.DECODE_FAILED


def test_a_scan_needs_the_table_that_it_names() -> None:
    pixels = np.full((2, 3), 2048, np.uint16)
    stream = lossless(pixels, 12)
    check(stream, pixels)
    scan = stream.index(b"\xff\xda")
    with pytest.raises(Refusal) as caught:
        check(stream[: scan + 6] + b"\x10" + stream[scan + 7 :], pixels)
    assert caught.value.reason == reasons.DECODE_FAILED


def test_a_difference_without_a_code_is_damage_even_where_the_bits_agree() -> None:
    """One pixel far from the middle of the range, a table without its category, and a scan of no bits at all."""
    table = bytes([0, 1, *[0] * 15, 0])  # one code of one bit, for category 0
    head = SOI + segment(0xC4, table) + segment(0xC3, struct.pack(">BHHB", 12, 1, 1, 1) + b"\1\x11\0")
    far = np.array([[2048 + 5]], np.uint16)
    with pytest.raises(Refusal):
        check(head + SCAN + EOI, far)
    middle = np.array([[2048]], np.uint16)
    check(head + SCAN + b"\x7f" + EOI, middle)
    with pytest.raises(Refusal):
        check(head + SCAN + EOI, middle)
    with pytest.raises(Refusal):
        check(head + segment(0xDD, b"\0\1") + SCAN + b"\x7f" + EOI, far)


@pytest.mark.parametrize(("columns", "count"), [(7, 1), (8, 1), (9, 2), (16, 2), (17, 3)])
def test_bits_are_filled_up_to_whole_bytes(columns: int, count: int) -> None:
    """One bit a pixel: all of them are the middle of the range."""
    table = bytes([0, 1, *[0] * 15, 0])
    head = SOI + segment(0xC4, table) + segment(0xC3, struct.pack(">BHHB", 12, 1, columns, 1) + b"\1\x11\0") + SCAN
    pixels = np.full((1, columns), 2048, np.uint16)
    check(head + b"\0" * count + EOI, pixels)
    for wrong in (count - 1, count + 1):
        with pytest.raises(Refusal):
            check(head + b"\0" * wrong + EOI, pixels)


def test_a_restart_interval_shorter_than_a_line_is_judged_and_no_crash() -> None:
    pixels = np.full((4, 6), 2048, np.uint16)
    stream = lossless(pixels, 12, lines=4).replace(segment(0xDD, b"\0\x18"), segment(0xDD, b"\0\5"))
    with pytest.raises(Refusal) as caught:
        check(stream, pixels)
    assert caught.value.reason == reasons.DECODE_FAILED


def test_stuffed_zeros_count_in_the_interval_that_they_stand_in() -> None:
    header = codestream.StreamHeader("lossless", 1, 1, 8, 1, scan_start=1)
    scan = b"\xff\0ab\xff\xd0\xff\0\xff\0c\xff\xd1d\xff\xd7\xff\0"
    header.scan_end = 1 + len(scan)
    assert codestream._scan_bytes(b"?" + scan + EOI, header).tolist() == [3, 3, 1, 1]
    for foreign in (b"\xff\xcf", b"\xff\xd8", b"\xff\1", b"\xff\xfe"):
        header.scan_end = 1 + len(scan) + 3
        with pytest.raises(Refusal):
            codestream._scan_bytes(b"?" + scan + foreign + b"e" + EOI, header)


def siz(*, left: int = 0, top: int = 0, size: int = 11, components: int = 1) -> bytes:
    """Return SOC and SIZ of a picture of 20 columns and 10 rows (ISO/IEC 15444-1 A.5.1)."""
    places = struct.pack(">IIII", 20 + left, 10 + top, left, top) + struct.pack(">IIII", 20, 10, 0, 0)
    body = struct.pack(">H", 0) + places + struct.pack(">HB", components, size) + b"\1\1"
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(body) + 2) + body


def tile(length: int, body: bytes = b"") -> bytes:
    """Return a tile part (A.4.2): twelve bytes of SOT, then what is given."""
    return b"\xff\x90\0\x0a\0\0" + struct.pack(">I", length) + b"\0\1" + body


SOD = b"\xff\x93"


@pytest.mark.parametrize(("size", "precision", "is_signed"), [(0, 1, False), (11, 12, False), (0x8F, 16, True)])
def test_all_that_a_jpeg_2000_stream_says_of_itself(size: int, precision: int, is_signed: bool) -> None:
    stream = siz(left=3, top=4, size=size, components=2) + tile(14, SOD) + EOI
    assert asdict(codestream.j2k_header(stream)) == {
        "process": "j2k", "rows": 10, "columns": 20, "precision": precision, "components": 2, "is_signed": is_signed,
        "selection": 0, "point_transform": 0, "restart_interval": 0, "code_lengths": {}, "table_id": 0,
        "scan_start": 0, "scan_end": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        (tile(14, SOD) + EOI, ""),
        (tile(14, SOD) + tile(16, SOD + b"ab") + EOI, ""),
        (tile(14, SOD) + tile(0, SOD + b"abc") + EOI, ""),
        (tile(14, SOD) + EOI + b"\0", ""),
        (tile(14, SOD) + EOI + b"x", reasons.DECODE_FAILED),
        (tile(13, b"a") + EOI, reasons.DECODE_FAILED),
        (tile(12), reasons.DECODE_FAILED),  # the header of a tile part and nothing behind it
        (tile(14, SOD), reasons.TRUNCATED),
        (tile(0, SOD + b"abc"), reasons.TRUNCATED),
        (tile(14, SOD) + b"\xff\x91" + bytes(10), reasons.DECODE_FAILED),
        (b"\xff\x52\0\4ab" + b"\xff\x5c\0\3a" + tile(14, SOD) + EOI, ""),
        (b"\xff\x30\0\2" + tile(14, SOD) + EOI, ""),
        (b"\xff\xff\0\2" + tile(14, SOD) + EOI, ""),
        (b"\xff\x2f\0\2" + tile(14, SOD) + EOI, reasons.DECODE_FAILED),
        (b"\0\x30\0\2" + tile(14, SOD) + EOI, reasons.DECODE_FAILED),
        (b"\xff\x52\0\4ab", reasons.TRUNCATED),
    ],
)
def test_where_the_walk_over_tile_parts_ends(rest: bytes, reason: str) -> None:
    assert reason_of(siz() + rest, codestream.j2k_header) == reason


@pytest.mark.parametrize("beginning", [b"\xff\x4f\xff\x52", b"\xff\x4e\xff\x51", b"\xff\xd8\xff\x51"])
def test_a_jpeg_2000_stream_begins_with_its_size(beginning: bytes) -> None:
    assert reason_of(beginning + siz()[4:] + tile(14, SOD) + EOI, codestream.j2k_header) == reasons.DECODE_FAILED

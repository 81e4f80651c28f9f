"""Markers of compressed frames: an identity in any segment is found, what encoders write is not taken for one."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.encaps import encapsulate

from radia_pipeline.privacy import markers
from radia_pipeline.privacy.container import parse
from radia_pipeline.privacy.header import audit
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline_tests.dicom import files

NAME = b"LAVOIE OCTAVE 1954-03-12"
BASELINE = "1.2.840.10008.1.2.4.50"
SYNTAXES = (files.LOSSLESS[1], files.JPEG_LS, files.JPEG_2000, files.HTJ2K, BASELINE)


def frame(syntax: str) -> bytes:
    if syntax == BASELINE:
        return imagecodecs.jpeg8_encode(files.picture(1, (32, 24), 8))
    return files.stream(files.picture(1, (32, 24)), syntax, 12)


def faults(stream: bytes, syntax: str) -> list[str]:
    return [fault for _, fault in markers.listed(stream, syntax) if fault]


def segment(code: int, body: bytes) -> bytes:
    return bytes([0xFF, code]) + (len(body) + 2).to_bytes(2, "big") + body


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_encoders_write_passes(syntax: str) -> None:
    assert faults(frame(syntax), syntax) == []


@pytest.mark.parametrize("syntax", [files.LOSSLESS[1], files.JPEG_LS, BASELINE])
@pytest.mark.parametrize(
    ("code", "body"),
    [
        (0xFE, NAME),
        (0xE1, b"Exif\0\0" + NAME),
        (0xE0, b"JFIF\0" + NAME),
        (0xED, NAME),
        (0xEE, b"Adobe" + NAME),
        (0xE8, NAME),
        (0xF0, NAME),
        (0xDD, NAME),
        (0xC4, b"Octave Lavoie" + NAME),
    ],
)
def test_text_in_a_segment_is_found(syntax: str, code: int, body: bytes) -> None:
    stream = frame(syntax)
    assert faults(stream[:2] + segment(code, body) + stream[2:], syntax)


@pytest.mark.parametrize("syntax", [files.JPEG_2000, files.HTJ2K])
def test_a_comment_of_a_codestream_is_found_in_either_header(syntax: str) -> None:
    stream = frame(syntax)
    at = 4 + int.from_bytes(stream[4:6], "big")
    assert faults(stream[:at] + segment(0x64, b"\0\1" + NAME) + stream[at:], syntax)
    sot = stream.index(b"\xff\x90")
    added = segment(0x64, b"\0\0" + NAME)
    length = int.from_bytes(stream[sot + 6 : sot + 10], "big")
    psot = (length + len(added) if length else 0).to_bytes(4, "big")
    later = stream[: sot + 6] + psot + stream[sot + 10 : sot + 12] + added + stream[sot + 12 :]
    assert faults(later, syntax)


@settings(max_examples=60)
@given(st.sampled_from(SYNTAXES), st.integers(2, 400), st.binary(max_size=12), st.integers(0, 12))
def test_a_mutated_frame_is_listed_whatever_it_holds(syntax: str, at: int, added: bytes, removed: int) -> None:
    stream = frame(syntax)
    faults(stream[:at] + added + stream[at + removed :], syntax)
    faults(stream[:at], syntax)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_one_byte_of_padding_passes_and_a_second_stream_does_not(syntax: str) -> None:
    stream = frame(syntax)
    for padding in (b"\0", b"\xff", b" "):
        assert faults(stream + padding, syntax) == []
    for behind in (b"LA", NAME, stream):
        assert faults(stream + behind, syntax)


def test_fragments_hold_one_frame_and_the_offset_table_only_offsets() -> None:
    policy = policy_of("ccsmtl")
    ds = files.dataset(files.picture(1, (32, 24)), syntax=files.JPEG_LS)
    stream = frame(files.JPEG_LS)

    def found(item: bytes) -> list[str]:
        ds.PixelData = item
        return [str(one) for one in audit(parse(files.to_bytes(ds)), policy)]

    assert found(encapsulate([stream], fragments_per_frame=2)) == []
    assert found(encapsulate([stream, stream]))
    plain = encapsulate([stream], has_bot=False)
    assert plain[:8] == b"\xfe\xff\x00\xe0\0\0\0\0"
    assert found(b"\xfe\xff\x00\xe0\x08\0\0\0" + b"LAVOIE O" + plain[8:])


def test_unused_offsets_of_a_run_length_header_hold_nothing() -> None:
    stream = files.stream(np.zeros((8, 8), np.uint16), files.RLE, 12)
    assert faults(stream, files.RLE) == []
    assert faults(stream[:40] + b"LAVOIE OCTAVE 1954 24 by"[:24] + stream[64:], files.RLE)
    first = 4 + 4 * int.from_bytes(stream[:4], "little")
    for place in (first, 63):
        assert faults(stream[:place] + b"L" + stream[place + 1 :], files.RLE)


LOSSLESS_FRAME = segment(0xC3, b"\x08\0\x08\0\x08\x01\x01\x11\0")
CODES = b"\0\x01\x05\x01\x01\x01\x01\x01\x01" + bytes(7)
"""Twelve codes."""
SCAN = segment(0xDA, b"\x01\x01\0\x01\0\0")


def whole(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments) + b"\x12\x34\xff\xd9"


def test_a_lossless_frame_uses_no_table_of_runs_and_no_quantisation() -> None:
    direct = segment(0xC4, b"\0" + CODES + bytes(range(12)))
    assert faults(whole(direct, LOSSLESS_FRAME, SCAN), files.LOSSLESS[1]) == []
    runs = segment(0xC4, b"\x10" + CODES + b"JEAN^TRMBLY2")
    assert faults(whole(direct, runs, LOSSLESS_FRAME, SCAN), files.LOSSLESS[1])
    steps = segment(0xDB, b"\0" + bytes(range(1, 65)))
    assert faults(whole(direct, steps, LOSSLESS_FRAME, SCAN), files.LOSSLESS[1])


@pytest.mark.parametrize("second", [0x00, 0x10], ids=["alike", "of another precision"])
def test_a_table_that_another_of_the_same_segment_replaces_holds_nothing(second: int) -> None:
    stream = frame(BASELINE)
    at = stream.index(b"\xff\xdb")
    length = int.from_bytes(stream[at + 2 : at + 4], "big")
    first = stream[at + 4 : at + 69]
    again = bytes([second]) + (first[1:] if not second else bytes(part for one in first[1:] for part in (0, one)))
    twice = stream[:at] + segment(0xDB, stream[at + 4 : at + 2 + length] + again) + stream[at + 2 + length :]
    assert "stands twice" in faults(twice, BASELINE)


def saved_by_libjpeg(quality: int) -> bytes:
    """A picture in colours, which uses the tables of luminance and of chrominance."""
    held = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(held, "JPEG", quality=quality, subsampling=0)
    return held.getvalue()


def tables_of(stream: bytes, code: int) -> list[bytes]:
    """Return the bodies of the segments of a marker."""
    found, at = [], 2
    while stream[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        if stream[at + 1] == code:
            found.append(stream[at + 4 : end])
        at = end
    return found


def beside(code: int, body: bytes) -> list[str]:
    """Return what is said of a segment beside those that a grey baseline frame needs."""
    stream = frame(BASELINE)
    return faults(stream[:2] + segment(code, body) + stream[2:], BASELINE)


@pytest.mark.parametrize("quality", [1, 24, 49, 50, 51, 75, 100])
def test_tables_that_a_frame_does_not_use_are_the_standards_to_the_byte(quality: int) -> None:
    (luminance, chrominance) = (body[1:] for body in tables_of(saved_by_libjpeg(quality), 0xDB))
    for table in (luminance, chrominance):
        assert beside(0xDB, b"\3" + table) == []
        for place in range(64):  # each figure counts: a byte of another value is room for a letter
            other = table[:place] + bytes([table[place] ^ 0x40]) + table[place + 1 :]
            assert beside(0xDB, b"\3" + other), place


def test_unused_code_tables_are_the_standards_and_no_others() -> None:
    codes = {body[0]: body[1:] for body in tables_of(saved_by_libjpeg(75), 0xC4)}
    for runs in (codes[0x10], codes[0x11]):
        assert beside(0xC4, b"\x13" + runs) == []
        assert beside(0xC4, b"\x13" + runs[:16] + runs[17:] + runs[16:17])


JFIF, ADOBE, SPIFF = b"JFIF\0\1", b"Adobe\0", b"SPIFF\0"


@pytest.mark.parametrize(
    ("code", "sound", "beyond"),
    [
        (
            0xE0,
            JFIF + bytes.fromhex("0202 12c0 12c0 0000"),
            JFIF + bytes.fromhex("0202 12c1 12c0 0000"),
        ),  # 4800 an inch
        (0xE0, JFIF + bytes.fromhex("0202 12c0 12c0 0000"), JFIF + bytes.fromhex("0202 12c0 12c1 0000")),
        (0xE0, JFIF + bytes.fromhex("0202 0001 0001 0000"), JFIF + bytes.fromhex("0203 0001 0001 0000")),
        (0xE0, JFIF + bytes.fromhex("0202 0001 0001 0000"), JFIF + bytes.fromhex("0202 0001 0001 0101") + b"abc"),
        (0xEE, ADOBE + bytes.fromhex("64 0000 0000 02"), ADOBE + bytes.fromhex("64 0000 0000 03")),
        (0xEE, ADOBE + bytes.fromhex("65 c000 c000 00"), ADOBE + bytes.fromhex("66 c000 c000 00")),
        (0xEE, ADOBE + bytes.fromhex("64 0000 0000 00"), ADOBE + bytes.fromhex("64 0000 0001 00")),
        (0xEE, ADOBE + bytes.fromhex("64 0000 0000 00"), ADOBE + bytes.fromhex("64 0001 0000 00")),
        (
            0xE8,
            SPIFF + bytes.fromhex("02090404 0000ffff 0000ffff 0f100902 000012c0 000012c0"),
            SPIFF + bytes.fromhex("02090404 00010000 0000ffff 0f100902 000012c0 000012c0"),
        ),
        (
            0xE8,
            SPIFF + bytes.fromhex("02090404 0000ffff 0000ffff 0f100902 000012c0 000012c0"),
            SPIFF + bytes.fromhex("02090404 0000ffff 0000ffff 0f100902 000012c1 000012c0"),
        ),
        (
            0xE8,
            SPIFF + bytes.fromhex("02090404 0000ffff 0000ffff 0f100902 000012c0 000012c0"),
            SPIFF + bytes.fromhex("02090404 0000ffff 0000ffff 0f110902 000012c0 000012c0"),
        ),
        (
            0xE8,
            SPIFF + bytes.fromhex("02090404 0000ffff 0000ffff 0f100902 000012c0 000012c0"),
            SPIFF + bytes.fromhex("030a0505 0000ffff 0000ffff 0f100902 000012c0 000012c0"),
        ),
        (0xE8, bytes.fromhex("00000001"), bytes.fromhex("00000002")),
        (0xE8, b"mrfx\3", b"mrfx\4"),
        (0xDD, b"\0\0", b"\0"),
        (0xDD, b"\0\0\0\0", b"\0\0\0\0\0"),
        (0xDC, b"\0\x20", b"\0\x20\0"),
        (0xCC, b"\0\x10\x10\5" * 4, b"\0\x10\x10\5" * 4 + b"\0\x10"),
        (0xCC, b"\0\x10", b"\0\x10\0"),
        (0xC4, b"\3" + b"\1" + bytes(15) + b"\x10", b"\3" + b"\1" + bytes(15) + b"\x11"),  # 16 bits: T.81 H.1.2.2
        (0xC4, b"\3" + b"\1" + bytes(15) + b"\x10", b"\3" + b"\2" + bytes(15) + b"\x10\x10"),
        (0xC4, b"\3" + b"\1" + bytes(15) + b"\x10", b"\3" + b"\1" + bytes(15) + b"\x10\0"),
    ],
)
def test_a_field_is_sound_up_to_its_bound(code: int, sound: bytes, beyond: bytes) -> None:
    assert beside(code, sound) == []
    assert beside(code, beyond)


def in_main_header(code: int, body: bytes) -> list[str]:
    """Return what is said of a segment behind the first of a JPEG 2000 stream of one component and one tile part."""
    stream = frame(files.JPEG_2000)
    at = 4 + int.from_bytes(stream[4:6], "big")
    return faults(stream[:at] + segment(code, body) + stream[at:], files.JPEG_2000)


def coded(levels: int, *, precincts: int = 0) -> bytes:
    """Five fields of a coding style: levels, size of code blocks, style, transform; then sizes of precincts."""
    return bytes([levels, 4, 4, 0, 1]) + b"\x77" * precincts


@pytest.mark.parametrize(
    ("code", "sound", "beyond"),
    [
        (0x50, bytes.fromhex("00020000 0000"), bytes.fromhex("00020001 0000")),
        (0x50, bytes.fromhex("00020000 0000"), bytes.fromhex("00020000 000000")),
        (0x53, b"\0\0" + coded(32), b"\0\0" + coded(33)),
        (0x53, b"\0\0" + coded(5), b"\1\0" + coded(5)),  # there is no second component
        (0x53, b"\0\1" + coded(5, precincts=6), b"\0\1" + coded(5, precincts=7)),
        (0x53, b"\0\1" + coded(5, precincts=6), b"\0\1" + coded(5, precincts=5)),
        (0x53, b"\0\0" + coded(5), b"\0\0" + coded(5, precincts=6)),
        (0x5E, b"\0\0\7", b"\1\0\7"),
        (0x5E, b"\0\0\7", b"\0\0\7\0"),
        (0x5F, bytes([32, 0, 0, 1, 33, 1, 4]), bytes([33, 0, 0, 1, 33, 1, 4])),
        (0x5F, bytes([32, 0, 0, 1, 33, 1, 4]), bytes([32, 1, 0, 1, 33, 1, 4])),
        (0x5F, bytes([32, 0, 0, 1, 33, 1, 4]), bytes([32, 0, 0, 1, 34, 1, 4])),
        (0x5F, bytes([32, 0, 0, 1, 33, 1, 4]), bytes([32, 0, 0, 1, 33, 1, 5])),
        (0x5F, bytes([0, 0, 0, 1, 1, 1, 0]) * 32, bytes([0, 0, 0, 1, 1, 1, 0]) * 33),
        (0x5F, bytes([0, 0, 0, 1, 1, 1, 0]), bytes([0, 0, 0, 1, 1, 1, 0, 0])),
        (0x63, bytes(4), b"\0\0\0\1"),
        (0x63, bytes(4), bytes(5)),
        (0x59, bytes(2), bytes(3)),
    ],
)
def test_a_segment_of_jpeg_2000_is_sound_up_to_its_bound(code: int, sound: bytes, beyond: bytes) -> None:
    assert in_main_header(code, sound) == []
    assert in_main_header(code, beyond)


def test_a_tile_of_jpeg_2000_is_no_larger_than_any_picture() -> None:
    stream = frame(files.JPEG_2000)
    for place in (24, 28):  # width and height of tiles (T.800 A.5.1)
        for side, is_sound in ((1 << 16, True), ((1 << 16) + 1, False)):
            changed = stream[:place] + side.to_bytes(4, "big") + stream[place + 4 :]
            assert (faults(changed, files.JPEG_2000) == []) == is_sound


def quantised(levels: int, style: int, body: bytes) -> list[str]:
    """Return what is said of a quantisation behind a coding style of so many levels, in a stream of its own."""
    main = segment(0x51, bytes(34) + b"\0\1" + b"\x0b\1\1") + segment(0x52, b"\0\0\0\1\0" + coded(levels))
    part = b"\xff\x90\0\x0a" + bytes(8) + b"\xff\x93" + bytes(4)
    stream = b"\xff\x4f" + main + segment(0x5C, bytes([style]) + body) + part + b"\xff\xd9"
    return faults(stream, files.JPEG_2000)


@pytest.mark.parametrize(("style", "size"), [(0, 3 * 5 + 1), (1, 2), (2, 2 * (3 * 5 + 1))])
def test_a_quantisation_has_a_value_for_each_subband(style: int, size: int) -> None:
    assert quantised(5, 0x40 | style, b"\x48" * size) == []  # the high bits count guard bits
    assert quantised(5, 0x40 | style, b"\x48" * (size + 1))
    assert quantised(5, 0x40 | style, b"\x48" * (size - 1))
    assert bool(quantised(5, 0x40 | style, b"\x49" * size)) == (style == 0)  # three bits that nothing reads
    assert quantised(5, 0x43, b"\x48" * size)


def lengths(code: int, body: bytes, *, in_tile: bool) -> list[str]:
    """Return what is said of lengths beside one tile part of 18 bytes, of which four are packets."""
    main = segment(0x51, bytes(34) + b"\0\1" + b"\x0b\1\1") + segment(0x52, b"\0\0\0\1\0" + coded(5))
    inside = segment(code, body) if in_tile else b""
    part = b"\xff\x90\0\x0a\0\0" + (18 + len(inside)).to_bytes(4, "big") + b"\0\1" + inside + b"\xff\x93" + bytes(4)
    stream = b"\xff\x4f" + main + (b"" if in_tile else segment(code, body)) + part + b"\xff\xd9"
    return faults(stream, files.JPEG_2000)


@pytest.mark.parametrize(
    ("form", "index", "width"),
    [
        (0x00, b"", 2),
        (0x10, b"\0", 2),
        (0x20, b"\0\0", 2),
        (0x40, b"", 4),
        (0x50, b"\0", 4),
        (0x60, b"\0\0", 4),
    ],
)
def test_lengths_of_tile_parts_are_those_that_stand_there(form: int, index: bytes, width: int) -> None:
    head = b"\0" + bytes([form])
    assert lengths(0x55, head + index + (18).to_bytes(width, "big"), in_tile=False) == []
    assert lengths(0x55, head + index + (19).to_bytes(width, "big"), in_tile=False)
    assert lengths(0x55, head + (index + (18).to_bytes(width, "big")) * 2, in_tile=False)
    assert lengths(0x55, head + index + (18).to_bytes(width, "big") + b"\0", in_tile=False)


@pytest.mark.parametrize(
    ("body", "is_sound"),
    [
        (b"\4", True),
        (b"\1\3", True),
        (b"\x80\4", True),
        (b"\x80\x80\4", True),
        (b"\5", False),
        (b"\1\4", False),
        (b"\x81\4", False),
        (b"\4\x80", False),
        (b"", True),
    ],
)
def test_lengths_of_packets_add_up_to_the_tile_part(body: bytes, is_sound: bool) -> None:
    assert (lengths(0x58, b"\0" + body, in_tile=True) == []) == is_sound


def test_a_tile_part_without_data_ends_where_it_says() -> None:
    """What follows a part of 14 bytes is judged too; nothing leaps from there to the end of the stream."""
    main = segment(0x51, bytes(34) + b"\0\1" + b"\x0b\1\1") + segment(0x52, b"\0\0\0\1\0" + coded(5))
    empty = b"\xff\x90\0\x0a\0\0" + (14).to_bytes(4, "big") + b"\0\2\xff\x93"
    for comment in (b"", segment(0x64, b"\0\0\1\2\3")):  # no text, which would be found before the end too
        size = (18 + len(comment)).to_bytes(4, "big")
        second = b"\xff\x90\0\x0a\0\0" + size + b"\1\2" + comment + b"\xff\x93" + bytes(4)
        assert bool(faults(b"\xff\x4f" + main + empty + second + b"\xff\xd9", files.JPEG_2000)) == bool(comment)

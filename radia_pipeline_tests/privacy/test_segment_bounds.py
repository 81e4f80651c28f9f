"""Segments of compressed frames at the bounds of their standards: what may stand in them, field by field.

Expected values stand in ITU-T T.81, T.87 and T.800; quantisation tables are compared with those that libjpeg writes.
"""

from __future__ import annotations

import io
import struct
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from radia_pipeline.privacy import jpeg2000_markers as j2k
from radia_pipeline.privacy import jpeg_markers as jpeg
from radia_pipeline_tests.privacy.test_markers import segment

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
DQT, DHT, SOS = 0xDB, 0xC4, 0xDA
LOSSLESS, BASELINE = 0xC3, 0xC0
ONE = bytes([12, 0, 3, 0, 5, 1, 1, 0x11, 0])
"""A frame header of one component that names quantisation table 0."""


def judged(code: int, body: bytes, *used: tuple[int, int]) -> bool:
    """Tell whether a segment is sound."""
    return jpeg._judged(code, body, set(used))[1] is None


def test_the_standards_tables_are_those_that_libjpeg_writes_at_each_quality():
    grey = Image.fromarray(np.zeros((16, 16), np.uint8))
    colour = Image.fromarray(np.zeros((16, 16, 3), np.uint8))
    written = set()
    for quality in range(1, 101):
        for image in (grey, colour):
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=quality)
            segments, _ = jpeg._segments(buffer.getvalue(), is_ls=False)
            for code, body in segments:
                if code == DQT:
                    written |= {body[at + 1 : at + 65] for at in range(0, len(body), 65)}
    assert jpeg._standard_quantisation() == written


def test_where_the_tables_of_a_segment_begin():
    wide, narrow = b"\x10" + bytes(128), b"\0" + bytes(64)
    assert list(jpeg._places(DQT, wide + narrow + wide)) == [0, 129, 194]
    code = b"\0" + bytes([1, 2]) + bytes(14) + b"abc"
    assert list(jpeg._places(DHT, code + code)) == [0, 20]
    assert list(jpeg._places(DHT, b"")) == []


def test_what_may_stand_once_in_a_frame():
    assert jpeg._once(DQT, b"\x11" + bytes(128)) == [(DQT, 1)], "its precision does not make it another table"
    assert jpeg._once(DHT, b"\x11" + bytes(16)) == [(DHT, 0x11)]
    assert jpeg._once(0xC0, b"") == jpeg._once(0xF7, b"") == [(0xC0, -1)]
    assert jpeg._once(SOS, b"") == [(SOS, -1)]
    assert jpeg._once(0xFE, b"") == jpeg._once(0xC4 + 0x18, b"") == []


def test_segments_lead_to_the_end_of_the_scan():
    scan = segment(SOS, bytes([1, 1, 0, 1, 0, 0]))
    stream = SOI + b"\xff" + segment(0xFE, b"abc") + scan + b"a\xff\0b\xff\xd3c\xff\xff" + segment(0xFE, b"x") + EOI
    found, end = jpeg._segments(stream, is_ls=False)
    assert [(code, body) for code, body in found] == [(0xFE, b"abc"), (SOS, scan[4:]), (0xFE, b"x")]
    assert end == len(stream) - 2
    stuffed = SOI + scan + b"a\xff\x7fb" + EOI
    assert jpeg._segments(stuffed, is_ls=True)[1] == len(stuffed) - 2
    assert jpeg._segments(stuffed, is_ls=False)[1] is None
    assert jpeg._segments(SOI + scan + b"abc", is_ls=False) == ([(SOS, scan[4:])], None)
    assert jpeg._segments(SOI + b"\xff\xfe\0\2", is_ls=False)[0] == [(0xFE, b"")], "the last four bytes are a segment"
    assert jpeg._segments(SOI + b"\xff\xfe\0", is_ls=False) == ([], None)
    assert jpeg._segments(SOI + b"\0\xfe\0\2", is_ls=False) == ([], None)


def used(*segments: tuple[int, bytes]) -> set[tuple[int, int]]:
    return jpeg._used_tables([jpeg._Segment(*one) for one in segments])


def test_which_tables_frame_and_scan_name():
    scan = bytes([1, 1, 0x12, 0, 63, 0])
    assert used((BASELINE, ONE), (SOS, scan)) == {(DQT, 0), (DHT, 1), (DHT, 0x12)}
    assert used((LOSSLESS, ONE), (SOS, scan)) == {(DHT, 1)}
    assert used((0xF7, ONE)) == {(DQT, 0), (0xF7, -1)}
    three = bytes([8, 0, 3, 0, 5, 3, 1, 0x11, 2, 2, 0x11, 1, 3, 0x11, 3])
    assert used((BASELINE, three)) == {(DQT, 2), (DQT, 1), (DQT, 3)}
    assert used((BASELINE, ONE[:5])) == set()
    assert used((BASELINE, ONE[:6])) == set()
    assert used((SOS, bytes([2, 1, 0x10, 2, 0x31]))) == {(DHT, 1), (DHT, 0x10), (DHT, 3), (DHT, 0x11)}
    assert used((SOS, bytes([2, 1, 0x10]))) == {(DHT, 1), (DHT, 0x10), (DHT, 0)}, "what is cut counts as zero"
    assert used((SOS, b"")) == set()
    for code in (0xC7, 0xCB):
        assert used((code, ONE), (SOS, scan)) == {(DHT, 1)}


@pytest.mark.parametrize("code", [0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xF7])
def test_a_frame_header_is_as_long_as_its_components(code):
    assert judged(code, ONE)
    assert judged(code, ONE[:5] + bytes([2]) + ONE[6:] * 2)
    assert judged(code, ONE[:5] + bytes([0]))
    for wrong in (ONE[:5], ONE[:-1], ONE + b"\0", ONE[:5] + bytes([2]) + ONE[6:]):
        assert not judged(code, wrong)


@pytest.mark.parametrize("code", [0xC8, 0xCD, 0xCF, 0xD0, 0xDE, 0xDF, 0xF0, 0xF6, 0xF9, 0x01])
def test_markers_that_dicom_does_not_use(code):
    assert not judged(code, ONE)


SCAN_BODIES = [
    (False, [1, 1, 0, 0, 63, 0], True), (False, [1, 1, 0, 0, 0, 0], True), (False, [1, 1, 0, 0, 62, 0], False),
    (False, [1, 1, 0, 0, 64, 0], False), (False, [1, 1, 0, 0, 63, 1], False), (False, [1, 1, 0, 0, 1, 0], False),
    (False, [1, 1, 0, 1, 0, 0], True), (False, [1, 1, 0, 7, 0, 15], True), (False, [1, 1, 0, 8, 0, 0], False),
    (False, [1, 1, 0, 7, 0, 16], False), (False, [1, 1, 0, 7, 1, 0], False), (False, [1, 1, 0x33, 1, 0, 0], True),
    (False, [1, 1, 0x43, 1, 0, 0], False), (False, [1, 1, 0x34, 1, 0, 0], False), (False, [1, 1, 0, 1, 0], False),
    (False, [1, 1, 0, 1, 0, 0, 0], False), (False, [2, 1, 0, 2, 0x40, 1, 0, 0], False),
    (False, [2, 1, 0, 2, 0x11, 1, 0, 0], True), (False, [], False), (True, [1, 1, 0, 0, 0, 0], True),
    (True, [1, 1, 0, 9, 2, 0], True), (True, [1, 1, 0, 0, 3, 0], False), (True, [1, 1, 0, 0, 0, 1], False),
    (True, [1, 1, 1, 0, 0, 0], False), (True, [2, 1, 0, 2, 0, 0, 0, 0], True), (True, [2, 1, 0, 2, 1, 0, 0, 0], False),
    (False, [0, 1, 0, 0], True),
]  # fmt: skip


@pytest.mark.parametrize(("is_ls", "body", "is_sound"), SCAN_BODIES)
def test_fields_of_a_scan_header(is_ls, body, is_sound):
    assert judged(SOS, bytes(body), *([(0xF7, -1)] if is_ls else [])) is is_sound


def test_a_quantisation_table_is_used_or_the_standards():
    own = bytes([200 + at % 40 for at in range(64)])
    standard = min(jpeg._standard_quantisation())
    assert judged(DQT, b"\0" + own, (DQT, 0))
    assert not judged(DQT, b"\0" + own)
    assert not judged(DQT, b"\1" + own, (DQT, 0))
    assert judged(DQT, b"\3" + standard)
    assert judged(DQT, b"\x10" + own * 2, (DQT, 0)), "its precision does not make it another table"
    assert not judged(DQT, b"\0" + b"Tremblay" + own[8:], (DQT, 0))
    assert not judged(DQT, b"\0" + own[:-1], (DQT, 0))
    assert not judged(DQT, b"\x10" + own * 2 + b"\1" + own, (DQT, 0))
    assert not judged(DQT, b"\0" + own + b"\2" + own, (DQT, 0)), "the second table is judged, too"


def codes(identifier: int, symbols: bytes, counts: list[int] | None = None) -> bytes:
    return bytes([identifier, *(counts or [0, 0, 0, 0, len(symbols), *[0] * 11])]) + symbols


def test_symbols_of_a_huffman_table():
    assert judged(DHT, codes(0, bytes(range(17))))
    assert not judged(DHT, codes(0, bytes([17])))
    assert not judged(DHT, codes(0, b"\1\1"))
    assert judged(DHT, codes(0, b""))
    assert not judged(DHT, codes(0, b"\1\2")[:-1])
    assert not judged(DHT, bytes(16))
    assert not judged(DHT, codes(0, b"\1") + codes(1, bytes([99])))
    runs = bytes([0x01, 0x0E, 0x00, 0xF0, 0x5E])
    assert judged(DHT, codes(0x10, runs), (DHT, 0x10))
    assert not judged(DHT, codes(0x10, runs)), "unused"
    assert not judged(DHT, codes(0x11, runs), (DHT, 0x10))
    for symbol in (0x0F, 0x10, 0x20, 0xE0, 0xFF):
        assert not judged(DHT, codes(0x10, bytes([symbol])), (DHT, 0x10)), symbol
    assert not judged(DHT, codes(0x0F, bytes([17])))
    for symbols in jpeg._standard_symbols():
        assert judged(DHT, codes(0x13, symbols)), "the standard's may stand unused"
    assert judged(DHT, codes(0x13, b""), (DHT, 0x13))


def test_a_word_in_symbols_is_told_from_letters_in_order():
    flat = [0] * 16
    assert not jpeg._spells(b"ABCDE", bytes(flat)), "ascending"
    assert jpeg._spells(b"MARIE", bytes(flat))
    assert jpeg._spells(b"ABCED", bytes(flat)), "the last falls"
    assert jpeg._spells(b"BACDE", bytes(flat)), "the second falls"
    assert not jpeg._spells(b"CDEAB", bytes([0, 3, 2, *flat[3:]])), "where another length begins they may fall"
    assert jpeg._spells(b"CDEAB", bytes([0, 2, 3, *flat[3:]]))
    assert not jpeg._spells(b"MARI", bytes(flat))
    assert not jpeg._spells(b"\1\2\3\4\5", bytes(flat))
    assert not jpeg._spells(b"EABCD", bytes([1, *flat[1:]])), "also behind the first"


@pytest.mark.parametrize(
    ("code", "body", "is_sound"),
    [
        (0xCC, bytes(16), True), (0xCC, bytes(15), False), (0xCC, bytes(18), False), (0xCC, bytes(2), True),
        (0xCC, b"TREMBLAY", False),
        (0xF8, bytes([1]) + bytes(10), True), (0xF8, bytes([2]) + bytes(10), False), (0xF8, bytes([1] * 12), False),
        (0xF8, bytes([1] * 10), False),
        (0xDD, bytes(1), False), (0xDD, bytes(2), True), (0xDD, bytes(3), True), (0xDD, bytes(4), True),
        (0xDD, bytes(5), False), (0xDC, bytes(1), False), (0xDC, bytes(2), True), (0xDC, bytes(3), False),
    ],
)  # fmt: skip
def test_lengths_of_the_small_segments(code, body, is_sound):
    assert judged(code, body) is is_sound


def jfif(version: int = 1, units: int = 1, x: int = 72, y: int = 72, thumbnail: bytes = b"\0\0") -> bytes:
    return b"JFIF\0" + bytes([1, version, units]) + struct.pack(">HH", x, y) + thumbnail


def adobe(version: int = 100, flags: tuple[int, int] = (0, 0), transform: int = 0) -> bytes:
    return b"Adobe\0" + bytes([version]) + struct.pack(">HH", *flags) + bytes([transform])


def spiff(**changes: int) -> bytes:
    values = {"major": 1, "profile": 0, "components": 1, "minor": 0, "rows": 5, "columns": 5, "space": 8, "bits": 12,
              "compression": 0, "units": 1, "vertical": 72, "horizontal": 72} | changes  # fmt: skip
    head = bytes([values[name] for name in ("minor", "profile", "components", "major")])
    fields = bytes([values[name] for name in ("space", "bits", "compression", "units")])
    sizes = struct.pack(">II", values["rows"], values["columns"])
    return b"SPIFF\0" + head + sizes + fields + struct.pack(">II", values["vertical"], values["horizontal"])


@pytest.mark.parametrize(
    ("code", "body", "is_sound"),
    [
        (0xE0, jfif(), True), (0xE0, jfif(version=99), True), (0xE0, jfif(units=2), True), (0xE0, jfif(units=3), False),
        (0xE0, jfif(x=4800), True), (0xE0, jfif(x=4801), False), (0xE0, jfif(y=4800), True),
        (0xE0, jfif(y=4801), False), (0xE0, jfif(thumbnail=b"\0\1"), False), (0xE0, jfif(thumbnail=b"\1\0"), False),
        (0xE0, jfif() + b"\0", False), (0xE0, jfif()[:-1], False), (0xE0, b"JFXX" + jfif()[4:], False),
        (0xE1, jfif(), False), (0xEF, jfif(), False), (0xED, adobe(), False),
        (0xEE, adobe(), True), (0xEE, adobe(101), True), (0xEE, adobe(102), False), (0xEE, adobe(99), False),
        (0xEE, adobe(flags=(0xC000, 0x4000)), True), (0xEE, adobe(flags=(0, 1)), False),
        (0xEE, adobe(flags=(0x2000, 0)), False), (0xEE, adobe(transform=2), True), (0xEE, adobe(transform=3), False),
        (0xEE, adobe() + b"\0", False), (0xEE, adobe()[:-1], False),
        (0xE8, b"\0\0\0\1", True), (0xE8, b"\0\0\0\1\xff\xd8", True), (0xE8, b"\0\0\0\2", False),
        (0xE8, b"mrfx\0", True), (0xE8, b"mrfx\3", True), (0xE8, b"mrfx\4", False), (0xE8, b"mrfx", False),
        (0xE8, b"mrfx\0\0", False), (0xE8, spiff(), True), (0xE8, spiff() + b"\0", False), (0xE8, spiff()[:-1], False),
        *((0xE8, spiff(**{name: most}), True) for name, most in (
            ("minor", 2), ("profile", 9), ("components", 4), ("major", 4), ("space", 15), ("bits", 16),
            ("compression", 9), ("units", 2), ("rows", 65535), ("columns", 65535), ("vertical", 4800),
            ("horizontal", 4800))),
        *((0xE8, spiff(**{name: most}), False) for name, most in (
            ("minor", 3), ("profile", 10), ("components", 5), ("major", 5), ("space", 16), ("bits", 17),
            ("compression", 10), ("units", 3), ("rows", 65536), ("columns", 65536), ("vertical", 4801),
            ("horizontal", 4801))),
    ],
)  # fmt: skip
def test_application_segments_hold_numbers_in_their_bounds(code, body, is_sound):
    assert judged(code, body) is is_sound


def test_what_stands_twice_is_a_fault_the_second_time():
    table = segment(DHT, codes(0, b"\1\2"))
    stream = SOI + segment(LOSSLESS, ONE) + table + table + EOI
    assert [fault for _, fault in jpeg.listed(stream, is_ls=False)] == [None, None, "stands twice"]
    both = segment(DHT, codes(0, b"\1\2") + codes(0, b"\1\2"))
    assert [fault for _, fault in jpeg.listed(SOI + both + EOI, is_ls=False)] == ["stands twice"]
    two = segment(DHT, codes(0, b"\1\2") + codes(1, b"\1\2"))
    assert [fault for _, fault in jpeg.listed(SOI + two + EOI, is_ls=False)] == [None]


def frame(components: int = 1, levels: int = 2) -> j2k._Frame:
    return j2k._Frame(components=components, levels=levels)


def j2k_sound(marker: int, body: bytes, given: j2k._Frame | None = None) -> bool:
    """Tell whether a segment is sound, as the walk over a header says it."""
    stream = struct.pack(">HH", marker, len(body) + 2) + body + b"\xff\x90"
    return [fault for _, fault in j2k._header(stream, 0, 0xFF90, given or frame())] == [None]


def size(components: int, tile: tuple[int, int], *, extra: int = 0) -> bytes:
    return (
        bytes(18) + struct.pack(">II", *tile) + bytes(8) + struct.pack(">H", components) + bytes(3 * components + extra)
    )


@pytest.mark.parametrize(
    ("marker", "body", "is_sound"),
    [
        (0xFF51, size(1, (65536, 65536)), True), (0xFF51, size(1, (65537, 1)), False),
        (0xFF51, size(1, (1, 65537)), False), (0xFF51, size(2, (9, 9)), True),
        (0xFF51, size(1, (9, 9), extra=1), False),
        (0xFF50, struct.pack(">IH", 1 << 17, 0), True), (0xFF50, struct.pack(">IH", 1 << 18, 0), False),
        (0xFF50, struct.pack(">I", 1 << 17), False),
        (0xFF52, bytes([0, 0, 0, 1, 0, 5, 4, 4, 0, 1]), True), (0xFF52, bytes([0, 0, 0, 1, 0, 32, 4, 4, 0, 1]), True),
        (0xFF52, bytes([0, 0, 0, 1, 0, 33, 4, 4, 0, 1]), False), (0xFF52, bytes([0, 0, 0, 1, 0, 5, 4, 4, 0]), False),
        (0xFF52, bytes([1, 0, 0, 1, 0, 1, 4, 4, 0, 1, 9, 9]), True),
        (0xFF52, bytes([1, 0, 0, 1, 0, 1, 4, 4, 0, 1, 9]), False),
        (0xFF52, bytes([2, 0, 0, 1, 0, 1, 4, 4, 0, 1]), True), (0xFF52, bytes([3, 0, 0, 1, 0, 1, 4, 4, 0, 1]), False),
        (0xFF53, bytes([0, 0, 2, 4, 4, 0, 1]), True), (0xFF53, bytes([1, 0, 2, 4, 4, 0, 1]), False),
        (0xFF53, bytes([0, 1, 2, 4, 4, 0, 1, 9, 9, 9]), True), (0xFF53, bytes([0, 1, 2, 4, 4, 0, 1]), False),
        (0xFF5C, bytes([0x40, *[8] * 7]), True), (0xFF5C, bytes([0x40, *[8] * 6]), False),
        (0xFF5C, bytes([0x40, *[8] * 6, 9]), False), (0xFF5C, bytes([0x41, 9, 9]), True),
        (0xFF5C, bytes([0x41, 9]), False), (0xFF5C, bytes([0x42, *[9] * 14]), True),
        (0xFF5C, bytes([0x42, *[9] * 13]), False), (0xFF5C, bytes([0x43, *[9] * 14]), False),
        (0xFF5C, bytes([0x40, *[12] * 7]), False), (0xFF5C, bytes([0x40, *[16] * 7]), True),
        (0xFF5D, bytes([0, 0x41, 9, 9]), True), (0xFF5D, bytes([1, 0x41, 9, 9]), False),
        (0xFF5D, bytes([0, 0x41, 9]), False),
        (0xFF5E, bytes([0, 0, 9]), True), (0xFF5E, bytes([1, 0, 9]), False), (0xFF5E, bytes([0, 0]), False),
        (0xFF5E, bytes([0, 0, 9, 9]), False),
        (0xFF5F, bytes([32, 0, 0, 1, 33, 0, 4]), True), (0xFF5F, bytes([33, 0, 0, 1, 33, 0, 4]), False),
        (0xFF5F, bytes([0, 1, 0, 1, 33, 0, 4]), False), (0xFF5F, bytes([0, 0, 0, 1, 34, 0, 4]), False),
        (0xFF5F, bytes([0, 0, 0, 1, 33, 0, 5]), False), (0xFF5F, bytes(7 * 32), True), (0xFF5F, bytes(7 * 33), False),
        (0xFF5F, bytes(8), False), (0xFF5F, bytes([*[0] * 7, 99, *[0] * 6]), False),
        (0xFF59, bytes(2), True), (0xFF59, bytes(3), False),
        (0xFF63, bytes(4), True), (0xFF63, bytes(3), False), (0xFF63, b"\0\0\0\1", False),
        (0xFF58, b"\0", True), (0xFF58, b"", False), (0xFF58, b"\0\x05", True), (0xFF58, b"\0\x85", False),
        (0xFF55, b"\0\x40" + bytes(8), True), (0xFF55, b"\0\x40" + bytes(6), False), (0xFF55, b"\0", False),
        (0xFF64, b"\0\1", True), (0xFF64, b"\0\1Octave Lavoie", False), (0xFF57, b"\0", False),
    ],
)  # fmt: skip
def test_segments_of_jpeg_2000_hold_what_their_fields_declare(marker, body, is_sound):
    assert j2k_sound(marker, body) is is_sound


@pytest.mark.parametrize(
    ("marker", "body", "is_sound"),
    [
        (0xFF53, bytes([0, 1, 0, 2, 4, 4, 0, 1]), True), (0xFF53, bytes([1, 1, 0, 2, 4, 4, 0, 1]), False),
        (0xFF53, bytes([1, 0, 0, 2, 4, 4, 0, 1]), True), (0xFF5D, bytes([1, 0, 0x41, 9, 9]), True),
        (0xFF5D, bytes([1, 1, 0x41, 9, 9]), False), (0xFF5E, bytes([1, 0, 9, 9]), True), (0xFF5E, bytes(3), False),
    ],
)  # fmt: skip
def test_from_257_components_on_their_number_takes_two_bytes(marker, body, is_sound):
    assert j2k_sound(marker, body, frame(257)) is is_sound
    assert j2k_sound(0xFF5E, bytes(3), frame(256))


@pytest.mark.parametrize(
    ("style", "entries", "promised"),
    [
        (0x00, b"\0\7\0\x09", [7, 9]), (0x40, b"\0\0\0\7\0\0\0\x09", [7, 9]), (0x10, b"\1\0\7\2\0\x09", [7, 9]),
        (0x60, b"\0\1\0\0\1\7", [263]), (0x30, b"\0\7", [7]), (0x50, b"\1\0\0\0\7", [7]),
    ],
)  # fmt: skip
def test_lengths_of_tile_parts_are_read_in_each_width(style, entries, promised):
    given = frame()
    assert j2k._tile_lengths(bytes([0, style]) + entries, given)
    assert given.promised == promised


def test_lengths_of_packets_have_seven_bits_a_byte():
    given = frame()
    assert j2k._packet_lengths(bytes([0, 0x05, 0x81, 0x02, 0x81, 0x80, 0x00]), given)
    assert given.packets == [5, 130, 1 << 14]


def test_a_coding_segment_says_how_many_levels_there_are():
    given = frame(levels=0)
    assert j2k_sound(0xFF52, bytes([0, 0, 0, 1, 0, 3, 4, 4, 0, 1]), given)
    assert given.levels == 3
    assert j2k_sound(0xFF5C, bytes([0x40, *[8] * 10]), given)


def tile(body: bytes, *, said: int | None = None) -> bytes:
    length = 12 + len(body) if said is None else said
    return b"\xff\x90\0\x0a\0\0" + struct.pack(">I", length) + b"\0\1" + body


SOD = b"\xff\x93"
MAIN = b"\xff\x4f\xff\x51" + struct.pack(">H", 41) + size(1, (9, 9))


def faults(stream: bytes) -> tuple[list[str], int | None]:
    """Return the names of what is at fault, and where the end marker is found."""
    listing = j2k.listed(stream)
    found = []
    while True:
        try:
            name, fault = next(listing)
        except StopIteration as stopped:
            return found, stopped.value
        if fault:
            found.append(name)


def test_tile_parts_are_followed_and_their_lengths_compared():
    plain = MAIN + tile(SOD + b"abc") + tile(SOD) + EOI
    assert faults(plain) == ([], len(plain) - 2)
    open_ended = MAIN + tile(SOD + b"abc", said=0) + EOI
    assert faults(open_ended) == ([], len(open_ended) - 2)
    for said, wrong in (((17, 14), False), ((17, 15), True), ((17,), True)):
        lengths = b"\xff\x55" + struct.pack(">H", 4 + 2 * len(said)) + b"\0\0" + struct.pack(f">{len(said)}H", *said)
        stream = MAIN + lengths + plain[len(MAIN) :]
        assert faults(stream) == (["lengths of tile parts"] if wrong else [], len(stream) - 2)
    for packets, wrong in ((b"\3", False), (b"\2", True), (b"\1\2", False)):
        inner = b"\xff\x58" + struct.pack(">H", 3 + len(packets)) + b"\0" + packets
        stream = MAIN + tile(inner + SOD + b"abc") + EOI
        assert faults(stream) == (["lengths of packets"] if wrong else [], len(stream) - 2)
    second = MAIN + tile(b"\xff\x58\0\4\0\3" + SOD + b"abc") + tile(SOD + b"abcd") + EOI
    assert faults(second) == ([], len(second) - 2), "packets are counted anew in each tile part"


@pytest.mark.parametrize(
    "rest",
    [
        tile(SOD + b"abc"),
        tile(SOD + b"abc", said=16) + EOI,
        tile(SOD + b"abc", said=13),
        tile(b"\xff\x58\0\1" + SOD) + EOI,
        tile(b"\xff\x58"),
        tile(SOD + b"abc", said=0),
        b"",
    ],
)
def test_a_stream_that_leads_nowhere_has_no_end(rest):
    assert faults(MAIN + rest)[1] is None


def test_the_standards_symbols_rise_within_each_run_of_zeros():
    for symbols in jpeg._standard_symbols():
        assert len(symbols) == 162
        assert any(one > other for one, other in pairwise(symbols))
        assert sum(map(jpeg._is_run, symbols)) == 162

"""Segments of JPEG (ITU-T T.81) and JPEG-LS (T.87) frames: only what the picture needs and what is declared may stand.

Belongs here: the form of each segment, and which tables a frame uses. Does not belong here: other families
(``jpeg2000_markers``), padding (``markers``).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from functools import cache
from typing import NamedTuple

from radia_pipeline.privacy.known import names_encoder

_COM, _SOS, _EOI, _DRI, _DNL, _DHT, _DAC, _DQT, _LSE = 0xFE, 0xDA, 0xD9, 0xDD, 0xDC, 0xC4, 0xCC, 0xDB, 0xF8
_FRAMES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), 0xF7})
_AFTER_SCAN = {False: re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]"), True: re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")}
"""The next marker behind entropy-coded bits, in JPEG and in JPEG-LS, whose bit stuffing leaves 0xFF 0x00 to 0x7F."""
_WORDS = re.compile(
    rb"[A-Z]{5}|[a-z]{5}|[A-Z][a-z]{4}|[A-Za-z^ ,]{8}|[0-9]{7}"
    rb"|[A-Za-z][a-z]{2,}[ ^,]+[A-Za-z][a-z]{2,}|[A-Z]{4,}[\^ ][A-Z]{3,}"
)
_MOST_CATEGORY = 16
"""Differences have at most this many bits (T.81 H.1.2.2): symbols of direct-current and lossless tables."""
_MOST_RUN_CATEGORY = 14
"""Coefficients have at most this many bits (T.81 F.1.2.2.1, of 12-bit samples): low halves of the other symbols."""
_NO_COEFFICIENT = frozenset({0x00, 0xF0})
"""Symbols without bits: the end of a block, and sixteen zeros."""
_PRESETS_BYTES = 11
_MOST_DENSITY = 4800
"""Dots an inch: no film is digitised finer."""
_LOSSLESS = (0xC3, 0xC7, 0xCB)
"""Frames that code differences alone: no quantisation, no runs (T.81 H.1)."""
_LS_FRAME, _IS_LS = 0xF7, (0xF7, -1)
_LENGTH = "a segment of another length than declared"
_TEXT = "text in a table"


class _Segment(NamedTuple):
    code: int
    body: bytes


def listed(stream: bytes, *, is_ls: bool) -> Generator[tuple[str, str | None], None, int | None]:
    """Yield each segment with its fault, None where it is sound; returns where the end marker stands, None without."""
    segments, end = _segments(stream, is_ls=is_ls)
    used = _used_tables(segments)
    seen: set[tuple[int, int]] = set()
    for code, body in segments:
        name, fault = _judged(code, body, used)
        once = _once(code, body)
        yield name, fault or ("stands twice" if seen & set(once) or len(set(once)) < len(once) else None)
        seen |= set(once)
    return end


def _once(code: int, body: bytes) -> list[tuple[int, int]]:
    """Return what of a segment may stand once in a grey frame: frame and scan, and tables by their identifier.

    The precision of a quantisation table (the high half) is no part of its identifier.
    """
    if code in (_DQT, _DHT):
        return [(code, body[at] & 15 if code == _DQT else body[at]) for at in _places(code, body)]
    return [(0xC0 if code in _FRAMES else code, -1)] if code in (*_FRAMES, _SOS) else []


def _places(code: int, body: bytes) -> Iterator[int]:
    """Yield where each table of a segment begins."""
    at = 0
    while at < len(body):
        yield at
        at += 1 + (128 if body[at] >> 4 else 64) if code == _DQT else 17 + sum(body[at + 1 : at + 17])


def _segments(stream: bytes, *, is_ls: bool) -> tuple[list[_Segment], int | None]:
    at, found = 2, []
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        code = stream[at + 1]
        if code == 0xFF:
            at += 1
            continue
        if code == _EOI:
            break
        length = int.from_bytes(stream[at + 2 : at + 4], "big")
        found.append(_Segment(code, stream[at + 4 : at + 2 + length]))
        at += 2 + length
        if code == _SOS:
            behind = _AFTER_SCAN[is_ls].search(stream, at)
            at = behind.start() if behind else len(stream)
    return found, at if stream[at : at + 2] == b"\xff\xd9" else None


def _used_tables(segments: list[_Segment]) -> set[tuple[int, int]]:
    """Return (marker, identifier) of the tables that frame and scans name; a Huffman table's class is its high half."""
    used = set()
    is_lossless = any(code in _LOSSLESS for code, _ in segments)
    for code, body in segments:
        if code == _LS_FRAME:
            used.add(_IS_LS)
        if code in _FRAMES and len(body) >= 6 and not is_lossless:
            used |= {(_DQT, body[at]) for at in range(8, len(body), 3)}
        elif code == _SOS and body:
            for at in range(2, 1 + 2 * body[0], 2):
                chosen = body[at] if at < len(body) else 0
                used |= {(_DHT, chosen >> 4)} | (set() if is_lossless else {(_DHT, 0x10 | (chosen & 15))})
    return used


def _judged(code: int, body: bytes, used: set[tuple[int, int]]) -> tuple[str, str | None]:
    if code == _COM:
        return "comment", None if names_encoder(body) else "comment that is not declared"
    if 0xE0 <= code <= 0xEF:
        return f"APP{code - 0xE0}", None if _is_application(code, body) else "application segment that is not declared"
    if code == _SOS:
        return "scan header", None if _is_scan(body, is_ls=_IS_LS in used) else "a scan header with other fields"
    judge = _TABLES.get(code)
    if judge is not None:
        return f"marker {code:02X}", judge(body, used)
    if code in _FRAMES:
        sound = len(body) >= 6 and len(body) == 6 + 3 * body[5]
        return f"marker {code:02X}", None if sound else "a frame header of another length than declared"
    return f"marker {code:02X}", "a marker that DICOM does not use"


def _is_scan(body: bytes, *, is_ls: bool) -> bool:
    """As many components as it says; their tables, and the fields of the process (T.81 B.2.3, T.87 C.2.3) in bounds."""
    if not body or len(body) != 4 + 2 * body[0]:
        return False
    selectors, (first, second, third) = body[2:-3:2], body[-3:]
    if is_ls:
        return not any(selectors) and second <= 2 and third == 0
    is_sequential = first == 0 and second in (0, 63) and third == 0
    is_lossless = 1 <= first <= 7 and second == 0 and third < 16
    return all(one >> 4 < 4 and one & 15 < 4 for one in selectors) and (is_sequential or is_lossless)


def _fault_of_quantisation(body: bytes, used: set[tuple[int, int]]) -> str | None:
    """A table that the frame does not use must be one of the standard's, at some quality (T.81 K.1, K.2)."""
    for at in _places(_DQT, body):
        size = 128 if body[at] >> 4 else 64
        content = body[at + 1 : at + 1 + size]
        if len(content) != size:
            return _LENGTH
        is_used = (_DQT, body[at] & 15) in used
        if content not in _standard_quantisation() and not (is_used and not _WORDS.search(content)):
            return _TEXT
    return None


def _fault_of_codes(body: bytes, used: set[tuple[int, int]]) -> str | None:
    """Symbols are categories of differences, which are small, or runs and categories, each once; of the latter only the
    standard's may stand unused, and used ones spell no word."""
    for at in _places(_DHT, body):
        total = sum(body[at + 1 : at + 17])
        table, symbols = body[at + 1 : at + 17 + total], body[at + 17 : at + 17 + total]
        if len(symbols) != total or len(table) != 16 + total:
            return _LENGTH
        is_direct = body[at] < 0x10
        if len(set(symbols)) != total or (is_direct and max(symbols, default=0) > _MOST_CATEGORY):
            return _TEXT
        is_used = (_DHT, body[at]) in used and all(map(_is_run, symbols)) and not _spells(symbols, table[1:17])
        if not is_direct and not is_used and symbols not in _standard_symbols():
            return _TEXT
    return None


def _is_run(symbol: int) -> bool:
    """Whether a symbol is a run of zeros and a category, or one of the two without a coefficient (T.81 F.1.2.2)."""
    return symbol in _NO_COEFFICIENT or 1 <= symbol & 15 <= _MOST_RUN_CATEGORY


def _spells(symbols: bytes, lengths: bytes) -> bool:
    """Tell whether symbols hold a word; encoders sort those of one length, so that ascending letters are none."""
    ends = {sum(lengths[:place]) for place in range(len(lengths) + 1)}
    for found in _WORDS.finditer(symbols):
        places = range(found.start() + 1, found.end())
        if any(symbols[place] < symbols[place - 1] and place not in ends for place in places):
            return True
    return False


def _fault_of_conditioning(body: bytes, _used: set[tuple[int, int]]) -> str | None:
    return None if len(body) % 2 == 0 and len(body) <= 16 and not _WORDS.search(body) else _LENGTH


def _fault_of_presets(body: bytes, _used: set[tuple[int, int]]) -> str | None:
    """Preset coding parameters alone (T.87 C.2.4.1.1); a grey frame has no mapping table."""
    return None if len(body) == _PRESETS_BYTES and body[0] == 1 else "a preset that a grey frame does not have"


def _fault_of_interval(body: bytes, _used: set[tuple[int, int]]) -> str | None:
    return None if len(body) in (2, 3, 4) else _LENGTH


def _fault_of_lines(body: bytes, _used: set[tuple[int, int]]) -> str | None:
    return None if len(body) == 2 else _LENGTH


_TABLES = {
    _DQT: _fault_of_quantisation,
    _DHT: _fault_of_codes,
    _DAC: _fault_of_conditioning,
    _LSE: _fault_of_presets,
    _DRI: _fault_of_interval,
    _DNL: _fault_of_lines,
}


def _is_application(code: int, body: bytes) -> bool:
    """JFIF without a thumbnail, Adobe's transform, HP's colour transform of JPEG-LS, the head and the end of a SPIFF
    directory (ISO/IEC 10918-3 F), which are numbers alone."""
    if code == 0xE0:
        sound = len(body) == 14 and body.startswith(b"JFIF\0\1") and body[7] <= 2 and body[12:14] == b"\0\0"
        return sound and max(int.from_bytes(body[at : at + 2], "big") for at in (8, 10)) <= _MOST_DENSITY
    if code == 0xEE:
        flags = {int.from_bytes(body[at : at + 2], "big") & 0x3FFF for at in (7, 9)}
        return (
            len(body) == 12 and body.startswith(b"Adobe\0") and body[6] in (100, 101) and flags == {0} and body[11] <= 2
        )
    if code != 0xE8:
        return False
    if body in (b"\0\0\0\1", b"\0\0\0\1\xff\xd8"):
        return True
    if body.startswith(b"SPIFF\0"):
        return _is_spiff_head(body)
    return len(body) == 5 and body.startswith(b"mrfx") and body[4] <= 3


def _is_spiff_head(body: bytes) -> bool:
    """Version, profile, components, size, colour space, bits, compression, units and resolution, each in its bounds."""
    if len(body) != 30 or any(value > most for value, most in zip(body[6:10], (2, 9, 4, 4), strict=True)):
        return False
    sizes = [int.from_bytes(body[at : at + 4], "big") for at in (10, 14, 22, 26)]
    is_small = max(sizes[:2]) < 1 << 16 and max(sizes[2:]) <= _MOST_DENSITY
    return is_small and all(value <= most for value, most in zip(body[18:22], (15, 16, 9, 2), strict=True))


_ZIGZAG = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
]  # fmt: skip
_LUMINANCE = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
]  # fmt: skip
_CHROMINANCE = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66,
    *[99] * 38,
]  # fmt: skip


@cache
def _standard_quantisation() -> frozenset[bytes]:
    """Return the tables of T.81 K.1 and K.2 at each quality of the usual scale (1 to 100), in zigzag order."""
    found = set()
    for quality in range(1, 101):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        for table in (_LUMINANCE, _CHROMINANCE):
            scaled = [min(max((table[place] * scale + 50) // 100, 1), 255) for place in _ZIGZAG]
            found.add(bytes(scaled))
    return frozenset(found)


@cache
def _standard_symbols() -> frozenset[bytes]:
    """Return the symbols of T.81 K.5 and K.6: runs and categories for luminance and chrominance."""
    luminance = (
        "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a"
        "3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a929394"
        "95969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8"
        "e9eaf1f2f3f4f5f6f7f8f9fa"
    )
    chrominance = (
        "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728"
        "292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92"
        "939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7"
        "e8e9eaf2f3f4f5f6f7f8f9fa"
    )
    runs = (bytes.fromhex(text) for text in (luminance, chrominance))
    return frozenset(runs)

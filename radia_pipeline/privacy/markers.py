"""Markers of a compressed frame: which segments it holds, and whether each holds only what its standard declares.

Belongs here: JPEG (ITU-T T.81), JPEG-LS (T.87), JPEG 2000 and HTJ2K (T.800, T.814) as bytes. Does not belong here: size
and precision of the picture and the decoding (``dicom.codestream``, ``dicom.decode``). Nothing of a segment is copied.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from radia_pipeline.privacy.known import known

_JPEG = (".50", ".51", ".57", ".70")
_JPEG_LS = (".80", ".81")
_JPEG_2000 = (".90", ".91", ".92", ".93", ".201", ".202", ".203")
RLE = "1.2.840.10008.1.2.5"
_COMPRESSED = "1.2.840.10008.1.2.4"
_COM, _SOS, _EOI, _DRI, _DNL = 0xFE, 0xDA, 0xD9, 0xDD, 0xDC
_FRAMES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), 0xF7})
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xF8})
_WORDS = re.compile(rb"[A-Za-z][a-z]{2,}[ ^,]+[A-Za-z][a-z]{2,}|[A-Z]{4,}[\^ ][A-Z]{3,}")
_AFTER_SCAN = {False: re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]"), True: re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")}
"""The next marker behind entropy-coded bits, in JPEG and in JPEG-LS, whose bit stuffing leaves 0xFF 0x00 to 0x7F."""
_PADDING = (b"\0", b"\xff", b" ")
_J2K_MAIN = frozenset({0xFF50, *range(0xFF51, 0xFF54), *range(0xFF55, 0xFF5A), *range(0xFF5C, 0xFF62), 0xFF63})
_J2K_COM, _SOT, _SOD, _EOC = 0xFF64, 0xFF90, 0xFF93, b"\xff\xd9"


def listed(stream: bytes, syntax: str) -> Iterator[tuple[str, str | None]]:
    """Yield each place of a frame that can hold text, with its fault; None where only declared content stands.

    A stream whose markers lead nowhere ends the list: the decoder's witness refuses it.
    """
    family = syntax[len(_COMPRESSED) :] if syntax.startswith(_COMPRESSED) else ""
    if family in _JPEG_2000:
        yield from _of_jpeg_2000(stream)
    elif family in (*_JPEG, *_JPEG_LS):
        yield from _of_jpeg(stream, is_ls=family in _JPEG_LS)
    elif syntax == RLE and len(stream) >= 64:
        segments = min(int.from_bytes(stream[:4], "little"), 15)
        yield "RLE header", "bytes in unused offsets" if stream[4 + 4 * segments : 64].strip(b"\0") else None


def is_padding(rest: bytes) -> bool:
    """Tell whether what follows the end marker only makes the length even (PS3.5 A.4), or is all zeros."""
    return not rest.strip(b"\0") or not rest.strip(b"\xff") or rest in _PADDING


def _of_jpeg(stream: bytes, *, is_ls: bool) -> Iterator[tuple[str, str | None]]:
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        code = stream[at + 1]
        if code == 0xFF:
            at += 1
            continue
        if code == _EOI:
            break
        length = int.from_bytes(stream[at + 2 : at + 4], "big")
        body = stream[at + 4 : at + 2 + length]
        yield _jpeg_segment(code, body)
        at += 2 + length
        if code == _SOS:
            found = _AFTER_SCAN[is_ls].search(stream, at)
            at = found.start() if found else len(stream)
    if stream[at : at + 2] == b"\xff\xd9":
        behind = stream[at + 2 :]
        yield "end of image", None if is_padding(behind) else "bytes behind the end-of-image marker"


def _jpeg_segment(code: int, body: bytes) -> tuple[str, str | None]:
    if code == _COM:
        return "comment", None if _names_encoder(body) else "comment that is not declared"
    if 0xE0 <= code <= 0xEF:
        return f"APP{code - 0xE0}", None if _is_application(code, body) else "application segment that is not declared"
    if code == _SOS:
        sound = bool(body) and len(body) == 4 + 2 * body[0]
        return "scan header", None if sound else "a scan header of another length than declared"
    if code in _FRAMES | _TABLES | {_DRI, _DNL}:
        return f"marker {code:02X}", _fault_of_table(code, body)
    return f"marker {code:02X}", "a marker that DICOM does not use"


def _fault_of_table(code: int, body: bytes) -> str | None:
    """Segments whose length their own fields give may not be longer."""
    if code in _TABLES:
        return "text in a table" if _WORDS.search(body) else None
    if code == _DRI:
        return None if len(body) in (2, 3, 4) else "a segment of another length than declared"
    if code == _DNL:
        return None if len(body) == 2 else "a segment of another length than declared"
    sound = len(body) >= 6 and len(body) == 6 + 3 * body[5]
    return None if sound else "a frame header of another length than declared"


def _is_application(code: int, body: bytes) -> bool:
    """JFIF without a thumbnail, its extension without one, Adobe's transform, HP's colour transform of
    JPEG-LS, the head and the end of a SPIFF directory (ISO/IEC 10918-3 F), which are numbers alone."""
    if code == 0xE0:
        return len(body) == 14 and body.startswith(b"JFIF\0") and body[12:14] == b"\0\0"
    if code == 0xEE:
        return len(body) == 12 and body.startswith(b"Adobe") and body[11] <= 2
    if code != 0xE8:
        return False
    if body in (b"\0\0\0\1", b"\0\0\0\1\xff\xd8"):
        return True
    if body.startswith(b"SPIFF\0"):
        return len(body) == 30 and all(int.from_bytes(body[at : at + 4], "big") < 1 << 16 for at in (10, 14, 22, 26))
    return len(body) == 5 and body.startswith(b"mrfx") and body[4] <= 3


def _names_encoder(body: bytes) -> bool:
    text = body.decode("latin-1").strip("\0 \r\n")
    return not text or known().encoders.fullmatch(text) is not None


def _of_jpeg_2000(stream: bytes) -> Iterator[tuple[str, str | None]]:
    try:
        at = yield from _j2k_markers(stream, 2, _SOT)
        while at is not None and stream[at : at + 2] != _EOC:
            length, start = struct.unpack_from(">I", stream, at + 6)[0], at
            if (yield from _j2k_markers(stream, at + 12, _SOD)) is None:
                return
            at = start + length if length >= 14 else stream.rfind(_EOC)
            if at < start or struct.unpack_from(">H", stream, at)[0] not in (_SOT, 0xFFD9):
                return
    except struct.error:
        return
    if at is not None:
        yield "end of codestream", None if is_padding(stream[at + 2 :]) else "bytes behind the end-of-codestream marker"


def _j2k_markers(stream: bytes, at: int, until: int) -> Iterator[tuple[str, str | None]]:
    """Yield marker segments from ``at`` to the marker ``until``; returns its place, None where none leads there."""
    while (marker := struct.unpack_from(">H", stream, at)[0]) != until:
        length = struct.unpack_from(">H", stream, at + 2)[0]
        body = stream[at + 4 : at + 2 + length]
        if marker == _J2K_COM:
            yield "comment", None if _names_encoder(body[2:]) else "comment that is not declared"
        elif marker not in _J2K_MAIN:
            yield f"marker {marker:04X}", "a marker that DICOM does not use"
            return None
        if length < 2:
            return None
        at += 2 + length
    return at

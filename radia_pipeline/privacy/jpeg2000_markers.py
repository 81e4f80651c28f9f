"""Marker segments of JPEG 2000 and HTJ2K codestreams (ITU-T T.800, T.814): each holds what its fields declare.

Belongs here: which segments may stand in which header, and how long each must be. A decoder passes over lengths, hints
and comments, so that text in them would pass too. Does not belong here: tile data, the decoding (``dicom.decode``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from radia_pipeline.privacy.known import names_encoder

_COM, _SOT, _SOD, _EOC = 0xFF64, 0xFF90, 0xFF93, b"\xff\xd9"
_SIZ, _COD, _TLM, _PLT = 0xFF51, 0xFF52, 0xFF55, 0xFF58
_LENGTH = "a segment of another length than declared"
_HIGH_THROUGHPUT, _LARGEST_TILE = 1 << 17, 1 << 16
_FOREIGN = "a marker that DICOM does not use"


@dataclass
class _Frame:
    """What the main header says, and what is to be compared at the end: lengths of tile parts."""

    components: int = 1
    levels: int = 0
    promised: list[int] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    packets: list[int] = field(default_factory=list)


def listed(stream: bytes) -> Generator[tuple[str, str | None], None, int | None]:
    """Yield each segment with its fault, None where it is sound; returns where the end marker stands, None without."""
    frame = _Frame()
    try:
        at = yield from _header(stream, 2, _SOT, frame)
        while at is not None and stream[at : at + 2] != _EOC:
            at = yield from _tile_part(stream, at, frame)
    except struct.error:
        return None
    if at is not None and frame.promised:
        yield "lengths of tile parts", None if frame.promised == frame.found else "lengths that are none"
    return at


def _tile_part(stream: bytes, start: int, frame: _Frame) -> Generator[tuple[str, str | None], None, int | None]:
    length, frame.packets = struct.unpack_from(">I", stream, start + 6)[0], []
    at = yield from _header(stream, start + 12, _SOD, frame)
    if at is None:
        return None
    end = start + length if length >= 14 else stream.rfind(_EOC)
    if end < start or struct.unpack_from(">H", stream, end)[0] not in (_SOT, 0xFFD9):
        return None
    frame.found.append(end - start)
    if frame.packets:
        yield "lengths of packets", None if sum(frame.packets) == end - at - 2 else "lengths that are none"
    return end


def _header(stream: bytes, at: int, until: int, frame: _Frame) -> Generator[tuple[str, str | None], None, int | None]:
    """Yield marker segments from ``at`` to the marker ``until``; returns its place, None where none leads there."""
    while (marker := struct.unpack_from(">H", stream, at)[0]) != until:
        length = struct.unpack_from(">H", stream, at + 2)[0]
        body = stream[at + 4 : at + 2 + length]
        if marker == _COM:
            yield "comment", None if names_encoder(body[2:]) else "comment that is not declared"
        elif marker in _SEGMENTS:
            try:
                is_sound = _SEGMENTS[marker](body, frame)
            except (IndexError, struct.error):
                is_sound = False
            yield f"marker {marker:04X}", None if is_sound else _LENGTH
        else:
            yield f"marker {marker:04X}", _FOREIGN
            return None
        if length < 2:
            return None
        at += 2 + length
    return at


def _size(body: bytes, frame: _Frame) -> bool:
    """Tiles may be larger than the picture, but no picture is larger than this: else their size could be letters."""
    frame.components = struct.unpack_from(">H", body, 34)[0]
    return len(body) == 36 + 3 * frame.components and max(struct.unpack_from(">II", body, 18)) <= _LARGEST_TILE


def _capabilities(body: bytes, _frame: _Frame) -> bool:
    """Pcap and two bytes for the one capability that there is, high throughput (T.800 A.5.2, T.814)."""
    return len(body) == 6 and struct.unpack_from(">I", body)[0] == _HIGH_THROUGHPUT


def _coding(body: bytes, frame: _Frame) -> bool:
    frame.levels = body[5]
    return _styles(body[0], body[5:])


def _component_coding(body: bytes, frame: _Frame) -> bool:
    wide = 1 if frame.components < 257 else 2
    return int.from_bytes(body[:wide], "big") < frame.components and _styles(body[wide], body[wide + 1 :])


def _styles(style: int, body: bytes) -> bool:
    """Five fields, and a size of precincts for each resolution where the style says so (T.800 A.6.1)."""
    return body[0] <= 32 and len(body) == 5 + (body[0] + 1 if style & 1 else 0)


def _quantisation(body: bytes, frame: _Frame) -> bool:
    """One value for each subband: a byte without quantisation, two with; derived: two in all (T.800 A.6.4)."""
    style, bands = body[0] & 31, 3 * frame.levels + 1
    wanted = {0: bands, 1: 2, 2: 2 * bands}.get(style)
    if wanted is None or len(body) != 1 + wanted:
        return False
    return style != 0 or not any(value & 7 for value in body[1:])


def _component_quantisation(body: bytes, frame: _Frame) -> bool:
    wide = 1 if frame.components < 257 else 2
    return int.from_bytes(body[:wide], "big") < frame.components and _quantisation(body[wide:], frame)


def _region(body: bytes, frame: _Frame) -> bool:
    return len(body) == (3 if frame.components < 257 else 4) and body[0] < frame.components


def _progression(body: bytes, frame: _Frame) -> bool:
    """Changes of seven bytes each, whose fields have bounds (T.800 A.6.6); a grey frame has few."""
    changes = [body[at : at + 7] for at in range(0, len(body), 7)]
    return (
        len(body) % 7 == 0
        and len(changes) <= 32
        and all(one[0] <= 32 and one[1] < frame.components and one[4] <= 33 and one[6] <= 4 for one in changes)
    )


def _tile_lengths(body: bytes, frame: _Frame) -> bool:
    """Lengths of all tile parts (T.800 A.7.1), compared with them at the end."""
    index, length = {0: 0, 1: 1, 2: 2}.get(body[1] >> 4 & 3, 0), 4 if body[1] & 0x40 else 2
    step, entries = index + length, body[2:]
    if len(entries) % step:
        return False
    frame.promised += [int.from_bytes(entries[at + index : at + step], "big") for at in range(0, len(entries), step)]
    return True


def _packet_lengths(body: bytes, frame: _Frame) -> bool:
    """Lengths of packets, seven bits a byte (T.800 A.7.3), which add up to the tile part."""
    value = 0
    for byte in body[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            frame.packets.append(value)
            value = 0
    return bool(body) and (len(body) == 1 or not body[-1] & 0x80)


def _registration(body: bytes, frame: _Frame) -> bool:
    """Offsets between components (T.800 A.9.1): a grey frame has none."""
    return len(body) == 4 * frame.components and not body.strip(b"\0")


def _profile(body: bytes, _frame: _Frame) -> bool:
    return len(body) == 2


_SEGMENTS: dict[int, Callable[[bytes, _Frame], bool]] = {
    _SIZ: _size,
    0xFF50: _capabilities,
    _COD: _coding,
    0xFF53: _component_coding,
    0xFF5C: _quantisation,
    0xFF5D: _component_quantisation,
    0xFF5E: _region,
    0xFF5F: _progression,
    _TLM: _tile_lengths,
    _PLT: _packet_lengths,
    0xFF63: _registration,
    0xFF59: _profile,
}
"""Packed packet headers and lengths in the main header (PPM, PPT, PLM) are not among them: no radiograph is known that
has them, and what they hold could not be told from text."""

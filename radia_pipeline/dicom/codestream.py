"""The second witness: what a compressed stream says of itself (size, precision), and whether it is whole.

Decoders are lenient: several return invented pixels for damaged streams. The checks here need no decoder: marker chains
must lead to the end, and the entropy-coded bits of lossless JPEG must be as many as the decoded pixels need.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.markers import is_padding

_SOS, _DHT, _DRI = 0xDA, 0xC4, 0xDD
_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC3: "lossless", 0xF7: "jpegls"}
_J2K_SOT, _J2K_EOC = 0xFF90, b"\xff\xd9"


@dataclass
class StreamHeader:
    """Size and precision by the stream itself; the rest serves the bit count of lossless JPEG."""

    process: str
    rows: int
    columns: int
    precision: int
    components: int
    is_signed: bool = False
    selection: int = 0
    point_transform: int = 0
    restart_interval: int = 0
    code_lengths: dict[int, dict[int, int]] = field(default_factory=dict)
    table_id: int = 0
    scan_start: int = 0
    scan_end: int = 0


def _damaged(detail: str) -> Refusal:
    return Refusal(reasons.DECODE_FAILED, detail)


def jpeg_header(stream: bytes) -> StreamHeader:
    """Walk the markers of a JPEG or JPEG-LS stream with one scan; raises Refusal where they do not lead to its end."""
    if stream[:2] != b"\xff\xd8":
        raise _damaged("stream does not begin with a start-of-image marker")
    at, header, interval = 2, None, 0
    tables: dict[int, dict[int, int]] = {}
    while True:
        if at + 4 > len(stream):
            raise Refusal(reasons.TRUNCATED, "stream ends among its markers")
        if stream[at] != 0xFF:
            raise _damaged("no marker where one must stand")
        code = stream[at + 1]
        if code == 0xFF:
            at += 1
            continue
        length = struct.unpack_from(">H", stream, at + 2)[0]
        body = stream[at + 4 : at + 2 + length]
        if length < 2 or len(body) != length - 2:
            raise Refusal(reasons.TRUNCATED, "a marker segment is cut")
        try:
            if code in _FRAMES:
                header = _frame(code, body)
            elif code == _DHT:
                tables.update(_huffman_tables(body))
            elif code == _DRI:
                interval = int.from_bytes(body, "big")
        except (struct.error, IndexError):
            raise _damaged("a marker segment is too short") from None
        if header is None and code in range(0xC0, 0xD0) and code not in (_DHT, 0xC8, 0xCC):
            raise Refusal(reasons.UNSUPPORTED_SYNTAX, "a JPEG process that DICOM does not use")
        at += 2 + length
        if code == _SOS:
            break
    if header is None:
        raise _damaged("scan without a frame header")
    return _with_scan(header, stream, body, at, tables, interval)


def _frame(code: int, body: bytes) -> StreamHeader:
    precision, rows, columns, components = struct.unpack_from(">BHHB", body)
    return StreamHeader(_FRAMES[code], rows, columns, precision, components)


def _huffman_tables(body: bytes) -> dict[int, dict[int, int]]:
    """Return {table id: {symbol: code length}} (ITU-T T.81 B.2.4.2)."""
    tables, at = {}, 0
    while at < len(body):
        counts, total = body[at + 1 : at + 17], sum(body[at + 1 : at + 17])
        symbols = body[at + 17 : at + 17 + total]
        if len(counts) != 16 or len(symbols) != total:
            raise IndexError
        lengths = [length for length, count in enumerate(counts, 1) for _ in range(count)]
        tables[body[at]] = dict(zip(symbols, lengths))
        at += 17 + total
    return tables


def _with_scan(
    header: StreamHeader, stream: bytes, sos: bytes, start: int, tables: dict, interval: int
) -> StreamHeader:
    end = stream.rfind(b"\xff\xd9")
    if end < start:
        raise Refusal(reasons.TRUNCATED, "stream has no end-of-image marker")
    if not is_padding(stream[end + 2 :]):
        raise _damaged("bytes behind the end-of-image marker")
    try:
        if sos[0] == 1:
            header.table_id = sos[2] >> 4
            header.selection, header.point_transform = sos[3], sos[5] & 15
    except IndexError:
        raise _damaged("scan header is too short") from None
    header.restart_interval, header.code_lengths = interval, tables
    header.scan_start, header.scan_end = start, end
    return header


def j2k_header(stream: bytes) -> StreamHeader:
    """Read the SIZ marker and follow the tile parts of a JPEG 2000 stream to its end (ISO/IEC 15444-1 A.4, A.5)."""
    if stream[:4] != b"\xff\x4f\xff\x51":
        raise _damaged("stream does not begin with SOC and SIZ")
    try:
        columns, rows, left, top = struct.unpack_from(">IIII", stream, 8)
        components, size = struct.unpack_from(">HB", stream, 40)
        at = 4 + struct.unpack_from(">H", stream, 4)[0]
        while (marker := struct.unpack_from(">H", stream, at)[0]) != _J2K_SOT:
            if marker < 0xFF30:
                raise _damaged("no marker where one must stand")
            at += 2 + struct.unpack_from(">H", stream, at + 2)[0]
        _follow_tile_parts(stream, at)
    except struct.error:
        raise Refusal(reasons.TRUNCATED, "stream ends among its markers") from None
    return StreamHeader("j2k", rows - top, columns - left, (size & 0x7F) + 1, components, bool(size >> 7))


def _follow_tile_parts(stream: bytes, at: int) -> None:
    while stream[at : at + 2] != _J2K_EOC:
        if at + 12 > len(stream):
            raise Refusal(reasons.TRUNCATED, "stream has no end-of-codestream marker")
        if struct.unpack_from(">H", stream, at)[0] != _J2K_SOT:
            raise _damaged("tile parts do not follow each other")
        length = struct.unpack_from(">I", stream, at + 6)[0]
        if length == 0:
            # Psot 0: the last tile part reaches to the end-of-codestream marker.
            at = stream.rfind(_J2K_EOC)
            if at < 0:
                raise Refusal(reasons.TRUNCATED, "stream has no end-of-codestream marker")
        elif length < 14:
            raise _damaged("a tile part shorter than its header")
        else:
            at += length
    if not is_padding(stream[at + 2 :]):
        raise _damaged("bytes behind the end-of-codestream marker")


def check_lossless_bits(stream: bytes, header: StreamHeader, pixels: np.ndarray) -> None:
    """Refuse a lossless JPEG whose entropy-coded bits are not exactly those that ``pixels`` need (ITU-T T.81 H).

    ``pixels``: (rows, columns) unsigned, as decoded. A damaged stream leaves the decoder out of step, so that it
    invents values at the end or leaves bits over; both change the count. Flips inside the extra bits of one
    difference are valid streams and cannot be seen by any decoder.
    """
    lengths = header.code_lengths.get(header.table_id)
    if lengths is None:
        raise _damaged("scan names an absent Huffman table")
    differences = _differences(pixels >> header.point_transform, header)
    bits = _bits_per_difference(lengths)
    if not header.restart_interval:
        counts = np.bincount(differences.ravel(), minlength=1 << 16)
        needed = np.array([int(counts @ np.maximum(bits, 0))])
        impossible = bool(counts[bits < 0].any())
    else:
        lines = header.restart_interval // header.columns
        per_line = bits[differences].sum(axis=1)
        impossible = bool((bits[differences] < 0).any())
        needed = np.add.reduceat(per_line, np.arange(0, header.rows, max(lines, 1)))
    present = _scan_bytes(stream, header)
    if impossible or len(present) != len(needed) or bool((-(-needed // 8) != present).any()):
        raise _damaged("entropy-coded bits are not those that the pixels need")


def _scan_bytes(stream: bytes, header: StreamHeader) -> np.ndarray:
    """Return the data bytes of each restart interval; stuffed zeros and fill bytes before markers are left out."""
    scan = stream[header.scan_start : header.scan_end].rstrip(b"\xff")
    data = np.frombuffer(scan, np.uint8)
    marks = np.flatnonzero(data[:-1] == 0xFF)
    follows = data[marks + 1]
    extra = marks[(follows == 0) | (follows == 0xFF)]
    restarts = marks[(follows >= 0xD0) & (follows <= 0xD7)]
    if len(extra) + len(restarts) != len(marks):
        raise _damaged("a foreign marker inside the scan")
    edges = np.concatenate([[-2], restarts, [len(data)]])
    sizes = np.diff(edges) - 2
    sizes -= np.histogram(extra, bins=np.append(edges[:-1], len(data) + 1))[0]
    return sizes


def _bits_per_difference(lengths: dict[int, int]) -> np.ndarray:
    """Return, per difference modulo 2^16, code length plus extra bits; negative where the table has no code."""
    signed = np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32)
    category = np.ceil(np.log2(np.abs(signed) + 1)).astype(np.int64)
    code = np.array([lengths.get(symbol, -(10**6)) for symbol in range(17)], dtype=np.int64)
    return code[category] + np.where(category < 16, category, 0)


def _differences(x: np.ndarray, header: StreamHeader) -> np.ndarray:
    """Return sample minus prediction, modulo 2^16 (ITU-T T.81 H.1.2.1, table H.1)."""
    x = x.astype(np.uint16)
    out = np.empty_like(x)
    step = header.restart_interval // header.columns if header.restart_interval else header.rows
    firsts = np.arange(0, header.rows, max(step, 1))
    a, b, c = x[1:, :-1], x[:-1, 1:], x[:-1, :-1]
    wide = header.selection >= 4
    if wide:
        a, b, c = a.astype(np.int32), b.astype(np.int32), c.astype(np.int32)
    prediction = {
        1: lambda: a,
        2: lambda: b,
        3: lambda: c,
        4: lambda: a + b - c,
        5: lambda: a + ((b - c) >> 1),
        6: lambda: b + ((a - c) >> 1),
        7: lambda: (a + b) >> 1,
    }.get(header.selection)
    if prediction is None:
        raise _damaged("a predictor that lossless JPEG does not have")
    out[1:, 1:] = x[1:, 1:] - prediction().astype(np.uint16)
    out[1:, 0] = x[1:, 0] - x[:-1, 0]
    out[firsts, 1:] = x[firsts, 1:] - x[firsts, :-1]
    out[firsts, 0] = x[firsts, 0] - np.uint16(1 << (header.precision - header.point_transform - 1))
    return out

"""Sound files with something put in: elements, segments of codestreams, bytes around them. Names are invented.

Belongs here: one function a way of putting bytes somewhere. Does not belong here: which bytes and where (``hostile``,
``exports``).
"""

from __future__ import annotations

import struct
import zlib

import imagecodecs
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from radia_pipeline_tests.dicom import files

NAME, PERSON, PHONE, BORN = b"LAVOIE^OCTAVE", b"LAVOIE^OCTAVE 1954-03-12 418-555-0177", b"4185550177", b"19540312"
WIDE = "LAVOIE".encode("utf-16-le")
BASELINE, EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
CLEAN = files.to_bytes(files.dataset(files.picture(1, (8, 8))))
"""Explicit little endian; the pixels are the last element."""
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """Return an explicit element, padded as its representation is."""
    value += (b"\0" if vr in (*_LONG, b"UI", b"US", b"UL", b"AT") else b" ") * (len(value) % 2)
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    return head + (struct.pack("<HI", 0, len(value)) if vr in _LONG else struct.pack("<H", len(value))) + value


def before(tag: int, added: bytes, data: bytes = CLEAN) -> bytes:
    """Put bytes in front of the first element of a tag."""
    at = data.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 132)
    return data[:at] + added + data[at:]


def put(tag: int, vr: bytes, value: bytes, data: bytes = CLEAN) -> bytes:
    """Put an element in its place by tag, in front of the first that is greater."""
    at = 132 + 12 + struct.unpack_from("<I", data, 140)[0]
    while at < len(data):
        high, low, name, short = struct.unpack_from("<HH2sH", data, at)
        if high << 16 | low > tag or high == 0x7FE0:
            break
        size = 12 + struct.unpack_from("<I", data, at + 8)[0] if name in _LONG else 8 + short
        at += size
    return data[:at] + element(tag, vr, value) + data[at:]


def in_meta(added: bytes, data: bytes = CLEAN) -> bytes:
    """Put elements at the end of the file meta information, whose length follows."""
    data = before(0x00080016, added, data)
    length = struct.unpack_from("<I", data, 140)[0]
    return data[:140] + struct.pack("<I", length + len(added)) + data[144:]


def with_tags(**tags: object) -> bytes:
    return files.to_bytes(files.dataset(files.picture(1, (8, 8)), **tags))


def item(*tags: tuple[str, object], **more: object) -> Sequence:
    """Return a sequence of one item."""
    inner = Dataset()
    for keyword, value in (*tags, *more.items()):
        setattr(inner, keyword, value)
    return Sequence([inner])


def concept(code: str, scheme: str, meaning: str, **more: str) -> Sequence:
    return item(CodeValue=code, CodingSchemeDesignator=scheme, CodeMeaning=meaning, **more)


def private(group: int, creator: str, vr: str, value: object, *, nested: bool = False) -> bytes:
    ds = files.dataset(files.picture(1, (8, 8)))
    target = Dataset() if nested else ds
    target.private_block(group, creator, create=True).add_new(1, vr, value)
    if nested:
        ds.ReferencedImageSequence = Sequence([target])
    return files.to_bytes(ds)


def icon(value: bytes, **tags: object) -> Sequence:
    inner = Dataset()
    inner.PixelData = value
    inner["PixelData"].VR = "OB"
    for keyword, said in tags.items():
        setattr(inner, keyword, said)
    return Sequence([inner])


def table(keyword: str, content: bytes, bits: int = 16, **more: object) -> bytes:
    """Return a file with a look-up table of 16-bit entries."""
    inner = Dataset()
    inner.LUTDescriptor, inner.LUTData = [len(content) // 2, 0, bits], content
    inner["LUTData"].VR = "OW"
    for name, value in more.items():
        setattr(inner, name, value)
    return with_tags(**{keyword: Sequence([inner])})


def preamble(content: bytes) -> bytes:
    return content[:128].ljust(128, b"\0") + CLEAN[128:]


def in_syntax(syntax: str, tag: int, value: bytes) -> bytes:
    """Return a file in another native syntax with a text element added."""
    ds = files.dataset(files.picture(1, (8, 8)), syntax=syntax)
    ds.add_new(tag, "LO", value.decode())
    return files.to_bytes(ds)


def deflated(behind: bytes, inside: bytes = b"") -> bytes:
    data = files.clean_file(1, syntax=files.NATIVE[3])
    start = 132 + 12 + struct.unpack_from("<I", data, 140)[0]
    machine = zlib.compressobj(wbits=-15)
    plain = zlib.decompressobj(-15).decompress(data[start:]) + inside
    return data[:start] + machine.compress(plain) + machine.flush() + behind


# --- codestreams -----------------------------------------------------------------------------------------------------
def segment(code: int, body: bytes) -> bytes:
    return bytes([0xFF, code]) + (len(body) + 2).to_bytes(2, "big") + body


def frame(syntax: str, seed: int = 1) -> bytes:
    if syntax == BASELINE:
        return imagecodecs.jpeg8_encode(files.picture(seed, (32, 24), 8))
    return files.stream(files.picture(seed, (32, 24)), syntax, 12)


def framed(syntax: str, items: list[bytes], *, table: bytes | None = None) -> bytes:
    """Return a file whose pixel element holds these fragments behind an offset table."""
    bits = 8 if syntax == BASELINE else 12
    ds = files.dataset(files.picture(1, (32, 24), bits), syntax=files.EXPLICIT, bits=bits)
    ds.file_meta.TransferSyntaxUID = syntax
    if syntax == BASELINE:
        ds.LossyImageCompression, ds.LossyImageCompressionRatio = "01", "10"
    body = encapsulate([frame(syntax)], has_bot=False)[:8] if table is None else b""
    if table is not None:
        body = struct.pack("<HHI", 0xFFFE, 0xE000, len(table)) + table
    for one in items:
        one += b"\0" * (len(one) % 2)
        body += struct.pack("<HHI", 0xFFFE, 0xE000, len(one)) + one
    ds.PixelData = body
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return files.to_bytes(ds)


def marked(syntax: str, code: int, body: bytes, *, at: int = 2) -> bytes:
    stream = frame(syntax)
    return framed(syntax, [stream[:at] + segment(code, body) + stream[at:]])


def at_scan(syntax: str, added: bytes, *, ahead: bool = True) -> bytes:
    """Put bytes in front of the scan header, or in front of the end marker."""
    stream = frame(syntax)
    at = stream.index(b"\xff\xda") if ahead else stream.rindex(b"\xff\xd9")
    return framed(syntax, [stream[:at] + added + stream[at:]])


def main_header(syntax: str, code: int, body: bytes) -> bytes:
    """Put a marker segment behind SIZ."""
    stream = frame(syntax)
    at = 4 + int.from_bytes(stream[4:6], "big")
    return framed(syntax, [stream[:at] + segment(code, body) + stream[at:]])


def tile_part(syntax: str, added: bytes, *, at_end: bool = False) -> bytes:
    """Put bytes into the first tile part, whose length follows: behind SOT, or behind its data."""
    stream = frame(syntax)
    sot = stream.index(b"\xff\x90")
    length = int.from_bytes(stream[sot + 6 : sot + 10], "big")
    end = sot + length if length else stream.rindex(b"\xff\xd9")
    psot = (length + len(added) if length else 0).to_bytes(4, "big")
    head, rest = stream[: sot + 6] + psot + stream[sot + 10 : sot + 12], stream[sot + 12 :]
    if at_end:
        return framed(syntax, [head + stream[sot + 12 : end] + added + stream[end:]])
    return framed(syntax, [head + added + rest])


def run_length(added: bytes) -> bytes:
    stream = frame(files.RLE)
    return framed(files.RLE, [stream[:40] + added[:24].ljust(24, b"\0") + stream[64:]])


def raw_item(content: bytes, more: bytes = b"") -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content) + len(more)) + content + more


def implicit_item(tag: int, value: bytes) -> bytes:
    inner = struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value
    return raw_item(inner) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def meta_element(tag: int, value: bytes) -> bytes:
    """Return the clean file with another value of a meta element, its group length as it must be."""
    at = CLEAN.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 132)
    vr, size = CLEAN[at + 4 : at + 6], struct.unpack_from("<H", CLEAN, at + 6)[0]
    new = element(tag, vr, value)
    length = struct.unpack_from("<I", CLEAN, 140)[0] + len(new) - 8 - size
    data = CLEAN[:at] + new + CLEAN[at + 8 + size :]
    return data[:140] + struct.pack("<I", length) + data[144:]


LOSSLESS, LS, J2K, HT = files.LOSSLESS[1], files.JPEG_LS, files.JPEG_2000, files.HTJ2K

"""A delivered file's bytes -> its parts: kind by content, DICOM data set and the pixel element still encoded.

pydicom parses the data set; the pixel element is cut out here, because a search for its end inside compressed bytes can
hit by accident. Nothing is decoded and no value is judged.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits

PREAMBLE_BYTES = 128
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = (IMPLICIT, "1.2.840.10008.1.2.1", BIG_ENDIAN, DEFLATED)

_PIXEL_DATA = 0x7FE00010
_FLOAT_PIXELS = (0x7FE00008, 0x7FE00009)
_LONG_FORM = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
_UNDEFINED = 0xFFFFFFFF
_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"


@dataclass(frozen=True)
class Container:
    """A parsed DICOM file. ``dataset`` lacks the pixel element; ``fragment_count`` is None for native pixels.

    ``pixels``: native bytes, or the joined fragments of the only frame. ``preamble`` and ``trailing`` are kept for
    the audit, since text can hide in them.
    """

    meta: Dataset
    dataset: Dataset
    syntax: str
    pixels: memoryview
    fragment_count: int | None
    preamble: bytes
    trailing: Dataset


def sniff(data: bytes | memoryview) -> str:
    """Return dicom, png, jpeg, empty or other, from content alone."""
    head = bytes(data[: PREAMBLE_BYTES + 4])
    if not head:
        return "empty"
    if head[PREAMBLE_BYTES:] == b"DICM":
        return "dicom"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    return "other"


def parse(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Container:
    """Parse a DICOM file that ``sniff`` recognised; raises Refusal (broken_container, truncated, too_large, …)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _parse(data, limits)
    except Refusal:
        raise
    except RecursionError:
        raise Refusal(reasons.BROKEN_CONTAINER, "sequences nested too deeply") from None
    except MemoryError:
        raise Refusal(reasons.TOO_LARGE, "memory limit while parsing") from None
    except Exception as error:
        # Any failure of the parser on hostile bytes means the same: the container cannot be trusted.
        raise Refusal(reasons.BROKEN_CONTAINER, f"parser: {type(error).__name__}") from None


def _parse(data: bytes, limits: Limits) -> Container:
    stream = BytesIO(data)
    stream.seek(PREAMBLE_BYTES + 4)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    syntax = str(UID(str(meta.get("TransferSyntaxUID", "")).strip("\0 ")))
    if not syntax:
        raise Refusal(reasons.BROKEN_CONTAINER, "(0002,0010) absent")
    body = data[stream.tell() :]
    if syntax == DEFLATED:
        body = inflate(body, limits.inflated_bytes)
    implicit, little = syntax == IMPLICIT, syntax != BIG_ENDIAN
    stream = BytesIO(body)
    dataset = read_dataset(stream, implicit, little, stop_when=_at_pixels)
    start = stream.tell()
    if start >= len(body):
        raise _without_pixels(dataset)
    pixels, fragments, end = _pixel_element(body, start, implicit, little, syntax in NATIVE)
    stream.seek(end)
    trailing = read_dataset(stream, implicit, little)
    return Container(meta, dataset, syntax, pixels, fragments, data[:PREAMBLE_BYTES], trailing)


def _at_pixels(tag: int, vr: str | None, length: int) -> bool:
    return tag == _PIXEL_DATA or tag in _FLOAT_PIXELS


def _without_pixels(dataset: Dataset) -> Refusal:
    if not len(dataset):
        return Refusal(reasons.TRUNCATED, "no data set behind the file meta information")
    if "Rows" in dataset:
        return Refusal(reasons.TRUNCATED, "(7FE0,0010) absent behind an image's header")
    return Refusal(reasons.NOT_A_RADIOGRAPH, "(7FE0,0010) absent")


def inflate(body: bytes, cap_bytes: int) -> bytes:
    """Undo the deflated transfer syntax (PS3.5 A.5, raw RFC 1951); refuses what grows beyond the cap or is cut."""
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = machine.decompress(body, cap_bytes)
    except zlib.error:
        raise Refusal(reasons.BROKEN_CONTAINER, "deflated data set is damaged") from None
    if machine.unconsumed_tail:
        raise Refusal(reasons.TOO_LARGE, "deflated data set grows beyond the inflate cap")
    if not machine.eof:
        raise Refusal(reasons.TRUNCATED, "deflated data set is cut")
    if machine.unused_data.strip(b"\0"):
        raise Refusal(reasons.BROKEN_CONTAINER, "bytes behind the deflated data set")
    return plain


def _pixel_element(
    body: bytes, start: int, implicit: bool, little: bool, native: bool
) -> tuple[memoryview, int | None, int]:
    """Return the pixel bytes, the number of fragments (None: native) and where the element ends."""
    order = "<" if little else ">"
    view = memoryview(body)
    tag = struct.unpack_from(order + "HH", body, start)
    if tag != (0x7FE0, 0x0010):
        raise Refusal(reasons.UNSUPPORTED_SYNTAX, "float or double pixel data")
    if implicit:
        length, value = struct.unpack_from(order + "I", body, start + 4)[0], start + 8
    else:
        if body[start + 4 : start + 6] not in _LONG_FORM:
            raise Refusal(reasons.BROKEN_CONTAINER, "(7FE0,0010) with a value representation that is none")
        length, value = struct.unpack_from(order + "I", body, start + 8)[0], start + 12
    if length == _UNDEFINED:
        if native:
            raise Refusal(reasons.BROKEN_CONTAINER, "native pixels of undefined length")
        return _joined_fragments(view, value)
    if not native:
        raise Refusal(reasons.BROKEN_CONTAINER, "compressed syntax without encapsulation")
    if value + length > len(body):
        raise Refusal(reasons.TRUNCATED, "(7FE0,0010) ends behind the file")
    return view[value : value + length], None, value + length


def _joined_fragments(view: memoryview, at: int) -> tuple[memoryview, int, int]:
    """Join the fragments of one frame (PS3.5 A.4); the basic offset table in front is not needed for one frame."""
    parts: list[memoryview] = []
    while True:
        if at + 8 > len(view):
            raise Refusal(reasons.TRUNCATED, "encapsulated pixels are cut")
        tag, length = bytes(view[at : at + 4]), struct.unpack_from("<I", view, at + 4)[0]
        at += 8
        if tag == _SEQUENCE_END:
            break
        if tag != _ITEM:
            raise Refusal(reasons.BROKEN_CONTAINER, "encapsulated pixels hold something else than items")
        if at + length > len(view):
            raise Refusal(reasons.TRUNCATED, "a fragment ends behind the file")
        parts.append(view[at : at + length])
        at += length
    if len(parts) < 2:
        raise Refusal(reasons.TRUNCATED, "encapsulated pixels hold no fragment")
    fragments = parts[1:]
    joined = fragments[0] if len(fragments) == 1 else memoryview(b"".join(fragments))
    return joined, len(fragments), at

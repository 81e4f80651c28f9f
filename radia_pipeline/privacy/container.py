"""A delivered file's bytes -> its parts: kind by content, DICOM data set and the pixel element still encoded.

``walk`` reads the data set; the pixel element is cut out here, because a search for its end inside compressed bytes can
hit by accident. Nothing is decoded and no value is judged.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from dataclasses import dataclass
from functools import cached_property

from pydicom.dataset import Dataset

from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits
from radia_pipeline.privacy.walk import (
    EXPLICIT_LITTLE,
    PIXEL_TAGS,
    UNDEFINED,
    Element,
    Form,
    Walk,
    as_dataset,
    fragments,
    is_representation,
)

PREAMBLE_BYTES = 128
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = (IMPLICIT, "1.2.840.10008.1.2.1", BIG_ENDIAN, DEFLATED)

_DATASET_GROUPS = (0x0002, 0x0008)
"""With which group a file without preamble begins."""


@dataclass(frozen=True)
class Container:
    """A parsed DICOM file, with every byte owned: ``head``, ``elements``, the pixel element, ``behind``, ``unowned``.

    ``pixels``: native bytes, or the joined fragments of the only frame; ``fragment_sizes`` is None for native pixels.
    ``pixel_span``: where the pixel element begins and ends in ``body_bytes``; ``offset_table``: that of the fragments.
    ``unowned``: bytes behind the last element that no element owns.
    """

    head: tuple[Element, ...]
    elements: tuple[Element, ...]
    behind: tuple[Element, ...]
    syntax: str
    form: Form
    pixels: memoryview
    fragment_sizes: tuple[int, ...] | None
    offset_table: bytes
    pixel_span: tuple[int, int]
    preamble: bytes
    unowned: bytes
    body_bytes: int
    file_bytes: int

    @cached_property
    def meta(self) -> Dataset:
        """The file meta information."""
        return as_dataset(self.head, EXPLICIT_LITTLE)

    @cached_property
    def dataset(self) -> Dataset:
        """The data set without the pixel element."""
        return as_dataset(self.elements, self.form)


def sniff(data: bytes | memoryview) -> str:
    """Return dicom, headerless (a DICOM data set without the prefix of PS3.10), png, jpeg, empty or other, from content
    alone."""
    head = bytes(data[: PREAMBLE_BYTES + 4])
    if not head:
        return "empty"
    if head[PREAMBLE_BYTES:] == b"DICM":
        return "dicom"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    return "headerless" if _begins_like_a_dataset(head) else "other"


def _begins_like_a_dataset(head: bytes) -> bool:
    if head.startswith(b"DICM"):
        return True
    if len(head) < 12:
        return False
    group, number, length = struct.unpack_from("<HHI", head)
    if group not in _DATASET_GROUPS or number > 0x0018:
        return False
    return is_representation(head[4:6]) or length <= 64


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
    head, at = Walk(data, limits).elements(PREAMBLE_BYTES + 4, len(data), EXPLICIT_LITTLE, group=0x0002)
    syntax = next((e.value.decode("latin-1").strip("\0 ") for e in head if e.tag == 0x00020010), "")
    if not syntax:
        raise Refusal(reasons.BROKEN_CONTAINER, "(0002,0010) absent")
    body, offset = data, at
    if syntax == DEFLATED:
        body, offset = inflate(data[at:], limits.inflated_bytes), 0
    walk, form = Walk(body, limits), Form(syntax == IMPLICIT, syntax != BIG_ENDIAN)
    elements, start = walk.elements(offset, len(body), form)
    if start + 8 > len(body) or not _are_pixels(body, start, form):
        raise _without_pixels(elements, at_end=start >= len(body))
    pixels, parts, end = _pixel_element(body, start, form, syntax in NATIVE)
    behind, reach = _behind(walk, end, form)
    return Container(
        head=head,
        elements=elements,
        behind=behind,
        syntax=syntax,
        form=form,
        pixels=pixels,
        fragment_sizes=None if parts is None else tuple(len(part) for part in parts[1:]),
        offset_table=b"" if parts is None else bytes(parts[0]),
        pixel_span=(start, end),
        preamble=data[:PREAMBLE_BYTES],
        unowned=bytes(body[reach:]),
        body_bytes=len(body) - offset,
        file_bytes=len(data),
    )


def _are_pixels(body: bytes, at: int, form: Form) -> bool:
    high, low = struct.unpack_from("<HH" if form.little else ">HH", body, at)
    return high << 16 | low in PIXEL_TAGS


def _behind(walk: Walk, at: int, form: Form) -> tuple[tuple[Element, ...], int]:
    """Return the elements behind the pixels and where they end; what cannot be walked is left without an owner."""
    try:
        return walk.elements(at, len(walk.data), form)
    except Refusal:
        return (), at


def _without_pixels(elements: tuple[Element, ...], *, at_end: bool) -> Refusal:
    if not at_end:
        return Refusal(reasons.BROKEN_CONTAINER, "a delimiter outside of sequences")
    if not elements:
        return Refusal(reasons.TRUNCATED, "no data set behind the file meta information")
    if any(element.tag == 0x00280010 for element in elements):
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
    if not _is_checksum(machine.unused_data, plain):
        raise Refusal(reasons.BROKEN_CONTAINER, "bytes behind the deflated data set")
    return plain


def _is_checksum(behind: bytes, plain: bytes) -> bool:
    """Tell whether what follows deflated data is padding, or the checksum that some writers leave (RFC 1950, 1952)."""
    if not behind.strip(b"\0"):
        return True
    sums = [zlib.crc32(plain).to_bytes(4, order) for order in ("little", "big")]
    sums += [zlib.adler32(plain).to_bytes(4, "big"), sums[0] + (len(plain) & UNDEFINED).to_bytes(4, "little")]
    return any(behind.startswith(total) and behind[len(total) :] in (b"", b"\0") for total in sums)


def _pixel_element(
    body: bytes, start: int, form: Form, native: bool
) -> tuple[memoryview, tuple[memoryview, ...] | None, int]:
    """Return the pixel bytes, the items of encapsulated ones (None: native) and where the element ends."""
    order = "<" if form.little else ">"
    view = memoryview(body)
    tag = struct.unpack_from(order + "HH", body, start)
    if tag != (0x7FE0, 0x0010):
        raise Refusal(reasons.UNSUPPORTED_SYNTAX, "float or double pixel data")
    if form.implicit:
        length, value = struct.unpack_from(order + "I", body, start + 4)[0], start + 8
    else:
        if body[start + 4 : start + 8] not in (b"OB\0\0", b"OW\0\0", b"UN\0\0"):
            raise Refusal(reasons.BROKEN_CONTAINER, "(7FE0,0010) with a representation that pixels do not have")
        length, value = struct.unpack_from(order + "I", body, start + 8)[0], start + 12
    if length == UNDEFINED:
        if native:
            raise Refusal(reasons.BROKEN_CONTAINER, "native pixels of undefined length")
        parts, end = fragments(view, value)
        if len(parts) < 2:
            raise Refusal(reasons.TRUNCATED, "encapsulated pixels hold no fragment")
        return parts[1] if len(parts) == 2 else memoryview(b"".join(parts[1:])), parts, end
    if not native:
        raise Refusal(reasons.BROKEN_CONTAINER, "compressed syntax without encapsulation")
    if value + length > len(body):
        raise Refusal(reasons.TRUNCATED, "(7FE0,0010) ends behind the file")
    return view[value : value + length], None, value + length

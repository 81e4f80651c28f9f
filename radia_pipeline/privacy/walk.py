"""The raw walk of a DICOM data set: bytes -> elements, each with place and length, nothing left between them.

Belongs here: the encoding of PS3.5 chapter 7 and how far an element reaches. Does not belong here: what a value may
hold (``header``), the file around the data set (``container``). A pydicom data set is made of the same elements, so
that what is judged and what is read cannot differ.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits

UNDEFINED = 0xFFFFFFFF
PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)  # PS3.5 7.1.2
_SHORT = frozenset(
    (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
     b"ST", b"TM", b"UI", b"UL", b"US")
)  # fmt: skip
_NAMES = {name: name.decode() for name in _LONG | _SHORT}


class Element(NamedTuple):
    """One element. ``vr``: its own representation, None where implicit; ``head``: bytes that are no value of it or of
    an element inside it; ``items``: the elements of each item of a sequence, else None."""

    tag: int
    vr: str | None
    value: bytes
    start: int
    head: int
    items: tuple[tuple[Element, ...], ...] | None = None


class Form(NamedTuple):
    """How a data set is encoded."""

    implicit: bool
    little: bool


EXPLICIT_LITTLE, IMPLICIT_LITTLE = Form(False, True), Form(True, True)


@lru_cache(maxsize=1 << 13)
def standard_vr(tag: int) -> tuple[str, ...]:
    """Return the representations that PS3.6 allows for a tag; empty where it does not know it."""
    try:
        return tuple(dictionary_VR(tag).split(" or "))
    except KeyError:
        return ()


def is_representation(name: bytes) -> bool:
    """Tell whether two bytes name a value representation."""
    return name in _NAMES


def tag_name(tag: int) -> str:
    """Return (gggg,eeee)."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@dataclass
class Walk:
    """Reads elements off ``data``. Raises Refusal: broken_container, truncated.

    ``left``: how many elements may still come, so that a hostile file costs one refusal.
    """

    data: bytes
    limits: Limits = DEFAULT_LIMITS
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.limits.elements

    def elements(
        self, at: int, end: int, form: Form, *, group: int | None = None, depth: int = 0
    ) -> tuple[tuple[Element, ...], int]:
        """Return the elements from ``at`` and where they end: ``end``, a delimiter, the pixels of the outermost data
        set, or the first element of another group than ``group``."""
        found: list[Element] = []
        if depth > self.limits.nesting:
            raise Refusal(reasons.BROKEN_CONTAINER, "sequences nested too deeply")
        order = "<" if form.little else ">"
        head = struct.Struct(order + ("HHI" if form.implicit else "HH2sH")).unpack_from
        long_length = struct.Struct(order + "I").unpack_from
        data = self.data
        while at < end:
            if end - at < 8:
                raise Refusal(reasons.TRUNCATED, "the file ends among the elements")
            if form.implicit:
                high, low, length = head(data, at)
                vr, size = None, 8
            else:
                high, low, vr, length = head(data, at)
                size = 8
            tag = high << 16 | low
            if high == 0xFFFE or (group is not None and high != group) or (not depth and tag in PIXEL_TAGS):
                break
            if vr in _LONG:
                if length or end - at < 12:
                    raise Refusal(reasons.BROKEN_CONTAINER, f"{tag_name(tag)} with reserved bytes that are not zero")
                length, size = long_length(data, at + 8)[0], 12
            elif vr is not None and vr not in _SHORT:
                raise Refusal(reasons.BROKEN_CONTAINER, f"{tag_name(tag)} with a representation that is none")
            self.left -= 1
            if self.left < 0:
                raise Refusal(reasons.BROKEN_CONTAINER, "too many elements to audit")
            element, at = self._element(
                Element(tag, _NAMES[vr] if vr else None, b"", at, size), length, end, form, depth
            )
            found.append(element)
        return tuple(found), at

    def _element(self, bare: Element, length: int, end: int, form: Form, depth: int) -> tuple[Element, int]:
        value = bare.start + bare.head
        if length != UNDEFINED and value + length > end:
            raise Refusal(reasons.TRUNCATED, f"{tag_name(bare.tag)} ends behind the file")
        inner = self._form_of_items(bare, length, form)
        if inner is not None:
            return self._sequence(bare, length, end, inner, depth)
        if length == UNDEFINED:
            if bare.tag not in PIXEL_TAGS:
                raise Refusal(reasons.BROKEN_CONTAINER, f"{tag_name(bare.tag)} of undefined length")
            _, reach = fragments(memoryview(self.data)[:end], value)
            return bare._replace(value=self.data[value:reach]), reach
        return bare._replace(value=self.data[value : value + length]), value + length

    def _form_of_items(self, bare: Element, length: int, form: Form) -> Form | None:
        """Return how the items of a sequence are encoded, None where the element is no sequence.

        A sequence as UN is implicit little endian (PS3.5 6.2.2, note 2).
        """
        if bare.vr == "SQ":
            return form
        if bare.vr == "UN":
            return IMPLICIT_LITTLE if length == UNDEFINED or standard_vr(bare.tag) == ("SQ",) else None
        if bare.vr is None and bare.tag not in PIXEL_TAGS:
            return form if length == UNDEFINED or standard_vr(bare.tag) == ("SQ",) else None
        return None

    def _sequence(self, bare: Element, length: int, end: int, form: Form, depth: int) -> tuple[Element, int]:
        at, head = bare.start + bare.head, bare.head
        items: list[tuple[Element, ...]] = []
        reach = end if length == UNDEFINED else at + length
        while at < reach:
            tag, size = self._delimiter(at, reach, form)
            at, head = at + 8, head + 8
            if tag == SEQUENCE_END and length == UNDEFINED and not size:
                return bare._replace(head=head, items=tuple(items)), at
            if tag != ITEM or (size != UNDEFINED and at + size > reach):
                raise Refusal(reasons.BROKEN_CONTAINER, f"{tag_name(bare.tag)} holds something else than items")
            inside = reach if size == UNDEFINED else at + size
            elements, at = self.elements(at, inside, form, depth=depth + 1)
            if size == UNDEFINED:
                if self._delimiter(at, reach, form) != (ITEM_END, 0):
                    raise Refusal(reasons.BROKEN_CONTAINER, f"{tag_name(bare.tag)} holds an item without an end")
                at, head = at + 8, head + 8
            elif at != inside:
                raise Refusal(reasons.BROKEN_CONTAINER, f"{tag_name(bare.tag)} holds a delimiter out of place")
            items.append(elements)
        if length == UNDEFINED:
            raise Refusal(reasons.TRUNCATED, f"{tag_name(bare.tag)} has no end")
        return bare._replace(head=head, items=tuple(items)), at

    def _delimiter(self, at: int, end: int, form: Form) -> tuple[int, int]:
        if end - at < 8:
            raise Refusal(reasons.TRUNCATED, "the file ends among the items of a sequence")
        high, low, size = struct.unpack_from("<HHI" if form.little else ">HHI", self.data, at)
        return high << 16 | low, size


def fragments(view: memoryview, at: int) -> tuple[tuple[memoryview, ...], int]:
    """Return the items of encapsulated pixels, the offset table first, and where they end (PS3.5 A.4)."""
    parts: list[memoryview] = []
    while True:
        if at + 8 > len(view):
            raise Refusal(reasons.TRUNCATED, "encapsulated pixels are cut")
        high, low, length = struct.unpack_from("<HHI", view, at)
        at += 8
        if (high << 16 | low) == SEQUENCE_END:
            if length:
                raise Refusal(reasons.BROKEN_CONTAINER, "the end of the encapsulated pixels has a length")
            return tuple(parts), at
        if (high << 16 | low) != ITEM:
            raise Refusal(reasons.BROKEN_CONTAINER, "encapsulated pixels hold something else than items")
        if at + length > len(view):
            raise Refusal(reasons.TRUNCATED, "a fragment ends behind the file")
        parts.append(view[at : at + length])
        at += length


def as_dataset(elements: tuple[Element, ...], form: Form) -> Dataset:
    """Return a pydicom data set of walked elements; of a tag that stands twice the last (the audit refuses it)."""
    return Dataset({BaseTag(element.tag): _as_pydicom(element, form) for element in elements})


def _as_pydicom(element: Element, form: Form) -> RawDataElement | DataElement:
    tag = BaseTag(element.tag)
    if element.items is not None:
        inner = IMPLICIT_LITTLE if element.vr == "UN" else form
        return DataElement(tag, "SQ", Sequence([as_dataset(item, inner) for item in element.items]))
    return RawDataElement(
        tag, element.vr, len(element.value), element.value, element.start + element.head, form.implicit, form.little
    )

"""Is this DICOM de-identified? An auditor, not an anonymizer: it changes nothing and fails closed.

Each byte of the file belongs to one judgement, which names tag and rule and never a value. The walk over the bytes is
``walk``'s, the table of the standard is in ``profile``, the site's choices are in ``policy``, markers inside compressed
pixels are in ``markers``; text inside the picture is the question of ``prints``.

Values are judged as raw bytes, one character per byte, so that no character set, however wrong, hides one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from radia_pipeline.privacy import concepts, markers, rules, values
from radia_pipeline.privacy import container as dicom_container
from radia_pipeline.privacy.container import PREAMBLE_BYTES, Container
from radia_pipeline.privacy.known import known
from radia_pipeline.privacy.policy import Policy
from radia_pipeline.privacy.profile import ProfileRow, profile_row
from radia_pipeline.privacy.values import characters
from radia_pipeline.privacy.walk import EXPLICIT_LITTLE, IMPLICIT_LITTLE, Element, Form, standard_vr, tag_name

_METHOD, _METHOD_CODES, _AGE = 0x00120063, 0x00120064, 0x00101010
_BASIC_PROFILE = "113100"
_EQUIPMENT, _PIXELS_LENGTH = 0x0018A001, 0x7FE00000
_SIZES, _HEAD_BYTES = (0x00280010, 0x00280011, 0x00280100), 16


@dataclass(frozen=True, order=True)
class Finding:
    """``tag``: where, with the sequences that lead there. ``rule``: which rule it breaks. Never a value."""

    tag: str
    rule: str

    def __str__(self) -> str:
        return f"{self.tag} {self.rule}"


class Judgement(NamedTuple):
    """What one rule made of some bytes. ``fault``: why they identify, None where they do not. ``size``: how many bytes
    it answers for; ``value``: what a steward's proposal may count, never shown here."""

    where: str
    rule: str
    fault: str | None
    size: int
    tag: int = 0
    value: bytes = b""


def audit(container: Container, policy: Policy) -> list[Finding]:
    """Return all findings of a parsed file, sorted, each once."""
    return sorted({Finding(one.where, one.fault) for one in judgements(container, policy) if one.fault})


def judgements(container: Container, policy: Policy) -> Iterator[Judgement]:
    """Yield what was judged, in the order of the file. Sizes of all add up to the bytes of the file, or of its inflated
    data set; what is judged about the file as a whole answers for no byte."""
    yield _preamble(container.preamble, container.file_bytes)
    yield from _elements(container.head, "", policy, EXPLICIT_LITTLE, container)
    if container.syntax == dicom_container.DEFLATED:
        packed = container.file_bytes - PREAMBLE_BYTES - 4 - sum(map(_extent, container.head))
        yield Judgement("deflated data set", "inflated and judged below", None, packed)
    yield from _elements(container.elements, "", policy, container.form, container)
    yield from _pixels(container)
    yield from _elements(container.behind, "", policy, container.form, container)
    if container.unowned:
        fault = "bytes without an owner" if container.unowned.strip(b"\0") else None
        yield Judgement("behind the last element", "padding with zeros", fault, len(container.unowned))
    yield from _about_the_whole(container, policy)


def _extent(element: Element) -> int:
    if element.items is None:
        return element.head + len(element.value)
    return element.head + sum(_extent(inner) for item in element.items for inner in item)


def _preamble(preamble: bytes, file_bytes: int) -> Judgement:
    """A preamble is empty, or the head of a TIFF that shares the file: byte order and an offset in it (PS3.10 7.1)."""
    is_tiff = preamble.startswith((b"II*\0", b"MM\0*")) and not preamble[8:].strip(b"\0")
    is_tiff = is_tiff and int.from_bytes(preamble[4:8], "little" if preamble[0] == 0x49 else "big") < file_bytes
    fault = None if is_tiff or not preamble.strip(b"\0") else "must be empty"
    return Judgement("preamble", "empty or the head of a TIFF", fault, PREAMBLE_BYTES + 4)


def _pixels(container: Container) -> Iterator[Judgement]:
    name, size = "(7FE0,0010)", container.pixel_span[1] - container.pixel_span[0]
    if container.fragment_sizes is None:
        yield Judgement(name, "pixels, judged as picture", None, size)
        return
    fault = _fault_of_offsets(container)
    yield Judgement(name, "pixels, judged as picture; offset table", fault, size)
    for marker, wrong in markers.listed(bytes(container.pixels), container.syntax):
        yield Judgement(f"{name}>{marker}", "declared content of a codestream", wrong, 0)


def _fault_of_offsets(container: Container) -> str | None:
    """The basic offset table names starts of fragments, the first at 0, one a frame (PS3.5 A.4)."""
    table = container.offset_table
    if not table:
        return None
    offsets = [int.from_bytes(table[at : at + 4], "little") for at in range(0, len(table), 4)]
    starts, at = set(), 0
    for size in container.fragment_sizes or ():
        starts.add(at)
        at += size + 8
    frames = next((characters(e.value) for e in container.elements if e.tag == 0x00280008), "") or "1"
    if len(table) % 4 or offsets[0] or offsets != sorted(set(offsets)) or not starts.issuperset(offsets):
        return "not an offset table"
    return None if str(len(offsets)) == frames.lstrip("0+") else "an offset table of more frames than declared"


def _about_the_whole(container: Container, policy: Policy) -> Iterator[Judgement]:
    said = {element.tag: characters(element.value) for element in container.elements if element.items is None}
    if policy.require_identity_removed and said.get(0x00120062, "").upper() != "YES":
        yield Judgement("(0012,0062)", "identity removed", "must be YES", 0)
    if policy.method and not said.get(_METHOD, "").startswith(policy.method) and not _has_method(container, policy):
        yield Judgement(tag_name(_METHOD), "method", "must name the declared method", 0)
    if said.get(0x00280301, "").upper() not in ("", "NO"):
        yield Judgement("(0028,0301)", "burned-in annotation", "burned-in annotation declared", 0)


def _has_method(container: Container, policy: Policy) -> bool:
    """Tell whether the method is named by its code (PS3.16 CID 7050), or by a text that the site's profiles allow."""
    codes = next((element.items or () for element in container.elements if element.tag == _METHOD_CODES), ())
    if any(e.tag == concepts.VALUE and characters(e.value) == _BASIC_PROFILE for item in codes for e in item):
        return True
    text = next((characters(e.value) for e in container.elements if e.tag == _METHOD), "")
    return any(pattern.fullmatch(text) for pattern in policy.methods)


def _elements(
    elements: tuple[Element, ...], where: str, policy: Policy, form: Form, container: Container
) -> Iterator[Judgement]:
    seen: set[int] = set()
    coded = concepts.faults(elements, policy.words) if where and concepts.is_concept(elements) else None
    for element in elements:
        name, tag = where + tag_name(element.tag), element.tag
        if tag in seen:
            yield Judgement(name, "each element once", "stands twice", _extent(element), tag)
            continue
        seen.add(tag)
        if element.items is not None:
            yield _sequence(element, name, policy)
            inner = IMPLICIT_LITTLE if element.vr == "UN" else form
            for item in element.items:
                yield from _elements(item, f"{name}>", policy, inner, container)
        elif coded is not None and tag in concepts.CONCEPT_TAGS:
            yield Judgement(name, "coded concept", coded.get(tag), _extent(element), tag, element.value)
        else:
            rule, fault = _judge(element, elements, policy, form, container)
            yield Judgement(name, rule, fault, _extent(element), tag, element.value)


def _sequence(element: Element, name: str, policy: Policy) -> Judgement:
    rule, fault, row = "sequence", None, profile_row(element.tag)
    if element.items and not values.kinds_agree("SQ", standard_vr(element.tag)):
        fault = "a sequence where the standard has none"
    elif element.items and element.tag >> 16 & 1 and policy.deny_private:
        fault = "private value"
    elif element.tag == _EQUIPMENT and element.items and all(map(concepts.is_of_deidentifier, element.items)):
        rule = "equipment of the de-identification"
    elif element.items and row is not None and not _is_retained(row, policy) and "U" not in row.basic:
        fault = f"Table E.1-1 {row.basic}: must be empty"
    elif element.items and not standard_vr(element.tag) and row is None and policy.deny_unknown:
        fault = "unknown tag"
    return Judgement(name, rule, fault, element.head, element.tag)


def _is_retained(row: ProfileRow, policy: Policy) -> bool:
    return any(name in policy.options for name in row.options)


def _judge(
    element: Element, beside: tuple[Element, ...], policy: Policy, form: Form, container: Container
) -> tuple[str, str | None]:
    """Return the one rule that an element falls under, and its fault."""
    tag, value = element.tag, element.value
    if not tag & 0xFFFF:
        size = sum(_extent(other) for other in beside if other.tag >> 16 == tag >> 16 and other is not element)
        stale = min(container.file_bytes, values.FIRST_TOO_LONG)
        if tag == _PIXELS_LENGTH:
            size += container.pixel_span[1] - container.pixel_span[0]
            stale = _native_bytes(container)
        return "group length", values.fault_of_group_length(element, size, stale, form)
    if tag >> 16 & 1 and tag & 0xFFFF > 0xFF and not _creator(tag, beside):
        return "private", "private element without a creator"
    if not value.strip(b"\0 "):
        is_known = tag >> 16 & 1 or standard_vr(tag) or profile_row(tag) is not None or not policy.deny_unknown
        return ("empty", None) if is_known else ("unknown tag", "unknown tag")
    if tag >> 16 & 1:
        return "private", rules.fault_of_private(tag, characters(value), _creator(tag, beside), policy)
    standard, row = standard_vr(tag), profile_row(tag)
    if not standard and row is None:
        return "unknown tag", "unknown tag" if policy.deny_unknown else rules.scan(characters(value))
    if not values.kinds_agree(element.vr, standard):
        return "representation", f"not of the standard's representation {standard[0]}"
    vr = element.vr if element.vr in standard or element.vr in values.NUMBERS else (standard or ("UN",))[0]
    if tag in (rules.NAME, rules.PATIENT) or tag in rules.SUBJECTS:
        return "pseudonym", rules.fault_of_pseudonym(tag, characters(value), policy)
    if tag >> 16 == 2:
        special = rules.meta(tag, value, policy)
        if special is not None:
            return special
    if vr == "UI":
        return "UID", rules.fault_of_uid(tag, value, policy)
    is_named = tag in policy.retained_text or tag in policy.declared
    if row is not None and rules.is_dummy(vr, value, policy):
        return "dummy", None
    if row is not None and not is_named and not _is_retained(row, policy):
        return f"Table E.1-1 {row.basic}", f"Table E.1-1 {row.basic}: must be empty"
    return _public(element, vr, beside, policy, form)


def _native_bytes(container: Container) -> int:
    """Return what the pixel element takes before it is compressed: software leaves the group's length as it was."""
    order: Literal["little", "big"] = "little" if container.form.little else "big"
    said = {e.tag: int.from_bytes(e.value, order) for e in container.elements if e.tag in _SIZES and len(e.value) == 2}
    return math.prod(said.get(tag, 0) for tag in _SIZES) // 8 + _HEAD_BYTES


def _creator(tag: int, beside: tuple[Element, ...]) -> str:
    reserved = tag & 0xFFFF0000 | tag >> 8 & 0xFF
    return next((characters(element.value) for element in beside if element.tag == reserved), "")


def _public(
    element: Element, vr: str, beside: tuple[Element, ...], policy: Policy, form: Form
) -> tuple[str, str | None]:
    tag, value = element.tag, element.value
    if tag in values.TABLE_TAGS:
        return "look-up table", values.fault_of_table(element, beside, form)
    if vr in values.NUMBERS:
        return f"number {vr}", values.fault_of_number(tag, vr, value, form)
    if vr in values.DATES and rules.is_dummy(vr, value, policy):
        return "dummy", None
    fault = values.fault_of_shape(tag, vr, value)
    if fault is not None and not rules.is_declared(tag, value, policy):
        return f"representation {vr}", fault
    if tag == _AGE:
        return "age", rules.fault_of_age(value, policy)
    if tag in known().forms and vr in values.DATES:
        return "date of a standard", None if rules.is_of_form(tag, value) else "not a declared value"
    if vr in ("DA", "DT"):
        return "date", rules.fault_of_date(value, policy)
    if vr == "TM":
        kept = {"modified_dates", "full_dates"} & policy.options
        return "date", None if kept else "dates are not retained"
    if vr == "CS":
        return "defined term", rules.fault_of_term(tag, value, policy) or rules.scan(characters(value))
    if vr in values.TEXT:
        return "declared value", rules.fault_of_text(tag, value, policy)
    if vr in ("DS", "IS", "AS"):
        return f"representation {vr}", None
    return "no opaque bytes", "opaque bytes"

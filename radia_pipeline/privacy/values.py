"""Is a value of the form that its representation and its attribute have (PS3.5 6.2, PS3.6 VM)? Text in a number is not.

Belongs here: one rule a kind of representation, over raw bytes. Does not belong here: which attribute may hold a value
at all, and lists of values (``header``).
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache

import numpy as np
from pydicom.datadict import dictionary_has_tag, dictionary_VM

from radia_pipeline.privacy.walk import Element, Form

TEXT = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
DATES = frozenset({"DA", "TM", "DT"})
_NUMBER_BYTES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "FD": 8, "SV": 8, "UV": 8}
NUMBERS = frozenset(_NUMBER_BYTES)
_NUMPY = {"UL": "u4", "SL": "i4", "FL": "f4", "FD": "f8", "SV": "i8", "UV": "u8"}
FIRST_TOO_LONG = 10**6
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SHAPES = {
    "DS": re.compile(r"[+-]?(?![2-9]\d{2}[2-9]\d{2}\.(?!0{4})\d{4}$)(\d{1,6}(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?"),
    "IS": re.compile(r"[+-]?\d{1,6}"),
    "AS": re.compile(r"\d{1,3}[DWMY]"),
    "DA": re.compile(r"(?:19|20)\d\d\.?(?:0[1-9]|1[0-2])\.?(?:0[1-9]|[12]\d|3[01])"),
    "TM": re.compile(r"([01]\d|2[0-3])(:?[0-5]\d(:?[0-6]\d(\.\d{1,6})?)?)?"),
    "DT": re.compile(
        r"(?:19|20)\d\d((?:0[1-9]|1[0-2])((?:0[1-9]|[12]\d|3[01])(([01]\d|2[0-3])([0-5]\d([0-6]\d(\.\d{1,6})?)?)?)?)?)?"
        r"([+-]\d{4})?"
    ),
    "UI": re.compile(r"(?=.{1,64}$)(0|[1-9]\d*)(\.(0|[1-9]\d*))*"),
    "CS": re.compile(r"[A-Za-z0-9_ .,/()-]{0,24}"),
}
_LONG_NUMBERS = re.compile(r"[+-]?\d{1,9}(\.\d*)?")
_MICRO = frozenset({0x00181153, 0x00188150, 0x00188151, 0x00181405})
"""Exposure, time and current in millionths, and the relative exposure: longer than six digits by nature."""
_LETTERS, _THREE_LETTERS = re.compile(rb"[A-Za-z^=@' ,-]{5,}"), re.compile(rb"[A-Za-z]{3}")
_RUNS = re.compile(
    rb"[0-9][0-9 .()/-]{7,}"
    rb"|(?:[A-Za-z0-9^=@' ,.-]\x00){4,}|(?:\x00[A-Za-z0-9^=@' ,.-]){4,}"
    rb"|(?:[A-Za-z^ ]\x00{3}){4,}|(?:\x00{3}[A-Za-z^ ]){4,}"
)
_SHORT_WORD = re.compile(rb"[A-Z]{4}|[a-z]{4}|[A-Z][a-z]{3}|[A-Z][a-z]{2}[ \0]|[A-Z]{3}[ \0]")
TABLE_TAGS = frozenset({0x00283006})
_DESCRIPTOR = 0x00283002


def characters(value: bytes) -> str:
    """Return a value as text without padding; one character a byte, whatever character set it claims."""
    return value.decode("latin-1").strip("\0 ")


def parts(value: bytes) -> list[str]:
    """Return the values of a text element without padding."""
    return [part.strip("\0 ") for part in characters(value).split("\\")]


@lru_cache(maxsize=1 << 12)
def _most_values(tag: int) -> int | None:
    """Return how many values an attribute may have, None where there is no limit or it is unknown."""
    try:
        most = dictionary_VM(tag).split("-")[-1]
    except KeyError:
        return None
    return int(most) if most.isdigit() else None


def kinds_agree(own: str | None, standard: tuple[str, ...]) -> bool:
    """Tell whether a file's own representation is of the standard's kind: text, number, bytes or sequence."""
    return own in (None, "UN") or not standard or own in standard or any(_kind(own) == _kind(vr) for vr in standard)


def _kind(vr: str) -> str:
    if vr in _NUMBER_BYTES:
        return "number"
    return "bytes" if vr in _BYTES else "sequence" if vr == "SQ" else "text"


def fault_of_shape(tag: int, vr: str, value: bytes) -> str | None:
    """Return why a value of digits or code is not of its representation, None where it is or has no fixed form."""
    shape = _SHAPES.get(vr)
    if shape is None:
        return None
    found, most = parts(value), _most_values(tag)
    if most is not None and len(found) > most:
        return "more values than the attribute has"
    if tag in _MICRO:
        shape = _LONG_NUMBERS
    return None if all(not part or shape.fullmatch(part) for part in found) else f"not a value of representation {vr}"


def fault_of_number(tag: int, vr: str, value: bytes, form: Form) -> str | None:
    """Return why a binary number is none: another count than the attribute's, or text in its bytes."""
    size, most = _NUMBER_BYTES[vr], _most_values(tag)
    if len(value) % size or (most is not None and len(value) > most * size):
        return f"not a value of representation {vr}"
    if vr == "AT":
        order = "<HH" if form.little else ">HH"
        tags = (high << 16 | low for high, low in struct.iter_unpack(order, value))
        return None if all(dictionary_has_tag(tag) for tag in tags) else "not a tag of the standard"
    if (len(value) == 4 and _SHORT_WORD.fullmatch(value)) or holds_text(value):
        return "text in a number"
    return None if size < 4 or _are_measures(vr, value, form) else "a number that no device measures"


def _are_measures(vr: str, value: bytes, form: Form) -> bool:
    """Tell whether numbers are finite and of at most six digits, as those of decimal strings: a telephone has ten."""
    numbers = np.frombuffer(value, ("<" if form.little else ">") + _NUMPY[vr])
    return bool((np.isfinite(numbers) & (numbers < FIRST_TOO_LONG) & (numbers > -FIRST_TOO_LONG)).all())


def holds_text(value: bytes) -> bool:
    """Tell whether bytes that should be numbers hold letters or digits in a row, in 8, 16 or 32 bits.

    In time that grows as the value does: no pattern here can be entered from each of its own bytes.
    """
    words = any(_THREE_LETTERS.search(run.group()) for run in _LETTERS.finditer(value))
    return words or _RUNS.search(value) is not None


def fault_of_table(element: Element, beside: tuple[Element, ...], form: Form) -> str | None:
    """Return why a look-up table is none: its length by the descriptor, and values that rise or fall (PS3.3 C.11).

    ``beside``: the elements of the same item, the descriptor among them.
    """
    descriptor = next((e.value for e in beside if e.tag == _DESCRIPTOR), b"")
    if len(descriptor) != 6:
        return "a look-up table without a descriptor"
    count, _, bits = struct.unpack("<HHH" if form.little else ">HHH", descriptor)
    count = count or 1 << 16
    if len(element.value) == 2 * count:
        table = np.frombuffer(element.value, "<u2" if form.little else ">u2")
    elif len(element.value) == count + count % 2:
        table = np.frombuffer(element.value, np.uint8)[:count]
    else:
        return "a look-up table of another length than declared"
    if bits < 16 and int(table.max()) >> max(bits, 8):
        return "look-up table beyond its bits"
    steps = np.diff(table.astype(np.int32))
    return None if (steps >= 0).all() or (steps <= 0).all() else "a look-up table that neither rises nor falls"


def fault_of_group_length(element: Element, group_bytes: int, most_stale: int, form: Form) -> str | None:
    """Return why (gggg,0000) is no group length; a stale one may stand up to ``most_stale``, text may not."""
    if len(element.value) != 4 or element.vr not in (None, "UL", "UN"):
        return "not a group length"
    length = int.from_bytes(element.value, "little" if form.little else "big")
    if length == group_bytes:
        return None
    is_stale = length <= most_stale and not _SHORT_WORD.fullmatch(element.value)
    return None if is_stale else "not a group length"

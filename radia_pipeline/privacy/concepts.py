"""Coded concepts (PS3.3 8.8): a code of the form of its scheme, and a meaning that says no more than the code does.

Belongs here: what makes an item a coded concept and when one is sound. Does not belong here: the schemes' forms
(``known.yaml``), and where a concept may stand (``header``).
"""

from __future__ import annotations

import re
from functools import cache
from typing import cast

from radia_pipeline.privacy.known import known
from radia_pipeline.privacy.values import characters
from radia_pipeline.privacy.walk import Element

VALUE, SCHEME, SCHEME_VERSION, MEANING, LONG_VALUE, URN_VALUE = (
    0x00080100,
    0x00080102,
    0x00080103,
    0x00080104,
    0x00080119,
    0x00080120,
)
CONCEPT_TAGS = frozenset({VALUE, SCHEME, SCHEME_VERSION, MEANING, LONG_VALUE, URN_VALUE})
_PURPOSE, _DEIDENTIFYING = 0x0040A170, "109104"
_VALUES = (VALUE, LONG_VALUE, URN_VALUE)
_SCT_CONCEPTS = ("00", "10")
"""Partition of SNOMED CT identifiers that are concepts, in front of the check digit."""
_LONG_DIGITS = 7
_VERSION = re.compile(r"(?:199|20\d)\d[01]\d[0-3]\d|\d{1,4}(?:[._-]\d{1,4}){0,2}|SMI|V\d{1,2}")
"""A date since there are such schemes, or a release."""


def is_concept(item: tuple[Element, ...]) -> bool:
    """Tell whether an item holds a coded concept: a code and the scheme that it is of."""
    tags = {element.tag for element in item}
    return SCHEME in tags and not tags.isdisjoint(_VALUES)


def is_of_deidentifier(item: tuple[Element, ...]) -> bool:
    """Tell whether an item of contributing equipment is the de-identifier's own (PS3.16 CID 7005)."""
    purposes = next((element.items or () for element in item if element.tag == _PURPOSE), ())
    return any(e.tag == VALUE and characters(e.value) == _DEIDENTIFYING for purpose in purposes for e in purpose)


def faults(item: tuple[Element, ...], words: frozenset[str]) -> dict[int, str]:
    """Return tag -> fault of a coded concept's elements. ``words``: what the site adds to those of meanings."""
    said = {element.tag: characters(element.value) for element in item if element.tag in CONCEPT_TAGS}
    scheme = said.get(SCHEME, "")
    form = known().schemes.get(scheme)
    if form is None:
        return {tag: "not a coding scheme of the standard" for tag in CONCEPT_TAGS & said.keys() if said[tag]}
    found = {}
    code = next((said[tag] for tag in _VALUES if said.get(tag)), "")
    for tag in _VALUES:
        if said.get(tag) and not (form.fullmatch(said[tag]) and _checks(scheme, said[tag])):
            found[tag] = "not a code of its scheme"
    if said.get(SCHEME_VERSION) and not _VERSION.fullmatch(said[SCHEME_VERSION]):
        found[SCHEME_VERSION] = "not a version of a coding scheme"
    if said.get(MEANING) and not _means(scheme, code, said[MEANING], words):
        found[MEANING] = "not a meaning of its code"
    return found


def _means(scheme: str, code: str, meaning: str, words: frozenset[str]) -> bool:
    if not re.search(r"\d{4}", meaning):
        allowed = known().concept_words | words
        if all(word in allowed for word in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", meaning.lower())) or all(
            word in allowed for word in re.findall(r"[^\W\d_]+", meaning.lower())
        ):
            return True
    return meaning.casefold() in _meanings().get((scheme, code), ())


@cache
def _meanings() -> dict[tuple[str, str], frozenset[str]]:
    """Return (scheme, code) -> meanings of PS3.16, as pydicom carries them; read only for a word that is not listed."""
    from pydicom.sr._concepts_dict import concepts

    found: dict[tuple[str, str], set[str]] = {}
    # scheme -> keyword -> code -> (meaning, context groups); its dict has no types
    tables = cast(dict[str, dict[str, dict[str, tuple[str, list[int]]]]], concepts)
    for scheme, by_keyword in tables.items():
        for by_code in by_keyword.values():
            for code, (meaning, _) in by_code.items():
                found.setdefault((scheme, code), set()).add(meaning.casefold())
    return {key: frozenset(meanings) for key, meanings in found.items()}


def _checks(scheme: str, code: str) -> bool:
    """Tell whether the check digit of a code is right, where its scheme has one; a long code without one is known."""
    if scheme == "SCT":
        return _verhoeff(code) and code[-3:-1] in _SCT_CONCEPTS
    if scheme == "LN":
        return _mod_10(code)
    return sum(character.isdigit() for character in code) < _LONG_DIGITS or (scheme, code) in _meanings()


_DIHEDRAL = [
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
]
_PERMUTATION = [
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
]


def _verhoeff(digits: str) -> bool:
    """SNOMED CT identifiers end in a check digit of Verhoeff's (dihedral group D5)."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_DIHEDRAL[check][int(_PERMUTATION[place % 8][int(digit)])])
    return check == 0


def _mod_10(code: str) -> bool:
    """LOINC codes end in a check digit of Luhn's."""
    digits = [int(digit) for digit in code if digit.isdigit()]
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return total % 10 == 0

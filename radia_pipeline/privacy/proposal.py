"""A delivery -> the policy that would admit its devices: values seen, whom they could name, which may be taken.

Belongs here: counting what the gate would not let in, and what speaks against a value. Does not belong here: reading a
folder and writing files (``usecases.policy_proposal``). Values leave this module only for the steward's own files.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TypedDict

from pydicom.datadict import keyword_for_tag

from radia_pipeline.privacy import rules
from radia_pipeline.privacy.container import Container
from radia_pipeline.privacy.header import Judgement, judgements
from radia_pipeline.privacy.known import folded, known
from radia_pipeline.privacy.letters import fold
from radia_pipeline.privacy.policy import Policy
from radia_pipeline.privacy.values import characters, parts
from radia_pipeline.privacy.walk import standard_vr
from radia_pipeline.privacy.wording import names

_LISTED = frozenset({"not a declared value", "text is not retained here", "not a defined term of its attribute"})
_UIDS, _PSEUDONYM = "UID outside the declared roots", "not a declared pseudonym"
_FORM = re.compile(r"([A-Za-z][A-Za-z_.-]{1,15})([0-9]{3,12})")
_LEAST_PSEUDONYMS = 3
"""A prefix that this many patients share is nobody's name; numbers alone could be a hospital's own."""
_DEVICE_TAGS = (0x00080070, 0x00081090, 0x00181000, 0x0018700A)
_PATIENT, _METHOD = 0x00100020, 0x00120063
_LIST_KINDS = frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"})
_FREE = frozenset({0x00104000, 0x00081030, 0x0008103E, 0x00204000})
"""Comments and descriptions: typed by people, a list of them is no policy."""
_NUMBERED = frozenset({0x00081010, 0x00181000, 0x00181004, 0x00181008, 0x0018700A, 0x00120020, 0x00120030})
"""Stations, serial numbers, plates, detectors, protocols and sites: a word alone, without a number, could be a name."""
_LEAST_FILES, _LEAST_SHARE, _LEAST_PATIENTS = 2, 0.001, 2
_LONGEST = 128
_LONG_NUMBER = re.compile(r"\d{7}|\d{3}[ .-]\d{3}[ .-]\d{3,4}|(?:19|20)\d\d[-/. ]?[01]\d[-/. ]?[0-3]\d")
_NAMED = re.compile(r"\^|\b(?:DRE?|MME|MLLE|MR|MRS|MS|PROF)\b\.?\s+[^\W\d_]{2,}|[^\W\d_]{2,},?\s+MD\b", re.IGNORECASE)
_VOWELS = re.compile(r"[aeiouyà-öø-ÿ]", re.IGNORECASE)
_COMPOUND = re.compile(r"[a-z]{4,}[A-Z]")
"""A word with a capital behind small letters, longer than the beginning of a name (Mac, Fitz)."""


@dataclass(frozen=True)
class Seen:
    """One value of one attribute: in how many files, of how many devices and patients, and what speaks against it."""

    keyword: str
    value: str
    files: int
    devices: int
    patients: int
    against: str | None


@dataclass
class Delivery:
    """Counts over the files of a delivery. Files are added one by one; nothing of their pixels is kept."""

    policy: Policy
    files: int = 0
    _counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    _devices: dict[tuple[int, str], set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))
    _patients: dict[tuple[int, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _pseudonyms: Counter[str] = field(default_factory=Counter)

    def add(self, container: Container) -> None:
        """Count the values of one file that the policy does not admit."""
        self.files += 1
        said = {element.tag: characters(element.value) for element in container.elements if element.items is None}
        device, patient = tuple(said.get(tag, "") for tag in _DEVICE_TAGS), said.get(_PATIENT, "")
        found = [one for one in judgements(container, self.policy) if one.fault]
        self._pseudonyms.update(patient for one in found if one.tag == _PATIENT and one.fault == _PSEUDONYM)
        for key in set(_not_admitted(found)):
            self._counts[key] += 1
            self._devices[key].add(device)
            self._patients[key].add(patient)

    def seen(self) -> list[Seen]:
        """Return every value with its counts, by attribute, the commonest first."""
        found = []
        for key, count in sorted(self._counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
            tag, value = key
            patients = len(self._patients[key])
            against = _against(tag, value) or self._too_few(count, patients)
            found.append(Seen(keyword_for_tag(tag), value, count, len(self._devices[key]), patients, against))
        form = _form_of(self._pseudonyms)
        if form is not None:
            found.append(Seen("PatientID", form, sum(self._pseudonyms.values()), 0, len(self._pseudonyms), None))
        return found

    def _too_few(self, files: int, patients: int) -> str | None:
        if files < max(_LEAST_FILES, _LEAST_SHARE * self.files):
            return "in few files"
        return "on one patient only" if patients < _LEAST_PATIENTS else None


def _not_admitted(found: list[Judgement]) -> Iterator[tuple[int, str]]:
    """Yield attribute and value of what a list, a root or a method could admit."""
    for one in found:
        is_listed = one.fault in _LISTED and one.tag not in _FREE
        if one.fault == _UIDS:
            yield from ((one.tag, _root_of(uid)) for uid in parts(one.value) if uid)
        elif is_listed and one.tag == _METHOD:
            yield one.tag, characters(one.value)
        elif is_listed and _LIST_KINDS.intersection(standard_vr(one.tag)):
            yield from ((one.tag, part) for part in parts(one.value) if part)


class Additions(TypedDict):
    """Keys of a policy, and what is to be added under each."""

    declared: dict[str, list[str]]
    methods: list[str]
    uid_roots: list[str]
    patients: list[str]


def additions(seen: list[Seen]) -> Additions:
    """Return what a policy must add for the values that nothing speaks against: `declared`, `methods`, UID roots, and
    the form of pseudonyms (`patients`)."""
    declared: dict[str, list[str]] = {}
    methods, roots, patients = [], [], []
    for one in seen:
        if one.against is not None:
            continue
        if one.keyword == "DeidentificationMethod":
            methods.append(re.escape(one.value))
        elif one.keyword == "PatientID":
            patients.append(one.value)
        elif one.value.endswith(".") and one.keyword.endswith("UID"):
            roots.append(one.value)
        else:
            declared.setdefault(one.keyword, []).append(one.value)
    return {"declared": declared, "methods": methods, "uid_roots": sorted(set(roots)), "patients": patients}


def _form_of(pseudonyms: Counter[str]) -> str | None:
    """Return the form that all pseudonyms have: one prefix and a number. None where there is no such form."""
    matches = [match for value in pseudonyms if (match := _FORM.fullmatch(value)) is not None]
    is_of_all = len(matches) == len(pseudonyms) and len({match[1] for match in matches}) <= 1
    if len(matches) < _LEAST_PSEUDONYMS or not is_of_all:
        return None
    sizes = [len(match[2]) for match in matches]
    return f"{re.escape(matches[0][1])}[0-9]{{{min(sizes)},{max(sizes)}}}"


def _root_of(uid: str) -> str:
    """Return what UIDs of one maker share: all but the last components, at least an organisation's own."""
    components = uid.split(".")
    return ".".join(components[: max(len(components) - 2, min(len(components) - 1, 5))]) + "."


def _against(tag: int, value: str) -> str | None:
    """Return why a value could name a person, None where it does not look so."""
    if standard_vr(tag) == ("UI",):
        return None if re.fullmatch(r"[0-9.]+", value) and value.count(".") >= 4 else "no UID"
    if len(value) > _LONGEST:
        return "longer than a value of a device"
    text = "".join(c if c.isprintable() else " " for c in value)
    if text != value:
        return "holds bytes that are no letters"
    if rules.scan(value) or _LONG_NUMBER.search(value):
        return "looks like a number or a date of a person"
    words, usual = re.findall(r"[^\W\d_]+", value), known().trade_words | _common()
    strange = [word for word in words if _could_be_a_name(word) and folded(word) not in usual]
    named = [word for word in words if fold(word) in _people()]
    if _NAMED.search(value) or (named and (strange or len(words) == 1)):
        return "looks like a person"
    is_alone = not re.search(r"\d", value) and all(word[0].isupper() for word in strange)
    if is_alone and len(strange) >= (1 if tag in _NUMBERED else 2):
        return "looks like a person"
    return None


def _could_be_a_name(word: str) -> bool:
    """Abbreviations without a vowel and compounds as firms form them are nobody's name."""
    return len(word) > 2 and _VOWELS.search(word) is not None and not _COMPOUND.search(word)


@cache
def _people() -> frozenset[str]:
    return frozenset(names())


@cache
def _common() -> frozenset[str]:
    """Return the words of makers and terms that everybody has."""
    lists = [*known().values.values(), *known().terms.values()]
    return frozenset(word for listed in lists for value in listed for word in re.findall(r"[^\W\d_]+", value))

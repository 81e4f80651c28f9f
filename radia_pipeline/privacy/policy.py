"""What a site's de-identified deliveries may hold: PS3.15 Table E.1-1 joined with the site's own sheet.

``ps315_table_e1_1.csv`` is the standard's table as data (tag, action of the basic profile, options). The site's choices
stand in ``data_contracts/sources/<source>_deid.yaml``; a source without that file gets the basic profile and no option.
Does not belong here: the rules that ask a policy (``header``, ``prints``, ``text``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.errors import BadTable, UnknownName
from radia_pipeline.privacy.known import KNOWN, NOTHING, folded, known
from radia_pipeline.privacy.letters import fold
from radia_pipeline.privacy.prints import FLOOR
from radia_pipeline.privacy.profile import OPTIONS, TABLE

_EXAM_DATES = ("allow_with_exam", "refuse")
_PHYSICIANS = ("refuse", "allow")
_AGES = ("cap", "refuse")
_INITIALS = ("flag", "refuse")
_FLOORS = (0.3, 0.95)
"""Between which a floor of confidence means something: below, each rib is a letter; above, hardly any print is one."""
_ON_IDENTITY = ("refuse", "redact")
SITE_CHOICES: Mapping[str, tuple[str, str]] = {
    "web_addresses": ("web_address", "refuse"),
    "places": ("place", "keep"),
    "employers": ("employer", "keep"),
    "institutions": ("institution", "keep"),
    "rooms": ("room", "keep"),
    "typist_initials": ("typist_initials", "keep"),
    "ages_above_89": ("age_above_89", "redact"),
    "first_names": ("first_name", "refuse"),
}
"""What a hospital decides of its reports: key of the sheet -> rule of the gate, and what holds by default."""
_CHOICES = ("keep", "refuse", "redact")
_ABOUT_REPORTS = ("reports", "version")
"""What the gate of headers and pixels does not read: a change there makes no file looked at again."""


_NO_UID = re.compile(NOTHING)


@dataclass(frozen=True)
class Policy:
    """What a site declares. ``options``: retained options of PS3.15 E.3. Patterns are compared with whole values.

    ``uid_forms``: whole UIDs of tools that have no root of their own. ``private_values``: texts that may stand in a
    creator's blocks; ``declared``: values by tag, both folded as ``known.folded`` does. ``methods``: whole texts of
    (0012,0063) that stand for the method; ``first_year``: before which no date may lie; ``dummies``: what tools put
    where an element must not be empty.
    ``print_floor``: confidence from which print in the pixels counts as read.
    """

    options: frozenset[str] = frozenset()
    patient: re.Pattern[str] | None = None
    uid_roots: tuple[str, ...] = ()
    uids: frozenset[str] = frozenset()
    uid_forms: re.Pattern[str] = _NO_UID
    method: str | None = None
    require_identity_removed: bool = False
    deny_private: bool = True
    private_creators: frozenset[str] = frozenset()
    private_values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    deny_unknown: bool = True
    reads_burned_in_text: bool = False
    retained_text: Mapping[int, tuple[re.Pattern[str] | None, ...]] = field(default_factory=dict)
    declared: Mapping[int, frozenset[str]] = field(default_factory=dict)
    methods: tuple[re.Pattern[str], ...] = ()
    dummies: frozenset[str] = frozenset()
    refuses_old_age: bool = False
    first_year: int = 0
    words: frozenset[str] = frozenset()
    ocr_allowed: frozenset[str] = frozenset()
    refuses_initials: bool = False
    print_floor: float = FLOOR
    fingerprint: str = ""

    @property
    def keeps_dates(self) -> bool:
        """Whether dates stand as they were, so that weeks and seasons mean something; shifted dates do not."""
        return "full_dates" in self.options


OCR_MODES: Mapping[str, Callable[[Policy], bool]] = {
    "auto": lambda policy: policy.reads_burned_in_text,
    "off": lambda policy: False,
    "require": lambda policy: True,
}
"""When pixels are searched for print: where the policy of the source demands it, never, always."""


def reads_pixels(source: str, mode: str) -> bool:
    """Tell whether a source's pixels are searched for print; raises UnknownName for another mode than ``OCR_MODES``."""
    if mode not in OCR_MODES:
        raise UnknownName(f"Unknown OCR mode {mode!r}", accepted=", ".join(OCR_MODES))
    return OCR_MODES[mode](policy_of(source))


@cache
def policy_of(source: str) -> Policy:
    """Return the policy of a source; raises BadTable where its file names an unknown option or keyword."""
    path = contracts_root() / "sources" / f"{source}_deid.yaml"
    if not path.exists():
        return Policy(fingerprint=_digest({}))
    return read_policy(path)


def read_policy(path: Path) -> Policy:
    """Return the policy that a file declares, with the shipped profiles that it names (``profiles``).

    Raises BadTable where it names an unknown option, keyword, profile or choice.
    """
    raw = read_yaml(path)
    profiles = [_profile(name, path) for name in raw.get("profiles") or ()]
    unknown = set(raw.get("options") or {}) - set(OPTIONS)
    if unknown:
        raise BadTable(f"{path.name} names unknown options", accepted=", ".join(OPTIONS))
    _check_choices(raw, {"ages_above_89": _AGES, "initials": _INITIALS}, path)
    pseudonym, given = raw.get("pseudonym") or {}, [raw, *profiles]
    patterns = [*_all(given, "pseudonym", "patient"), *_all(given, "pseudonym", "patients")]
    return Policy(
        options=frozenset(name for name, kept in (raw.get("options") or {}).items() if kept),
        patient=_pattern("|".join(f"(?:{pattern})" for pattern in patterns), path) if patterns else None,
        uid_roots=tuple(_all(given, "pseudonym", "uid_roots")),
        uids=frozenset(_all(given, "pseudonym", "uids")),
        uid_forms=_pattern("|".join(_all(given, "pseudonym", "uid_forms")) or NOTHING, path),
        method=pseudonym.get("method"),
        require_identity_removed=bool(raw.get("require_identity_removed", True)),
        deny_private=raw.get("private", "deny") != "strip",
        private_creators=frozenset(raw.get("private_creators") or ()) | frozenset(raw.get("private_values") or ()),
        private_values={
            creator: frozenset(folded(str(value)) for value in listed)
            for creator, listed in (raw.get("private_values") or {}).items()
        },
        deny_unknown=raw.get("unknown", "deny") != "strip",
        reads_burned_in_text=raw.get("burned_in_text") == "ocr",
        retained_text=_merged(_retained(one.get("retained_text") or {}, path) for one in given),
        declared=_declared(given, path),
        methods=tuple(_pattern(pattern, path) for pattern in _all(given, "methods")),
        dummies=known().dummies | {folded(word) for word in _all(given, "dummies")},
        refuses_old_age=raw.get("ages_above_89") == "refuse",
        first_year=int(raw.get("dates_since") or 0),
        words=frozenset(word for line in _all(given, "words") for word in str(line).lower().split()),
        ocr_allowed=frozenset(str(word).upper() for line in raw.get("ocr_allowed") or () for word in str(line).split()),
        refuses_initials=raw.get("initials") == "refuse",
        print_floor=_floor(raw.get("print_confidence", FLOOR), path),
        fingerprint=_digest([{name: said for name, said in raw.items() if name not in _ABOUT_REPORTS}, profiles]),
    )


def _check_choices(said: Mapping, choices: Mapping[str, tuple[str, ...]], path: Path, under: str = "") -> None:
    """Raise BadTable for a word that is none of its key's choices; the first of them holds where nothing is said."""
    for key, allowed in choices.items():
        if said.get(key, allowed[0]) not in allowed:
            raise BadTable(f"{path.name} holds an unknown choice for {under}{key}", accepted=", ".join(allowed))


def _floor(said: object, path: Path) -> float:
    if isinstance(said, bool) or not isinstance(said, int | float) or not _FLOORS[0] <= said <= _FLOORS[1]:
        raise BadTable(
            f"{path.name} holds no confidence under print_confidence",
            accepted=f"a number from {_FLOORS[0]} to {_FLOORS[1]}",
        )
    return float(said)


def _profile(name: str, path: Path) -> dict:
    """Return what a shipped profile of a de-identifying tool adds."""
    folder = contracts_root() / "deid_profiles"
    names = sorted(found.stem for found in folder.glob("*.yaml"))
    if name not in names:
        raise BadTable(f"{path.name} names an unknown profile", accepted=", ".join(names))
    return read_yaml(folder / f"{name}.yaml")


def _all(given: list[dict], *keys: str) -> list[str]:
    """Return what all of ``given`` hold under a path of keys, as one list."""
    found: list[str] = []
    for one in given:
        said: Any = one
        for key in keys:
            said = (said or {}).get(key)
        found += [] if said is None else [str(each) for each in said] if isinstance(said, list) else [str(said)]
    return found


def _declared(given: list[dict], path: Path) -> dict[int, frozenset[str]]:
    """Return {tag: values}, folded; `declared` of a policy."""
    found: dict[int, frozenset[str]] = {}
    for said in given:
        for keyword, listed in (said.get("declared") or {}).items():
            tag = _tag(keyword, path)
            found[tag] = found.get(tag, frozenset()) | {folded(str(value)) for value in listed}
    return found


def _merged(given: Iterable[dict[int, tuple]]) -> dict[int, tuple]:
    merged: dict[int, tuple] = {}
    for one in given:
        for tag, patterns in one.items():
            merged[tag] = (*merged.get(tag, ()), *patterns)
    return merged


@dataclass(frozen=True)
class ReportPolicy:
    """What a site declares for its reports; without a declaration everything is refused that names a person.

    ``exam_dates``: whether a full date may stand in a sentence about an examination or about care. ``on_identity``:
    whether a text that names a person is refused whole or has kinds in the place of names (redact). ``choices``: rule
    -> keep, refuse or redact, for what a hospital decides itself. ``eponyms``: names of signs, diseases and devices,
    without accents and case. ``patient``: pseudonyms of patients, as the headers of the source may bear them.
    """

    exam_dates: str = "allow_with_exam"
    physicians: str = "refuse"
    eponyms: frozenset[str] = field(default_factory=frozenset)
    patient: re.Pattern[str] | None = None
    on_identity: str = "refuse"
    choices: Mapping[str, str] = field(default_factory=lambda: dict(SITE_CHOICES.values()))

    def choice(self, rule: str) -> str:
        """Return what becomes of what breaks a rule: keep, refuse or redact."""
        if rule == "physician_name" and self.physicians == "allow":
            return "keep"
        return self.choices.get(rule, "refuse")


@cache
def report_policy_of(source: str) -> ReportPolicy:
    """Return what a source's sheet declares; raises BadTable where it holds a word that is no choice."""
    path = contracts_root() / "sources" / f"{source}_deid.yaml"
    raw = read_yaml(path) if path.exists() else {}
    said = raw.get("reports") or {}
    allowed = {"exam_dates": _EXAM_DATES, "physicians": _PHYSICIANS, "on_identity": _ON_IDENTITY}
    _check_choices(said, allowed | dict.fromkeys(SITE_CHOICES, _CHOICES), path, "reports.")
    return ReportPolicy(
        exam_dates=said.get("exam_dates", _EXAM_DATES[0]),
        physicians=said.get("physicians", _PHYSICIANS[0]),
        eponyms=frozenset(fold(word) for line in said.get("eponyms") or () for word in str(line).split()),
        patient=policy_of(source).patient,
        on_identity=said.get("on_identity", _ON_IDENTITY[0]),
        choices={rule: said.get(key, default) for key, (rule, default) in SITE_CHOICES.items()},
    )


def _retained(raw: Mapping[str, str | list[str]], path: Path) -> dict[int, tuple[re.Pattern[str] | None, ...]]:
    """Return {tag: alternatives}; None as alternative means words of the list."""
    retained = {}
    for keyword, given in raw.items():
        patterns = given if isinstance(given, list) else [given]
        retained[_tag(keyword, path)] = tuple(
            None if pattern == "words" else _pattern(pattern, path) for pattern in patterns
        )
    return retained


def _tag(keyword: str, path: Path) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise BadTable(f"{path.name} names an unknown keyword {keyword!r}", accepted="keywords of PS3.6")
    return int(tag)


def _pattern(text: str, path: Path) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        raise BadTable(f"{path.name} holds a pattern that is no regular expression", do="mend the file") from None


def _digest(raw: object) -> str:
    """Fingerprint the choices, so that a changed policy makes ingest look at every file again."""
    content = json.dumps(raw, sort_keys=True, default=str).encode() + TABLE.read_bytes() + KNOWN.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]

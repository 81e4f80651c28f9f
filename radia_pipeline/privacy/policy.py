"""What a site's de-identified deliveries may hold: PS3.15 Table E.1-1 joined with the site's own sheet.

``ps315_table_e1_1.csv`` is the standard's table as data (tag, action of the basic profile, options). The site's choices
stand in ``data_contracts/sources/<source>_deid.yaml``; a source without that file gets the basic profile and no option.
Does not belong here: the rules that ask a policy (``header``, ``prints``, ``text``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydicom.datadict import tag_for_keyword

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.errors import BadTable, UnknownName
from radia_pipeline.privacy.letters import fold
from radia_pipeline.privacy.profile import OPTIONS, TABLE

_EXAM_DATES = ("allow_with_exam", "refuse")
_PHYSICIANS = ("refuse", "allow")
_ABOUT_REPORTS = ("reports", "version")
"""What the gate of headers and pixels does not read: a change there makes no file looked at again."""


@dataclass(frozen=True)
class Policy:
    """What a site declares. ``options``: retained options of PS3.15 E.3. Patterns are compared with whole values."""

    options: frozenset[str] = frozenset()
    patient: re.Pattern[str] | None = None
    uid_roots: tuple[str, ...] = ()
    uids: frozenset[str] = frozenset()
    method: str | None = None
    require_identity_removed: bool = False
    deny_private: bool = True
    private_creators: frozenset[str] = frozenset()
    deny_unknown: bool = True
    reads_burned_in_text: bool = False
    retained_text: Mapping[int, tuple[re.Pattern[str] | None, ...]] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    ocr_allowed: frozenset[str] = frozenset()
    fingerprint: str = ""


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
    raw = read_yaml(path)
    pseudonym = raw.get("pseudonym") or {}
    unknown = set(raw.get("options") or {}) - set(OPTIONS)
    if unknown:
        raise BadTable(f"{path.name} names unknown options", accepted=", ".join(OPTIONS))
    return Policy(
        options=frozenset(name for name, kept in (raw.get("options") or {}).items() if kept),
        patient=_pattern(pseudonym["patient"], path) if pseudonym.get("patient") else None,
        uid_roots=tuple(pseudonym.get("uid_roots") or ()),
        uids=frozenset(pseudonym.get("uids") or ()),
        method=pseudonym.get("method"),
        require_identity_removed=bool(raw.get("require_identity_removed", True)),
        deny_private=raw.get("private", "deny") != "strip",
        private_creators=frozenset(raw.get("private_creators") or ()),
        deny_unknown=raw.get("unknown", "deny") != "strip",
        reads_burned_in_text=raw.get("burned_in_text") == "ocr",
        retained_text=_retained(raw.get("retained_text") or {}, path),
        words=frozenset(word for line in raw.get("words") or () for word in str(line).lower().split()),
        ocr_allowed=frozenset(str(word).upper() for line in raw.get("ocr_allowed") or () for word in str(line).split()),
        fingerprint=_digest({name: said for name, said in raw.items() if name not in _ABOUT_REPORTS}),
    )


@dataclass(frozen=True)
class ReportPolicy:
    """What a site declares for its reports; without a declaration everything is refused that names a person.

    ``exam_dates``: whether a full date may stand in a sentence about an examination. ``eponyms``: names of signs,
    diseases and devices, without accents and case.
    """

    exam_dates: str = "allow_with_exam"
    physicians: str = "refuse"
    eponyms: frozenset[str] = field(default_factory=frozenset)
    patient: re.Pattern[str] | None = None


@cache
def report_policy_of(source: str) -> ReportPolicy:
    """Return what a source's sheet declares; raises BadTable where it holds a word that is no choice."""
    path = contracts_root() / "sources" / f"{source}_deid.yaml"
    raw = read_yaml(path) if path.exists() else {}
    said = raw.get("reports") or {}
    for key, choices in (("exam_dates", _EXAM_DATES), ("physicians", _PHYSICIANS)):
        if said.get(key, choices[0]) not in choices:
            raise BadTable(f"{path.name} holds an unknown choice for reports.{key}", accepted=", ".join(choices))
    pattern = (raw.get("pseudonym") or {}).get("patient")
    return ReportPolicy(
        exam_dates=said.get("exam_dates", _EXAM_DATES[0]),
        physicians=said.get("physicians", _PHYSICIANS[0]),
        eponyms=frozenset(fold(word) for line in said.get("eponyms") or () for word in str(line).split()),
        patient=_pattern(pattern, path) if pattern else None,
    )


def _retained(raw: Mapping[str, str | list[str]], path: Path) -> dict[int, tuple[re.Pattern[str] | None, ...]]:
    """Return {tag: alternatives}; None as alternative means words of the list."""
    retained = {}
    for keyword, given in raw.items():
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise BadTable(f"{path.name} retains an unknown keyword {keyword!r}", accepted="keywords of PS3.6")
        patterns = given if isinstance(given, list) else [given]
        retained[int(tag)] = tuple(None if pattern == "words" else _pattern(pattern, path) for pattern in patterns)
    return retained


def _pattern(text: str, path: Path) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        raise BadTable(f"{path.name} holds a pattern that is no regular expression", do="mend the file") from None


def _digest(raw: object) -> str:
    """Fingerprint the choices, so that a changed policy makes ingest look at every file again."""
    content = json.dumps(raw, sort_keys=True, default=str).encode() + TABLE.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]

"""What a site's de-identified headers may hold: PS3.15 Table E.1-1 joined with the site's own sheet.

``ps315_table_e1_1.csv`` is the standard's table as data (tag, action of the basic profile, options). The site's choices
stand in ``data_contracts/sources/<source>_deid.yaml``; a source without that file gets the basic profile and no option.
The rules that use a policy are in ``audit``.
"""

from __future__ import annotations

import csv
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

_ABOUT_REPORTS = ("reports", "version")
"""What the gate of headers and pixels does not read: a change there makes no file looked at again."""
_TABLE = Path(__file__).with_name("ps315_table_e1_1.csv")
_OPTIONS = (
    "uids",
    "device",
    "institution",
    "patient_characteristics",
    "full_dates",
    "modified_dates",
    "clean_descriptions",
)


@dataclass(frozen=True)
class ProfileRow:
    """One row of Table E.1-1: the basic profile's action and what each option makes of it (K keep, C clean)."""

    name: str
    basic: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class Policy:
    """What a site declares. ``options``: retained options of PS3.15 E.3. Patterns are compared with whole values."""

    source: str
    version: str = "basic"
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
def profile_table() -> dict[int, ProfileRow]:
    """Return Table E.1-1 by tag number; the repeating groups 50xx and 60xx are handled by ``profile_row``."""
    rows = {}
    with _TABLE.open(encoding="utf-8", newline="") as handle:
        for line in csv.DictReader(handle):
            match = re.fullmatch(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", line["tag"].upper())
            if match:
                options = {name: line[name] for name in _OPTIONS if line[name]}
                rows[int(match[1] + match[2], 16)] = ProfileRow(line["name"], line["basic"], options)
    return rows


def profile_row(tag: int) -> ProfileRow | None:
    """Return the row of Table E.1-1 that covers a tag, None where the table does not name it."""
    row = profile_table().get(tag)
    if row is not None:
        return row
    group, element = tag >> 16, tag & 0xFFFF
    if group & 0xFF00 == 0x5000:
        return ProfileRow("Curve Data", "X", {})
    if group & 0xFF00 == 0x6000 and element in (0x3000, 0x4000):
        return ProfileRow("Overlay Data or Comments", "X", {})
    return None


@cache
def policy_of(source: str) -> Policy:
    """Return the policy of a source; raises BadTable where its file names an unknown option or keyword."""
    path = contracts_root() / "sources" / f"{source}_deid.yaml"
    if not path.exists():
        return Policy(source=source, fingerprint=_digest({}))
    raw = read_yaml(path)
    pseudonym = raw.get("pseudonym") or {}
    unknown = set(raw.get("options") or {}) - set(_OPTIONS)
    if unknown:
        raise BadTable(f"{path.name} names unknown options", accepted=", ".join(_OPTIONS))
    return Policy(
        source=source,
        version=str(raw.get("version", "1")),
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
    content = json.dumps(raw, sort_keys=True, default=str).encode() + _TABLE.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]

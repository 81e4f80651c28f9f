"""Table E.1-1 of PS3.15 as data: what the basic profile does to each element, and what each option makes of it.

Belongs here: the standard. Does not belong here: what a site chooses from it (``policy``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("ps315_table_e1_1.csv")
OPTIONS = (
    "uids",
    "device",
    "institution",
    "patient_characteristics",
    "full_dates",
    "modified_dates",
    "clean_descriptions",
)
"""Options of PS3.15 E.3 that the table knows."""


@dataclass(frozen=True)
class ProfileRow:
    """One row of Table E.1-1: the basic profile's action and what each option makes of it (K keep, C clean)."""

    name: str
    basic: str
    options: Mapping[str, str]


@cache
def profile_table() -> dict[int, ProfileRow]:
    """Return Table E.1-1 by tag number; the repeating groups 50xx and 60xx are handled by ``profile_row``."""
    rows = {}
    with TABLE.open(encoding="utf-8", newline="") as handle:
        for line in csv.DictReader(handle):
            match = re.fullmatch(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", line["tag"].upper())
            if match:
                options = {name: line[name] for name in OPTIONS if line[name]}
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

"""Numbers on record: what a declared version comes to, in a JSON file, so that a change without a new version fails.

A record is written anew when its version was raised; under the same version new entries are added, and a number that
stands there is never changed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SMALL = 1e-3
"""Differences of numbers below this are judged as if they were this large."""


@dataclass(frozen=True)
class Record:
    """A file of parts of named entries (trees of numbers), the constant that declares its version, and how to renew it.

    ``exact``: for each part the relative difference within which a number counts as the same.
    """

    file: Path
    version: str
    declared_in: str
    door: str
    exact: dict[str, float]

    def read(self) -> dict[str, Any]:
        """Return what is on record; empty where nothing is."""
        return json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}

    def complaints(self, part: str, name: str, found: Any) -> str:
        """Return in words what is wrong with an entry that was found; empty where it is what the record says."""
        known = self.read().get(part, {})
        if name not in known:
            return f"{part} {name} is not on record: run `{self.door}`"
        return self._advice(differences(known[name], found, self.exact[part], name))

    def stale(self, version: int | str) -> str:
        """Return what is to be done where the record is of another version than the code; empty where it is not."""
        known = self.read().get("version")
        return "" if known == version else f"{self.version} is {version}, the record of {known}: run `{self.door}`"

    def update(self, found: dict[str, Any]) -> int:
        """Write what was found; 1, and nothing is written, where a number changed under the same version."""
        known, merged, changed = self.read(), dict(found), []
        if known.get("version") == found["version"]:
            for part, relative in self.exact.items():
                old = {name: entry for name, entry in known.get(part, {}).items() if name in found[part]}
                for name, entry in old.items():
                    changed += differences(entry, found[part][name], relative, name)
                merged[part] = {**found[part], **old}
        if changed:
            sys.stderr.write(self._advice(changed) + "\n")
            return 1
        self.file.write_text(json.dumps(merged, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return 0

    def _advice(self, found: list[str]) -> str:
        if not found:
            return ""
        shown = "\n  ".join(found[:8])
        return (
            f"Other numbers than those on record:\n  {shown}\nIf that is not meant, mend the code. If it is, raise "
            f"{self.version} in {self.declared_in} (models are then trained again) and run `{self.door}`."
        )


def differences(known: Any, found: Any, relative: float, place: str) -> list[str]:
    """Return where two trees of numbers differ, in words; the same keys and lengths are asked for."""
    if isinstance(known, dict) and isinstance(found, dict) and set(known) == set(found):
        return [text for name in known for text in differences(known[name], found[name], relative, f"{place}.{name}")]
    if isinstance(known, list) and isinstance(found, list) and len(known) == len(found):
        pairs = enumerate(zip(known, found))
        return [text for index, pair in pairs for text in differences(*pair, relative, f"{place}[{index}]")]
    if _is_number(known) and _is_number(found):
        is_same = abs(known - found) <= relative * max(abs(known), abs(found), SMALL)
    else:
        is_same = known == found
    return [] if is_same else [f"{place}: {known!r} became {found!r}"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

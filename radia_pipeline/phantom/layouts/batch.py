"""What the writer of one patient hands back: table rows and truth rows; the files themselves are already on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

LARGE_PX = 1600
"""Longest side of films that are looked at at full resolution, as a radiograph's."""


@dataclass(frozen=True)
class Order:
    """What to write: the phantom's root, its seed, patients by source, and the longest side in pixels.

    The hospital's first ``large_patients`` have films of LARGE_PX.
    """

    root: Path
    seed: int
    patients: dict[str, int]
    size_px: int
    large_patients: int = 0

    def size_of(self, number: int) -> int:
        """Return the longest side of a patient of the hospital."""
        return LARGE_PX if number <= self.large_patients else self.size_px


@dataclass
class Batch:
    """Rows by table name (``tables``), truth rows, and counts of what was written."""

    tables: dict[str, list] = field(default_factory=dict)
    boxes: list[dict] = field(default_factory=list)
    labels: list[dict] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, table: str, row: object) -> None:
        """Append a row to a table."""
        self.tables.setdefault(table, []).append(row)

    def count(self, what: str, by: int = 1) -> None:
        """Count something that was written."""
        self.counts[what] = self.counts.get(what, 0) + by

    def join(self, other: Batch) -> None:
        """Append another batch's rows and counts."""
        for table, rows in other.tables.items():
            self.tables.setdefault(table, []).extend(rows)
        self.boxes += other.boxes
        self.labels += other.labels
        for what, by in other.counts.items():
            self.count(what, by)

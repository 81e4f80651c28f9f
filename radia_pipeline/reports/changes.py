"""What a new lexicon moved: labels before against labels after, as class × from × to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa

Moves = dict[tuple[str, int | None, int | None], int]


def moved(old_labels: pa.Table, new_labels: pa.Table) -> Moves:
    """Count the cells that differ. Tables: study_id, class, said (no row: null). Key: (class, from, to), sorted."""
    before, after = _cells(old_labels), _cells(new_labels)
    counts: Counter = Counter()
    for cell in before.keys() | after.keys():
        was, now = before.get(cell), after.get(cell)
        if was != now:
            counts[cell[1], was, now] += 1
    return dict(sorted(counts.items(), key=lambda item: tuple(str(part) for part in item[0])))


def summary(moves: Mapping[tuple[str, int | None, int | None], int]) -> list[dict]:
    """Return the moves as rows for a metadata table: class, from, to, count."""
    return [{"class": c, "from": was, "to": now, "count": n} for (c, was, now), n in moves.items()]


def _cells(table: pa.Table) -> dict[tuple[str, str], int]:
    columns = (table.column(name).to_pylist() for name in ("study_id", "class", "said"))
    return {(study, name): said for study, name, said in zip(*columns, strict=True) if said is not None}

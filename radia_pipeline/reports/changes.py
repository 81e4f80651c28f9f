"""What a new lexicon moved: labels before against labels after, as class × from × to.

Belongs here: counting. Does not belong here: which labels are right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Moves = dict[tuple[str, int | None, int | None], int]
_NULL = 2
"""Code of a cell without a value; said values are -1, 0 and 1."""
_CODES = 4


def moved(old_labels: pa.Table, new_labels: pa.Table) -> Moves:
    """Count the cells that differ, of studies that both tables know; a study that is new or gone has not moved.

    Tables: study_id, class, said (no row: null). Key: (class, from, to), sorted.
    """
    old, new = (_known(table) for table in (old_labels, new_labels))
    studies = pc.unique(old.column("study_id"))
    studies = studies.filter(pc.is_in(studies, pc.unique(new.column("study_id"))))
    classes = pc.unique(pa.chunked_array([*old.column("class").chunks, *new.column("class").chunks], pa.string()))
    before, after = (_matrix(table, studies, classes) for table in (old, new))
    return moved_cells(classes.to_pylist(), before, after)


def moved_cells(classes: Sequence[str], before: np.ndarray, after: np.ndarray) -> Moves:
    """Count the cells that differ of said values int8 (studies, classes) of the same studies; no label value: null."""
    before, after = (np.where(np.isin(said, (-1, 0, 1)), said, _NULL) for said in (before, after))
    changed = before != after
    codes = (np.nonzero(changed)[1] * _CODES + before[changed] + 1) * _CODES + after[changed] + 1
    found, counts = np.unique(codes, return_counts=True)
    moves = {
        (classes[code // _CODES**2], _value(code // _CODES % _CODES), _value(code % _CODES)): int(count)
        for code, count in zip(found.tolist(), counts.tolist(), strict=True)
    }
    return dict(sorted(moves.items(), key=lambda item: tuple(str(part) for part in item[0])))


def summary(moves: Mapping[tuple[str, int | None, int | None], int]) -> list[dict]:
    """Return the moves as rows for a metadata table: class, from, to, count."""
    return [{"class": c, "from": was, "to": now, "count": n} for (c, was, now), n in moves.items()]


def _known(table: pa.Table) -> pa.Table:
    """Return the three columns with plain strings; rows without a value stay, so that their study counts as known."""
    return table.select(["study_id", "class", "said"]).cast(
        pa.schema([("study_id", pa.string()), ("class", pa.string()), ("said", pa.int8())])
    )


def _matrix(table: pa.Table, studies: pa.Array, classes: pa.Array) -> np.ndarray:
    """Return said values as int8 (studies, classes), ``_NULL`` where there is none."""
    matrix = np.full((len(studies), len(classes)), _NULL, dtype=np.int8)
    table = table.filter(pc.is_in(table.column("study_id"), studies))
    rows = pc.index_in(table.column("study_id"), studies).to_numpy()
    columns = pc.index_in(table.column("class"), classes).to_numpy()
    matrix[rows, columns] = table.column("said").fill_null(_NULL).to_numpy()
    return matrix


def _value(code: int) -> int | None:
    return None if code == _NULL + 1 else code - 1

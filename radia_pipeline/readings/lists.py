"""What a reader reads from: a reading set, or a list of cells (study, class), as turns in an order of the reader's own.

Here: lists as one form, whatever they were made from. Not here: how a set is drawn (``sets``), who has answered what
(``desk``), which cells are worth reading (whoever makes the list).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.drawing import Turn, order_of
from radia_pipeline.readings.membership import classes_of, read_sets
from radia_pipeline.readings.reading import BLIND, MONITOR, QUEUE

SET, CELLS = "set", "cells"
MONITORED = "monitor"
"""Begins the name of a list that measures the models on what arrives."""
CELL_COLUMNS = ("source", "study_id", "class")
"""Columns that a list of cells has, whatever else it holds; its rows are in the order in which they are read."""
_HASH_CHARACTERS = 8


@dataclass(frozen=True)
class ReadingList:
    """One list. ``asked``: study → classes, in the order of reading; ``source_of``: study → source; ``seed``: of the
    readers' orders, None where all read in the list's own; ``is_shared``: one reading of a cell is enough, whoever gave
    it and wherever, and nobody is asked it any more."""

    list_id: str
    kind: str
    asked: Mapping[str, tuple[str, ...]]
    source_of: Mapping[str, str]
    seed: int | None = None
    is_shared: bool = False

    @property
    def phase(self) -> str:
        """Phase of a first answer: blind in a set, monitor in a list whose name begins with MONITORED, else queue."""
        return BLIND if self.kind == SET else MONITOR if self.list_id.startswith(MONITORED) else QUEUE

    @property
    def classes(self) -> tuple[str, ...]:
        """Every class that is asked of some study, in the vocabulary's order."""
        asked = {name for names in self.asked.values() for name in names}
        return tuple(name for name in vocabulary().classes if name in asked)

    def order(self, reader: str) -> list[Turn]:
        """Return a reader's turns."""
        if self.seed is None:
            return [Turn(study, False) for study in self.asked]
        return order_of(list(self.asked), reader, self.seed)


def answerable(names: Iterable[str]) -> tuple[str, ...]:
    """Return the classes that a reader is asked, in the vocabulary's order: what follows from others is not asked."""
    words, given = vocabulary(), set(names)
    return tuple(name for name in (*words.pathologies, *words.finding_groups) if name in given)


def sets_of(lake: Lake) -> list[ReadingList]:
    """Return every reading set of a lake as a list."""
    found = []
    for set_id, rows in sorted(read_sets(lake).items()):
        asked = answerable(classes_of(rows))
        source_of = {row["study_id"]: row["source"] for row in rows}
        found.append(ReadingList(set_id, SET, dict.fromkeys(source_of, asked), source_of, rows[0]["seed"]))
    return found


def list_of_cells(cells: pa.Table, name: str) -> ReadingList:
    """Return a list from a table with the columns CELL_COLUMNS; rows of one study make one turn, at its first place.

    Its id carries a hash of the cells: another list is another one. Raises BadInput for missing columns, for classes
    that the vocabulary does not know or that nobody is asked, and for studies that are none.
    """
    if missing := set(CELL_COLUMNS) - set(cells.column_names):
        raise BadInput(f"A list of cells without {', '.join(sorted(missing))}", accepted=", ".join(CELL_COLUMNS))
    asked: dict[str, list[str]] = {}
    source_of: dict[str, str] = {}
    rows = cells.select(list(CELL_COLUMNS)).to_pylist()
    known = set(answerable(vocabulary().classes))
    for row in rows:
        if row["class"] not in known:
            raise BadInput("A list of cells asks a class that nobody can be asked", accepted=", ".join(sorted(known)))
        if source_of.setdefault(str(row["study_id"]), row["source"]) != row["source"]:
            raise BadInput("A list of cells names one study in two sources")
        names = asked.setdefault(str(row["study_id"]), [])
        if row["class"] not in names:
            names.append(row["class"])
    digest = hashlib.sha256(repr([tuple(row.values()) for row in rows]).encode()).hexdigest()[:_HASH_CHARACTERS]
    return ReadingList(
        f"{name}-{digest}", CELLS, {study: answerable(names) for study, names in asked.items()}, source_of
    )


def cells_of_file(path: Path) -> ReadingList:
    """Return the list of a CSV or Parquet file of cells, named by the file; raises BadInput where it is none."""
    name = (
        "".join(one if one.isascii() and (one.isalnum() or one in "_-") else "_" for one in path.stem)[:40] or "cells"
    )
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            table = pq.read_table(path, partitioning=None)
        else:
            texts = pa_csv.ConvertOptions(column_types=dict.fromkeys(CELL_COLUMNS, pa.string()))
            table = pa_csv.read_csv(path, convert_options=texts)
    except (OSError, pa.ArrowInvalid):
        raise BadInput(
            "A file of cells that cannot be read", accepted=f"CSV or Parquet with {', '.join(CELL_COLUMNS)}"
        ) from None
    return list_of_cells(table, name)

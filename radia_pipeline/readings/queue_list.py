"""The review queue as a reader takes it: the cells that nobody has read since, filtered, with their sentence if asked.

Sentences are free text: they are shown to who asks on the own terminal or page, and never stand in a list that is
written. Not here: how the queue is made (``review_queue``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.pools import TRAIN
from radia_pipeline.contracts.sheets import known_sources
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, UnknownName
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.frame import pools_of_studies
from radia_pipeline.readings.in_force import cells_read
from radia_pipeline.readings.lists import CELL_COLUMNS
from radia_pipeline.readings.reading import ANSWERS
from radia_pipeline.readings.review_queue import TABLE

LIST_COLUMNS = ("position", *CELL_COLUMNS)
"""Columns of a list of cells, as a reading page takes it. The label is not in it: it would tell the answer."""


Cell = tuple[str, str, str]
"""Source, study_id, class."""


@dataclass(frozen=True)
class Wish:
    """What a reader wants of the queue: of these classes and sources (empty: all), of labels that say present or absent
    (``answer``; empty: all), of the cells of a list (None: all)."""

    classes: Collection[str] = ()
    sources: Collection[str] = ()
    answer: str = ""
    listed: Collection[Cell] | None = None

    def require(self) -> None:
        """Raise UnknownName for a class, source or answer that there is not."""
        wanted = (
            ("class", self.classes, vocabulary().classes),
            ("source", self.sources, known_sources()),
            ("label", [self.answer] if self.answer else [], ("present", "absent")),
        )
        for what, names, accepted in wanted:
            for name in names:
                if name not in accepted:
                    raise UnknownName(f"Unknown {what} {name!r}", accepted=", ".join(accepted))


def waiting(lake: Lake, wish: Wish = Wish()) -> list[dict[str, Any]]:
    """Return the rows of ``label_review_queue`` that still wait, in order; raises MissingTable before it was made.

    Left out: what was read since, and studies that are no longer in the train pool of this lake.
    """
    wish.require()
    table = lake.read(TABLE).sort_by("position")
    for name, values in (("class", wish.classes), ("source", wish.sources)):
        if values:
            table = table.filter(pc.is_in(table[name], value_set=_strings(values)))
    if wish.answer:
        table = table.filter(pc.equal(table["label"], ANSWERS[wish.answer]))
    read, pools = cells_read(lake), pools_of_studies(lake)
    listed = None if wish.listed is None else set(wish.listed)
    return [
        row
        for row in table.to_pylist()
        if (cell := _cell(row)) not in read and (listed is None or cell in listed) and pools.get(cell[1]) == TRAIN
    ]


def _cell(row: Mapping[str, Any]) -> Cell:
    return row["source"], row["study_id"], row["class"]


def _strings(values: Collection[str]) -> pa.Array:
    return pa.array(sorted(values), pa.string())


def sentences_of(lake: Lake, rows: Collection[Mapping[str, Any]]) -> list[str]:
    """Return the sentence that each row's label rests on, as the report has it; empty where none was decisive."""
    wanted: dict[str, set[tuple[str, int]]] = {}
    for row in rows:
        if row["mention_index"] is not None:
            wanted.setdefault(row["source"], set()).add((row["study_id"], row["mention_index"]))
    found: dict[tuple[str, str, int], str] = {}
    for source, cells in wanted.items():
        studies = _strings({study for study, _ in cells})
        columns = ["study_id", "mention_index", "sentence"]
        table = lake.read("report_mentions", source, columns=columns)
        for row in table.filter(pc.is_in(table["study_id"], value_set=studies)).to_pylist():
            found[source, row["study_id"], row["mention_index"]] = row["sentence"]
    return [found.get((row["source"], row["study_id"], row["mention_index"]), "") for row in rows]


def write_list(rows: Collection[Mapping[str, Any]], path: Path) -> None:
    """Write cells as a CSV of LIST_COLUMNS, in order; nothing of a report, and no label, is in it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, LIST_COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    atomic.write_text(path, text.getvalue())


def read_list(path: Path) -> list[Cell]:
    """Read a list of cells: (source, study_id, class), in order, each once; raises BadInput naming the line."""
    accepted = f"a CSV with the columns {', '.join(CELL_COLUMNS)}, as `radia review queue --out FILE` writes it"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise BadInput("The list of cells cannot be read", accepted=accepted) from None
    for number, row in enumerate(rows, start=2):
        if any(not row.get(name) for name in CELL_COLUMNS) or row["class"] not in vocabulary().classes:
            raise BadInput(f"Line {number} of the list of cells is none", accepted=accepted)
    return list(dict.fromkeys(map(_cell, rows)))

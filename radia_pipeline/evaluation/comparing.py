"""Two models side by side on the lake's own validation pool, with paired intervals, and the note that a person leaves.

Notes lie in ``ledger/comparisons.jsonl``, each with the figures that it speaks of; the file only grows. Not here: the
gate before a champion (``gate``).
"""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.evaluation.class_figures import OneClass, mean_figure
from radia_pipeline.evaluation.differences import difference_of_means
from radia_pipeline.evaluation.groups import numbered
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.panel import Panel, aligned, read_panel
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile

FIGURES = ("auc", "ap")
MEAN = "mean"
NOTE_CHARACTERS = 500


@dataclass(frozen=True)
class Row:
    """One figure of one class, or of their mean: both models and the first minus the second, each with its interval."""

    name: str
    figure: str
    first: Interval
    second: Interval
    difference: Interval

    @property
    def is_told_apart(self) -> bool:
        """Whether the interval of the difference leaves out nought."""
        return self.difference.low > 0 or self.difference.high < 0


@dataclass(frozen=True)
class Comparison:
    """What two models come to on the studies that both answered. ``versions``: of their predictions."""

    first: str
    second: str
    studies: int
    versions: dict[str, str]
    rows: tuple[Row, ...]

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "first": self.first,
            "second": self.second,
            "studies": self.studies,
            "versions": self.versions,
            "rows": [{**asdict(row), "is_told_apart": row.is_told_apart} for row in self.rows],
        }


def compare(lake: Lake, first: str, second: str) -> Comparison:
    """Compare two recipes, or one with ``ensemble``, on the patients of validation.

    Raises MissingTable before their predictions were made, EmptyPool where they share no study, BadInput for one model.
    """
    if first == second:
        raise BadInput(f"{first} was to be compared with itself", accepted="two models")
    panels = aligned([read_panel(lake, name) for name in (first, second)])
    names = [name for name in vocabulary().pathologies if all(_has_both(panel, name) for panel in panels)]
    sides = [{name: _class(panel, name) for name in names} for panel in panels]
    rows = []
    for figure in FIGURES:
        for name, chosen in ((MEAN, names), *((name, [name]) for name in names)):
            ours, theirs = ([side[one] for one in chosen] for side in sides)
            means = mean_figure(ours, figure), mean_figure(theirs, figure)
            rows.append(Row(name, figure, *means, difference_of_means(ours, theirs, figure)))
    versions = {name: lake.version("predictions", name) for name in (first, second)}
    return Comparison(first, second, len(panels[0]), versions, tuple(rows))


def _has_both(panel: Panel, name: str) -> bool:
    return _class(panel, name).has_both


def _class(panel: Panel, name: str) -> OneClass:
    group, names = numbered(panel.group_id)
    column = vocabulary().index(name)
    return OneClass.of(panel.probability[:, column], panel.label[:, column], group, groups=len(names))


def keep_note(lake: Lake, comparison: Comparison, note: str, who: str) -> None:
    """Append a person's note with the figures that it speaks of; raises BadInput without words or a name."""
    note, who = note.strip(), who.strip()
    if not note or not who or len(note) > NOTE_CHARACTERS:
        raise BadInput(
            "A note without words or without a name" if not (note and who) else f"A note of {len(note)} characters",
            accepted=f"up to {NOTE_CHARACTERS} characters, and who writes",
            do="give --note TEXT --who NAME",
        )
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    means = [row for row in comparison.as_record()["rows"] if row["name"] == MEAN]
    record = {**comparison.as_record(), "rows": means, "note": note, "who": who, "when": when}
    _file(lake).append([_plain(record)])


def read_notes(lake: Lake, first: str, second: str) -> list[dict[str, Any]]:
    """Return the notes on two models, in either order, oldest first; raises DamagedFile."""
    return [note for note in all_notes(lake) if {note["first"], note["second"]} == {first, second}]


def all_notes(lake: Lake) -> list[dict[str, Any]]:
    """Return every note that was left, oldest first; raises DamagedFile."""
    if not lake.comparisons_path.exists():
        return []
    return [note for note in _file(lake) if note]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain


def _parse(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "note": str(record["note"]), "who": str(record["who"]), "first": record["first"]}


def _file(lake: Lake) -> LinesFile[dict[str, Any]]:
    form = LineForm("note on two models", _parse, drops_cut_end=True)
    return LinesFile(lake.comparisons_path, form, _damage)


def _damage(number: int, what: str) -> DamagedFile:
    return DamagedFile(
        f"The notes on models are damaged at line {number}: {what}",
        do="restore ledger/comparisons.jsonl of the lake from a backup",
    )

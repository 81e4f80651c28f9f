"""What the rules over reports get wrong, by readings: rule, cue and class, worst first, weighted to the pool.

A cell is a study × class that was read and that a report's label says something of, or nothing. Not here: mending a
rule, which is one line of the lexicon; what becomes of single labels (``in_force``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE, stronger
from radia_pipeline.evaluation.intervals import effective, wilson
from radia_pipeline.labels.readings import reviewed_values
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.in_force import labels_in_force
from radia_pipeline.readings.membership import read_sets
from radia_pipeline.readings.truth import answers_by_set

NOT_MENTIONED = "not mentioned"


@dataclass(frozen=True)
class RuleErrors:
    """One rule and cue on one class. ``cells``: read; ``wrong``: of them; ``studies_wrong``: of the pool, by weight.

    ``share``: weighted share that is wrong, ``low`` and ``high`` its 95 % interval.
    """

    class_name: str
    rule_id: str
    cue: str
    cells: int
    wrong: int
    studies_wrong: float
    share: float
    low: float
    high: float


def labeler_errors(lake: Lake) -> list[RuleErrors]:
    """Compare readings with what the rules said, worst first: by the lower end of the share that is wrong.

    Truth of reading sets counts with its weight; other readings in force count once. A report that mentions nothing of
    a class says that it is absent. Empty where no source has ``report_mentions``.
    """
    read = _read_cells(lake)
    found: dict[tuple[str, str, str], list[tuple[bool, float]]] = defaultdict(list)
    for study, name, said, rule, cue in _said(lake, {study for study, _ in read}):
        if (study, name) in read and said in (POSITIVE, NEGATIVE):
            truth, weight = read.pop((study, name))
            found[name, rule, cue].append((said != truth, weight))
    reported = _reported(lake)
    for (study, name), (truth, weight) in read.items():
        if study in reported:
            found[name, NOT_MENTIONED, ""].append((truth == POSITIVE, weight))
    rows = [_row(key, cells) for key, cells in found.items()]
    return sorted(rows, key=lambda row: (-row.low, -row.studies_wrong, row.class_name, row.rule_id, row.cue))


def _row(key: tuple[str, str, str], cells: list[tuple[bool, float]]) -> RuleErrors:
    wrong, weight = np.array([one for one, _ in cells]), np.array([one for _, one in cells])
    share = float(weight[wrong].sum() / weight.sum())
    return RuleErrors(
        *key, len(cells), int(wrong.sum()), float(weight[wrong].sum()), share, *wilson(share, effective(weight))
    )


def _read_cells(lake: Lake) -> dict[tuple[str, str], tuple[int, float]]:
    """Return (study_id, class) → truth that is present or absent, and the studies that it stands for."""
    verdicts = labels_in_force(lake)
    cells: dict[tuple[str, str], tuple[int | None, float]] = {
        cell: (value, 1.0)
        for source in {source for source, _, _ in verdicts}
        for cell, value in reviewed_values(verdicts, source).items()
    }
    answers = answers_by_set(lake)
    for set_id, members in read_sets(lake).items():
        for member in members:
            if (said := answers.get(set_id, {}).get(member["study_id"])) is None:
                continue
            for name in said.asked():
                cells[member["study_id"], name] = (said.truth(name)[0], 1.0 / member["inclusion_probability"])
    judged = ((cell, value, stands_for) for cell, (value, stands_for) in cells.items() if value is not None)
    return {cell: (value, stands_for) for cell, value, stands_for in judged if value in (POSITIVE, NEGATIVE)}


def _said(lake: Lake, studies: set[str]) -> Iterator[tuple[str, str, int, str, str]]:
    """Yield study_id, class, what the rules said, and the rule and cue of the mention that decided."""
    best: dict[tuple[str, str], tuple[int, str, str]] = {}
    columns = ["study_id", "class", "status", "rule_id", "cue"]
    for source in lake.partitions("report_mentions"):
        for row in lake.read("report_mentions", source, columns=columns).to_pylist():
            if row["study_id"] not in studies or row["class"] is None or row["status"] is None:
                continue
            cell = (row["study_id"], row["class"])
            if cell not in best or stronger(best[cell][0], row["status"]) != best[cell][0]:
                best[cell] = (row["status"], row["rule_id"], row["cue"] or "")
    for (study, name), (status, rule, cue) in best.items():
        yield study, name, status, rule, cue


def _reported(lake: Lake) -> set[str]:
    """Return the studies whose report the rules could read."""
    found: set[str] = set()
    for source in lake.partitions("report_attributes"):
        table = lake.read("report_attributes", source, columns=["study_id", "is_unlabelled"])
        found.update(row["study_id"] for row in table.to_pylist() if not row["is_unlabelled"])
    return found

"""The scorecard's view ``readings``: models judged by what radiologists read, on complete reading sets.

Read from the tables ``reading_sets`` and ``label_truth``; figures are weighted to the pool (``weighted``). A set in
which a cell still waits for a reader is no test set yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.judged import Judged
from radia_pipeline.evaluation.weighted import Sample, figures
from radia_pipeline.lake.lake import Lake


@dataclass(frozen=True)
class ValidatedSet:
    """A complete reading set of a pool. ``truth``: (study_id, class) → 1 or 0; by study: weight, stratum.

    ``is_simulated``: readings of simulated readers made a truth of it, as they may in a demo lake.
    """

    set_id: str
    pool: str
    truth: dict[tuple[str, str], int]
    weight: dict[str, float]
    stratum: dict[str, str]
    is_simulated: bool = False


def validated_sets(lake: Lake) -> dict[str, ValidatedSet]:
    """Return the largest complete reading set of each pool; none before sets were read."""
    return {one.pool: one for one in complete_sets(lake)}


def complete_sets(lake: Lake) -> list[ValidatedSet]:
    """Return every reading set that was read to its end and has a truth, the largest last."""
    if not lake.exists("reading_sets") or not lake.exists("label_truth"):
        return []
    columns = ["set_id", "study_id", "class", "value", "rule", "is_simulated"]
    cells = lake.read("label_truth", columns=columns).to_pylist()
    open_ = {row["set_id"] for row in cells if row["rule"].startswith("waits_")}
    simulated = {row["set_id"] for row in cells if row["is_simulated"]}
    found: dict[str, ValidatedSet] = {}
    for row in lake.read("reading_sets").to_pylist():
        if row["set_id"] not in open_:
            one = found.setdefault(
                row["set_id"], ValidatedSet(row["set_id"], row["pool"], {}, {}, {}, row["set_id"] in simulated)
            )
            one.weight[row["study_id"]] = 1.0 / row["inclusion_probability"]
            one.stratum[row["study_id"]] = row["stratum"]
    for row in cells:
        if row["set_id"] in found and row["value"] in (0, 1):
            found[row["set_id"]].truth[row["study_id"], row["class"]] = row["value"]
    return sorted((one for one in found.values() if one.truth), key=lambda one: (len(one.weight), one.set_id))


def judged(one: ValidatedSet, model: Judged) -> Iterator[tuple[str, str, Interval]]:
    """Yield class, metric and figure of one model on a set; classes with too few positives have none."""
    panel, called = model.panel, model.calls
    rows = [row for row, study in enumerate(panel.study_id.tolist()) if study in one.weight]
    for column, name in enumerate(vocabulary().classes):
        kept = [
            row
            for row in rows
            if (panel.study_id[row], name) in one.truth and np.isfinite(panel.probability[row, column])
        ]
        studies = panel.study_id[kept].tolist()
        sample = Sample(
            panel.probability[kept, column],
            np.array([one.truth[study, name] for study in studies], dtype=int),
            np.array([one.weight[study] for study in studies]),
            np.array([one.stratum[study] for study in studies]),
        )
        for metric, found in figures(sample, called[kept, column]).items():
            yield name, metric, found

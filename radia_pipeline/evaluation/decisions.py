"""The ensemble's decisions on a pool, study by study: counts at the working point, and where it is most wrong.

As the scorecard judges it: on validation by what was fitted on other patients, on test as it was released. Not here:
figures with intervals (``class_figures``), pictures of studies (``pages``).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import MissingTable
from radia_pipeline.evaluation.judged import ABNORMAL, Judged, judged_classes
from radia_pipeline.evaluation.judged_models import judged_model
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.lake.lake import Lake

MISSED, FALSE_ALARM = "missed", "false alarm"


@dataclass(frozen=True)
class Confusion:
    """Studies of one class by label and call."""

    name: str
    hits: int
    misses: int
    false_alarms: int
    rejections: int


@dataclass(frozen=True)
class Error:
    """One wrong call. ``threshold``: from which the class is called; ``kind``: missed, or a false alarm."""

    source: str
    study_id: str
    name: str
    kind: str
    probability: float
    threshold: float


def judged_ensemble(lake: Lake, pool: str) -> Judged | None:
    """Return the ensemble on a pool; None where it is not released, or a member's predictions are gone."""
    try:
        return judged_model(lake, ENSEMBLE, pool)
    except MissingTable:
        return None


def confusions(judged: Judged) -> list[Confusion]:
    """Count every class at its threshold of best F1, abnormal too."""
    found = []
    for k, name in enumerate(judged_classes()):
        label, called = judged.panel.label[:, k], judged.probability[:, k] >= judged.tuned[:, k]
        known = np.isfinite(judged.probability[:, k])
        cells = (
            (label == kind) & (called == call) & known for kind, call in ((1, True), (1, False), (0, True), (0, False))
        )
        found.append(Confusion(name, *(int(cell.sum()) for cell in cells)))
    return found


def worst(judged: Judged, most: int = 12) -> list[Error]:
    """Return the wrong calls of pathologies that the ensemble was surest of, each study once, misses and false alarms
    in turn."""
    seen: set[str] = set()
    found: list[Error] = []
    for one in chain.from_iterable(zip_longest(*(_errors(judged, kind) for kind in (MISSED, FALSE_ALARM)))):
        if one is not None and one.study_id not in seen and len(found) < most:
            seen.add(one.study_id)
            found.append(one)
    return sorted(found, key=lambda one: one.kind != MISSED)


def _errors(judged: Judged, kind: str) -> list[Error]:
    """Return the errors of a kind, the surest first: by how far the log odds lie beyond the threshold's."""
    classes = [name for name in judged_classes() if name != ABNORMAL]
    p, cut, label = (part[:, : len(classes)] for part in (judged.probability, judged.tuned, judged.panel.label))
    wrong = (label == 1) & (p < cut) if kind == MISSED else (label == 0) & (p >= cut)
    rows, columns = np.nonzero(wrong & np.isin(classes, vocabulary().pathologies)[None, :] & np.isfinite(p))
    with np.errstate(divide="ignore"):
        beyond = np.abs(np.log(p[rows, columns]) - np.log(np.maximum(cut[rows, columns], 1e-12)))
    order = np.argsort(-beyond, kind="stable")
    panel = judged.panel
    return [
        Error(str(panel.source[row]), str(panel.study_id[row]), classes[k], kind, float(p[row, k]), float(cut[row, k]))
        for row, k in zip(rows[order].tolist(), columns[order].tolist())
    ]

"""Curves of each class in the run's report: ROC, precision over recall, reliability; points come from ``evaluation``.

What does not belong here: tables of figures (``run_report_figures``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.pools import TEST
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.drawing.marks import Band, Guide, Line, Mark, Points
from radia_pipeline.drawing.plot import Axis, plot
from radia_pipeline.drawing.svg import Picture
from radia_pipeline.evaluation import curves
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.evaluation.ensemble import Ensemble, load_ensemble
from radia_pipeline.evaluation.judged import Judged
from radia_pipeline.evaluation.metrics import counted
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, aligned, read_panel
from radia_pipeline.evaluation.release import released_panels
from radia_pipeline.evaluation.scorecard import shown_pool
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.run_report_figures import figure, indexed, scorecard_rows

SIDE_PX = 116
MAIN, BESIDE, CHOSEN = "s0", "muted", "s1"
"""How the ensemble, what it was before calibration, and its threshold look."""


@dataclass(frozen=True)
class _Class:
    """One class of the ensemble on a pool; ``rows``: its figures in the scorecard by metric."""

    name: str
    probability: np.ndarray
    calibrated: np.ndarray
    uncalibrated: np.ndarray
    label: np.ndarray
    group: np.ndarray
    rows: dict[str, dict]

    @property
    def positives(self) -> int:
        return int((self.label == 1).sum())

    @property
    def studies(self) -> int:
        return int(counted(self.label).sum())


def class_panels(lake: Lake) -> list[dict[str, str | Picture]]:
    """Return the curves of each class of the ensemble on the scorecard's pool; only of classes with an AUC there: a
    curve of one patient would be a figure of one."""
    rows = scorecard_rows(lake)
    if not rows or not lake.exists("ensemble"):
        return []
    pool = shown_pool(rows)
    judged = _on_test(lake) if pool == TEST else _on_validation(lake, load_ensemble(lake))
    if judged is None:
        return []
    found = indexed(rows, source="all", pool=pool, view="pool", model=ENSEMBLE)
    classes = (_class(*judged, found, k, name) for k, name in enumerate(vocabulary().classes))
    return [_panel(one) for one in classes if figure(one.rows.get("auc"))]


def _on_test(lake: Lake) -> tuple[Panel, np.ndarray, np.ndarray] | None:
    panels = released_panels(lake)
    if ENSEMBLE not in panels:
        return None  # the ensemble has changed since its release, and the scorecard not yet
    panel = panels.pop(ENSEMBLE)
    return panel, panel.probability, _uncalibrated(load_ensemble(lake), panels)


def _on_validation(lake: Lake, chosen: Ensemble) -> tuple[Panel, np.ndarray, np.ndarray] | None:
    """Return the ensemble as the scorecard judges it on validation, and what it says before calibration."""
    if any(not lake.exists("predictions", name) for name in chosen.members):
        return None
    panels = aligned([read_panel(lake, name) for name in chosen.members])
    judged = Judged.ensemble_cross_fitted(chosen, panels)
    return judged.panel, judged.probability, _uncalibrated(chosen, dict(zip(chosen.members, panels)))


def _class(panel: Panel, held: np.ndarray, raw: np.ndarray, found: dict, k: int, name: str) -> _Class:
    rows = {metric: row for (_, of, metric), row in found.items() if of == name}
    return _Class(name, panel.probability[:, k], held[:, k], raw[:, k], panel.label[:, k], panel.group_id, rows)


def _uncalibrated(chosen: Ensemble, panels: dict[str, Panel]) -> np.ndarray:
    """Probabilities of the rule before calibration, on aligned panels in their order."""
    out = chosen.combination({name: panel.probability for name, panel in panels.items()})
    return np.where(np.isfinite(out), out, sigmoid(np.zeros(1)))


def _panel(one: _Class) -> dict[str, str | Picture]:
    auc, ap = _words(one, "auc", "AUC"), _words(one, "ap", "AP")
    return {
        "name": one.name,
        "basis": f"{one.positives:,} of {one.studies:,} studies positive",
        "auc": auc,
        "ap": ap,
        "roc": _roc(one, auc),
        "precision_recall": _precision_recall(one, ap),
        "reliability": _reliability(one),
    }


def _words(one: _Class, metric: str, shown: str) -> str:
    found = figure(one.rows.get(metric))
    return f"{shown} {found['value']} ({found['interval']})" if found else f"{shown} not in the scorecard"


def _roc(one: _Class, words: str) -> Picture:
    curve = Line(*curves.thinned(*curves.roc_points(one.probability, one.label)), MAIN)
    chosen = _threshold(one, "specificity", "sensitivity")
    marks: list[Mark] = [Guide(), curve, *(Points([1 - x], [y], CHOSEN, tips=[said]) for x, y, said in chosen)]
    return _square(marks, f"ROC of {one.name}: {words}", "false positive rate", "sensitivity")


def _precision_recall(one: _Class, words: str) -> Picture:
    points = curves.stepped(*curves.precision_recall_points(one.probability, one.label))
    chosen = _threshold(one, "sensitivity", "ppv")
    marks: list[Mark] = [
        Guide(y=one.positives / one.studies),
        Line(*curves.thinned(*points), MAIN),
        *(Points([x], [y], CHOSEN, tips=[said]) for x, y, said in chosen),
    ]
    return _square(marks, f"Precision over recall of {one.name}: {words}", "recall", "precision")


def _threshold(one: _Class, first: str, second: str) -> list[tuple[float, float, str]]:
    """Return two figures at the chosen threshold with their words; empty where the scorecard lacks one."""
    x, y = (one.rows.get(metric, {}).get("value") for metric in (first, second))
    if x is None or y is None:
        return []
    return [(x, y, f"threshold of best F1 on validation: {first} {x:.2f}, {second} {y:.2f}")]


def _reliability(one: _Class) -> Picture:
    before = curves.reliability_points(one.uncalibrated, one.label)
    after = curves.reliability_points(one.calibrated, one.label)
    band = curves.reliability_interval(one.calibrated, one.label, one.group)
    tips = [f"{n:,} studies: {share:.2f} positive" for _, share, n in zip(*after)]
    marks: list[Mark] = [
        Guide(),
        Band(after[0], *band, MAIN),
        Line(*before[:2], BESIDE, is_marked=True, is_dashed=True),
        Line(*after[:2], MAIN),
        Points(*after[:2], MAIN, tips=tips),
    ]
    return _square(marks, f"Reliability of {one.name}", "probability", "share of positives")


def _square(marks: list[Mark], title: str, x: str, y: str) -> Picture:
    across, up = Axis(x, low=0, high=1), Axis(y, low=0, high=1)
    return plot(marks, title=title, size=(SIDE_PX, SIDE_PX), x=across, y=up)

"""What radiologists read, in the run's report: the ensemble on complete reading sets, its readers on the ROC plane.

Readers bear numbers, never their codes. What does not belong here: how sets are judged (``readings.judgement``).
"""

from __future__ import annotations

from typing import Any, Unpack

from radia_pipeline.drawing.marks import Guide, Line, Mark, Points
from radia_pipeline.drawing.plot import Axis, plot
from radia_pipeline.drawing.small import Whisker
from radia_pipeline.drawing.svg import Picture
from radia_pipeline.errors import RadiaError
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.evaluation.validated import ValidatedSet, validated_sets
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.run_report_figures import BESIDE, MAIN, figure
from radia_pipeline.readings.judgement import ClassJudgement, ReaderPoint, judge_set

SIDE_PX = 150
READER = "s1"
FEW = 10
"""Effective positives under which a class is shown quietly: its intervals are wide, and were not held to 93 to 98 %."""
SHOWN = ("auc", "ap", "f1", "sensitivity", "specificity", "prevalence")


def read_sets_shown(lake: Lake) -> list[dict[str, Any]]:
    """Return each pool's largest complete set with the ensemble's figures; a set that cannot be judged says why."""
    if not lake.exists(ENSEMBLE):
        return []
    return [_set(lake, one) for _, one in sorted(validated_sets(lake).items())]


def _set(lake: Lake, one: ValidatedSet) -> dict[str, Any]:
    shown = {
        "set_id": one.set_id,
        "pool": one.pool,
        "studies": len(one.weight),
        "of": round(sum(one.weight.values())),
        "is_simulated": one.is_simulated,
        "classes": [],
        "panels": [],
        "problem": "",
    }
    try:
        judged = judge_set(lake, one.set_id)
    except RadiaError as error:
        return {**shown, "problem": str(error)}
    panels = [_panel(one) for one in judged if one.readers]
    return {**shown, "classes": [_row(one) for one in judged], "panels": panels}


def _row(one: ClassJudgement) -> dict[str, Any]:
    is_few = one.effective_positives < FEW
    shown = {name: _figure(one.figures[name]) for name in SHOWN}
    shown["auc"] = _figure(one.figures["auc"], guide=0.5, role=BESIDE if is_few else MAIN, width=100)
    below = one.below
    return {
        "name": one.name,
        "few": is_few,
        "effective": f"{one.effective_positives:.0f}",
        **shown,
        "positives": one.figures["auc"].positives,
        "studies": one.figures["auc"].studies,
        "below": f"{below.below} of {below.readers}" if below.readers else "",
        "below_interval": f"{below.surely} to {below.possibly}" if below.readers else "",
    }


def _figure(one: Interval, **axis: Unpack[Whisker]) -> dict[str, Any] | None:
    return figure(vars(one), **axis)


def _panel(one: ClassJudgement) -> dict[str, str | Picture]:
    below, places = one.below, [(1 - point.specificity, point.sensitivity) for point in one.readers]
    x, y = zip(*places)
    points = Points(x, y, READER, tips=[_tip(number, point) for number, point in enumerate(one.readers, start=1)])
    marks: list[Mark] = [Guide(), Line(*one.curve, MAIN), points]
    across, up = Axis("false positive rate", low=0, high=1), Axis("sensitivity", low=0, high=1)
    title = f"ROC of {one.name} with {below.readers} readers"
    words = (
        f"{below.below} of {below.readers} readers below the curve ({below.surely} surely, {below.possibly} possibly)"
    )
    return {"name": one.name, "words": words, "roc": plot(marks, title=title, size=(SIDE_PX, SIDE_PX), x=across, y=up)}


def _tip(number: int, point: ReaderPoint) -> str:
    gap = point.gap
    place = f"reader {number}: sensitivity {point.sensitivity:.2f}, specificity {point.specificity:.2f}"
    return f"{place}; the model at as many false alarms {gap.value:+.2f} ({gap.low:+.2f} to {gap.high:+.2f})"

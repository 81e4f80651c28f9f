"""What the gate asks of a released ensemble before a person may make it champion: one function a rule.

Beside a champion differences decide (``gate_differences``); the first one is held against fixed minima. Not here:
gathering the case and publishing verdicts (``gate``).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.contracts.pools import TEST
from radia_pipeline.evaluation.calibration_slope import calibration_slope
from radia_pipeline.evaluation.coherence import violations
from radia_pipeline.evaluation.gate_case import Case, Verdict, signed
from radia_pipeline.evaluation.gate_differences import (
    expert_sets,
    f1_of_calling_all,
    least_auc,
    mean_of,
    subgroups,
)
from radia_pipeline.evaluation.gate_words import LEAST_IMAGES_PER_SECOND, LEAST_PACE, NOT_JUDGED, PASSED, REFUSED
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.judged import ABNORMAL


def _released(case: Case) -> Iterator[Verdict]:
    studies = len(case.published[TEST]) if TEST in case.published else 0
    told = (
        "scored on the test pool, once, with a line in its ledger"
        if case.is_released
        else ("it has not been released: `radia scorecard --release --who … --why …`")
    )
    outcome = PASSED if case.is_released else REFUSED
    found = Interval(float(studies), np.nan, np.nan, 0, studies)
    yield Verdict("release", "ensemble", outcome, "studies of the test pool that were scored", told, found)


def _coherence(case: Case) -> Iterator[Verdict]:
    for pool, panel in case.published.items():
        above, patients = violations(panel.probability), len(np.unique(panel.group_id))
        found = Interval(float(above), np.nan, np.nan, 0, len(panel))
        told = (
            "no class stands above one of its parents"
            if not above
            else (f"{above} probabilities stand above that of a class that holds theirs")
        )
        outcome = REFUSED if above else PASSED
        yield Verdict("coherence", pool, outcome, "cells above a parent", told, found, 0.0, patients=patients)


def _calibration(case: Case) -> Iterator[Verdict]:
    classes = {name: one for name, one in case.challenger.judged.classes().items() if name != ABNORMAL}
    judged = {name: one for name, one in classes.items() if calibration_slope(one) is not None}
    for name, one in classes.items():
        ranked = one.studies.ranked
        slope = calibration_slope(one, len(judged)) if name in judged else None
        if slope is None:
            counts = Interval(np.nan, np.nan, np.nan, ranked.positives, ranked.studies)
            told = f"not judged: positive studies of {one.positive_patients} patients"
            yield Verdict("calibration", name, NOT_JUDGED, "slope", told, counts, patients=one.patients)
            continue
        found = Interval(slope.value, slope.low, slope.high, ranked.positives, ranked.studies)
        outcome = PASSED if slope.low <= 1 <= slope.high else REFUSED
        kind = "too sure of itself" if slope.high < 1 else "not sure enough" if slope.low > 1 else "holds 1"
        told = f"{kind}; shift of the log odds {signed(slope.offset)}"
        yield Verdict("calibration", name, outcome, "slope", told, found, 1.0, slope.value, None, one.patients)


def _speed(case: Case) -> Iterator[Verdict]:
    mine = case.challenger.images_per_second
    if case.champion is None:
        value, bound, words, theirs = mine, LEAST_IMAGES_PER_SECOND, "images a second", None
        told = f"first champion, fixed minimum: {mine:.2f} images a second, must be {bound:.2f}"
    else:
        theirs, bound, words = case.champion.images_per_second, LEAST_PACE, "images a second, as a share"
        value = mine / theirs
        told = f"{mine:.2f} images a second beside {theirs:.2f} in one run: {value:.2f}, must be {bound:.2f}"
    outcome = PASSED if value >= bound else REFUSED
    yield Verdict("speed", "ensemble", outcome, words, told, Interval(value, np.nan, np.nan, 0, 0), bound, mine, theirs)


def _truth(case: Case) -> Iterator[Verdict]:
    one = case.truth
    if one.complete and one.classes:
        told = f"{one.cells} cells of {one.studies} studies were read to their end; {one.classes} classes have figures"
    elif one.complete:
        told = f"the set {one.complete} holds too few positives for a figure of any class"
    elif one.open_sets:
        told = f"{one.open_sets} reading sets of the hospital still wait for readers: `radia review status`"
    else:
        told = "no reading set of the hospital's test pool was drawn and read: `radia review draw`"
    if one.ignored:
        told += f"; {one.ignored} readings of simulated readers do not count in this lake"
    outcome = PASSED if one.complete and one.classes else REFUSED
    found = Interval(float(one.classes), np.nan, np.nan, one.positives, one.studies)
    yield Verdict("truth", one.complete or "none", outcome, "classes judged by readings", told, found, 1.0)


def _readers(case: Case) -> Iterator[Verdict]:
    one = case.truth
    if not one.complete:
        yield Verdict("readers", "none", NOT_JUDGED, "simulated readers", "not judged: there is no truth of readings")
        return
    is_refused = one.is_simulated and not one.is_demo
    told = "people read it"
    if one.is_simulated:
        told = "simulated readers made this truth: " + (
            "fit for a demonstration only" if one.is_demo else "outside a demonstration that is nobody's truth"
        )
    found = Interval(float(one.is_simulated), np.nan, np.nan, 0, one.studies)
    outcome = REFUSED if is_refused else PASSED
    yield Verdict("readers", one.complete, outcome, "simulated readers", told, found, 0.0)


RULES = Table(
    "rule of the gate",
    {
        "release": _released,
        "mean_auc": mean_of("auc", "mean AUC", least_auc),
        "mean_f1": mean_of("f1", "mean F1", f1_of_calling_all),
        "subgroups": subgroups,
        "coherence": _coherence,
        "calibration": _calibration,
        "speed": _speed,
        "truth": _truth,
        "readers": _readers,
        "expert_sets": expert_sets,
    },
)
"""A case → verdicts; their names stand in the table's contract."""

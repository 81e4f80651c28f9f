"""What the gate asks of a released ensemble before a person may make it champion: one function a rule.

Beside a champion differences decide, paired on the same studies of validation and counted by groups of patients; the
first one is held against fixed minima. Not here: gathering the case and publishing verdicts (``gate``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.contracts.pools import TEST
from radia_pipeline.evaluation.calibration_slope import calibration_slope
from radia_pipeline.evaluation.class_figures import OneClass, mean_figure
from radia_pipeline.evaluation.coherence import violations
from radia_pipeline.evaluation.combinations import MIN_POSITIVES
from radia_pipeline.evaluation.differences import difference_of_means
from radia_pipeline.evaluation.gate_words import (
    CHANCE,
    LEAST_AUC,
    LEAST_DIFFERENCE,
    LEAST_IMAGES_PER_SECOND,
    LEAST_IN_SUBGROUPS,
    LEAST_PACE,
    NOT_JUDGED,
    PASSED,
    REFUSED,
    SUBGROUP_POSITIVES,
)
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.judged import ABNORMAL, Judged
from radia_pipeline.evaluation.panel import Panel
from radia_pipeline.evaluation.scorecard import has_enough
from radia_pipeline.evaluation.study_facts import EXPERT, Study
from radia_pipeline.evaluation.subgroups import MEAN_CLASSES, Part, left_out, parts


@dataclass(frozen=True)
class Verdict:
    """One row of ``gate_verdicts``. ``found``: what decides, with its interval, against ``bound``."""

    rule: str
    subject: str
    outcome: str
    measure: str
    detail: str
    found: Interval = field(default_factory=lambda: Interval(np.nan, np.nan, np.nan, 0, 0))
    bound: float | None = None
    challenger: float | None = None
    champion: float | None = None
    patients: int = 0


@dataclass(frozen=True)
class Side:
    """An ensemble on validation. ``judged``: everything that is fitted comes from other patients."""

    judged: Judged
    images_per_second: float


@dataclass(frozen=True)
class TruthOfReadings:
    """The reading sets of the test pool with studies of the hospital. ``complete``: the one that judges, or None.

    ``studies``, ``cells``: of the complete one; ``classes``: those with a figure on it. ``simulated``: simulated
    readers had a part in it; ``ignored``: readings of such readers that this lake does not count. ``is_demo``: the lake
    holds invented or public data only.
    """

    complete: str | None = None
    studies: int = 0
    cells: int = 0
    classes: int = 0
    positives: int = 0
    open_sets: int = 0
    is_simulated: bool = False
    ignored: int = 0
    is_demo: bool = False


@dataclass(frozen=True)
class Case:
    """All that the rules look at. ``published``: what the challenger says of each pool, as it was published.

    ``facts``: {attribute: {study: its strata}}. ``champion``: on the same studies, None where there is none.
    """

    challenger: Side
    champion: Side | None
    published: Mapping[str, Panel]
    facts: Mapping[str, Mapping[Study, tuple[str, ...]]]
    truth: TruthOfReadings
    is_released: bool


Rule = Callable[[Case], Iterator[Verdict]]


def judged_classes(judged: Judged, minimum: int = MIN_POSITIVES) -> dict[str, OneClass]:
    """Return the classes that enter a mean: those with enough positive and negative studies, normal or not left out."""
    return {name: one for name, one in judged.classes().items() if name != ABNORMAL and has_enough(one, minimum)}


def _means(
    case: Case, mask: np.ndarray | None = None, without: frozenset[str] = frozenset(), minimum: int = MIN_POSITIVES
) -> tuple[list[list[OneClass]], int]:
    """Return (challenger's classes, champion's), patients: on some studies, bool (n,), of all if not given."""
    sides = [side.judged if mask is None else side.judged.take(mask) for side in _sides(case)]
    found = [judged_classes(judged, minimum) for judged in sides]
    names = [name for name in found[0] if name not in without and all(name in one for one in found)]
    return [[one[name] for name in names] for one in found], sides[0].groups[1]


def _sides(case: Case) -> list[Side]:
    return [case.challenger] if case.champion is None else [case.challenger, case.champion]


def _released(case: Case) -> Iterator[Verdict]:
    studies = len(case.published[TEST]) if TEST in case.published else 0
    told = "scored on the test pool, once, with a line in its ledger" if case.is_released else (
        "it has not been released: `radia scorecard --release --who … --why …`"
    )  # fmt: skip
    outcome = PASSED if case.is_released else REFUSED
    found = Interval(float(studies), np.nan, np.nan, 0, studies)
    yield Verdict("release", "ensemble", outcome, "studies of the test pool that were scored", told, found)


def _mean_of(metric: str, words: str, least_alone: Callable[[Sequence[OneClass]], float]) -> Rule:
    def rule(case: Case) -> Iterator[Verdict]:
        sides, patients = _means(case)
        name, means = f"mean_{metric}", [mean_figure(classes, metric) for classes in sides]
        if not np.isfinite(means[0].value):
            told = f"no class has {MIN_POSITIVES} positive and negative studies in validation"
            yield Verdict(name, "all", REFUSED, words, told, means[0], patients=patients)
            return
        if len(sides) == 1:
            least = least_alone(sides[0])
            outcome = PASSED if means[0].low > least else REFUSED
            told = f"first champion, fixed minimum: lower end {means[0].low:.3f}, must be above {least:.3f}"
            yield Verdict(name, "all", outcome, words, told, means[0], least, means[0].value, None, patients)
            return
        found = difference_of_means(*sides, metric)
        outcome = PASSED if found.low > LEAST_DIFFERENCE else REFUSED
        told = f"lower end of the difference {_signed(found.low)}, must be above {_signed(LEAST_DIFFERENCE)}"
        values = means[0].value, means[1].value
        yield Verdict(name, "all", outcome, f"difference of {words}", told, found, LEAST_DIFFERENCE, *values, patients)

    return rule


def _auc_alone(_: Sequence[OneClass]) -> float:
    return LEAST_AUC


def _f1_of_calling_all(classes: Sequence[OneClass]) -> float:
    """Return the mean F1 of whoever calls every study positive."""
    shares = [one.studies.ranked.positives / one.studies.ranked.studies for one in classes]
    return float(np.mean([2 * share / (1 + share) for share in shares]))


def _subgroups(case: Case) -> Iterator[Verdict]:
    for part in parts(case.challenger.judged.panel, case.facts):
        yield _part(case, "subgroups", part, part.known & part.inside)


def _part(case: Case, rule: str, part: Part, mask: np.ndarray) -> Verdict:
    """Judge a subgroup by mean AUC over the classes of which it holds SUBGROUP_POSITIVES positive studies, and as many
    negative ones: with fewer an interval is wider than the bound whatever the models are."""
    sides, patients = _means(case, mask, left_out(part), SUBGROUP_POSITIVES)
    subject, studies = f"{part.attribute}: {part.stratum}", int(mask.sum())
    positive = sum(one.studies.ranked.positives for one in sides[0])
    means = [mean_figure(classes, "auc") for classes in sides]
    if len(sides[0]) < MEAN_CLASSES or not np.isfinite(means[0].value):
        told = f"not judged: {len(sides[0])} classes with {SUBGROUP_POSITIVES} positive and negative studies"
        counts = Interval(np.nan, np.nan, np.nan, positive, studies)
        return Verdict(rule, subject, NOT_JUDGED, "mean AUC", told, counts, patients=patients)
    if len(sides) == 1:
        found, bound = _counted(means[0], positive, studies), CHANCE
        told = f"first champion, fixed minimum: lower end {found.low:.3f}, must be above chance"
        outcome = PASSED if found.low > bound else REFUSED
        return Verdict(rule, subject, outcome, "mean AUC", told, found, bound, found.value, None, patients)
    found, values = _counted(difference_of_means(*sides, "auc"), positive, studies), (means[0].value, means[1].value)
    outcome = PASSED if found.low >= LEAST_IN_SUBGROUPS else REFUSED
    told = f"lower end of the difference {_signed(found.low)}, must not be below {_signed(LEAST_IN_SUBGROUPS)}"
    bound = LEAST_IN_SUBGROUPS
    return Verdict(rule, subject, outcome, "difference of mean AUC", told, found, bound, *values, patients)


def _counted(found: Interval, positives: int, studies: int) -> Interval:
    return Interval(found.value, found.low, found.high, positives, studies)


def _coherence(case: Case) -> Iterator[Verdict]:
    for pool, panel in case.published.items():
        above, patients = violations(panel.probability), len(np.unique(panel.group_id))
        found = Interval(float(above), np.nan, np.nan, 0, len(panel))
        told = "no class stands above one of its parents" if not above else (
            f"{above} probabilities stand above that of a class that holds theirs"
        )  # fmt: skip
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
        told = f"{kind}; shift of the log odds {_signed(slope.offset)}"
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
        )  # fmt: skip
    found = Interval(float(one.is_simulated), np.nan, np.nan, 0, one.studies)
    outcome = REFUSED if is_refused else PASSED
    yield Verdict("readers", one.complete, outcome, "simulated readers", told, found, 0.0)


def _expert_sets(case: Case) -> Iterator[Verdict]:
    """Judge the studies of each source that radiologists labelled: not surely worse than the champion there."""
    panel = case.challenger.judged.panel
    origin = case.facts.get("origin", {})
    keys = zip(panel.source.tolist(), panel.study_id.tolist())
    read = np.array([EXPERT in origin.get(key, ()) for key in keys], dtype=bool)
    for source in sorted(set(panel.source[read])):
        mask = read & (panel.source == source)
        found = _part(case, "expert_sets", Part("expert-read", source, mask, mask), mask)
        if found.outcome == NOT_JUDGED or case.champion is None:
            yield found
            continue
        outcome = REFUSED if found.found.high < 0 else PASSED
        told = f"upper end of the difference {_signed(found.found.high)}: " + (
            "surely worse" if outcome == REFUSED else "not surely worse"
        )  # fmt: skip
        yield Verdict("expert_sets", source, outcome, found.measure, told, found.found, 0.0, found.challenger,
                      found.champion, found.patients)  # fmt: skip


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'}{abs(value):.3f}"


RULES = Table("rule of the gate", {
    "release": _released,
    "mean_auc": _mean_of("auc", "mean AUC", _auc_alone),
    "mean_f1": _mean_of("f1", "mean F1", _f1_of_calling_all),
    "subgroups": _subgroups,
    "coherence": _coherence,
    "calibration": _calibration,
    "speed": _speed,
    "truth": _truth,
    "readers": _readers,
    "expert_sets": _expert_sets,
})  # fmt: skip
"""A case → verdicts; their names stand in the table's contract."""

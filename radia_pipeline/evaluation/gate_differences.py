"""The gate's rules that hold a challenger's figures against the champion's: means, subgroups, sets that experts read.

Paired on the same studies, counted by groups of patients; without a champion fixed minima decide. Not here: the other
rules (``gate_rules``), bounds in words (``gate_words``), how many studies would tell (``gate_power``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from radia_pipeline.evaluation.class_figures import OneClass, mean_figure
from radia_pipeline.evaluation.combinations import MIN_POSITIVES
from radia_pipeline.evaluation.differences import difference_of_means
from radia_pipeline.evaluation.gate_case import Case, Rule, Side, Verdict, signed
from radia_pipeline.evaluation.gate_power import shortfall
from radia_pipeline.evaluation.gate_words import (
    CHANCE,
    LEAST_AUC,
    LEAST_DIFFERENCE,
    LEAST_IN_SUBGROUPS,
    NOT_JUDGED,
    PASSED,
    REFUSED,
    SUBGROUP_POSITIVES,
)
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.judged import ABNORMAL, Judged
from radia_pipeline.evaluation.scorecard import has_enough
from radia_pipeline.evaluation.study_facts import EXPERT
from radia_pipeline.evaluation.subgroups import MEAN_CLASSES, Part, left_out, parts

NO_DIFFERENCE = "the champion's own answers, on every study"
_DECIDING = ("probability", "tuned", "prior")


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


def mean_of(metric: str, words: str, least_alone: Callable[[Sequence[OneClass]], float]) -> Rule:
    """Return the rule on a mean over classes; ``least_alone``: the fixed minimum of a first champion."""

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
        found = _difference(case, sides, metric)
        outcome = PASSED if found.low > LEAST_DIFFERENCE else REFUSED
        told = f"lower end of the difference {signed(found.low)}, must be above {signed(LEAST_DIFFERENCE)}"
        told = NO_DIFFERENCE if answers_alike(case) else told
        yield _explained(
            Verdict(
                name,
                "all",
                outcome,
                f"difference of {words}",
                told,
                found,
                LEAST_DIFFERENCE,
                means[0].value,
                means[1].value,
                patients,
            ),
            len(case.challenger.judged.panel),
        )

    return rule


def answers_alike(case: Case) -> bool:
    """Tell whether the challenger says of every study what the champion says: the same ensemble, asked once more."""
    if case.champion is None:
        return False
    one, other = case.challenger.judged, case.champion.judged
    pairs = ((one.panel.logit, other.panel.logit), *((getattr(one, name), getattr(other, name)) for name in _DECIDING))
    return all(np.array_equal(mine, theirs, equal_nan=True) for mine, theirs in pairs)


def _difference(case: Case, sides: Sequence[list[OneClass]], metric: str) -> Interval:
    """Return the difference of a mean, with its interval; of an ensemble beside itself 0, whoever the patients are."""
    first, second = sides
    found = difference_of_means(first, second, metric)
    return replace(found, value=0.0, low=0.0, high=0.0) if answers_alike(case) else found


def _explained(one: Verdict, studies: int) -> Verdict:
    """Return a verdict on a difference that says, where it refuses, whether this is worse or too few to tell."""
    if one.outcome != REFUSED:
        return one
    why = shortfall(one.found, cast(float, one.bound), studies)  # each verdict on a difference has a bound
    return replace(one, detail=f"{why.words}; {one.detail}", studies_needed=why.studies_needed)


def least_auc(_: Sequence[OneClass]) -> float:
    """Return what the mean AUC of a first champion must surely exceed."""
    return LEAST_AUC


def f1_of_calling_all(classes: Sequence[OneClass]) -> float:
    """Return the mean F1 of whoever calls every study positive."""
    shares = [one.studies.ranked.positives / one.studies.ranked.studies for one in classes]
    return float(np.mean([2 * share / (1 + share) for share in shares]))


def subgroups(case: Case) -> Iterator[Verdict]:
    """Judge every subgroup of which enough is known."""
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
        told = f"not judged: classes with {SUBGROUP_POSITIVES} positive and negative studies: {len(sides[0])}"
        counts = Interval(np.nan, np.nan, np.nan, positive, studies)
        return Verdict(rule, subject, NOT_JUDGED, "mean AUC", told, counts, patients=patients)
    if len(sides) == 1:
        found, bound = _counted(means[0], positive, studies), CHANCE
        told = f"first champion, fixed minimum: lower end {found.low:.3f}, must be above chance"
        outcome = PASSED if found.low > bound else REFUSED
        return Verdict(rule, subject, outcome, "mean AUC", told, found, bound, found.value, None, patients)
    found, values = _counted(_difference(case, sides, "auc"), positive, studies), (means[0].value, means[1].value)
    outcome = PASSED if found.low >= LEAST_IN_SUBGROUPS else REFUSED
    told = f"lower end of the difference {signed(found.low)}, must not be below {signed(LEAST_IN_SUBGROUPS)}"
    told = NO_DIFFERENCE if answers_alike(case) else told
    bound = LEAST_IN_SUBGROUPS
    verdict = Verdict(rule, subject, outcome, "difference of mean AUC", told, found, bound, *values, patients)
    return _explained(verdict, studies)


def _counted(found: Interval, positives: int, studies: int) -> Interval:
    return Interval(found.value, found.low, found.high, positives, studies)


def expert_sets(case: Case) -> Iterator[Verdict]:
    """Judge the studies of each source that radiologists labelled, on validation and on the released test pool,
    and in the held splits of both: not surely worse than the champion there."""
    yield from _expert_sets(case, "")
    apart = {"test pool": case.test, **{f"held in {pool}": found for pool, found in case.held.items()}}
    for name, found in apart.items():
        if not found:
            continue
        beside = Side(found[1], np.nan) if len(found) > 1 else None
        for one in _expert_sets(replace(case, challenger=Side(found[0], np.nan), champion=beside), f", {name}"):
            is_alone = case.champion is not None and beside is None
            if is_alone and one.outcome != NOT_JUDGED:
                told = "not judged beside the champion: its scores of these studies are not kept"
                one = replace(one, outcome=NOT_JUDGED, detail=told)
            yield one


def _expert_sets(case: Case, of_pool: str) -> Iterator[Verdict]:
    panel = case.challenger.judged.panel
    origin = case.facts.get("origin", {})
    keys = zip(panel.source.tolist(), panel.study_id.tolist())
    read = panel.is_held | np.array([EXPERT in origin.get(key, ()) for key in keys], dtype=bool)
    for source in sorted(set(panel.source[read])):
        mask = read & (panel.source == source)
        found = _part(case, "expert_sets", Part("expert-read", source, mask, mask), mask)
        found = replace(found, subject=f"{source}{of_pool}")
        if found.outcome == NOT_JUDGED or case.champion is None:
            yield found
            continue
        outcome = REFUSED if found.found.high < 0 else PASSED
        told = f"upper end of the difference {signed(found.found.high)}: " + (
            "surely worse" if outcome == REFUSED else "not surely worse"
        )
        yield replace(found, outcome=outcome, detail=told, bound=0.0, studies_needed=None)

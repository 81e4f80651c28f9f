"""Every figure of one class with its interval: one form for each figure, which was held against simulated worlds.

A figure that rests on fewer than two patients does not exist. What does not belong here: the closed forms
(``intervals``), variances over patients (``clustered``), which models, pools and subgroups are judged (``scorecard``,
``subgroups``). How well the forms hold is measured by ``benchmarks/intervals.py``.

Shape legend: n studies that count, G groups of the pool, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.clustered import (
    MOST_WORTH,
    Studies,
    ap_influence,
    auc_influence,
    auc_variance,
    placements,
    precision_of_others,
)
from radia_pipeline.evaluation.groups import MIN_PATIENTS
from radia_pipeline.evaluation.intervals import (
    Interval,
    correlations,
    drawn_to_half,
    f1_interval,
    hanley_mcneil,
    logit_interval,
    mover,
    score_interval_of_auc,
    wilson,
)

FIXED_SPECIFICITY = 0.95
PARTIAL_FALSE_RATE = 0.1
"""Where the partial AUC ends: false positive rates that a reader could bear."""
MOST_EFFECT = 2.0
"""By how many times the studies of a patient the variance of an AUC may exceed that of independent studies."""
MIN_BEYOND = 3.0
"""Patients among the negatives that must be expected beyond a fixed false positive rate, or the rate cannot be told."""
HALF = 0.5


@dataclass(frozen=True)
class Cuts:
    """Where decisions are drawn, one number or one for each study (n_input,): ``tuned`` by best F1 on validation;
    ``prior``: .5 after the logits were shifted so that they have the prevalence of validation."""

    tuned: float | np.ndarray = HALF
    prior: float | np.ndarray = HALF


@dataclass(frozen=True)
class Estimate:
    """A figure. ``influence`` (G,): how each group moves it, of a share around one that is drawn inside its range;
    ``centre``: where its interval is anchored in a mean."""

    value: float
    low: float
    high: float
    influence: np.ndarray
    centre: float

    def holding_itself(self) -> Estimate:
        """Return it with limits that rounding has not moved past the figure."""
        return replace(self, low=min(self.low, self.value), high=max(self.high, self.value))


@dataclass(frozen=True)
class OneClass:
    """A class of a pool: its studies, and where decisions are drawn, in the studies' order. ``ranking``: the same class
    by other scores, which figures of RANKS read, where probabilities come of several fits."""

    studies: Studies
    cuts: Cuts
    ranking: OneClass | None = None

    @classmethod
    def of(
        cls,
        score: np.ndarray,
        label: np.ndarray,
        group: np.ndarray,
        cuts: Cuts | None = None,
        groups: int | None = None,
    ) -> OneClass:
        """``score``, ``label``, ``group`` (n_input,); groups as whole numbers from 0, so many in the whole pool."""
        studies = Studies.of(score, label, group, groups)
        cuts = cuts or Cuts()
        order = studies.ranked.order
        tuned, prior = (np.broadcast_to(cut, np.shape(score))[order] for cut in (cuts.tuned, cuts.prior))
        return cls(studies, Cuts(tuned, prior))

    @property
    def score(self) -> np.ndarray:
        """(n,), from high to low."""
        return self.studies.ranked.score

    @property
    def positive(self) -> np.ndarray:
        """Bool (n,)."""
        return self.studies.positive

    @cached_property
    def positive_patients(self) -> int:
        """Groups with a positive study."""
        return self.studies.patients(self.positive)

    @cached_property
    def negative_patients(self) -> int:
        """Groups with a negative study."""
        return self.studies.patients(~self.positive)

    @cached_property
    def patients(self) -> int:
        """Groups with a study that counts."""
        return self.studies.patients(np.ones(len(self.positive), dtype=bool))

    @property
    def has_both(self) -> bool:
        """Whether positives and negatives each come from enough patients."""
        return min(self.positive_patients, self.negative_patients) >= MIN_PATIENTS

    def reaches(self, false_rate: float) -> bool:
        """Whether there are enough negatives to tell so small a false positive rate."""
        return self.has_both and self.negative_patients * false_rate >= MIN_BEYOND - 1e-9

    def figure(self, metric: str) -> Estimate | None:
        """Return a figure of FORMS; None where it does not exist or rests on too few patients."""
        if self.ranking is not None and metric in RANKS:
            return self.ranking.figure(metric)
        if metric not in self._found:
            made = FORMS[metric](self)
            self._found[metric] = made and made.holding_itself()
        return self._found[metric]

    @cached_property
    def _found(self) -> dict[str, Estimate | None]:
        """Figures that were asked for: a mean over classes asks again."""
        return {}

    def interval(self, metric: str) -> Interval:
        """Return a figure of FORMS; NaN where it does not exist or rests on too few patients."""
        found, ranked = self.figure(metric), self.studies.ranked
        numbers = (found.value, found.low, found.high) if found else (np.nan,) * 3
        return Interval(*numbers, ranked.positives, ranked.studies)


def _auc(one: OneClass) -> Estimate | None:
    if not one.has_both:
        return None
    ranked = one.studies.ranked
    value = float(metrics.weighted_auc(ranked, ranked.weights(None))[0])
    repeated = ranked.studies / one.patients
    influence = auc_influence(ranked, value)
    effect = auc_variance(one.studies, influence) / hanley_mcneil(value, ranked.positives, ranked.negatives)
    if value in (0.0, 1.0):
        effect = repeated
    effect = float(np.clip(effect, 1.0, MOST_EFFECT * repeated))
    low, high = score_interval_of_auc(value, ranked.positives / effect, ranked.negatives / effect)
    return Estimate(value, low, high, one.studies.by_group(influence), value)


def _ap(one: OneClass) -> Estimate | None:
    if not one.has_both:
        return None
    ranked = one.studies.ranked
    value = float(metrics.weighted_average_precision(ranked, ranked.weights(None))[0])
    prevalence, patients = ranked.positives / ranked.studies, one.positive_patients
    influence = one.studies.at_own_prevalence(ap_influence(ranked, value))
    worth = one.studies.worth_at_own_prevalence(value, influence, one.positive)
    low, high = logit_interval(value, prevalence, patients, worth)
    centre = (value + precision_of_others(ranked)) / 2  # the one is too high, the other about as much too low
    return Estimate(value, low, high, one.studies.by_group(influence), min(max(centre, low), high))


def _share(one: OneClass, hit: np.ndarray, among: np.ndarray) -> Estimate | None:
    """Share of ``hit`` in ``among``, both bool (n,): Wilson's interval of as many studies as it is worth."""
    if one.studies.patients(among) < MIN_PATIENTS:
        return None
    count = among.sum()
    value = float((hit & among).sum() / count)
    influence = among * (hit - value) / count
    low, high = wilson(value, one.studies.worth(value, influence, among))
    return Estimate(value, low, high, _moves(one, hit, among, value), value)


def _moves(one: OneClass, hit: np.ndarray, among: np.ndarray, share: float) -> np.ndarray:
    """Return how each group moves a share (G,), around the share drawn to a half: one at its end tells then what it
    has in common with others, which few patients often bring there together."""
    drawn = drawn_to_half(share, one.studies.patients(among))
    return one.studies.by_group(among * (hit - drawn) / among.sum())


def _sensitivity(one: OneClass) -> Estimate | None:
    return _share(one, one.score >= one.cuts.tuned, one.positive)


def _specificity(one: OneClass) -> Estimate | None:
    return _share(one, one.score < one.cuts.tuned, ~one.positive)


def _ppv(one: OneClass) -> Estimate | None:
    return _share(one, one.positive, one.score >= one.cuts.tuned)


def _npv(one: OneClass) -> Estimate | None:
    return _share(one, ~one.positive, one.score < one.cuts.tuned)


def _prevalence(one: OneClass) -> Estimate | None:
    return _share(one, one.positive, np.ones(len(one.positive), dtype=bool))


def _f1_at(one: OneClass, cut: np.ndarray | float) -> Estimate | None:
    """F1 through J = TP / (TP + FP + FN), a share of the studies that are positive or called."""
    called = one.score >= cut
    return _f1_of(one, called, one.positive) if one.has_both else None


def _f1_of(one: OneClass, called: np.ndarray, positive: np.ndarray) -> Estimate | None:
    hit, among = positive & called, positive | called
    if one.studies.patients(among) < MIN_PATIENTS:
        return None
    share = float(hit.sum() / among.sum())
    influence = one.studies.at_own_prevalence(among * (hit - share) / among.sum())
    value = 2 * share / (1 + share)
    limits = f1_interval(value, one.studies.worth_at_own_prevalence(share, influence, among))
    return Estimate(value, *limits, _moves(one, hit, among, share) * 2 / (1 + share) ** 2, value)


def _f1(one: OneClass) -> Estimate | None:
    return _f1_at(one, one.cuts.tuned)


def _f1_at_half(one: OneClass) -> Estimate | None:
    return _f1_at(one, HALF)


def _f1_prior_corrected(one: OneClass) -> Estimate | None:
    return _f1_at(one, one.cuts.prior)


def _p4(one: OneClass) -> Estimate | None:
    """P4 (Sitarz 2022) is the harmonic mean of the F1 of positives and that of negatives; so are its limits, as of two
    figures that the same errors move."""
    if not one.has_both:
        return None
    called = one.score >= one.cuts.tuned
    found, spared = _f1_of(one, called, one.positive), _f1_of(one, ~called, ~one.positive)
    if found is None or spared is None:
        return None
    value = _harmonic(found.value, spared.value)
    of_found, of_spared = (((value / one.value) ** 2 / 2 if one.value > 0 else 0.0) for one in (found, spared))
    low, high = _harmonic(found.low, spared.low), _harmonic(found.high, spared.high)
    return Estimate(value, low, high, of_found * found.influence + of_spared * spared.influence, value)


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b > 0 else 0.0


def _mean(one: OneClass, values: np.ndarray) -> Estimate | None:
    """Mean of ``values`` (n,), each from 0 to 1: as a share of as many studies as it is worth."""
    if one.patients < MIN_PATIENTS:
        return None
    value = float(values.mean())
    influence = (values - value) / len(values)
    spread = float(np.square(one.studies.by_group(influence)).sum()) * one.patients / (one.patients - 1)
    worth = value * (1 - value) / spread if spread > 0 else one.patients
    low, high = wilson(value, min(max(worth, one.patients / 2), MOST_WORTH * len(values)))
    return Estimate(value, low, high, one.studies.by_group(influence), value)


def _brier(one: OneClass) -> Estimate | None:
    return _mean(one, np.square(one.score - one.positive)) if one.has_both else None


def _mean_probability(one: OneClass) -> Estimate | None:
    return _mean(one, one.score)


def _cf1(one: OneClass) -> Estimate | None:
    """The confidence F1 of Yacouby & Axman (2020) as the F1 of soft counts."""
    if not one.has_both:
        return None
    p, y = one.score, one.positive.astype(float)
    union = p + y - p * y
    share = float((p * y).sum() / union.sum())
    influence = one.studies.at_own_prevalence((p * y - share * union) / union.sum())
    worth = one.studies.worth_at_own_prevalence(share, influence, np.ones(len(y), dtype=bool))
    value = 2 * share / (1 + share)
    moved = one.studies.by_group(influence) * 2 / (1 + share) ** 2
    return Estimate(value, *f1_interval(value, worth), moved, value)


def _partial_auc(one: OneClass) -> Estimate | None:
    """Partial AUC standardised by McClish (1989); its mean sensitivity is a share of the positives."""
    if not one.reaches(PARTIAL_FALSE_RATE):
        return None
    ranked, end = one.studies.ranked, PARTIAL_FALSE_RATE
    share = metrics.partial_area(ranked, end) / end
    below, above = placements(ranked)
    false_rate = 1 - below
    edge = float(above[false_rate <= end].max(initial=0.0))
    won = np.clip(1 - false_rate / end, 0, 1) - share
    lost = np.where(false_rate <= end, above - edge, 0.0) / end - (share - edge)
    influence = np.where(one.positive, won / ranked.positives, lost / ranked.negatives)
    worth = one.studies.worth(share, influence, one.positive, MIN_BEYOND)
    value, low, high = (metrics.standardised_area(x * end, end) for x in (share, *wilson(share, worth)))
    return Estimate(value, low, high, one.studies.by_group(influence) * _slope(end), value)


def _slope(end: float) -> float:
    return metrics.standardised_area(end, end) - metrics.standardised_area(0.0, end)


def _sensitivity_at_specificity(one: OneClass) -> Estimate | None:
    """Sensitivity at 95 % specificity: of a cut that is itself estimated, so the limits of both are joined by MOVER."""
    if not one.reaches(1 - FIXED_SPECIFICITY):
        return None
    ranked, wanted = one.studies.ranked, FIXED_SPECIFICITY
    value, cut = metrics.sensitivity_at(ranked, wanted)
    found = _share(one, one.score >= cut, one.positive)
    negatives = _share(one, one.score < cut, ~one.positive)
    if found is None or negatives is None:
        return None
    influence = one.studies.by_group((~one.positive) * ((one.score < cut) - negatives.value) / ranked.negatives)
    variance = max(float(np.square(influence).sum()), 1e-12)
    worth = np.clip(wanted * (1 - wanted) / variance, one.negative_patients / 2, ranked.negatives)
    loose, strict = (metrics.sensitivity_at(ranked, end)[0] for end in wilson(wanted, worth))
    low = value - np.hypot(value - found.low, value - strict)
    high = value + np.hypot(found.high - value, loose - value)
    return Estimate(value, max(float(low), 0.0), min(float(high), 1.0), found.influence, value)


FORMS = Table(
    "figure",
    {
        "auc": _auc,
        "ap": _ap,
        "partial_auc": _partial_auc,
        "sensitivity_at_specificity_95": _sensitivity_at_specificity,
        "f1": _f1,
        "f1_at_half": _f1_at_half,
        "f1_prior_corrected": _f1_prior_corrected,
        "sensitivity": _sensitivity,
        "specificity": _specificity,
        "ppv": _ppv,
        "npv": _npv,
        "p4": _p4,
        "cf1": _cf1,
        "brier": _brier,
        "mean_probability": _mean_probability,
        "prevalence": _prevalence,
    },
)
"""Each figure's form: a class → its estimate, None where there is none. A page shows those that it names."""


RANKS = frozenset({"auc", "ap", "partial_auc", "sensitivity_at_specificity_95"})
"""Figures of the order of scores."""


def mean_figure(classes: Iterable[OneClass], metric: str) -> Interval:
    """Return the mean of a figure over the classes that have it. ``positives``: their sum; ``studies``: the most."""
    classes = list(classes)
    found = [estimate for one in classes if (estimate := one.figure(metric)) is not None]
    positives = sum(one.studies.ranked.positives for one in classes)
    studies = max((one.studies.ranked.studies for one in classes), default=0)
    if not found:
        return Interval(np.nan, np.nan, np.nan, positives, studies)
    low, high = mean_limits(found)
    value = float(np.mean([one.value for one in found]))
    return Interval(value, max(0.0, min(low, value)), min(1.0, max(high, value)), positives, studies)


def mean_limits(found: Sequence[Estimate]) -> tuple[float, float]:
    """Return the limits of the mean of estimates over the same groups."""
    if len(found) == 1:
        return found[0].low, found[0].high
    related = correlations(np.stack([one.influence for one in found]))
    centres, lows, highs = ([getattr(one, end) for one in found] for end in ("centre", "low", "high"))
    return mover(centres, lows, highs, related)

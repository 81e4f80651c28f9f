"""How sure a figure of one class is when studies come in patients: influence values, summed by patient.

A figure's influence value of a study is how much it moves with that study's weight. Their sums by patient (with
everybody linked to them: a group) tell the variance without resampling, and by that how many independent studies the
figure is worth. Not here: the closed forms (``intervals``), which form a figure has (``class_figures``).

Shape legend: n studies that count, best score first; G groups of the pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.evaluation.metrics import Ranked

MOST_WORTH = 10.0
"""By how many times a figure at the pool's own prevalence may be worth more than its studies."""


@dataclass(frozen=True)
class Studies:
    """One class's studies that count: ``ranked``; ``group`` (n,): whose each is, as a number below ``groups``."""

    ranked: Ranked
    group: np.ndarray
    groups: int

    @classmethod
    def of(cls, score: np.ndarray, label: np.ndarray, group: np.ndarray, groups: int | None = None) -> Studies:
        """``score``, ``label``, ``group`` (n_input,): groups as whole numbers from 0."""
        ranked = Ranked.of(score, label)
        count = groups if groups is not None else int(np.max(group, initial=-1)) + 1
        return cls(ranked, np.asarray(group)[ranked.order], count)

    @property
    def positive(self) -> np.ndarray:
        """Which are positive: bool (n,)."""
        return self.ranked.positive

    def patients(self, among: np.ndarray) -> int:
        """Return how many groups some studies, bool (n,), belong to."""
        return int(np.count_nonzero(np.bincount(self.group[among], minlength=self.groups)))

    def by_group(self, influence: np.ndarray) -> np.ndarray:
        """Sum influence values (n,) by group: (G,)."""
        return np.bincount(self.group, weights=influence, minlength=self.groups)

    def at_own_prevalence(self, influence: np.ndarray) -> np.ndarray:
        """Return influence values (n,) less what a change of the prevalence would move: 0 on average in each kind."""
        positive = self.positive
        means = [influence[kind].mean() if kind.any() else 0.0 for kind in (positive, ~positive)]
        return influence - np.where(positive, *means)

    def worth(self, share: float, influence: np.ndarray, among: np.ndarray, least: float | None = None) -> float:
        """Return how many independent studies a share of ``among`` is worth: share(1 − share) / variance.

        At most as many as there are studies; at least ``least``, half as many as there are patients if not given. A
        share at its end, whose variance cannot be seen, is worth its patients.
        """
        patients = self.patients(among)
        variance = _spread(patients) * float(np.square(self.by_group(influence)).sum())
        return _worth(share, variance, patients, (least or patients / 2, float(among.sum())))

    def worth_at_own_prevalence(self, share: float, influence: np.ndarray, among: np.ndarray) -> float:
        """Return the same of a figure that is compared with its value at the pool's own prevalence.

        Its variance is less than a share's, so it can be worth more than its studies, MOST_WORTH times at most: where
        everything is called nothing is left to vary. It is known as well as there are positive patients:
        (m + 1) / (m − 1), held in simulation.
        """
        patients = self.patients(self.positive)
        spread = (patients + 1) / (patients - 1) if patients > 1 else 1.0
        variance = spread * float(np.square(self.by_group(influence)).sum())
        within = self.patients(among)
        return _worth(share, variance, within, (within / 2, MOST_WORTH * float(among.sum())))


def _worth(share: float, variance: float, patients: int, between: tuple[float, float]) -> float:
    if variance <= 0 or not 0 < share < 1:
        return float(patients)
    return float(np.clip(share * (1 - share) / variance, *between))


def _spread(groups: int) -> float:
    return groups / (groups - 1) if groups > 1 else 1.0


def auc_influence(ranked: Ranked, auc: float) -> np.ndarray:
    """Return the influence (n,) of each study on the AUC: its share of pairs won, less the AUC, by the class's count.

    Those are the placement values of DeLong et al. (1988).
    """
    below, above = placements(ranked)
    influence = np.where(ranked.positive, below - auc, above - auc)
    return influence / np.where(ranked.positive, ranked.positives, ranked.negatives)


def placements(ranked: Ranked) -> tuple[np.ndarray, np.ndarray]:
    """Return for each score the share of negatives below it and of positives above it, ties half: two (n,)."""
    blocks = np.cumsum(np.r_[0, np.diff(ranked.score) != 0]) if ranked.studies else np.zeros(0, dtype=int)
    count = int(blocks[-1]) + 1 if ranked.studies else 0
    positive = np.bincount(blocks[ranked.positive], minlength=count)
    negative = np.bincount(blocks[~ranked.positive], minlength=count)
    above = (np.cumsum(positive) - 0.5 * positive) / max(ranked.positives, 1)
    below = 1 - (np.cumsum(negative) - 0.5 * negative) / max(ranked.negatives, 1)
    return below[blocks], above[blocks]


def auc_variance(studies: Studies, influence: np.ndarray) -> float:
    """Return the variance of an AUC over patients with several studies (Obuchowski 1997), from its influence (n,)."""
    positive = studies.positive
    of_positives = studies.by_group(influence * positive)
    of_negatives = studies.by_group(influence * ~positive)
    both = studies.patients(np.ones(len(positive), dtype=bool))
    return (
        _spread(studies.patients(positive)) * float(np.square(of_positives).sum())
        + _spread(studies.patients(~positive)) * float(np.square(of_negatives).sum())
        + 2 * _spread(both) * float((of_positives * of_negatives).sum())
    )


def ap_influence(ranked: Ranked, ap: float) -> np.ndarray:
    """Return the influence (n,) of each study on average precision; equal scores enter together."""
    ends = np.r_[ranked.starts[1:], ranked.studies] - 1
    block = np.cumsum(np.r_[0, np.diff(ranked.score) != 0])
    called = (ends + 1.0)[block]
    found = np.cumsum(ranked.positive)[ends][block].astype(float)
    precision = found / called

    def from_here(values: np.ndarray) -> np.ndarray:
        return np.cumsum(values[::-1])[::-1][ranked.starts][block]

    lifts = from_here(ranked.positive * (1 - precision) / called)
    weighs = from_here(ranked.positive * precision / called)
    return np.where(ranked.positive, precision - ap + lifts, -weighs) / max(ranked.positives, 1)


def precision_of_others(ranked: Ranked) -> float:
    """Return the mean, over positives, of the precision among the other studies that score as high.

    Average precision counts each positive in its own precision, which makes it too high with few of them. A positive
    that none other reaches has the prevalence.
    """
    ends = np.r_[ranked.starts[1:], ranked.studies] - 1
    block = np.cumsum(np.r_[0, np.diff(ranked.score) != 0])
    called = (ends + 1.0)[block] - 1
    found = np.cumsum(ranked.positive)[ends][block] - 1.0
    prevalence = ranked.positives / ranked.studies
    others = np.divide(found, called, out=np.full(ranked.studies, prevalence), where=called > 0)
    return float(others[ranked.positive].mean())

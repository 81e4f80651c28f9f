"""Figures that steer training: per-class AUC, best F1 and loss on the validation pool. Reported figures, with intervals
and bootstrap, are in ``evaluation``.

Legend: n studies, 21 classes; labels int8 1, 0, −1 or MISSING, of which only 1 and 0 count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import EmptyPool
from radia_pipeline.training.choices import STOPPING
from radia_pipeline.training.recipe_schema import StoppingSection


@dataclass(frozen=True)
class Figures:
    """Mean over counted classes, and per class (None where not defined)."""

    auc: float
    f1: float
    p4: float
    cf1: float
    loss: float
    auc_by_class: dict[str, float | None]
    counted: tuple[str, ...]

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Figures:
        """Return figures that have crossed between processes as JSON."""
        return cls(**{**record, "counted": tuple(record["counted"])})

    def chosen(self, section: StoppingSection) -> float:
        """The stopping metric, as a number that is better when higher."""
        return STOPPING[section.metric] * getattr(self, section.metric)


def validation_figures(
    log_probability: np.ndarray,
    labels: np.ndarray,
    section: StoppingSection,
    stands_for: np.ndarray | None = None,
    leave_out: tuple[str, ...] = (),
) -> Figures:
    """Compare log P (n, 21) with labels; classes with fewer than ``min_positives`` positives do not count.

    ``stands_for``: how many studies of the pool each one stands for, (n,). ``leave_out``: classes that do not count.
    Raises EmptyPool when none does.
    """
    weights = np.ones(len(labels)) if stands_for is None else stands_for
    counted = counted_classes(labels, section, leave_out)
    found: dict[str, dict[str, float]] = {}
    auc_by_class: dict[str, float | None] = {}
    for column, name in enumerate(vocabulary().classes):
        known = np.isin(labels[:, column], (0, 1))
        truth, score, weight = labels[known, column] == 1, log_probability[known, column], weights[known]
        auc = area_under_curve(score, truth, weight)
        auc_by_class[name] = None if np.isnan(auc) else auc
        if name in counted:
            found[name] = {
                "auc": auc,
                "f1": best_f1(score, truth, weight),
                "p4": best_p4(score, truth, weight),
                "cf1": probabilistic_f1(score, truth, weight),
                "loss": _cross_entropy(score, truth, weight),
            }
    means = {figure: float(np.mean([of_class[figure] for of_class in found.values()])) for figure in STOPPING}
    return Figures(**means, auc_by_class=auc_by_class, counted=counted)


def counted_classes(labels: np.ndarray, section: StoppingSection, leave_out: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the classes that steer, by labels (n, 21): enough positives, and a negative. Raises EmptyPool."""
    is_counted = ((labels == 1).sum(axis=0) >= section.min_positives) & (labels == 0).any(axis=0)
    is_counted &= ~np.isin(vocabulary().classes, leave_out)
    if not is_counted.any():
        raise EmptyPool(
            f"No class has {section.min_positives} positives and a negative in validation ({len(labels)} studies)",
            do="lower stopping.min_positives of the recipe, or enlarge the pool",
        )
    return tuple(np.array(vocabulary().classes)[is_counted].tolist())


def area_under_curve(score: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """AUC with ties counted half (Mann–Whitney), studies weighted; NaN without both classes."""
    if truth.all() or not truth.any():
        return float("nan")
    _, place = np.unique(score, return_inverse=True)
    positive, negative = (np.bincount(place, weight * kind) for kind in (truth, ~truth))
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / (positive.sum() * negative.sum()))


def _cuts(score: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives at each threshold that parts no equal scores: both (cuts,)."""
    order = np.argsort(-score, kind="stable")
    is_cut = np.append(np.diff(score[order]) != 0, True)
    hits, called = np.cumsum((weight * truth)[order])[is_cut], np.cumsum(weight[order])[is_cut]
    return hits, called - hits


def best_f1(score: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """Highest F1 over all thresholds: optimistic, good enough to choose an epoch."""
    hits, false = _cuts(score, truth, weight)
    most = (weight * truth).sum()
    return float((2 * hits / np.maximum(hits + false + most, 1e-12)).max())


def best_p4(score: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """Highest P4 over all thresholds: 4·TP·TN / (4·TP·TN + (TP + TN)(FP + FN)) (Sitarz 2022), 0 where both are 0."""
    hits, false = _cuts(score, truth, weight)
    passed, missed = (weight * ~truth).sum() - false, (weight * truth).sum() - hits
    right = 4 * hits * passed
    return float((right / np.maximum(right + (hits + passed) * (false + missed), 1e-12)).max())


def probabilistic_f1(score: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """cF1 = 2 Σ p·y / (Σ p + Σ y) of log probabilities (Yacouby and Axman 2020): no threshold."""
    probability = np.exp(score)
    return float(2 * (weight * probability * truth).sum() / (weight * (probability + truth)).sum())


def _cross_entropy(log_probability: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    bounded = np.clip(log_probability, -50.0, -1e-12)
    losses = -np.where(truth, bounded, np.log1p(-np.exp(bounded)))
    return float(np.average(losses, weights=weight))

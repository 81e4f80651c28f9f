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


def validation_figures(log_probability: np.ndarray, labels: np.ndarray, section: StoppingSection) -> Figures:
    """Compare log P (n, 21) with labels; classes with fewer than ``min_positives`` positives do not count.

    Raises EmptyPool when no class counts.
    """
    names = vocabulary().classes
    counted, aucs, f1s, losses = [], [], [], []
    auc_by_class = {}
    for column, name in enumerate(names):
        known = np.isin(labels[:, column], (0, 1))
        truth, score = labels[known, column] == 1, log_probability[known, column]
        auc = area_under_curve(score, truth)
        auc_by_class[name] = None if np.isnan(auc) else auc
        if truth.sum() >= section.min_positives and (~truth).any():
            counted.append(name)
            aucs.append(auc)
            f1s.append(best_f1(score, truth))
            losses.append(_cross_entropy(score, truth))
    if not counted:
        raise EmptyPool(
            f"No class has {section.min_positives} positives and a negative in validation",
            do="lower stopping.min_positives of the recipe, or enlarge the pool",
        )
    return Figures(float(np.mean(aucs)), float(np.mean(f1s)), float(np.mean(losses)), auc_by_class, tuple(counted))


def area_under_curve(score: np.ndarray, truth: np.ndarray) -> float:
    """AUC with ties counted half (Mann–Whitney); NaN without both classes."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def best_f1(score: np.ndarray, truth: np.ndarray) -> float:
    """Highest F1 over all thresholds: optimistic, good enough to choose an epoch. No threshold parts equal scores."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(truth[order])
    is_cut = np.append(np.diff(score[order]) != 0, True)
    f1 = 2 * hits / (np.arange(1, len(truth) + 1) + max(int(truth.sum()), 1))
    return float(f1[is_cut].max())


def _cross_entropy(log_probability: np.ndarray, truth: np.ndarray) -> float:
    bounded = np.clip(log_probability, -50.0, -1e-12)
    return float(-np.where(truth, bounded, np.log1p(-np.exp(bounded))).mean())

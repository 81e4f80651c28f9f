"""How far two readers agree: Cohen's κ with interval, positive and negative agreement, Gwet's AC1. Pure numbers.

Answers are label values; only cells that both answered present or absent count, as uncertain is no side of a pair of
classes. Formulas: Cohen 1960; Fleiss, Cohen & Everitt 1969 for the variance of κ; Cicchetti & Feinstein 1990; Gwet
2008.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE
from radia_pipeline.evaluation.intervals import Z_95, wilson


@dataclass(frozen=True)
class Agreement:
    """Agreement over ``cells`` of two readers; NaN where a figure does not exist.

    ``positive``, ``negative``: of cells that either called so, the share of calls that were shared. ``low``, ``high``:
    95 % of κ. ``observed_low``, ``observed_high``: 95 % of the observed share.
    """

    cells: int
    observed: float
    observed_low: float
    observed_high: float
    kappa: float
    low: float
    high: float
    positive: float
    negative: float
    ac1: float


def agreement(first: np.ndarray, second: np.ndarray) -> Agreement:
    """Compare two readers' answers (n,) on the same cells, as label values."""
    first, second = np.asarray(first), np.asarray(second)
    counts = np.array(
        [[((first == a) & (second == b)).sum() for b in (POSITIVE, NEGATIVE)] for a in (POSITIVE, NEGATIVE)], float
    )
    total = counts.sum()
    if total == 0:
        return Agreement(0, *[float("nan")] * 9)
    share = counts / total
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    observed, expected = float(np.trace(share)), float(rows @ columns)
    kappa = (observed - expected) / (1 - expected) if expected < 1 else float("nan")
    half = Z_95 * np.sqrt(max(0.0, _variance(share, kappa, expected)) / total) if expected < 1 else float("nan")
    prevalence = float(rows[0] + columns[0]) / 2
    by_chance = 2 * prevalence * (1 - prevalence)
    low, high = wilson(observed, float(total))
    return Agreement(
        int(total),
        observed,
        low,
        high,
        kappa,
        max(-1.0, kappa - half),
        min(1.0, kappa + half),
        _shared(counts[0, 0], counts),
        _shared(counts[1, 1], counts),
        (observed - by_chance) / (1 - by_chance),
    )


def _shared(both: float, counts: np.ndarray) -> float:
    calls = 2 * both + counts[0, 1] + counts[1, 0]
    return float(2 * both / calls) if calls else float("nan")


def _variance(share: np.ndarray, kappa: float, expected: float) -> float:
    """Return n × the large-sample variance of κ (Fleiss, Cohen & Everitt 1969)."""
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    diagonal = sum(share[i, i] * (1 - (rows[i] + columns[i]) * (1 - kappa)) ** 2 for i in range(2))
    off = sum(share[i, j] * (columns[i] + rows[j]) ** 2 for i in range(2) for j in range(2) if i != j)
    return (diagonal + (1 - kappa) ** 2 * off - (kappa - expected * (1 - kappa)) ** 2) / (1 - expected) ** 2

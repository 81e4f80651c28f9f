"""The same weeks of earlier years: a yearly wave in a stream's baseline, where the reference shows one.

Two harmonics of the year, as for weekly deaths (Serfling 1963, Public Health Reports 78), fitted beside the offsets
that remember each other, so that a slow wander is not taken for a season; of one year nobody can tell them apart.
"""

from __future__ import annotations

import numpy as np

from radia_pipeline.monitoring.between import Fitted

WEEKS_OF_A_YEAR = 52.1775
HARMONICS = 2
LEAST_SPAN_WEEKS = 103
SEASON_P = 0.005


def waves(week: np.ndarray | float) -> np.ndarray:
    """Return the yearly wave's columns (w, 2 * HARMONICS) for times in weeks."""
    turn = 2 * np.pi * np.atleast_1d(np.asarray(week, dtype=float)) / WEEKS_OF_A_YEAR
    return np.stack([wave(turn * order) for order in range(1, HARMONICS + 1) for wave in (np.cos, np.sin)], axis=1)


def has_a_year(weeks: np.ndarray) -> bool:
    """Tell whether windows at these times, in weeks, reach over a year and fill it."""
    span = float(np.max(weeks) - np.min(weeks)) if len(weeks) else 0.0
    return span >= LEAST_SPAN_WEEKS and len(weeks) >= span / 2


def is_seasonal(fitted: Fitted) -> bool:
    """Tell whether the wave of a fit with it is more than chance, by Wald's test at the most likely offsets."""
    from scipy import stats

    wave = fitted.coefficients[fitted.best][1:]
    covariance = fitted.covariance[fitted.best][1:, 1:]
    return float(stats.chi2.sf(wave @ np.linalg.solve(covariance, wave), len(wave))) < SEASON_P

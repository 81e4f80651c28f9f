"""A scan for a shift that lasts: for each time at which it may have begun, how far its estimate lies beyond the floor.

The generalized likelihood ratio over all beginnings (Willsky and Jones 1976, IEEE Transactions on Automatic Control 21;
Lai 1995, Journal of the Royal Statistical Society B 57), by generalized least squares: windows share an offset that
remembers the one before and the error of the reference's mean. A Kalman filter (Kalman 1960) over these two takes out
of each window what the windows before it tell, so that what comes after the reference mends its mean too. Unlike a
cumulative sum its limit hardly depends on how windows wander, and it loses little where they do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Wander:
    """How quiet windows differ beyond chance, in standard deviations of one image: the variance of their offset, its
    memory from one week to the next, the variance of the reference's mean."""

    offset_variance: float
    memory: float
    mean_variance: float


def lengths(windows: int) -> np.ndarray:
    """Return the lengths back from the newest window that are looked at: each about 1.4 times the one before."""
    steps = np.round(np.sqrt(2.0) ** np.arange(2 * int(np.log2(max(windows, 1))) + 2)).astype(int)
    return np.unique(steps[steps <= windows])


def innovations(series: np.ndarray, noise: np.ndarray, gaps: np.ndarray, wander: Wander) -> np.ndarray:
    """Return (m, w): each series' windows less what those before them tell, in standard deviations of that.

    ``series`` (m, w); ``noise`` (w,): variance of a window's mean by chance; ``gaps`` (w,): weeks since the one before.
    """
    offset, mean = np.zeros((2, len(series)))
    of_offset, of_both, of_mean = wander.offset_variance, 0.0, wander.mean_variance
    found = np.empty(series.shape)
    for row in range(series.shape[1]):
        kept = wander.memory ** gaps[row] if row else 1.0
        offset = kept * offset
        of_offset, of_both = kept**2 * of_offset + (1 - kept**2) * wander.offset_variance, kept * of_both
        variance = of_offset + 2 * of_both + of_mean + noise[row]
        left = series[:, row] - offset - mean
        found[:, row] = left / np.sqrt(variance)
        gain, gain_of_mean = (of_offset + of_both) / variance, (of_both + of_mean) / variance
        offset, mean = offset + gain * left, mean + gain_of_mean * left
        of_offset, of_both, of_mean = (
            of_offset - gain * (of_offset + of_both),
            of_both - gain * (of_both + of_mean),
            of_mean - gain_of_mean * (of_both + of_mean),
        )
    return found


def scan(
    series: np.ndarray, noise: np.ndarray, gaps: np.ndarray, wander: Wander, floor_sd: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far beyond the floor the largest shift up to each window lies, in standard deviations of its estimate,
    (m, w), and the row at which that shift began, (m, w). Arguments as of ``innovations``.
    """
    windows = series.shape[1]
    steps = np.tril(np.ones((windows, windows))).T
    told = innovations(np.concatenate([series, steps]), noise, gaps, wander)
    seen, known = told[: len(series)], told[len(series) :]
    looked = lengths(windows)
    beyond, began = np.empty(series.shape), np.empty(series.shape, dtype=int)
    for end in range(windows):
        starts = end + 1 - looked[looked <= end + 1]
        rows = slice(starts[-1], end + 1)
        step = known[starts, rows]
        information = np.square(step).sum(axis=1)
        estimate = seen[:, rows] @ step.T
        found = (np.abs(estimate) - floor_sd * information) / np.sqrt(information)
        best = found.argmax(axis=1)
        beyond[:, end], began[:, end] = found[np.arange(len(found)), best], starts[best]
    return beyond, began

"""What a test can find at most of a shift, when quiet windows may alarm as seldom as they may: a bound for any method.

The most powerful test of a known shift that begins at a known time, of one stream whose law is known, with a reference
whose mean is not (Neyman and Pearson 1933). ``bound``: it may be wrong as often as a method that alarms on a share of
quiet windows can be anywhere within the windows that are looked at, were no two of its alarms in a row: no method has
more power. ``one_look``: it may be wrong as often as the share itself, as one that looks once at their end.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

GOAL = 0.01
"""Share of quiet windows on which any stream may alarm."""


def possible(
    shift: float, within: int, *, per_window: int, offset_sd: float, memory: float, reference: int, streams: int
) -> dict[str, float]:
    """Return the power of the two tests for a shift in standard deviations within so many windows."""
    past, new = (_covariance(count, per_window, offset_sd, memory) for count in (reference, within))
    of_mean = 1.0 / np.linalg.solve(past, np.ones(reference)).sum()
    strength = shift * np.sqrt(np.linalg.solve(new + of_mean, np.ones(within)).sum())
    share = GOAL / streams
    return {
        name: round(float(stats.norm.sf(stats.norm.isf(wrong / 2) - strength)), 3)
        for name, wrong in (("bound", within * share), ("one_look", share))
    }


def _covariance(windows: int, per_window: int, offset_sd: float, memory: float) -> np.ndarray:
    apart = np.abs(np.subtract.outer(np.arange(windows), np.arange(windows)))
    return np.eye(windows) / per_window + offset_sd**2 * np.where(apart == 0, 1.0, memory**apart)

"""Evidence that a stream moved by more than a floor, strong enough to hold a promotion back.

A Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo 2023, New England Journal of Statistics in Data Science 2):
M_w = (1 + M_{w-1}) e_w, where e_w has a mean of at most 1 while the shift is within the floor, so that M passes 1/alpha
once in 1/alpha windows at most. Without a floor any e-process ends in an alarm: the finite reference is a shift itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

REACHES_SD = (0.05, 0.1, 0.2, 0.4)
"""Shifts beyond the floor for which the evidence grows fastest; their mean is an e-value again."""
MOST_LOG = 600.0


def log_evidence(
    shifts: Sequence[float] | np.ndarray, variances: Sequence[float] | np.ndarray, floor_sd: float
) -> np.ndarray:
    """Return log M (w,) of window shifts (w,) with these variances, both sides together.

    ``variances``: of a window's mean with the long-run variance of the offsets and that of the reference's mean.
    """
    state = np.full((2, len(REACHES_SD)), -math.inf)
    found = np.empty(len(shifts))
    reach = np.array(REACHES_SD)
    for row, (shift, variance) in enumerate(zip(shifts, variances, strict=True)):
        beyond = np.array([[shift - floor_sd], [-shift - floor_sd]])
        state = np.minimum(np.logaddexp(0.0, state) + (reach * beyond - reach**2 / 2) / variance, MOST_LOG)
        found[row] = np.logaddexp.reduce(state, axis=None) - math.log(state.size)
    return found


def log_threshold(windows_between: float, streams: int) -> float:
    """Return the threshold of log M at which one of ``streams`` passes once in so many quiet windows at most."""
    return math.log(windows_between * streams)

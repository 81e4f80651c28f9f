"""Means of figures of several worlds or seeds, with their intervals. Not here: what is measured, and on which world."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def independent_mean(parts: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """The mean of (value, low, high) of worlds that share no patient and no training: half-widths add by squares."""
    value, low, high = np.array(parts, dtype=float).T
    below, above = (float(np.sqrt(np.square(one).sum())) / len(value) for one in (value - low, high - value))
    mean = float(value.mean())
    return mean, mean - below, mean + above


def over_seeds(parts: list) -> dict:
    """The mean of paired differences over seeds: the patients' interval, and that with Student's for the seeds."""
    from scipy.stats import t

    value, low, high = np.array([(one.value, one.low, one.high) for one in parts]).T
    between = t.ppf(0.975, len(parts) - 1) * value.std(ddof=1) / np.sqrt(len(parts)) if len(parts) > 1 else np.nan
    mean, below, above = value.mean(), (value - low).mean(), (high - value).mean()
    return {
        "value": mean,
        "patients": [mean - below, mean + above],
        "patients_and_seeds": [mean - np.hypot(below, between), mean + np.hypot(above, between)],
        "each": [[one.value, one.low, one.high] for one in parts],
    }

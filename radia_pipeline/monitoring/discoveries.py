"""Which streams of one day stand out: a p-value beyond the floor for each, Benjamini-Hochberg across them.

Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57. Shares of rare things are skewed, so that
the p-value is that of a Pearson type III law with the mean's own skewness (Johnson 1978, JASA 73, for the idea).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_SKEW = 2.0


def beyond_floor(shift: np.ndarray, variance: np.ndarray, floor_sd: float, skewness: np.ndarray) -> np.ndarray:
    """Return the two-sided p-values (w,) of windows' shifts, in standard deviations, being within the floor."""
    from scipy import stats

    z = np.maximum(0.0, np.abs(shift) - floor_sd) / np.sqrt(variance)
    return np.minimum(1.0, 2.0 * stats.pearson3.sf(z, np.clip(np.sign(shift) * skewness, -MOST_SKEW, MOST_SKEW)))


def discovered(p_values: Sequence[float], rate: float) -> np.ndarray:
    """Return which p-values (m,) Benjamini and Hochberg's rule takes at a false discovery rate."""
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values)
    passed = np.flatnonzero(values[order] <= rate * np.arange(1, len(values) + 1) / max(len(values), 1))
    found = np.zeros(len(values), dtype=bool)
    if len(passed):
        found[order[: passed[-1] + 1]] = True
    return found

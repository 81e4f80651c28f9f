"""How much windows differ beyond chance while nothing is wrong: an offset of each window that remembers the one before.

Window means are y_w = mean + offset_w + noise_w with an offset that is stationary AR(1), spread tau and memory rho, and
noise of known variance. A grid over (tau, rho) gets the restricted likelihood of the reference (Patterson and Thompson
1971, Biometrika 58), which has no small-sample bias from the fitted mean as the plain estimate of rho has (Marriott and
Pope 1954, Biometrika 41). Each stream has few windows; what all streams show together is the prior of each (Laird 1978,
JASA 73), mixed with a flat one so that an odd stream is heard. Everything is in standard deviations of one image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.monitoring.scan import Wander

SPREADS = (0.0, 0.02, 0.035, 0.05, 0.07, 0.10, 0.14, 0.20, 0.28, 0.40, 0.60)
MEMORIES = (0.0, 0.2, 0.4, 0.6, 0.75, 0.85, 0.92)
"""A longer memory than .92 a week is no quiet stream: that is drift."""
CELLS = tuple(
    (0.0, 0.0) if spread == 0 else (spread, memory)
    for spread in SPREADS
    for memory in MEMORIES[: 1 if spread == 0 else None]
)
FLAT_SHARE = 0.02
UPPER = 0.9
LONG_RUN = np.array([spread**2 * (1 + memory) / (1 - memory) for spread, memory in CELLS])
"""Long-run variance of each cell, tau² (1 + rho) / (1 - rho): what sums over many windows feel."""
_STEPS = 300


@dataclass(frozen=True)
class Offsets:
    """A stream's posterior over the grid. ``mass`` (cells,); ``mean_variance`` (cells,): of the reference's mean."""

    mass: np.ndarray
    mean_variance: np.ndarray

    @property
    def spread_squared(self) -> float:
        """Posterior mean of the offset's variance."""
        return float(self.mass @ np.array([spread**2 for spread, _ in CELLS]))

    @property
    def variance_of_mean(self) -> float:
        """Posterior mean of the variance of the reference's mean."""
        return float(self.mass @ self.mean_variance)

    @property
    def wander(self) -> Wander:
        """The one law of offsets with the posterior's mean variance and mean long-run variance."""
        variance, long_run = self.spread_squared, float(self.mass @ LONG_RUN)
        memory = (long_run - variance) / (long_run + variance) if long_run > 0 else 0.0
        return Wander(variance, memory, self.variance_of_mean)

    @property
    def long_run_variance(self) -> float:
        """Upper end of the offsets' long-run variance."""
        return float(LONG_RUN[self.upper_cell()])

    def upper_cell(self) -> int:
        """Return the cell whose long-run variance is the posterior's quantile UPPER."""
        order = np.argsort(LONG_RUN, kind="stable")
        return int(order[min(int(np.searchsorted(np.cumsum(self.mass[order]), UPPER)), len(order) - 1)])


@dataclass(frozen=True)
class Fitted:
    """A stream's log likelihood (cells,), the variance (cells,) of its baseline, and per cell the baseline's
    coefficients (cells, k) with their covariance (cells, k, k)."""

    likelihood: np.ndarray
    mean_variance: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray

    @property
    def best(self) -> int:
        """The most likely cell."""
        return int(np.argmax(self.likelihood))


def fit_offsets(means: np.ndarray, counts: np.ndarray, places: np.ndarray, design: np.ndarray) -> list[Fitted]:
    """Fit each stream's window means (w, s), in standard deviations of one image, on a design (w, k).

    ``counts`` (w,): images of each window; ``places`` (w,): its number in time, so that a missing window leaves a gap.
    """
    streams, width = means.shape[1], design.shape[1]
    likelihood, variance = np.empty((streams, len(CELLS))), np.empty(len(CELLS))
    coefficients, covariances = np.empty((streams, len(CELLS), width)), np.empty((len(CELLS), width, width))
    apart = np.abs(places[:, None] - places[None, :])
    for cell, (spread, memory) in enumerate(CELLS):
        covariance = np.diag(1.0 / counts) + spread**2 * np.where(apart == 0, 1.0, memory**apart)
        lower = np.linalg.cholesky(covariance)
        seen, known = np.linalg.solve(lower, means), np.linalg.solve(lower, design)
        information = known.T @ known
        covariances[cell] = np.linalg.inv(information)
        fitted = covariances[cell] @ (known.T @ seen)
        coefficients[:, cell] = fitted.T
        log_determinant = 2.0 * float(np.log(np.diag(lower)).sum()) + float(np.linalg.slogdet(information)[1])
        likelihood[:, cell] = -0.5 * (log_determinant + np.square(seen - known @ fitted).sum(axis=0))
        variance[cell] = float(np.einsum("wi,ij,wj->w", design, covariances[cell], design).mean())
    return [Fitted(likelihood[s], variance, coefficients[s], covariances) for s in range(streams)]


def posteriors(fitted: Sequence[Fitted]) -> list[Offsets]:
    """Return the posterior of each stream by the prior that all of them give."""
    stacked = np.stack([one.likelihood for one in fitted])
    scaled = np.exp(stacked - stacked.max(axis=1, keepdims=True))
    flat = np.full(len(CELLS), 1.0 / len(CELLS))
    prior = flat
    for _ in range(_STEPS if len(stacked) > 1 else 0):
        mass = scaled * prior
        prior = (1 - FLAT_SHARE) * (mass / mass.sum(axis=1, keepdims=True)).mean(axis=0) + FLAT_SHARE * flat
    mass = scaled * prior
    mass = mass / mass.sum(axis=1, keepdims=True)
    return [Offsets(one, each.mean_variance) for one, each in zip(mass, fitted, strict=True)]

"""Is a probability what it says? The slope of labels on log odds, 1 where it is, with an interval that counts patients.

Below 1 a model is too sure of itself, above 1 not sure enough (Cox 1958). Fitted without a prior, on probabilities that
were calibrated on other patients. Not here: calibrating (``calibration``), the error over bins
(``calibration_error``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.evaluation.calibration import logit, sigmoid
from radia_pipeline.evaluation.class_figures import OneClass
from radia_pipeline.evaluation.intervals import LEVEL

MIN_PATIENTS = 10
"""Patients with a positive, and with a negative, under which a slope says nothing."""
MOST_LOG_ODDS = 12.0
"""Farther out log odds are cut: a calibration that says 0 or 1 would be a single study's slope."""
_ITERATIONS, _CLOSE, _SINGULAR = 60, 1e-9, 1e10


@dataclass(frozen=True)
class Slope:
    """A slope with its interval; ``offset``: of the log odds, beside it."""

    value: float
    low: float
    high: float
    offset: float


def calibration_slope(one: OneClass, comparisons: int = 1) -> Slope | None:
    """Return a class's slope; None where too few patients could say, or where the kinds are apart.

    ``comparisons``: slopes that are looked at together; the interval holds all of them at once (Bonferroni). Its width
    is that of sums over patients (a sandwich), with as many degrees of freedom as there are positive patients less two;
    never under that of independent studies, for where kinds are nearly apart hardly a study is left to sum over, and
    the slope seems surer the less is known of it.
    """
    from scipy.stats import t

    if min(one.positive_patients, one.negative_patients) < MIN_PATIENTS:
        return None
    z = np.clip(logit(one.score), -MOST_LOG_ODDS, MOST_LOG_ODDS)
    x, y = np.column_stack([z, np.ones_like(z)]), one.positive.astype(float)
    fitted = _fitted(x, y)
    if fitted is None:
        return None
    beta, bread = fitted
    moved = (x * (y - sigmoid(x @ beta))[:, None]) @ bread
    of_patients = np.square(one.studies.by_group(moved[:, 0])).sum() * one.patients / (one.patients - 1)
    spread = max(float(of_patients), float(bread[0, 0]))
    reach = t.ppf(1 - (1 - LEVEL) / 2 / comparisons, max(one.positive_patients - 2, 1)) * np.sqrt(spread)
    return Slope(float(beta[0]), float(beta[0] - reach), float(beta[0] + reach), float(beta[1]))


def _fitted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return coefficients (2,) and the inverse of the information (2, 2); None where they run away.

    Newton's method with halved steps, from a slope of 0 and on log odds of unit spread: far from there a model that is
    too sure of itself has no curvature to climb by.
    """
    spread = float(x[:, 0].std())
    if spread <= 0:
        return None
    x = x / [spread, 1.0]
    beta = np.array([0.0, float(logit(np.array(y.mean())))])
    for _ in range(_ITERATIONS):
        p = sigmoid(x @ beta)
        information = x.T @ (x * (p * (1 - p))[:, None])
        if not np.isfinite(information).all() or np.linalg.cond(information) > _SINGULAR:
            return None
        step = np.linalg.solve(information, x.T @ (y - p))
        while _loss(x, y, beta + step) > _loss(x, y, beta) and np.abs(step).max() > _CLOSE:
            step = step / 2
        beta = beta + step
        if np.abs(step).max() <= _CLOSE:
            scale = np.array([spread, 1.0])
            return beta / scale, np.linalg.inv(information) / np.outer(scale, scale)
    return None


def _loss(x: np.ndarray, y: np.ndarray, beta: np.ndarray) -> float:
    z = x @ beta
    return float(np.sum(np.logaddexp(0.0, z) - y * z))

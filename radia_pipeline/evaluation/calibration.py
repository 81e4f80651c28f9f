"""Calibration on a whole pool, so that a probability means a share of such studies; kept as numbers, nothing else.

Only pools of natural prevalence may be used: on a quota set the shift would be wrong for every other patient. What does
not belong here: which method a class gets and that no class stands above its parents (``coherence``, ``ensemble``),
measuring calibration (``class_figures``) and drawing it (``curves``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.evaluation.metrics import counted

SLOPE_DEVIATION = 0.5
"""Of the prior around a slope of 1: with few positives the slope stays there, with many it goes where they say."""
MIN_SLOPE, MAX_SLOPE = 0.05, 20.0  # a calibration never reverses nor flattens a ranking
LOGIT_LIMIT = 30.0
ITERATIONS = 100
MIN_FOR_STEPS = 100
"""Positives, and negatives, under which isotonic regression would follow single studies."""
KEPT_SLOPE = 0.02
"""Share of Platt's curve under the steps of isotonic regression, so that no two scores become equal."""


@dataclass(frozen=True)
class Calibration:
    """A rising map of logits: a * logit + b, under steps from ``knots`` to ``shares`` where there are some. Identity by
    default."""

    a: float = 1.0
    b: float = 0.0
    method: str = "none"
    knots: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Map logits of any shape."""
        logits = np.asarray(logits, dtype=np.float64)
        straight = self.a * logits + self.b
        if not self.knots:
            return straight
        stepped = np.interp(logits, self.knots, self.shares)
        mixed = logit((1 - KEPT_SLOPE) * stepped + KEPT_SLOPE * sigmoid(straight))
        return np.where(np.isfinite(logits), mixed, np.nan)

    def then(self, slope: float, shift: float) -> Calibration:
        """Return this curve followed by a line of log odds; its steps move as they would alone."""
        shares = tuple(sigmoid(slope * logit(np.array(self.shares)) + shift).tolist()) if self.knots else ()
        return replace(self, a=self.a * slope, b=self.b * slope + shift, shares=shares)


def sigmoid(logit: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logit)) in float64 without overflow."""
    logit = np.asarray(logit, dtype=np.float64)
    small = np.exp(-np.abs(logit))
    return np.where(logit >= 0, 1.0 / (1.0 + small), small / (1.0 + small))


def logit(probability: np.ndarray) -> np.ndarray:
    """Inverse of :func:`sigmoid`, limited to +-30 where a probability is 0 or 1."""
    p = np.asarray(probability, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.clip(np.log(p) - np.log1p(-p), -LOGIT_LIMIT, LOGIT_LIMIT)


def fit_platt(logits: np.ndarray, label: np.ndarray) -> Calibration:
    """Fit a and b with Platt's (1999) smoothed targets, which keep them finite when the classes separate, and a prior
    around a = 1. ``logits`` (n,), ``label`` (n,) of 1/0/other. Identity without both kinds."""
    z, y = _counted(logits, label)
    if not _has_both(y):
        return Calibration()
    target = _smoothed(y)
    fitted = _newton(z, target, slope=True, shift=True)
    if not MIN_SLOPE <= fitted.a <= MAX_SLOPE:
        fitted = _newton(z, target, slope=False, shift=True)
    return Calibration(fitted.a, fitted.b, "platt")


def fit_expected(logits: np.ndarray, share: np.ndarray) -> Calibration:
    """Do as :func:`fit_platt` on the chance (n,) that each study is positive, where nobody knows which are; finite.
    A curve that would reverse the ranking keeps a slope of 1."""
    z = np.clip(np.asarray(logits, dtype=np.float64), -LOGIT_LIMIT, LOGIT_LIMIT)
    fitted = _newton(z, np.asarray(share, dtype=np.float64), slope=True, shift=True)
    if not MIN_SLOPE <= fitted.a <= MAX_SLOPE:
        fitted = _newton(z, np.asarray(share, dtype=np.float64), slope=False, shift=True)
    return Calibration(fitted.a, fitted.b, "platt")


def fit_shift(logits: np.ndarray, label: np.ndarray) -> Calibration:
    """Fit b alone: the prior shift between how a class was weighted in training and its prevalence here."""
    z, y = _counted(logits, label)
    if not _has_both(y):
        return Calibration()
    return Calibration(1.0, _newton(z, _smoothed(y), slope=False, shift=True).b, "shift")


def fit_isotonic(logits: np.ndarray, label: np.ndarray) -> Calibration:
    """Fit steps (scikit-learn's isotonic regression, of smoothed targets); Platt's line where there are too few."""
    from sklearn.isotonic import IsotonicRegression

    z, y = _counted(logits, label)
    platt = fit_platt(logits, label)
    if min(int(y.sum()), int((1 - y).sum())) < MIN_FOR_STEPS:
        return platt
    steps = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(z, _smoothed(y))
    knots, shares = (tuple(float(x) for x in part) for part in (steps.X_thresholds_, steps.y_thresholds_))
    return Calibration(platt.a, platt.b, "isotonic", knots, shares)


METHODS = Table("calibration", {"platt": fit_platt, "isotonic": fit_isotonic})
"""Logits and labels → a calibration, in order of preference."""


def log_loss(logits: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of each study (n,); NaN where the label does not count."""
    target = np.where(counted(label), np.asarray(label), np.nan)
    return np.logaddexp(0.0, logits) - target * logits


def _has_both(y: np.ndarray) -> bool:
    return bool(len(y)) and 0 < y.sum() < len(y)


def _smoothed(y: np.ndarray) -> np.ndarray:
    positives, negatives = int(y.sum()), int((1 - y).sum())
    return np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _counted(logits: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = counted(label)
    z = np.clip(np.asarray(logits, dtype=np.float64)[kept], -LOGIT_LIMIT, LOGIT_LIMIT)
    return z, (np.asarray(label)[kept] == 1).astype(int)


def _loss(z: np.ndarray, target: np.ndarray, ab: np.ndarray) -> float:
    moved = ab[0] * z + ab[1]
    prior = 0.5 * ((ab[0] - 1) / SLOPE_DEVIATION) ** 2
    return float(np.sum(np.logaddexp(0.0, moved) - target * moved)) + prior


def _newton(z: np.ndarray, target: np.ndarray, *, slope: bool, shift: bool) -> Calibration:
    """Newton's method with halved steps on the convex cross-entropy in (a, b), a near 1; what is not fitted stays
    (1, 0)."""
    columns = np.column_stack([z, np.ones_like(z)])
    free = np.array([slope, shift])
    certainty = np.diag([1 / SLOPE_DEVIATION**2, 1e-9])
    ab = np.array([1.0, 0.0])
    before = _loss(z, target, ab)
    for _ in range(ITERATIONS):
        p = sigmoid(ab[0] * z + ab[1])
        gradient = columns.T @ (p - target) + certainty @ (ab - [1.0, 0.0])
        hessian = columns.T @ (columns * (p * (1 - p))[:, None]) + certainty
        step, scale = np.zeros(2), 1.0
        step[free] = np.linalg.solve(hessian[np.ix_(free, free)], gradient[free])
        while (after := _loss(z, target, ab - scale * step)) > before and scale > 1e-8:
            scale *= 0.5
        ab, before = ab - scale * step, after
        if np.abs(scale * step).max() < 1e-10 or scale <= 1e-8:
            break
    return Calibration(float(ab[0]), float(ab[1]))

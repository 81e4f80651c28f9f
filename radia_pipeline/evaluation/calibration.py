"""Calibration on a whole pool: logit' = a * logit + b, so that a probability means a share of such studies.

Only pools of natural prevalence may be used: on a quota set the shift b would be wrong for every other patient. What
does not belong here: measuring calibration (``metrics``) and drawing it (``curves``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.evaluation.metrics import counted

MIN_POSITIVES_FOR_SLOPE = 10  # below this only the shift b is fitted: a slope would be noise
MIN_SLOPE, MAX_SLOPE = 0.05, 20.0  # a calibration never reverses nor flattens a ranking
LOGIT_LIMIT = 30.0
ITERATIONS = 100


@dataclass(frozen=True)
class Calibration:
    """An affine map of logits. Identity by default."""

    a: float = 1.0
    b: float = 0.0

    def __call__(self, logit: np.ndarray) -> np.ndarray:
        """Map logits of any shape."""
        return self.a * np.asarray(logit, dtype=np.float64) + self.b


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
    """Fit a and b by maximum likelihood with Platt's (1999) smoothed targets, which keep them finite when the classes
    separate. ``logits`` (n,), ``label`` (n,) of 1/0/other. Identity without both kinds; only b with few of one kind."""
    z, y = _counted(logits, label)
    positives, negatives = int(y.sum()), int((1 - y).sum())
    if not positives or not negatives:
        return Calibration()
    target = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    if min(positives, negatives) < MIN_POSITIVES_FOR_SLOPE:
        return _newton(z, target, slope=False, shift=True)
    fitted = _newton(z, target, slope=True, shift=True)
    if MIN_SLOPE <= fitted.a <= MAX_SLOPE:
        return fitted
    return _newton(z, target, slope=False, shift=True)


def fit_temperature(logits: np.ndarray, label: np.ndarray) -> Calibration:
    """Fit a alone (1 / temperature, Guo 2017); identity without both kinds or outside the allowed slopes."""
    z, y = _counted(logits, label)
    if y.min(initial=1) == y.max(initial=0):
        return Calibration()
    fitted = _newton(z, y.astype(float), slope=True, shift=False)
    return fitted if MIN_SLOPE <= fitted.a <= MAX_SLOPE else Calibration()


def _counted(logits: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = counted(label)
    z = np.clip(np.asarray(logits, dtype=np.float64)[kept], -LOGIT_LIMIT, LOGIT_LIMIT)
    return z, (np.asarray(label)[kept] == 1).astype(int)


def _loss(z: np.ndarray, target: np.ndarray, ab: np.ndarray) -> float:
    moved = ab[0] * z + ab[1]
    return float(np.sum(np.logaddexp(0.0, moved) - target * moved))


def _newton(z: np.ndarray, target: np.ndarray, *, slope: bool, shift: bool) -> Calibration:
    """Newton's method with halved steps on the convex cross-entropy in (a, b); what is not fitted stays (1, 0)."""
    columns = np.column_stack([z, np.ones_like(z)])[:, [i for i, free in enumerate((slope, shift)) if free]]
    free = np.array([slope, shift])
    ab = np.array([1.0, 0.0])
    for _ in range(ITERATIONS):
        p = sigmoid(ab[0] * z + ab[1])
        gradient = columns.T @ (p - target)
        hessian = columns.T @ (columns * (p * (1 - p))[:, None]) + 1e-9 * np.eye(columns.shape[1])
        step, scale = np.zeros(2), 1.0
        step[free] = np.linalg.solve(hessian, gradient)
        before = _loss(z, target, ab)
        while scale > 1e-8 and _loss(z, target, ab - scale * step) > before:
            scale *= 0.5
        ab = ab - scale * step
        if np.abs(scale * step).max() < 1e-10 or scale <= 1e-8:
            break
    return Calibration(float(ab[0]), float(ab[1]))

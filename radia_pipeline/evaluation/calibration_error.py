"""Expected calibration error beside what it would be if the model were calibrated.

Over few studies a calibrated model shows an error too, so the figure says nothing without its band. What does not
belong here: fitting (``calibration``), reliability as points (``curves``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.evaluation.class_figures import MOST_EFFECT, OneClass
from radia_pipeline.evaluation.groups import MIN_PATIENTS
from radia_pipeline.evaluation.intervals import LEVEL
from radia_pipeline.evaluation.metrics import ECE_BINS, bin_of

DRAWS = 2000


@dataclass(frozen=True)
class CalibrationError:
    """``value``: the error. ``expected``, ``low``, ``high``: that of a calibrated model on these studies, its mean and
    95 % of its draws."""

    value: float
    expected: float
    low: float
    high: float


def calibration_error(one: OneClass, bins: int = ECE_BINS) -> CalibrationError | None:
    """Return the error over equal-width bins (Naeini 2015); None of fewer than two patients or of certain scores.

    A bin's gap under calibration has the variance of its probabilities, more where studies of a patient err alike.
    """
    if one.patients < MIN_PATIENTS:
        return None
    p, count = np.clip(one.score, 0.0, 1.0), len(one.score)
    place, residual = bin_of(p, bins), one.positive - p
    spread = np.bincount(place, weights=p * (1 - p), minlength=bins)
    if spread.sum() <= 0:
        return None
    together = float(np.square(one.studies.by_group(residual)).sum() / spread.sum())
    effect = np.clip(together, 1.0, MOST_EFFECT * count / one.patients)
    drawn = np.random.default_rng(0).standard_normal((DRAWS, bins)) * np.sqrt(spread * effect)
    errors = np.abs(drawn).sum(axis=1) / count
    value = float(np.abs(np.bincount(place, weights=residual, minlength=bins)).sum() / count)
    low, high = np.quantile(errors, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return CalibrationError(value, float(errors.mean()), float(low), float(high))

"""Two-sided cumulative sums in standard deviations of one image, with the effect floor in their slack.

Page (1954), Continuous inspection schemes, Biometrika 41; the slack is the middle between a shift that does not matter
and one worth finding, which is optimal between these two (Moustakides 1986, Annals of Statistics 14). Several reaches
run side by side, for small shifts that last and large ones at once (Sparks 2000, Journal of Quality Technology 32).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_WEIGHT, LEAST_WEIGHT = 2.0, 0.25
"""Of one window: a very full one decides nothing alone, a thin one still counts."""


def slack_of(floor_sd: float, smallest_sd: float) -> float:
    """Return the slack, in standard deviations, between a shift without meaning and the smallest worth finding."""
    return (floor_sd + smallest_sd) / 2


def weights(variances: np.ndarray, nominal: float) -> np.ndarray:
    """Return the weight (w,) of windows whose means have these variances; 1 for the nominal variance.

    A log likelihood ratio of normal means divides by the variance.
    """
    return np.clip(nominal / np.asarray(variances, dtype=float), LEAST_WEIGHT, MOST_WEIGHT)


def cumulative_sums(
    shifts: Sequence[float] | np.ndarray, slacks: Sequence[float], weight: np.ndarray | float = 1.0
) -> np.ndarray:
    """Return the sums (w, slacks, 2), upward and downward, of window shifts (w,) in standard deviations."""
    found = np.zeros((len(shifts), len(slacks), 2))
    state, slack = np.zeros((len(slacks), 2)), np.asarray(slacks, dtype=float)[:, None]
    steps = np.stack([np.asarray(shifts, dtype=float), -np.asarray(shifts, dtype=float)], axis=1)
    for row, (step, one) in enumerate(zip(steps, np.broadcast_to(weight, len(steps)), strict=True)):
        state = np.maximum(0.0, state + one * (step - slack))
        found[row] = state
    return found


def onset(sums: np.ndarray, row: int) -> int:
    """Return the row of the first window of the excursion in which the sum (w,) stands at ``row``.

    The last zero before the alarm is the usual estimate of the change (Page 1954; Hinkley 1971, Biometrika 58).
    """
    before = np.flatnonzero(np.asarray(sums)[: row + 1] <= 0.0)
    return int(before[-1]) + 1 if len(before) else 0

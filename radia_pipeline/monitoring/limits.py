"""The limit of a cumulative sum: the protocol is played on quiet windows, and the limit is what it seldom passes.

Quiet windows are made of the reference itself: values of patients drawn with replacement (a patient gives one image to
a window and is drawn whole), the offset of ``between`` from its posterior, and the error of the reference's own mean,
which no later window mends. Beyond the simulated quantile the tail of a cumulative sum is exponential (Siegmund 1985,
Sequential Analysis, chapter II).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from radia_pipeline.monitoring.between import CELLS, Offsets

PATHS, STEPS, WARM_UP = 4000, 160, 40
MEANS = 4096
"""Window means that are drawn from the reference's patients."""
TAIL = 1e-3
"""Share of the simulated sums from which on the tail is fitted where the wanted one is too rare to be read off."""
LEAST_SEEN = 60


def drawn_means(values: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return MEANS means of ``count`` patients' values, drawn with replacement, centred on the reference's mean."""
    many = min(MEANS, max(256, 2_000_000 // count))
    return rng.choice(values, (many, count)).mean(axis=1) - values.mean()


def quiet_sums(noise: np.ndarray, offsets: Offsets, slacks: Sequence[float], rng: np.random.Generator) -> np.ndarray:
    """Return the larger of both sums, (slacks, windows), over PATHS x (STEPS - WARM_UP) quiet windows.

    ``noise``: means of windows in standard deviations of one image.
    """
    cell = offsets.upper_cell()
    spread, memory = CELLS[cell]
    offset = rng.normal(size=PATHS) * spread
    error = rng.normal(size=PATHS) * math.sqrt(offsets.mean_variance[cell])
    fresh = spread * math.sqrt(1 - memory**2)
    slack = np.asarray(slacks, dtype=float)[:, None]
    up, down = np.zeros((2, len(slacks), PATHS))
    found = np.empty((STEPS - WARM_UP, len(slacks), PATHS))
    for step in range(STEPS):
        shift = noise[rng.integers(0, len(noise), PATHS)] + offset - error
        np.maximum(up + shift - slack, 0.0, out=up)
        np.maximum(down - shift - slack, 0.0, out=down)
        if step >= WARM_UP:
            np.maximum(up, down, out=found[step - WARM_UP])
        offset = memory * offset + fresh * rng.normal(size=PATHS)
    return found.transpose(1, 0, 2).reshape(len(slacks), -1)


def limit_of(sums: np.ndarray, share: float) -> float:
    """Return the limit that a share of quiet windows passes; by an exponential tail where that is too rare to count."""
    ordered = np.sort(sums)
    if share * len(ordered) >= LEAST_SEEN:
        return float(ordered[len(ordered) - math.ceil(share * len(ordered))])
    start = float(np.quantile(ordered, 1 - TAIL))
    beyond = ordered[ordered > start] - start
    scale = float(beyond.mean()) if len(beyond) else 0.0
    return start + scale * math.log(TAIL / share)

"""The limit of a scan: the protocol is played on quiet windows, and the limit is what they seldom pass.

Quiet windows are made of the reference itself: values of patients drawn with replacement (a patient gives one image to
a window and is drawn whole), offsets by the law that ``between`` found, and the error of the reference's own mean.
Beyond the simulated quantile the tail is taken for exponential, which is heavier than that of a
scan.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from radia_pipeline.monitoring.scan import Wander, scan

PATHS, STEPS, WARM_UP = 1000, 140, 20
MEANS = 4096
"""Window means that are drawn from the reference's patients."""
TAIL = 1e-3
"""Share of the simulated windows from which on the tail is fitted where the wanted one is too rare to be read off."""
LEAST_SEEN = 60
Draw = Callable[[np.ndarray], np.ndarray]
"""Offsets (n,) of windows → their shifts (n,), both in standard deviations of one image."""


def of_values(values: np.ndarray, count: int, rng: np.random.Generator) -> Draw:
    """Return how windows of ``count`` patients are drawn with replacement from values of single images, in spreads
    around the reference's mean."""
    many = min(MEANS, max(256, 2_000_000 // count))
    means = rng.choice(values, (many, count)).mean(axis=1) - values.mean()
    return lambda offset: means[rng.integers(0, many, len(offset))] + offset


def of_share(share: float, count: int, rng: np.random.Generator) -> Draw:
    """Return how windows of a share are drawn: an offset moves the share itself, and with it how much chance does."""
    spread = math.sqrt(share * (1 - share))
    return lambda offset: (rng.binomial(count, np.clip(share + offset * spread, 0.0, 1.0)) / count - share) / spread


def quiet_windows(draw: Draw, wander: Wander, rng: np.random.Generator) -> np.ndarray:
    """Return shifts (PATHS, STEPS) of quiet windows in standard deviations of one image."""
    spread = math.sqrt(wander.offset_variance)
    offset = rng.normal(size=PATHS) * spread
    error = rng.normal(size=PATHS) * math.sqrt(wander.mean_variance)
    fresh = spread * math.sqrt(1 - wander.memory**2)
    found = np.empty((PATHS, STEPS))
    for step in range(STEPS):
        found[:, step] = draw(offset) - error
        offset = wander.memory * offset + fresh * rng.normal(size=PATHS)
    return found


def quiet_scan(draw: Draw, per_window: float, wander: Wander, floor_sd: float, rng: np.random.Generator) -> np.ndarray:
    """Return the scan of quiet windows, (PATHS x (STEPS - WARM_UP),)."""
    series = quiet_windows(draw, wander, rng)
    beyond, _ = scan(series, np.full(STEPS, 1.0 / per_window), np.ones(STEPS), wander, floor_sd)
    return beyond[:, WARM_UP:].ravel()


def limit_of(figures: np.ndarray, share: float) -> float:
    """Return the limit that a share of quiet windows passes; by an exponential tail where that is too rare to count."""
    ordered = np.sort(figures)
    if share * len(ordered) >= LEAST_SEEN:
        return float(ordered[len(ordered) - math.ceil(share * len(ordered))])
    start = float(np.quantile(ordered, 1 - TAIL))
    beyond = ordered[ordered > start] - start
    scale = float(beyond.mean()) if len(beyond) else 0.0
    return start + scale * math.log(TAIL / share)

"""A pool drawn anew from what was read of it: how far a weighted figure may lie from the pool's own.

The unread studies of a stratum are like its read ones: a replicate weighs the read studies by a Bayesian bootstrap
within their stratum (Rubin 1981), the closer to their design weights the more of the stratum was read (the correction
for a finite population). A sample does not show what it did not meet: each replicate holds one unread study more, which
speaks for the figure in one half of the replicates and against it in the other. For weighted counts that is the middle
of the two bounds of Fay and Feuer (1997; mid-P: Fay & Kim 2017), for a share of equal weights about Jeffreys' interval.
Nothing is tuned. Not here: the figures (``weighted``), groups of patients (a set holds one study of each).

Shape legend: n read studies, R replicates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

REPLICATES = 2000
LIMITS = (0.025, 0.975)


@dataclass(frozen=True)
class Redraws:
    """``weight`` (R, n): of the read studies; ``design`` (n,): their weights by the draw.

    ``speaks_for`` (R,): whether the unread study speaks for the figure; ``mass`` (R,): how many studies of its kind it
    stands for, in units of its weight; ``where`` (R,): uniform, from which its place follows.
    """

    weight: np.ndarray
    design: np.ndarray
    speaks_for: np.ndarray
    mass: np.ndarray
    where: np.ndarray

    @classmethod
    def of(cls, weight: np.ndarray, stratum: np.ndarray, replicates: int = REPLICATES, seed: int = 0) -> Redraws:
        """Draw anew. ``weight`` (n,): 1 / inclusion probability; ``stratum`` (n,): names.

        A pool that was read whole is taken as a sample of patients to come: its strata were drawn from many.
        """
        drawn, mass, where = (part.copy() for part in _numbers(replicates, len(weight), seed))
        is_whole = bool((weight <= 1).all())
        for name in np.unique(stratum):
            inside = np.flatnonzero(stratum == name)
            share = 0.0 if is_whole else min(1.0, float(1.0 / weight[inside].min()))
            part = drawn[:, inside]
            if len(inside) > 1:  # a single study tells nothing of its stratum's others: its own number varies
                part /= part.mean(axis=1, keepdims=True)
            drawn[:, inside] = 1 + np.sqrt(1 - share) * (part - 1)
        drawn *= weight
        return cls(drawn, weight, np.arange(replicates) % 2 == 0, mass, where)

    def one_more(self, among: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return each replicate's unread study: the read one whose place it shares, and its mass: two (R,).

        It is any study of the pool that was not read; ``among`` (n,) of bool: one like these, where there are some.
        """
        unread = np.maximum(self.design - 1, 1e-9) * (among if among is not None and among.any() else 1.0)
        reached = np.cumsum(unread)
        place = np.minimum(np.searchsorted(reached, self.where * reached[-1], side="right"), len(unread) - 1)
        return place, self.mass * self.design[place]

    def for_and_against(self, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split masses (R,) into those of replicates that speak for a figure and those that speak against it."""
        return np.where(self.speaks_for, mass, 0.0), np.where(self.speaks_for, 0.0, mass)


@lru_cache(maxsize=4)
def _numbers(replicates: int, studies: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same random numbers for every class of a set: exponential (R, n) and (R,), uniform (R,)."""
    generator = np.random.default_rng(seed)
    parts = (generator.standard_exponential((replicates, studies)), generator.standard_exponential(replicates))
    return *parts, generator.random(replicates)


def limits(value: float, replicates: np.ndarray) -> tuple[float, float]:
    """Return (low, high) of a figure from its replicates (R,), its estimate inside; NaN where none exists."""
    finite = replicates[np.isfinite(replicates)]
    if not len(finite) or not np.isfinite(value):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, LIMITS)
    return min(float(low), value), max(float(high), value)


def unread_weight(weight: np.ndarray) -> float:
    """Return the mean weight of a study that was not read, as ``Redraws.one_more`` draws it; 0 where all were read."""
    unread = np.maximum(weight - 1, 0.0)
    return float((weight * unread).sum() / unread.sum()) if unread.sum() > 0 else 0.0

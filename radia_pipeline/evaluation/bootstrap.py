"""Resampling groups of patients, never studies: a patient's films are not independent of each other.

A replicate is a row of multinomial weights over groups, so a thousand replicates of a weighted figure are a few matrix
products (``metrics``). Intervals of single figures are closed forms, for percentiles of resampled figures do not hold
with few positives; this is what they are measured against. Not here: those forms (``intervals``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from radia_pipeline.evaluation.groups import numbered
from radia_pipeline.evaluation.intervals import LEVEL

REPLICATES = 1000
CHUNK_CELLS = 4_000_000  # weights held at once: 32 MB, whatever the pool's size


@dataclass(frozen=True)
class Resampler:
    """Draws weights over n rows that belong to groups. ``index`` (n,) numbers each row's group from 0."""

    index: np.ndarray
    groups: int
    replicates: int = REPLICATES
    seed: int = 0

    @classmethod
    def of(cls, group_ids: np.ndarray, replicates: int = REPLICATES, seed: int = 0) -> Resampler:
        """Number the groups by sorted name, so that the draw does not depend on the order of rows."""
        index, names = numbered(group_ids)
        return cls(index, len(names), replicates, seed)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield weights (r, n) float64 in chunks whose rows sum up to ``replicates``; their size does not matter."""
        generator = np.random.default_rng(self.seed)
        rows = max(1, CHUNK_CELLS // max(len(self.index), 1))
        for start in range(0, self.replicates, rows):
            count = min(rows, self.replicates - start)
            drawn = np.stack([self._draw(generator) for _ in range(count)])
            yield drawn[:, self.index]

    def _draw(self, generator: np.random.Generator) -> np.ndarray:
        """One multinomial(G, 1/G) count per group, by counting G uniform draws: linear in G."""
        picks = generator.integers(0, self.groups, self.groups)
        return np.bincount(picks, minlength=self.groups).astype(np.float64)


def percentile_interval(replicates: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return (low, high) of replicates (R,), leaving out those in which the figure does not exist."""
    finite = replicates[np.isfinite(replicates)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

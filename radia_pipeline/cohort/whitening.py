"""Descriptors of a lake's films made unlike each other: centred and whitened by what those films have in common.

Films of one lake share more than chests do (machines, views, margins), so that strangers lie near each other along a
few directions, in which a copy is not told from them. Dividing by the spread along each direction takes that away
(Jégou and Chum 2012, "Negative evidences and co-occurrences in image retrieval"). Not here: what a descriptor is
(``film_descriptor``), which similarities are worth a look (``copies``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_FILMS = 500
"""Films below which their covariance is not known well enough: descriptors stay as they are."""
_MOST_FILMS = 20_000
_RIDGE = 0.5
"""Of the mean variance, added to each: directions in which films hardly differ hold what alterations do."""
_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Whitening:
    """``mean``: (SIZE,) and ``map``: (SIZE, SIZE), float32."""

    mean: np.ndarray
    map: np.ndarray

    def of(self, vectors: np.ndarray) -> np.ndarray:
        """Return descriptors (n, SIZE) whitened, of length one and the type of ``vectors``; a zero one stays zero."""
        found = np.empty_like(vectors)
        for start in range(0, len(vectors), _AT_ONCE):
            part = vectors[start : start + _AT_ONCE].astype(np.float32)
            moved = (part - self.mean) @ self.map
            length = np.linalg.norm(moved, axis=1, keepdims=True)
            moved = np.divide(moved, length, out=np.zeros_like(moved), where=length > 1e-9)
            moved[~part.any(axis=1)] = 0
            found[start : start + len(part)] = moved
        return found


def learned(vectors: np.ndarray) -> Whitening | None:
    """Return the whitening of a lake's descriptors (n, SIZE), None where they are too few; of many, every so-manieth
    is looked at.
    """
    if len(vectors) < LEAST_FILMS:
        return None
    some = vectors[:: max(1, len(vectors) // _MOST_FILMS)].astype(np.float64)
    some = some[some.any(axis=1)]
    if len(some) < LEAST_FILMS:
        return None
    mean = some.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(some - mean, rowvar=False))
    scale = 1 / np.sqrt(variances + _RIDGE * variances.mean() + np.finfo(np.float64).tiny)
    return Whitening(mean.astype(np.float32), ((directions * scale) @ directions.T).astype(np.float32))

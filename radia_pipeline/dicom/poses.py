"""How a picture lies: a frontal or lateral chest as it should be, inverted, turned, or nothing of the kind.

A linear model over a rank-normalised 16 × 16 thumbnail, so that window and device do not matter. Its weights
(``poses.npz``) were learnt by ``benchmarks/ingest_flags.py`` from phantoms and drawn non-chests alone, no patient. What
is done with the shares stands in ``pixel_checks``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

POSES = ("frontal", "lateral", "inverted", "turned_left", "turned_right", "upside_down", "other")
_WEIGHTS = Path(__file__).with_name("poses.npz")
_SIDE = 16
_GREY_STEP = 1e-4
"""Grey values nearer than this are one value and share a rank: a flat background stays flat."""
_SHIFTS = range(-3, 4)


@dataclass(frozen=True)
class Pose:
    """``shares``: of each of POSES, together 1. ``symmetry``: correlation with the mirror image, −1 to 1."""

    shares: dict[str, float]
    symmetry: float


def pose_of(small: np.ndarray) -> Pose:
    """Judge a thumbnail, (32, 32) in [0, 1], bright means dense."""
    ranks = features(small)
    weights, offsets = _model()
    scores = weights @ ranks.ravel() + offsets
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    return Pose(dict(zip(POSES, shares.tolist())), _symmetry(ranks))


def features(small: np.ndarray) -> np.ndarray:
    """Return the mean ranks, (16, 16) in [−0.5, 0.5], of a thumbnail (32, 32)."""
    flat = np.rint(small.ravel() / _GREY_STEP)
    _, place, counts = np.unique(flat, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts + 1) / 2)[place] / (flat.size - 1) - 0.5
    return ranks.reshape(_SIDE, 2, _SIDE, 2).mean(axis=(1, 3))


@cache
def _model() -> tuple[np.ndarray, np.ndarray]:
    with np.load(_WEIGHTS, allow_pickle=False) as held:
        return held["weights"].astype(np.float64), held["offsets"].astype(np.float64)


def _symmetry(ranks: np.ndarray) -> float:
    """Return the best correlation of the picture with its mirror image over small shifts of the axis."""
    best = -1.0
    for shift in _SHIFTS:
        part = ranks[:, max(0, shift) : _SIDE + min(0, shift)]
        part = part - part.mean()
        norm = float((part * part).sum())
        if norm > 0:
            best = max(best, float((part * part[:, ::-1]).sum()) / norm)
    return best

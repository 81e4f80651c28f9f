"""Area averaging: every stored pixel is the mean of the delivered pixels under it, fractions included.

Geometry only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def fitted_size(height_px: int, width_px: int, max_side_px: int) -> tuple[int, int]:
    """Return (height, width) with the longest side at most ``max_side_px``, aspect kept, never enlarged."""
    longest = max(height_px, width_px)
    if longest <= max_side_px:
        return height_px, width_px
    scale = max_side_px / longest
    return max(1, round(height_px * scale)), max(1, round(width_px * scale))


@lru_cache(maxsize=64)
def _weights(size: int, target: int) -> csr_matrix:
    """Return the sparse (target, size) matrix whose row i holds the share of each source pixel in target pixel i."""
    from scipy.sparse import csr_matrix

    edges = np.arange(target + 1) * (size / target)
    taps = int(np.ceil(size / target)) + 1
    column = np.floor(edges[:-1]).astype(np.int64)[:, None] + np.arange(taps)
    overlap = np.minimum(edges[1:, None], column + 1) - np.maximum(edges[:-1, None], column)
    overlap = np.where(column < size, np.clip(overlap, 0.0, None), 0.0)
    overlap /= overlap.sum(axis=1, keepdims=True)
    rows = np.broadcast_to(np.arange(target)[:, None], column.shape)
    kept = overlap > 0
    return csr_matrix((overlap[kept].astype(np.float32), (rows[kept], column[kept])), shape=(target, size))


def area_average(image: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """Return ``image`` (H, W) reduced to (height_px, width_px), float32.

    Sizes above the image's own are not accepted.
    """
    if height_px > image.shape[0] or width_px > image.shape[1]:
        raise ValueError("area averaging only reduces")
    image = image.astype(np.float32, copy=False)
    if height_px < image.shape[0]:
        image = _weights(image.shape[0], height_px) @ image
    if width_px < image.shape[1]:
        image = (_weights(image.shape[1], width_px) @ np.ascontiguousarray(image.T)).T
    return np.ascontiguousarray(image)


def thumbnail(image: np.ndarray, side_px: int) -> np.ndarray:
    """Return ``image`` (H, W) as float64 (side_px, side_px) by area averaging, whatever its aspect.

    An image smaller than that is repeated, not interpolated.
    """
    image = np.asarray(image)
    factors = [-(-side_px // size) for size in image.shape]
    if max(factors) > 1:
        image = np.repeat(np.repeat(image, factors[0], axis=0), factors[1], axis=1)
    return area_average(image, side_px, side_px).astype(np.float64)

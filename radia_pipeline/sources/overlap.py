"""How much two boxes overlap. It stands with the sources because readers' boxes are joined by it, lowest in the house;
everything above that compares boxes uses it too.
"""

from __future__ import annotations

import numpy as np


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of corners (n, 4) and (m, 4): (n, m); 0 for boxes without area.

    Corners: left, top, right, bottom.
    """
    shared, area, other = _areas(first, second)
    union = area[:, None] + other[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def within(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Share of each box of corners (n, 4) that lies in each of corners (m, 4): (n, m); 0 for boxes without area."""
    shared, area, _ = _areas(first, second)
    area = np.broadcast_to(area[:, None], shared.shape)
    return np.divide(shared, area, out=np.zeros_like(shared), where=area > 0)


def _areas(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Areas that corners (n, 4) and (m, 4) share (n, m), and their own (n,) and (m,)."""
    first, second = np.asarray(first, dtype=float).reshape(-1, 4), np.asarray(second, dtype=float).reshape(-1, 4)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    area, other = (np.prod(np.clip(box[:, 2:] - box[:, :2], 0, None), axis=1) for box in (first, second))
    return shared, area, other

"""Where the thorax lies on a frontal film: an average chest is laid over it, moved and stretched until it fits best.

The average (``thorax.npz``: grey ranks and outline in the coordinates of the thorax's own box) was made of phantoms by
``benchmarks/thorax.py``, no patient. Fit is the correlation of ranks, so that window and device do not matter, and one
opaque lung leaves the other. Where nothing fits, the answer is that nothing was found. Frontal films that lie as they
should; what else may be on a film is ``pixel_checks``' question.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from radia_pipeline.dicom.resample import area_average, fitted_size

_AVERAGE = Path(__file__).with_name("thorax.npz")
SIDE = 64
"""Longest side of the picture on which the average is laid."""
GRID, REACH = 28, 1.3
"""Points a side of the average, and how far they reach; the edges of the thorax's box are at ±1."""
_RIM = 1.2
"""How far beyond the outline the average counts: farther out there is air beside one body and flesh of another."""
_LEAST_HALF, _MOST_HALF, _OVERHANG = 0.15, 0.52, 0.06
"""Of a box over the longest side, and how far it may hang over the film's edge."""
FOUND = 0.66
"""Correlation from which on a thorax is there."""
_CENTRES = (np.linspace(0.36, 0.64, 8), np.linspace(0.32, 0.64, 9))
_HALVES = (np.linspace(0.26, 0.47, 8), np.linspace(0.22, 0.46, 8))
"""Across and down, in shares of the longest side: where the search begins, and how large."""
_SIZE, _SHAPE = 0.25, 0.25
"""How much correlation a box must gain for being e times as small, and for a shape e times from the usual one, squared:
half of a chest looks like a small chest."""
_USUAL, _WIDER = np.log(1.04), 1.12
_SPARSE, _STEPS = 7, (0.02, 0.01, 0.005, 0.0025)


@dataclass(frozen=True)
class Thorax:
    """``outline``: (n, 2) x, y in pixels of the film, closed. ``fit``: correlation with the average, at most 1."""

    outline: np.ndarray
    fit: float

    def mask(self, height_px: int, width_px: int) -> np.ndarray:
        """Return what lies inside, bool (height_px, width_px); the outline must be in pixels of such a film."""
        import cv2

        filled = np.zeros((height_px, width_px), dtype=np.uint8)
        cv2.fillPoly(filled, [np.rint(self.outline).astype(np.int32)], 1)
        return filled.astype(bool)


def thorax_of(image: np.ndarray) -> Thorax | None:
    """Return the thorax of a frontal film (H, W), bright means dense; None where none is found."""
    height, width = image.shape
    if min(height, width) < 16:
        return None
    longest = max(height, width)
    small = area_average(np.asarray(image), *fitted_size(height, width, SIDE))
    ranks = ranked(small)
    best, fit = best_box(ranks)
    if fit < FOUND:
        return None
    centre, half = best[:2], best[2:]
    return Thorax((_average()[1] * half + centre) * longest, fit)


def ranked(picture: np.ndarray) -> np.ndarray:
    """Return each pixel's rank among all, in −0.5 to 0.5; equal grey values share one."""
    flat = np.round(picture.ravel(), 3)
    _, place, counts = np.unique(flat, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts + 1) / 2)[place] / max(flat.size - 1, 1) - 0.5
    return ranks.reshape(picture.shape)


def grid() -> np.ndarray:
    """Return the points (GRID², 2) x, y of the average, in the coordinates of the thorax's box."""
    ticks = np.linspace(-REACH, REACH, GRID)
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


def sampled(ranks: np.ndarray, boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return ranks at points (p, 2) of boxes (n, 4): centre x, y, half width and height, over the longest side.

    (n, p); beyond the film its edge goes on.
    """
    from scipy.ndimage import map_coordinates

    places = (points[None] * boxes[:, None, 2:] + boxes[:, None, :2]) * max(ranks.shape) - 0.5
    return map_coordinates(ranks, [places[..., 1], places[..., 0]], order=1, mode="nearest")


def _fits(ranks: np.ndarray, boxes: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the correlation (n,) of the average with what lies under boxes; ``chosen``: places of its points."""
    average = _average()[0][chosen]
    average = average - average.mean()
    seen = sampled(ranks, boxes, grid()[chosen])
    seen = seen - seen.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.square(seen).sum(axis=1)) * np.sqrt(np.square(average).sum())
    return seen @ average / np.maximum(norm, 1e-9)


@cache
def _near() -> np.ndarray:
    """Return the places of the average's points that lie inside its outline or in the rim."""
    outline = _average()[1]
    points, angles = grid(), np.arctan2(outline[:, 1], outline[:, 0])
    reach = np.interp(
        np.arctan2(points[:, 1], points[:, 0]),
        np.sort(angles),
        np.hypot(*outline[np.argsort(angles)].T),
        period=2 * np.pi,
    )
    return np.flatnonzero(np.hypot(*points.T) <= _RIM * reach)


def _preferred(ranks: np.ndarray, boxes: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return what the search maximises: the fit, less what a small or unusual box costs; nothing beyond the film."""
    size, shape = np.log(boxes[:, 2] * boxes[:, 3]) / 2, np.log(boxes[:, 2] / boxes[:, 3])
    fits = _fits(ranks, boxes, chosen) + _SIZE * size - _SHAPE * np.square(shape - _USUAL)
    return np.where(_is_on_film(ranks, boxes), fits, -np.inf)


def best_box(ranks: np.ndarray) -> tuple[np.ndarray, float]:
    """Search on a coarse net by what lies in the outline and its rim, then let the surroundings set the edges.

    The inside alone leaves the angles out; the surroundings alone would take half a chest for a small one, so that they
    may only widen what the inside found. Returns the box, and how well the inside fits.
    """
    near, everywhere = _near(), np.arange(GRID**2)
    shift = (np.array(ranks.shape[::-1]) / max(ranks.shape) - 1) / 2
    across, down = _CENTRES[0] + shift[0], _CENTRES[1] + shift[1]
    net = np.stack(np.meshgrid(across, down, *_HALVES, indexing="ij"), axis=-1).reshape(-1, 4)
    fits = _preferred(ranks, net, near[::_SPARSE])
    best = [int(np.argmax(np.where(net[:, 2] == half, fits, -np.inf))) for half in _HALVES[0][::2]]
    inside = max((_climbed(ranks, net[place], near) for place in best), key=lambda pair: pair[1])[0]
    ends = [_climbed(ranks, inside * [1, 1, wider, wider], everywhere, inside[2:]) for wider in (1.0, _WIDER)]
    box, preference = max(ends, key=lambda pair: pair[1])
    return box if np.isfinite(preference) else inside, float(_fits(ranks, inside[None], near)[0])


def _is_on_film(ranks: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    film = np.array(ranks.shape[::-1]) / max(ranks.shape)
    low, high = boxes[:, :2] - boxes[:, 2:], boxes[:, :2] + boxes[:, 2:]
    is_sized = (boxes[:, 2:] >= _LEAST_HALF).all(axis=1) & (boxes[:, 2:] <= _MOST_HALF).all(axis=1)
    return is_sized & (low >= -_OVERHANG).all(axis=1) & (high <= film + _OVERHANG).all(axis=1)


def _climbed(
    ranks: np.ndarray, box: np.ndarray, chosen: np.ndarray, least: np.ndarray | float = 0.0
) -> tuple[np.ndarray, float]:
    """Go uphill from a box, no half size below ``least``; returns the box and its preference."""
    fit = float(_preferred(ranks, box[None], chosen)[0])
    moves = np.concatenate([np.eye(4), -np.eye(4), [[0, 1, 0, 1], [0, -1, 0, -1]]])
    for step in _STEPS:
        while True:
            tried = box + moves * step
            fits = np.where((tried[:, 2:] >= least).all(axis=1), _preferred(ranks, tried, chosen), -np.inf)
            place = int(np.argmax(fits))
            if not fits[place] > fit + 1e-6:
                break
            box, fit = tried[place], float(fits[place])
    return box, fit


@cache
def _average() -> tuple[np.ndarray, np.ndarray]:
    """Return the average's ranks (GRID²,), mean 0, and its outline (n, 2)."""
    with np.load(_AVERAGE, allow_pickle=False) as held:
        ranks = held["ranks"].astype(np.float64)
        return ranks - ranks.mean(), held["outline"].astype(np.float64)

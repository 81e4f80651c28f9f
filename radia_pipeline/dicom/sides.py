"""How a frontal film differs from its mirror image: what a lake learns from which side of a film is the patient's left.

The part of the film that the thorax fills, moved and stretched to one grid, in ranks of grey, so that window, device
and position do not matter; then the edges in each cell of the grid, beside those of its mirror image. A film and its
mirror image have opposite features, exactly. No film comes back from them, and nothing is learned here (that is
``evaluation.sides``). Films that lie as they should; a heart on the right makes a film look mirrored.
"""

from __future__ import annotations

import numpy as np

from radia_pipeline.dicom import thorax
from radia_pipeline.dicom.resample import area_average, fitted_size

GRID_PX = 64
"""Side of the grid."""
_REACH = 1.15
"""How far it reaches beyond the thorax, of half the thorax."""
_FILM_PX = 128
"""Longest side of the film that is sampled."""
_CELL_PX, _CELLS = 6, GRID_PX // 6
_UNDIRECTED, _DIRECTED = (np.pi, 9, 0.5, 0.2), (2 * np.pi, 8, 0.0, 0.3)
_WAYS = (_UNDIRECTED, _DIRECTED)
"""Of counting edges: the turn after which a direction comes again, its parts, where they begin, and the most that an
edge counts beside its surroundings."""
FEATURES = _CELLS**2 * sum(parts for _, parts, _, _ in _WAYS)


def laid_out(image: np.ndarray) -> np.ndarray:
    """Return the thorax's part of a frontal film (H, W), bright means dense, on the grid: (64, 64) uint16, in ranks."""
    height, width = image.shape
    small = area_average(np.asarray(image), *fitted_size(height, width, thorax.SIDE))
    ranks = thorax.ranked(small)
    box = (_box_of(ranks) + _mirrored(_box_of(ranks[:, ::-1]), ranks.shape)) / 2
    film = area_average(np.asarray(image), *fitted_size(height, width, _FILM_PX)).astype(np.float64)
    # Sides were rounded to whole pixels at both sizes.
    film_size, small_size = (np.array(one.shape[::-1]) / max(one.shape) for one in (film, small))
    box = box * np.tile(film_size / small_size, 2)
    ticks = np.linspace(-_REACH, _REACH, GRID_PX)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    seen = thorax.sampled(film, box[None], points)[0].reshape(GRID_PX, GRID_PX)
    return np.rint((thorax.ranked(seen) + 0.5) * 65535).astype(np.uint16)


def side_features(grid: np.ndarray) -> np.ndarray:
    """Return how a grid of ``laid_out`` differs from its mirror image, (FEATURES,) float64."""
    picture = grid.astype(np.float64) / 65535
    return np.concatenate([(_edges(picture, *way) - _edges(picture[:, ::-1], *way)).ravel() for way in _WAYS])


def _box_of(ranks: np.ndarray) -> np.ndarray:
    """Return centre x, y and half sizes over the longest side of what fits a thorax best, whether it is one or not."""
    return thorax.best_box(ranks)[0]


def _mirrored(box: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.concatenate([[shape[1] / max(shape) - box[0]], box[1:]])


def _edges(picture: np.ndarray, turn: float, parts: int, begin: float, most: float) -> np.ndarray:
    """Return how strong edges of each direction are in each cell beside its surroundings: (cells, cells, parts).

    Histograms of oriented gradients (Dalal and Triggs 2005), each edge shared by the two nearest directions.
    """
    down, across = np.gradient(picture)
    place = (np.arctan2(down, across) % turn) / turn * parts - begin
    low, strength = np.floor(place).astype(int), np.hypot(down, across)
    share = place - low
    side = _CELLS * _CELL_PX
    cell = np.arange(side) // _CELL_PX
    row, column = np.broadcast_to(cell[:, None], (side, side)), np.broadcast_to(cell, (side, side))
    counts = np.zeros((_CELLS, _CELLS, parts))
    for direction, weight in ((low % parts, 1 - share), ((low + 1) % parts, share)):
        np.add.at(counts, (row, column, direction[:side, :side]), (strength * weight)[:side, :side])
    energy = np.pad(np.square(counts).sum(axis=-1), 1, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(energy, (3, 3)).sum(axis=(-2, -1))
    return np.minimum(counts / np.sqrt(around + 1e-6 * max(float(around.mean()), 1e-9))[..., None], most)

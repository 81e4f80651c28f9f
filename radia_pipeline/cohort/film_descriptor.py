"""What a film looks like in 256 numbers that alterations hardly move: to find copies, not to tell what is on it.

Constant margins are cut, the rest is brought to 128 × 128 and its detail normalised locally; unsigned orientations of
the detail are counted in 16 × 16 cells × 6. An inversion does not turn an unsigned orientation, a grey scale hardly
does, and a mirror only exchanges places of the histogram. A linear map (``film_descriptor.npz``, linear discriminant
analysis over altered phantoms, made by ``benchmarks/near_duplicates.py --learn``) keeps what tells exposures apart.

A crop or a margin moves everything, so one film asks several times: as it is, cut at its sides, laid into margins, and
each mirrored. Beyond the film stands what the mean film has there, which says nothing of this one. What two films have
in common on their pixels is in ``registration``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

SIDE_PX = 128
CELLS, TURNS = 16, 6
HISTOGRAM_SIZE = CELLS * CELLS * TURNS
SIZE = 256
Span = tuple[float, float]
Placement = tuple[Span, Span]
"""First and last row, first and last column that a query shows, in sides of the film; beyond 0 to 1 lies a margin."""
WHOLE: Placement = ((0.0, 1.0), (0.0, 1.0))
PLACEMENTS: tuple[Placement, ...] = (
    WHOLE,
    ((-0.118, 1.118), (-0.118, 1.118)),
    ((0.0, 1.05), (-0.055, 1.055)),
    ((-0.055, 1.055), (0.0, 1.09)),
    ((-0.05, 1.0), (-0.05, 1.0)),
    ((0.095, 0.905), (0.095, 0.905)),
    ((0.05, 0.95), (0.05, 1.0)),
    ((0.05, 0.95), (0.0, 0.915)),
)
"""What one film asks with, chosen on films and alterations of their own: what was cut is laid off the middle, too."""
QUERIES = 2 * len(PLACEMENTS)
_DETAIL_PX, _NORM_PX = 2.0, 6.0
_CUT_SIDE_PX, _MARGIN_SIDE_PX = 142, 112
"""Pixels of the whole film where less or more than it is shown: its detail is then as coarse as that of a film so
cut, or of the film that it was cut from."""
_FLAT_SHARE = 0.02
"""Values that differ by less than this share of the picture's range are one grey."""
_SAME_SHARE, _CONSTANT_SHARE = 0.002, 0.93
"""Neighbours that differ by at most this share of the picture's range are one grey; so many are in a margin's row."""
_LEVEL_SHARE = 0.95
"""A row or column of which so much is one grey or two is a margin: two, where a margin was masked in a corner."""
_CONSTANT = 1e-6
"""Of its values: a picture that varies by no more is constant, and what resampling makes of it is rounding."""
_LONGEST_PX = 512
_STEP = 4
"""Of how many pixels of a row or column one is asked whether it is constant."""
MAP = Path(__file__).resolve().parent / "film_descriptor.npz"


def trimmed(image: np.ndarray) -> np.ndarray:
    """Return a film float32 (H, W) without its constant margins; a constant one as it is."""
    import cv2

    longest = max(image.shape)
    if longest > _LONGEST_PX:
        share = _LONGEST_PX / longest
        size = (max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    low, high = np.percentile(image[::4, ::4], (0.5, 99.5))
    if high <= low:
        return image
    for _ in range(2):  # a margin above may hide that one at the side is constant
        for axis in (1, 0):
            kept = np.flatnonzero(~_is_margin(image, axis, float(high - low)))
            if len(kept) >= SIDE_PX // 4:
                held = slice(kept[0], kept[-1] + 1)
                image = image[held] if axis == 1 else image[:, held]
    return image


def _is_margin(image: np.ndarray, axis: int, spread: float) -> np.ndarray:
    """Return which rows (``axis`` 1) or columns are constant: from one place to the next, and as a whole.

    A belly that is nearly white is as level as a margin is, and whether it was cut would hang on what was done to the
    film; but its grain changes from place to place.
    """
    part, following = (image[:, at::_STEP] if axis == 1 else image[at::_STEP] for at in (0, 1))
    count = min(part.shape[axis], following.shape[axis])
    if axis == 1:
        part, following = part[:, :count], following[:, :count]
    else:
        part, following = part[:count], following[:count]
    found = (np.abs(part - following) <= _SAME_SHARE * spread).mean(axis=axis) >= _CONSTANT_SHARE
    if found.any():
        suspected = part[found] if axis == 1 else part[:, found]
        least = _FLAT_SHARE * spread
        top, bottom = np.percentile(suspected, (95, 5), axis=axis, keepdims=True)
        is_level = (suspected >= top - least) | (suspected <= bottom + least)
        found[found] = is_level.mean(axis=axis) >= _LEVEL_SHARE
    return found


def _channels(image: np.ndarray, side: int) -> np.ndarray:
    """Return strength of detail by unsigned turn, shared by the two nearest: float32 (TURNS, side, side)."""
    import cv2

    step = np.array(image.shape, dtype=float) / side
    source = image if step.max() <= 1 else cv2.GaussianBlur(image, (0, 0), float(0.4 * step.max()))
    y0, x0 = step / 2 - 0.5
    matrix = np.array([[step[1], 0, x0], [0, step[0], y0]], dtype=np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    small = cv2.warpAffine(source, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    fine = small - cv2.GaussianBlur(small, (0, 0), _DETAIL_PX)
    spread = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), _NORM_PX))
    fine /= spread + 0.02 * float(spread.mean()) + 1e-9
    x, y = cv2.Sobel(fine, cv2.CV_32F, 1, 0), cv2.Sobel(fine, cv2.CV_32F, 0, 1)
    strength = np.sqrt(np.sqrt(x * x + y * y))
    turn = np.mod(np.arctan2(y, x), np.pi) * (TURNS / np.pi) - 0.5  # a mirror takes turn k to TURNS − 1 − k
    lower = np.floor(turn)
    share = turn - lower
    first = np.mod(lower.astype(np.int32), TURNS)
    second = np.mod(first + 1, TURNS)
    found = np.empty((TURNS, side, side), dtype=np.float32)
    for one in range(TURNS):
        found[one] = strength * ((first == one) * (1 - share) + (second == one) * share)
    return found


@cache
def _pooling(span: Span, side: int) -> np.ndarray:
    """Return what each of ``side`` places of a film adds to the cells of a query that shows this span of it: float32
    (CELLS, side). Cells have soft borders; what lies beyond the film adds nothing.
    """
    import cv2

    cell = SIDE_PX // CELLS
    kernel = cv2.getGaussianKernel(4 * cell + 1, cell / 2).astype(np.float32)
    cells = cv2.sepFilter2D(np.eye(SIDE_PX, dtype=np.float32), -1, np.ones((1, 1), np.float32), kernel)
    at = (span[0] + (np.arange(SIDE_PX) + 0.5) / SIDE_PX * (span[1] - span[0])) * side - 0.5
    seen = np.zeros((SIDE_PX, side), dtype=np.float32)
    inside = np.flatnonzero((at >= -0.5) & (at <= side - 0.5))
    lower = np.floor(at[inside]).astype(int)
    share = at[inside] - lower
    np.add.at(seen, (inside, np.clip(lower, 0, side - 1)), 1 - share)
    np.add.at(seen, (inside, np.clip(lower + 1, 0, side - 1)), share)
    return cells[cell // 2 :: cell] @ seen


def _side(placement: Placement) -> int:
    if placement == WHOLE:
        return SIDE_PX
    return _CUT_SIDE_PX if all(first >= 0 and last <= 1 for first, last in placement) else _MARGIN_SIDE_PX


@cache
def _seen(placement: Placement) -> np.ndarray:
    """Return how much of each cell lies in the film: float32 (CELLS, CELLS, 1), 0 to 1."""
    whole = _pooling(WHOLE[0], SIDE_PX).sum(axis=1)
    rows, columns = (_pooling(span, SIDE_PX).sum(axis=1) / whole for span in placement)
    return np.minimum(1, np.outer(rows, columns))[..., None].astype(np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-9)


def histograms(image: np.ndarray, placements: Sequence[Placement] = PLACEMENTS) -> np.ndarray:
    """Return histograms float32 (2 × placements, HISTOGRAM_SIZE): each placement, then each mirrored; of length one
    where it lies in the film.

    ``image``: (H, W) of any number type and grey scale. A constant film's are zero.
    """
    image = trimmed(np.ascontiguousarray(image, dtype=np.float32))
    if not np.ptp(image) > _CONSTANT * float(np.abs(image).max()):
        return np.zeros((2 * len(placements), HISTOGRAM_SIZE), dtype=np.float32)
    channels = {side: _channels(image, side) for side in {_side(one) for one in placements}}
    across: dict[tuple[int, Span], np.ndarray] = {}
    found = np.empty((len(placements), CELLS, CELLS, TURNS), dtype=np.float32)
    for number, placement in enumerate(placements):
        side, (rows, columns) = _side(placement), placement
        if (side, columns) not in across:
            across[side, columns] = channels[side] @ _pooling(columns, side).T
        found[number] = np.moveaxis(_pooling(rows, side) @ across[side, columns], 0, 2)
    seen = np.stack([_seen(placement) for placement in placements])
    both = np.concatenate([found, found[:, :, ::-1, ::-1]])
    return _filled(both.reshape(len(both), -1), np.concatenate([seen, seen[:, :, ::-1]]))


def _filled(found: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return histograms of length one, of which what is not ``seen`` (n, CELLS, CELLS, 1) is the mean film's."""
    rows = _unit(found)
    if seen.min() < 1:
        mean, _ = linear_map()
        covered = np.repeat(seen, TURNS, axis=-1).reshape(len(rows), -1)
        length = np.linalg.norm(covered * mean, axis=1, keepdims=True) / np.linalg.norm(mean)
        rows = np.where(rows.any(axis=1, keepdims=True), length * rows + (1 - covered) * mean, 0)
    return rows.astype(np.float32)


@cache
def linear_map() -> tuple[np.ndarray, np.ndarray]:
    """Return mean (HISTOGRAM_SIZE,) and map (HISTOGRAM_SIZE, SIZE), float32."""
    with np.load(MAP, allow_pickle=False) as held:
        return held["mean"].astype(np.float32), held["map"].astype(np.float32)


def mapped(rows: np.ndarray) -> np.ndarray:
    """Return descriptors float32 (n, SIZE) of length one of histograms; a zero histogram's is zero."""
    mean, matrix = linear_map()
    found = _unit((rows - mean) @ matrix)
    found[~rows.any(axis=-1)] = 0
    return found


def describe(image: np.ndarray) -> np.ndarray:
    """Return a film's queries float32 (QUERIES, SIZE); the first is what stands in an index."""
    return mapped(histograms(image))

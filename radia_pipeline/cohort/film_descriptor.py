"""What a film looks like in 256 numbers that alterations hardly move: to find copies, not to tell what is on it.

Constant margins are cut, the rest is brought to 128 × 128 and its detail normalised locally; unsigned orientations of
the detail are counted in 16 × 16 cells × 6. An inversion does not turn an unsigned orientation, a grey scale hardly
does, and a mirror only exchanges places of the histogram. A linear map (``film_descriptor.npz``, linear discriminant
analysis over altered phantoms, made by ``benchmarks/near_duplicates.py --learn``) keeps what tells exposures apart.

A crop or a margin moves everything, so one film asks several times: as it is, cut to its middle, laid into a margin,
and each mirrored. What two films have in common on their pixels is in ``registration``.
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
SCALES = (1.0, 0.9, 0.81, 1.11, 1.235)
"""Sides of the part of the film that a query shows, in sides of the film; above 1 it stands in a margin."""
QUERIES = 2 * len(SCALES)
_DETAIL_PX, _NORM_PX = 2.0, 6.0
_FLAT_SHARE = 0.02
"""A row or column whose values range over less than this share of the picture's range is constant."""
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
    least = _FLAT_SHARE * (high - low)
    for _ in range(2):  # a margin above may hide that one at the side is constant
        for axis in (1, 0):
            part = image[:, ::_STEP] if axis == 1 else image[::_STEP]
            spread = np.subtract(*np.percentile(part, (95, 5), axis=axis))
            kept = np.flatnonzero(spread > least)
            if len(kept) >= SIDE_PX // 4:
                held = slice(kept[0], kept[-1] + 1)
                image = image[held] if axis == 1 else image[:, held]
    return image


def _queries(image: np.ndarray, scales: Sequence[float]) -> np.ndarray:
    """Return detail of each placement as the pair of its gradients: float32 (n, 2, SIDE, SIDE)."""
    import cv2

    found = []
    for scale in scales:
        half = np.array(image.shape, dtype=float) * scale / 2
        middle = np.array(image.shape, dtype=float) / 2
        step = 2 * half / SIDE_PX
        source = image if step.max() <= 1 else cv2.GaussianBlur(image, (0, 0), float(0.4 * step.max()))
        y0, x0 = middle - half + step / 2 - 0.5
        matrix = np.array([[step[1], 0, x0], [0, step[0], y0]], dtype=np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (SIDE_PX, SIDE_PX)
        small = cv2.warpAffine(source, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        fine = small - cv2.GaussianBlur(small, (0, 0), _DETAIL_PX)
        spread = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), _NORM_PX))
        fine /= spread + 0.02 * float(spread.mean()) + 1e-9
        gradients = np.stack([cv2.Sobel(fine, cv2.CV_32F, 1, 0), cv2.Sobel(fine, cv2.CV_32F, 0, 1)])
        if scale > 1:
            edge = round(SIDE_PX * (1 - 1 / scale) / 2)
            gradients[:, :edge] = gradients[:, -edge:] = 0
            gradients[:, :, :edge] = gradients[:, :, -edge:] = 0
        found.append(gradients)
    return np.stack(found)


def _histograms(gradients: np.ndarray) -> np.ndarray:
    """Return (n, CELLS, CELLS, TURNS) of unsigned orientations, each shared by the two nearest turns and four cells."""
    import cv2

    x, y = gradients[:, 0], gradients[:, 1]
    strength = np.sqrt(np.sqrt(x * x + y * y))
    turn = np.mod(np.arctan2(y, x), np.pi) * (TURNS / np.pi) - 0.5  # a mirror takes turn k to TURNS − 1 − k
    lower = np.floor(turn)
    share = turn - lower
    first = np.mod(lower.astype(np.int32), TURNS)
    second = np.mod(first + 1, TURNS)
    cell = SIDE_PX // CELLS
    found = np.empty((len(x), CELLS, CELLS, TURNS), dtype=np.float32)
    for number in range(len(x)):
        for one in range(TURNS):
            weight = strength[number] * (
                (first[number] == one) * (1 - share[number]) + (second[number] == one) * share[number]
            )
            soft = cv2.GaussianBlur(weight, (0, 0), cell / 2)
            found[number, :, :, one] = soft[cell // 2 :: cell, cell // 2 :: cell]
    return found


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-9)


def histograms(image: np.ndarray, scales: Sequence[float] = SCALES) -> np.ndarray:
    """Return histograms float32 (2 × scales, HISTOGRAM_SIZE) of length one: each placement, then each mirrored.

    ``image``: (H, W) of any number type and grey scale. A constant film's are zero.
    """
    found = _histograms(_queries(trimmed(np.ascontiguousarray(image, dtype=np.float32)), scales))
    both = np.concatenate([found, found[:, :, ::-1, ::-1]])
    return _unit(both.reshape(len(both), -1))


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

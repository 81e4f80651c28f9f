"""Finding the same exposure again after resizing, re-encoding, windowing or cropping. Only pixels are known here.

Four steps, each stricter and dearer than the one before:
1. a perceptual hash (168 low frequencies of the rank-equalised 64 × 64 thumbnail; ranks make it blind to windowing),
   all pairs by one matrix product in blocks;
2. for the pairs left, how much of one hash lies in the span of the other and its first derivatives under shift and
scale:
   cropping by a few per cent moves a hash inside that span, another patient's thorax does not lie in it;
3. the thumbnails, registered by that shift and scale, compared in their finest detail;
4. the stored pixels: affine registration, then correlation of the locally normalised detail.
Measured by ``benchmarks/near_duplicates.py``; each threshold stands inside the gap found there between copies and
strangers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

THUMBNAIL_PX = 64
FREQUENCIES = 13
HASH_SIZE = FREQUENCIES * FREQUENCIES - 1
_FREQUENCY_WEIGHT = 1.5
"""Exponent that lifts finer detail: all chests share their coarse shape."""
CANDIDATE_SIMILARITY = 0.80
SPAN_SIMILARITY = 0.97
THUMBNAIL_SIMILARITY = 0.85
PIXEL_SIMILARITY = 0.88
_BLOCK_ROWS = 2048
_COARSE_PX, _FINE_PX = 128, 192
_COARSE_WIDTH_PX, _FINE_WIDTH_PX = 8.0, 4.0
"""Structure wider than this is taken away before comparing: coarse enough to register by, then fine enough to tell
apart two thoraxes whose ribs happen to match."""
_EDGE_SHARE = 1 / 24
_THUMBNAIL_EDGE_PX = 5


@dataclass(frozen=True)
class Match:
    """Two images that show the same exposure: their places in the input, and 1 − correlation of their detail."""

    first: int
    second: int
    distance: float


def read_grey(path: Path) -> np.ndarray | None:
    """Return a stored image as float32 (H, W), None where it cannot be read."""
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        return None
    return (image if image.ndim == 2 else image[..., :3].mean(axis=2)).astype(np.float32)


def equalised(image: np.ndarray) -> np.ndarray:
    """Replace each value by its mid-rank in (0, 1), so that any monotone grey scale gives the same picture."""
    _, place, counts = np.unique(image, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2) / image.size
    return ranks[place].reshape(image.shape).astype(np.float32)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Return the rank-equalised 64 × 64 picture as uint8; the aspect is given up, as NIH's publisher did."""
    import cv2

    small = cv2.resize(image, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    return np.round(equalised(small) * 255).astype(np.uint8)


def _cosines() -> np.ndarray:
    """Return the first rows of the orthonormal DCT-II matrix: (FREQUENCIES, THUMBNAIL_PX)."""
    sample, order = np.arange(THUMBNAIL_PX), np.arange(FREQUENCIES)[:, None]
    matrix = np.sqrt(2 / THUMBNAIL_PX) * np.cos(np.pi * (2 * sample + 1) * order / (2 * THUMBNAIL_PX))
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


_COSINES = _cosines()
_WEIGHTS = (np.hypot(*np.mgrid[:FREQUENCIES, :FREQUENCIES]) ** _FREQUENCY_WEIGHT).ravel()[1:].astype(np.float32)
_AXIS = ((np.arange(THUMBNAIL_PX) - (THUMBNAIL_PX - 1) / 2) / (THUMBNAIL_PX / 2)).astype(np.float32)


def _frequencies(pictures: np.ndarray) -> np.ndarray:
    """Return weighted DCT coefficients without the mean: (..., 64, 64) → (..., HASH_SIZE)."""
    coefficients = _COSINES @ pictures @ _COSINES.T
    return coefficients.reshape(*pictures.shape[:-2], -1)[..., 1:] * _WEIGHTS


def hashes(thumbnails: np.ndarray) -> np.ndarray:
    """Return unit vectors float32 (n, HASH_SIZE) of thumbnails uint8 (n, 64, 64); a flat picture's is zero."""
    rows = [
        _frequencies(thumbnails[start : start + 1024].astype(np.float32)) for start in range(0, len(thumbnails), 1024)
    ]
    vectors = np.concatenate(rows) if rows else np.zeros((0, HASH_SIZE), dtype=np.float32)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-3)


def candidates(vectors: np.ndarray, least: float = CANDIDATE_SIMILARITY) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield blocks of pairs (first < second) whose hashes agree: every pair is compared, in one pass of matrix
    products.
    """
    for start in range(0, len(vectors), _BLOCK_ROWS):
        block = vectors[start : start + _BLOCK_ROWS]
        similarity = block @ vectors[start:].T
        rows, columns = np.divmod(np.flatnonzero(similarity > least), similarity.shape[1])
        later = columns > rows
        yield rows[later] + start, columns[later] + start


def _family(pictures: np.ndarray) -> np.ndarray:
    """Return hashes, not normalised, of pictures (n, 64, 64) and of their derivatives under shift and scale: (n, 5,
    HASH).
    """
    along_y, along_x = np.gradient(pictures, axis=(1, 2))
    return _frequencies(np.stack([pictures, along_x, along_y, along_x * _AXIS, along_y * _AXIS[:, None]], axis=1))


def span_similarity(thumbnails: np.ndarray, vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return for each pair the share of the second hash that lies in the first's span: float32 (pairs,) from 0 to 1.

    ``first`` must be sorted.
    """
    result = np.zeros(len(first), dtype=np.float32)
    places, starts = np.unique(first, return_index=True)
    ends = [*starts[1:], len(first)]
    for block in range(0, len(places), 512):
        family = _family(thumbnails[places[block : block + 512]].astype(np.float32))
        bases, _ = np.linalg.qr(family.transpose(0, 2, 1).astype(np.float64))
        for basis, start, end in zip(bases.astype(np.float32), starts[block : block + 512], ends[block : block + 512]):
            result[start:end] = np.linalg.norm(vectors[second[start:end]] @ basis, axis=1)
    return result


def thumbnail_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two thumbnails' finest detail after two Gauss–Newton steps of shift and scale."""
    import cv2

    fixed, moving = other.astype(np.float32), one.astype(np.float32)
    target = _frequencies(fixed)
    matrix = np.eye(3)
    moved = moving
    for _ in range(2):
        family = _family(moved[None])[0].astype(np.float64)
        share = np.linalg.solve(family @ family.T + 1e-6 * np.eye(5), family @ target)
        x, y, wide, high = share[1:] / max(share[0], 0.2)
        wide, high = wide / (THUMBNAIL_PX / 2), high / (THUMBNAIL_PX / 2)
        centre = (THUMBNAIL_PX - 1) / 2
        matrix = matrix @ np.array([[1 + wide, 0, x - wide * centre], [0, 1 + high, y - high * centre], [0, 0, 1]])
        moved = cv2.warpAffine(
            moving,
            matrix[:2],
            moving.shape,
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    inner = slice(_THUMBNAIL_EDGE_PX, -_THUMBNAIL_EDGE_PX)
    details = [_finest(picture)[inner, inner].ravel() for picture in (fixed, moved)]
    if min(detail.std() for detail in details) < 1e-6:
        return -1.0
    return float(np.corrcoef(*details)[0, 1])


def _finest(picture: np.ndarray) -> np.ndarray:
    import cv2

    fine = picture - cv2.GaussianBlur(picture, (0, 0), 1.5)
    return fine / (np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 3.0)) + 2.55)


def _detail(image: np.ndarray, side: int, width: float) -> np.ndarray:
    """Return the locally normalised structure of a ``side`` × ``side`` picture that is finer than ``width`` pixels."""
    import cv2

    small = equalised(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA))
    fine = cv2.GaussianBlur(small - cv2.GaussianBlur(small, (0, 0), width), (0, 0), 1.0)
    return fine / (np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), width)) + 0.01)


def _registered(fixed: np.ndarray, moving: np.ndarray, warp: np.ndarray, steps: int) -> np.ndarray:
    """Return the affine warp (2, 3) that lays ``moving`` over ``fixed``; raises cv2.error where there is none."""
    import cv2

    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-4)
    return cv2.findTransformECC(fixed, moving, warp.astype(np.float32), cv2.MOTION_AFFINE, stop, None, 5)[1]


def pixel_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two images' fine detail after affine registration, −1 where there is none."""
    import cv2

    try:
        coarse = [_detail(image, _COARSE_PX, _COARSE_WIDTH_PX) for image in (one, other)]
        warp = _registered(*coarse, np.eye(2, 3), 30)
        warp[:, 2] *= _FINE_PX / _COARSE_PX
        fixed, moving = (_detail(image, _FINE_PX, _FINE_WIDTH_PX) for image in (one, other))
        warp = _registered(fixed, moving, warp, 20)
    except cv2.error:
        return -1.0
    side = (_FINE_PX, _FINE_PX)
    moved = cv2.warpAffine(moving, warp, side, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    seen = cv2.warpAffine(np.ones(side, np.float32), warp, side, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP) > 0
    edge = round(_FINE_PX * _EDGE_SHARE)
    seen[:edge] = seen[-edge:] = False
    seen[:, :edge] = seen[:, -edge:] = False
    if seen.mean() < 0.5:
        return -1.0
    return float(np.corrcoef(fixed[seen], moved[seen])[0, 1])


def search(
    thumbnails: np.ndarray, are_strangers: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs that pass steps 1 to 3, as two int arrays.

    ``are_strangers(first, second)``: bool array that tells which pairs are worth a look (other patients).
    """
    vectors = hashes(thumbnails)
    kept: list[tuple[int, int]] = []
    for first, second in candidates(vectors):
        wanted = are_strangers(first, second)
        first, second = first[wanted], second[wanted]
        near = span_similarity(thumbnails, vectors, first, second) >= SPAN_SIMILARITY
        kept += [
            (a, b)
            for a, b in zip(first[near].tolist(), second[near].tolist())
            if thumbnail_similarity(thumbnails[a], thumbnails[b]) >= THUMBNAIL_SIMILARITY
        ]
    pairs = np.array(kept, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def confirm(paths: list[Path], first: np.ndarray, second: np.ndarray) -> list[Match]:
    """Return the pairs that agree on their pixels (step 3)."""
    matches = []
    held: tuple[int, np.ndarray | None] = (-1, None)
    for a, b in sorted(zip(first.tolist(), second.tolist())):
        if held[0] != a:
            held = (a, read_grey(paths[a]))
        other = read_grey(paths[b])
        similarity = pixel_similarity(held[1], other) if held[1] is not None and other is not None else -1.0
        if similarity >= PIXEL_SIMILARITY:
            matches.append(Match(a, b, max(0.0, 1.0 - similarity)))
    return matches

"""Finding the same exposure again after resizing, re-encoding, windowing or cropping. Only pixels are known here, no patients.

Three steps, each stricter and dearer than the one before:
1. a perceptual hash (168 low frequencies of the rank-equalised 64 × 64 thumbnail; ranks make it blind to windowing), all pairs
   by one matrix product in blocks;
2. for the pairs left, how much of one hash lies in the span of the other and its first derivatives under shift and scale:
   cropping by a few per cent moves a hash inside that span, another patient's thorax does not lie in it;
3. on the pixels: affine registration, then correlation of the locally normalised detail.
Measured by ``benchmarks/near_duplicates.py``; the thresholds stand in the middle of the gaps found there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

THUMBNAIL_PX = 64
FREQUENCIES = 13
HASH_SIZE = FREQUENCIES * FREQUENCIES - 1
_FREQUENCY_WEIGHT = 1.5
"""Exponent that lifts finer detail: all chests share their coarse shape."""
CANDIDATE_SIMILARITY = 0.78
SPAN_SIMILARITY = 0.95
PIXEL_SIMILARITY = 0.93
_BLOCK_ROWS = 2048
_REGISTERED_PX = 128
_EDGE_PX = 4


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
    """Yield blocks of pairs (first < second) whose hashes agree: every pair is compared, in one pass of matrix products."""
    for start in range(0, len(vectors), _BLOCK_ROWS):
        block = vectors[start : start + _BLOCK_ROWS]
        similarity = block @ vectors[start:].T
        rows, columns = np.divmod(np.flatnonzero(similarity > least), similarity.shape[1])
        later = columns > rows
        yield rows[later] + start, columns[later] + start


def _spans(thumbnails: np.ndarray) -> np.ndarray:
    """Return orthonormal bases (n, HASH_SIZE, 5) of each hash and its derivatives under shift and scale in x and y."""
    pictures = thumbnails.astype(np.float32)
    along_y, along_x = np.gradient(pictures, axis=(1, 2))
    family = np.stack([pictures, along_x, along_y, along_x * _AXIS, along_y * _AXIS[:, None]], axis=1)
    bases, _ = np.linalg.qr(_frequencies(family).transpose(0, 2, 1).astype(np.float64))
    return bases.astype(np.float32)


def span_similarity(thumbnails: np.ndarray, vectors: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return for each pair the larger share of one hash inside the other's span: float32 (pairs,) from 0 to 1."""
    result = np.zeros(len(first), dtype=np.float32)
    for start in range(0, len(first), 4096):
        part = slice(start, start + 4096)
        for one, other in ((first[part], second[part]), (second[part], first[part])):
            places, rows = np.unique(one, return_inverse=True)
            bases = _spans(thumbnails[places])[rows]
            inside = np.linalg.norm(np.einsum("nh,nhk->nk", vectors[other], bases), axis=1)
            result[part] = np.maximum(result[part], inside)
    return result


def _detail(image: np.ndarray) -> np.ndarray:
    """Return the locally normalised fine structure at 128 × 128."""
    import cv2

    small = equalised(cv2.resize(image, (_REGISTERED_PX, _REGISTERED_PX), interpolation=cv2.INTER_AREA))
    wide = _REGISTERED_PX / 16
    fine = cv2.GaussianBlur(small - cv2.GaussianBlur(small, (0, 0), wide), (0, 0), 1.0)
    return fine / (np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), wide)) + 0.01)


def pixel_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two images' detail after affine registration, −1 where they cannot be registered."""
    import cv2

    fixed, moving = _detail(one), _detail(other)
    side = (_REGISTERED_PX, _REGISTERED_PX)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        _, warp = cv2.findTransformECC(fixed, moving, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, stop, None, 5)
    except cv2.error:
        return -1.0
    moved = cv2.warpAffine(moving, warp, side, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    seen = cv2.warpAffine(np.ones(side, np.float32), warp, side, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP) > 0
    seen[:_EDGE_PX] = seen[-_EDGE_PX:] = False
    seen[:, :_EDGE_PX] = seen[:, -_EDGE_PX:] = False
    if seen.mean() < 0.5:
        return -1.0
    return float(np.corrcoef(fixed[seen], moved[seen])[0, 1])


def search(thumbnails: np.ndarray, are_strangers) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs that pass steps 1 and 2, as two int arrays.

    ``are_strangers(first, second)``: bool array that tells which pairs are worth a look (other patients).
    """
    vectors = hashes(thumbnails)
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    for first, second in candidates(vectors):
        wanted = are_strangers(first, second)
        first, second = first[wanted], second[wanted]
        if len(first):
            near = span_similarity(thumbnails, vectors, first, second) >= SPAN_SIMILARITY
            kept.append((first[near], second[near]))
    nothing = np.zeros(0, dtype=np.int64)
    return (
        np.concatenate([first for first, _ in kept] or [nothing]),
        np.concatenate([second for _, second in kept] or [nothing]),
    )


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

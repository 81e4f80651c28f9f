"""Whether two films show one exposure: laid over each other, their finest detail agrees in every place.

Chests look alike and serial films of one patient more so: whatever is coarse agrees between films that were taken hours
apart. Noise, grain and the edges of vessels do not. So two films are registered (phase correlation over turns, scales,
mirror and sign; then an affine map by ECC), and only detail finer than 2.5 px of a 256 px picture is compared, tile by
tile: a copy agrees everywhere that is not covered. Finding pairs that are worth it: ``film_descriptor``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radia_pipeline.cohort.film_descriptor import trimmed

SAME_EXPOSURE = 0.60
"""Least mean correlation of copies; ``benchmarks/near_duplicates.py`` measures the gap around it."""
_COARSE_PX, _MIDDLE_PX, _SIDE_PX = 64, 128, 256
_TURNS_DEG = (-5.0, -2.5, 0.0, 2.5, 5.0)
_SCALES = (0.8, 0.9, 1.0, 1.11, 1.25)
_COARSE_DETAIL_PX, _MIDDLE_DETAIL_PX, _FINE_DETAIL_PX = 3.0, 4.0, 2.5
_TILES = 8
_LEAST_TILES = 0.35
"""Of all tiles: below it too little of the films overlaps to tell."""
_FLAT = 0.25
"""A tile whose detail spreads less than this share of a typical one's is covered or out of the film."""
_STEPS, _FINE_STEPS = 12, 12
_FOLLOWED = 0.48
"""Least correlation of coarser detail that is followed to the finest: copies have .76 and more, with much print on them
.51, most films of other patients less. It saves time alone: strangers differ in their finest detail all the same."""
_ROUNDS, _UNDECIDED = 2, (0.45, 0.76)
"""Rounds of so many steps; a second where coarser detail agrees like neither strangers nor copies: a large crop is
still under way.
"""
_TRIED = 2
"""Placements of the search that are followed to the end: the second best is right where a mirror is as good."""


@dataclass(frozen=True)
class Prepared:
    """A film as it is compared: its pictures at three sizes, and spectra of its turned, scaled and mirrored forms."""

    middle: np.ndarray
    fine: np.ndarray
    spectra: np.ndarray
    forms: np.ndarray


def _square(image: np.ndarray, side: int) -> np.ndarray:
    import cv2

    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_LINEAR)


def _detail(image: np.ndarray, width: float, smooth: float = 0.0) -> np.ndarray:
    """Return the locally normalised structure that is finer than ``width`` px, and coarser than ``smooth``."""
    import cv2

    image = cv2.GaussianBlur(image, (0, 0), smooth) if smooth else image
    fine = image - cv2.GaussianBlur(image, (0, 0), width)
    spread = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 2 * width))
    return fine / (spread + 0.02 * float(spread.mean()) + 1e-9)


def _forms() -> np.ndarray:
    """Return the searched maps (n, 2, 3), from the moved film's places to the resting one's: mirror, turn and scale
    around the middle."""
    found = []
    middle = (_COARSE_PX - 1) / 2
    for mirror in (1.0, -1.0):
        for turn in np.deg2rad(_TURNS_DEG):
            for scale in _SCALES:
                rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * scale
                matrix = rotation @ np.diag([mirror, 1.0])
                shift = middle - matrix @ np.array([middle, middle])
                found.append(np.column_stack([matrix, shift]))
    return np.array(found)


_FORMS = _forms()
_WINDOW = np.outer(np.hanning(_COARSE_PX), np.hanning(_COARSE_PX)).astype(np.float32)


def prepared(image: np.ndarray, *, moves: bool = True) -> Prepared:
    """Return a film ready to be compared. ``moves``: whether it is the one that is laid over others (dearer)."""
    import cv2

    image = trimmed(np.ascontiguousarray(image, dtype=np.float32))
    coarse = _detail(_square(image, _COARSE_PX), _COARSE_DETAIL_PX)
    if moves:
        size, flags = (_COARSE_PX, _COARSE_PX), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = [cv2.warpAffine(coarse, form, size, flags=flags) for form in _FORMS]
    else:
        moved = [coarse]
    spectra = np.fft.rfft2(np.stack(moved) * _WINDOW)
    return Prepared(_square(image, _MIDDLE_PX), _square(image, _SIDE_PX), spectra, _FORMS)


def _placements(rests: Prepared, moves: Prepared) -> list[tuple[np.ndarray, float]]:
    """Return the best placements as (map (2, 3) at the coarse size, sign), from resting to moved places."""
    product = rests.spectra[0] * np.conj(moves.spectra)
    product /= np.abs(product) ** 0.7 + 1e-6
    peaks = np.fft.irfft2(product, s=(_COARSE_PX, _COARSE_PX))
    flat = np.abs(peaks).reshape(len(peaks), -1)
    places = flat.argmax(axis=1)
    heights = flat[np.arange(len(flat)), places] / np.median(flat, axis=1)
    found = []
    half = len(peaks) // 2
    best = [int(heights[:half].argmax()), half + int(heights[half:].argmax())]
    for form in sorted(best, key=lambda number: -heights[number])[:_TRIED]:
        y, x = np.unravel_index(places[form], peaks.shape[1:])
        shift = np.array([x, y], dtype=float)
        shift[shift > _COARSE_PX / 2] -= _COARSE_PX
        matrix = moves.forms[form].copy()
        matrix[:, 2] -= matrix[:, :2] @ shift
        found.append((matrix, float(np.sign(peaks[form][y, x])), float(heights[form])))
    if len(found) > 1 and found[1][2] < 0.75 * found[0][2]:
        found = found[:1]
    return [(matrix, sign) for matrix, sign, _ in found]


def _at(matrix: np.ndarray, old: int, new: int) -> np.ndarray:
    """Return a map of pictures of one size as the same map of another size (places are of pixel centres)."""
    share = new / old
    linear, shift = matrix[:, :2], matrix[:, 2]
    middle = np.full(2, 0.5)
    shift = share * (shift + middle - linear @ middle) - middle + linear @ middle
    return np.column_stack([linear, shift])


def same_exposure(rests: Prepared, moves: Prepared) -> float:
    """Return the mean correlation of the finest detail over tiles, −1 where films cannot be laid over each other."""
    import cv2

    best = -1.0
    fine: list[np.ndarray] | None = None
    fixed, moving = (_detail(film.middle, _MIDDLE_DETAIL_PX, 1.0) for film in (rests, moves))
    for matrix, sign in _placements(rests, moves):
        warp = _at(matrix, _COARSE_PX, _MIDDLE_PX).astype(np.float32)
        try:
            for _ in range(_ROUNDS):
                # cv2's types know no way to give the filter's size and no mask
                agree, warp = cv2.findTransformECC(  # type: ignore[call-overload]
                    fixed, sign * moving, warp, cv2.MOTION_AFFINE, _stop(_STEPS), None, 5
                )
                if not _UNDECIDED[0] <= agree < _UNDECIDED[1]:
                    break
            if agree < _FOLLOWED:
                continue
            fine = fine or [_detail(film.fine, _MIDDLE_DETAIL_PX, 0.8) for film in (rests, moves)]
            warp = _at(warp.astype(float), _MIDDLE_PX, _SIDE_PX).astype(np.float32)
            _, warp = cv2.findTransformECC(  # type: ignore[call-overload]  # likewise
                fine[0], sign * fine[1], warp, cv2.MOTION_AFFINE, _stop(_FINE_STEPS), None, 3
            )
        except cv2.error:  # the two cannot be laid over each other from there
            continue
        best = max(best, _agreement(rests.fine, sign * moves.fine, warp))
        if best >= SAME_EXPOSURE:
            break
    return best


def _stop(steps: int) -> tuple[int, int, float]:
    import cv2

    return (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-4)


def _agreement(rests: np.ndarray, moves: np.ndarray, warp: np.ndarray) -> float:
    """Return the mean correlation over tiles of the film that shows less: a crop lies in its film whole."""
    import cv2

    if np.linalg.det(warp[:, :2]) > 1:
        rests, moves, warp = moves, rests, cv2.invertAffineTransform(warp)
    size, flags = (_SIDE_PX, _SIDE_PX), cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(moves, warp, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.warpAffine(np.ones_like(moves), warp, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    one, other = (_fine(picture) for picture in (rests, moved))
    tile = _SIDE_PX // _TILES

    def tiles(picture: np.ndarray) -> np.ndarray:
        return picture.reshape(_TILES, tile, _TILES, tile).swapaxes(1, 2).reshape(_TILES**2, -1)

    a, b, inside = tiles(one), tiles(other), tiles(seen).mean(axis=1) > 0.9
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    spread_a, spread_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    alive = inside & (spread_a > _FLAT * np.median(spread_a)) & (spread_b > _FLAT * np.median(spread_b))
    if alive.mean() < _LEAST_TILES:
        return -1.0
    return float(((a * b).sum(axis=1)[alive] / (spread_a * spread_b)[alive]).mean())


def _fine(picture: np.ndarray) -> np.ndarray:
    import cv2

    picture = cv2.GaussianBlur(picture, (0, 0), 0.7)
    fine = picture - cv2.GaussianBlur(picture, (0, 0), _FINE_DETAIL_PX)
    return fine / (np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 4.0)) + 1e-3 * float(np.abs(fine).mean()) + 1e-9)

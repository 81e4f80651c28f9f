"""64-bit perceptual hash of a rendered image: a near-duplicate's hash differs in few bits.

Comparing is cohort's work.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from radia_pipeline.dicom.resample import area_average

_SIDE, _KEPT = 32, 8


@cache
def _cosines() -> np.ndarray:
    """Return the first 8 rows of the 32-point DCT-II."""
    n = np.arange(_SIDE)
    return np.cos(np.pi * (2 * n + 1) * np.arange(_KEPT)[:, None] / (2 * _SIDE))


def perceptual_hash(image: np.ndarray) -> str:
    """Return 16 hexadecimal characters for an image of shape (H, W).

    Signs of the low DCT coefficients of the 32 × 32 thumbnail against their median (Zauner 2010); the constant term is
    left out of the median. Images smaller than 32 pixels are repeated, not interpolated.
    """
    small = thumbnail(image, _SIDE)
    low = _cosines() @ small @ _cosines().T
    flat = low.ravel()
    bits = flat > np.median(flat[1:])
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):016x}"


def thumbnail(image: np.ndarray, side: int) -> np.ndarray:
    """Return ``image`` as float64 (side, side) by area averaging, whatever its aspect."""
    image = np.asarray(image)
    factors = [-(-side // size) for size in image.shape]
    if max(factors) > 1:
        image = np.repeat(np.repeat(image, factors[0], axis=0), factors[1], axis=1)
    return area_average(image, side, side).astype(np.float64)

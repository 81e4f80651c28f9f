"""What a stored film is like, in a few numbers that move when its making does: grey scale, collimation, sharpness.

Grey levels are those of 8 bits, which people know, whatever the file holds. Not here: what models say (``readouts``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

SIDE_PX = 256
"""Films are looked at this small: fine enough for grey scale and borders, a hundredth of the work."""
_DARK, _BRIGHT, _BORDER = 26, 230, 0.06
_GREYS = 255.0


def pixel_figures(image: np.ndarray) -> dict[str, float]:
    """Return each of FIGURES of a stored film (H, W) uint16."""
    scale = min(1.0, SIDE_PX / max(image.shape))
    size = (max(8, round(image.shape[1] * scale)), max(8, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float64) * (_GREYS / 65535.0)
    return {name: float(figure(small)) for name, figure in FIGURES.items()}


def _entropy(small: np.ndarray) -> float:
    share = np.bincount(small.astype(np.uint8).ravel() // 4, minlength=64) / small.size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def _border(small: np.ndarray) -> float:
    depth = max(1, round(_BORDER * min(small.shape)))
    inside = np.zeros(small.shape, dtype=bool)
    inside[depth:-depth, depth:-depth] = True
    return float(small[~inside].mean() - small[inside].mean())


def _middle(small: np.ndarray) -> float:
    """How much brighter the mediastinum is than the lungs beside it; negative in an inverted film."""
    height, width = small.shape
    rows = small[height // 4 : 3 * height // 4]
    middle = rows[:, round(0.42 * width) : round(0.58 * width)].mean()
    sides = np.concatenate(
        [rows[:, round(0.15 * width) : round(0.35 * width)], rows[:, round(0.65 * width) : round(0.85 * width)]], axis=1
    )
    return float(middle - sides.mean())


def _sharpness(small: np.ndarray) -> float:
    return float(np.log1p(cv2.Laplacian(small, cv2.CV_64F).var()))


FIGURES: Mapping[str, Callable[[np.ndarray], float]] = {
    "mean_grey": lambda small: small.mean(),
    "median_grey": lambda small: np.median(small),
    "contrast": lambda small: small.std(),
    "dark_share": lambda small: (small < _DARK).mean(),
    "bright_share": lambda small: (small > _BRIGHT).mean(),
    "border_grey": _border,
    "mediastinum_grey": _middle,
    "grey_entropy": _entropy,
    "sharpness": _sharpness,
}
"""Name -> figure of a small film in grey levels 0 to 255; columns of ``film_readouts``."""

"""Where letters could stand in a picture: steep edges near its borders that fall into rows of like shapes.

Reads nothing.

Anatomy has soft edges: this costs a few milliseconds, so that Tesseract is started only for the minority of pictures
that carry marks of any kind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BORDER_SHARE = 0.2
"""Part of each side that counts as border; devices and scanners print there."""
_MIN_STEP = 0.09
"""Steepness of a letter's edge as a share of the grey range; weaker print could not be read either."""
_NOISE_STEPS = 8.0
_DENSITY = 0.12
_MAX_REGIONS = 24
_STROKE_PX = 21
"""Widest stroke of a letter that is kept."""
_MIN_INK = 0.12
"""Contrast of print against its surroundings, as a share of the grey range."""
_NOISE_MEANS = 3.5
_NEAR_PX = 31
"""A letter and a half: within it the ground under print is one ground."""
_LETTERS = 3
"""Shapes in a row that could be a word: a lone side marker is not read. Measured: all planted lines have more."""
_LETTER_PX = (6, 120)
_LETTER_WIDTHS = (0.08, 1.6)
_LIKE, _ALIGNED, _GAP = 1.6, 0.35, 1.5


@dataclass(frozen=True)
class Region:
    """Half-open pixel ranges of a region."""

    top: int
    bottom: int
    left: int
    right: int


def text_regions(shown: np.ndarray, *, border_share: float = BORDER_SHARE) -> list[Region]:
    """Return regions that may hold text, largest first; ``shown``: (H, W) grey values in [0, 65535].

    ``border_share`` 0.5 or more looks at the whole picture.
    """
    from scipy import ndimage

    height, width = shown.shape
    block = int(np.clip(min(height, width) // 200, 3, 8))
    if height < 4 * block or width < 4 * block:
        return []
    mask = _steep_blocks(shown, block)
    mask &= _border(mask.shape, border_share)
    joined = ndimage.binary_dilation(mask, np.ones((3, 7), bool))
    labels, count = ndimage.label(joined)
    weights = ndimage.sum_labels(mask, labels, np.arange(1, count + 1)) if count else []
    found = []
    for weight, place in zip(weights, ndimage.find_objects(labels)):
        rows, columns = place
        if weight < 3:
            continue
        region = Region(
            max(0, rows.start * block - block), min(height, rows.stop * block + block),
            max(0, columns.start * block - block), min(width, columns.stop * block + block),
        )  # fmt: skip
        found.append((float(weight), region))
    found.sort(key=lambda item: (-item[0], item[1].top, item[1].left))
    return [region for _, region in found[:_MAX_REGIONS]]


def _steep_blocks(shown: np.ndarray, block: int) -> np.ndarray:
    """Return the blocks with many steep edges in both directions, as letters have and straight shutters have not."""
    rows, columns = shown.shape[0] // block, shown.shape[1] // block
    image = shown[: rows * block, : columns * block] * np.float32(1 / 65535)
    across = np.abs(np.diff(image, axis=1, prepend=image[:, :1]))
    down = np.abs(np.diff(image, axis=0, prepend=image[:1]))
    limit = max(_MIN_STEP, _NOISE_STEPS * float(np.median(across[::4, ::4])))
    density = [_block_mean(steps > limit, block) for steps in (across, down)]
    return (density[0] + density[1] > 2 * _DENSITY) & (np.minimum(*density) > _DENSITY / 4)


def _block_mean(mask: np.ndarray, block: int) -> np.ndarray:
    rows, columns = mask.shape[0] // block, mask.shape[1] // block
    return mask.reshape(rows, block, columns, block).mean(axis=(1, 3), dtype=np.float32)


def _border(shape: tuple[int, int], share: float) -> np.ndarray:
    inside = np.zeros(shape, bool)
    top, left = int(np.ceil(shape[0] * share)), int(np.ceil(shape[1] * share))
    inside[top : shape[0] - top, left : shape[1] - left] = True
    return ~inside


def ink(shown: np.ndarray, region: Region, *, dark: bool) -> np.ndarray:
    """Return how far each pixel of a region stands out as a thin bright (or dark) stroke, in grey values."""
    from scipy import ndimage

    crop = shown[region.top : region.bottom, region.left : region.right]
    stroke = int(np.clip(min(crop.shape) // 3, 7, _STROKE_PX)) | 1
    hat = ndimage.black_tophat if dark else ndimage.white_tophat
    return hat(np.asarray(crop, np.float32), size=(stroke, stroke))


def evened(strokes: np.ndarray) -> np.ndarray:
    """Return strokes (from ``ink``) as 0..1 of the strongest near by, so that print keeps its letters on any ground."""
    from scipy import ndimage

    near = int(np.clip(min(strokes.shape), 9, _NEAR_PX)) | 1
    strongest = ndimage.maximum_filter(strokes, near)
    # Noise is as strong everywhere, print is little ink on much ground: their means near by lie far apart.
    floor = np.maximum(_MIN_INK * 65535 / 4, _NOISE_MEANS * ndimage.uniform_filter(strokes, 2 * near + 1))
    return np.clip(strokes / np.maximum(0.9 * strongest, floor), 0.0, 1.0)


def has_letters(strokes: np.ndarray) -> bool:
    """Tell whether strokes (from ``ink``) fall into at least three like shapes in a row, upright or turned."""
    from scipy import ndimage

    if float(np.percentile(strokes, 99)) < _MIN_INK * 65535:
        return False
    labels, count = ndimage.label(evened(strokes) > 0.5, np.ones((3, 3)))
    if count < _LETTERS:
        return False
    places = ndimage.find_objects(labels)
    return any(_longest_row(places, axis) >= _LETTERS for axis in (0, 1))


def _longest_row(places: list, axis: int) -> int:
    """Return how many shapes of one size stand beside one shape; ``axis`` is the direction of their height."""
    box = np.array([(p[axis].start, p[axis].stop, p[1 - axis].start, p[1 - axis].stop) for p in places], float)
    tall, wide = box[:, 1] - box[:, 0], box[:, 3] - box[:, 2]
    fits = (tall >= _LETTER_PX[0]) & (tall <= _LETTER_PX[1])
    fits &= (wide >= _LETTER_WIDTHS[0] * tall) & (wide <= _LETTER_WIDTHS[1] * tall)
    box, tall = box[fits], tall[fits]
    if len(box) < _LETTERS:
        return 0
    middle = (box[:, 0] + box[:, 1]) / 2
    smaller, larger = np.minimum(tall[:, None], tall), np.maximum(tall[:, None], tall)
    gap = np.maximum(box[:, 2][:, None], box[:, 2]) - np.minimum(box[:, 3][:, None], box[:, 3])
    beside = (
        (np.abs(middle[:, None] - middle) < _ALIGNED * smaller) & (larger < _LIKE * smaller) & (gap < _GAP * larger)
    )
    return int(beside.sum(axis=1).max())

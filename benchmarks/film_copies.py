"""What people do to a film before it comes again: alterations under which copies are looked for, alone and in pairs.

Each takes 8 bits (H, W) and a generator and returns another picture of the same exposure.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Alteration = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def resized(image, rng):
    """Return it at 45 to 80 % of its size, each side for itself."""
    return cv2.resize(image, None, fx=rng.uniform(0.45, 0.8), fy=rng.uniform(0.45, 0.8), interpolation=cv2.INTER_AREA)


def recompressed(image, rng):
    """Return it after JPEG of quality 40 to 75."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 75))]
    return cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_GRAYSCALE)


def windowed(image, rng):
    """Return a window that clips 4 to 25 % of the pixels."""
    clipped = rng.uniform(4, 25)
    low = rng.uniform(0, clipped)
    bottom, top = np.percentile(image, [low, 100 - (clipped - low)])
    return (np.clip((image.astype(np.float32) - bottom) / max(top - bottom, 1), 0, 1) * 255).astype(np.uint8)


def gamma(image, rng):
    """Return it with a gamma of .5, .7, 1.5 or 2."""
    return (255 * (image / 255.0) ** rng.choice([0.5, 0.7, 1.5, 2.0])).astype(np.uint8)


def clahe(image, rng):
    """Return it after CLAHE with a limit of 2 to 4."""
    return cv2.createCLAHE(float(rng.uniform(2, 4)), (8, 8)).apply(image)


def inverted(image, rng):
    """Return its negative."""
    return 255 - image


def flipped(image, rng):
    """Return its mirror image."""
    return image[:, ::-1]


def turned(image, rng):
    """Return it turned by 2 to 5°, in its own frame."""
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(2, 5) * rng.choice([-1, 1])), 1)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=0)


def cropped(image, rng):
    """Return it without 0 to 10 % at each side."""
    height, width = image.shape
    top, bottom, left, right = rng.uniform(0, 0.1, 4)
    return image[
        round(top * height) : height - round(bottom * height), round(left * width) : width - round(right * width)
    ]


def cropped_8(image, rng):
    """Return it without 8 % at each side."""
    y, x = (round(0.08 * side) for side in image.shape)
    return image[y:-y, x:-x]


def letterboxed(image, rng):
    """Return it with black beside or above it, a tenth of its width on each side."""
    margin = round(0.1 * image.shape[1])
    return np.pad(image, ((0, 0), (margin, margin)) if rng.integers(2) else ((margin, margin), (0, 0)))


def padded(image, rng):
    """Return it in an uneven margin of 5 to 15 %, black or white."""
    a = rng.integers(5, 15, 4) * image.shape[0] // 100
    return np.pad(image, ((a[0], a[1]), (a[2], a[3])), constant_values=int(rng.choice([0, 255])))


def corner_masked(image, rng):
    """Return it with a corner of 20 × 30 % blacked out."""
    image = image.copy()
    high, wide = int(0.2 * image.shape[0]), int(0.3 * image.shape[1])
    rows = slice(0, high) if rng.integers(2) else slice(-high, None)
    image[rows, slice(0, wide) if rng.integers(2) else slice(-wide, None)] = 0
    return image


def round_shutter(image, rng):
    """Return it black outside an ellipse of 1.1 of its sides."""
    height, width = image.shape
    y, x = np.mgrid[:height, :width]
    outside = ((x - width / 2) / (0.55 * width)) ** 2 + ((y - height / 2) / (0.55 * height)) ** 2 > 1
    return np.where(outside, 0, image).astype(np.uint8)


def text_burned_in(image, rng):
    """Return it with three lines of print."""
    image = image.copy()
    height, width = image.shape
    for _ in range(3):
        place = (int(rng.uniform(0.02, 0.5) * width), int(rng.uniform(0.06, 0.97) * height))
        text = f"ID {rng.integers(10**6)} L"
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, height / 400, 255, max(1, height // 200))
    return image


ALTERATIONS: dict[str, Alteration] = {
    one.__name__.replace("_", " "): one
    for one in (
        resized,
        recompressed,
        windowed,
        gamma,
        clahe,
        inverted,
        flipped,
        turned,
        cropped,
        cropped_8,
        letterboxed,
        padded,
        corner_masked,
        round_shutter,
        text_burned_in,
    )
}


def altered(image: np.ndarray, names: tuple[str, ...], rng: np.random.Generator) -> np.ndarray:
    """Return a copy with these alterations, one after the other."""
    for name in names:
        image = np.ascontiguousarray(ALTERATIONS[name](np.ascontiguousarray(image), rng))
    return image

"""Stored grey images -> model tensors: letterbox, min-max, channels, normalisation; and the way back for boxes.

One place for geometry, so that training, prediction and localisation see the same pixels. No tables, no randomness.
Legend: H, W stored pixels; S side of the square input; C channels (1 or 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from radia_pipeline.errors import BadInput
from radia_pipeline.training.choices import CHANNELS, NORMALISATIONS
from radia_pipeline.training.recipe_schema import InputSection

GREY_MAX = 65535
CLAHE_CLIPS = (2.0, 4.0)
CLAHE_TILES = (8, 8)


@dataclass(frozen=True)
class Placement:
    """Where a stored image lies in the square input: input = stored * scale + offset, in pixels."""

    scale: float
    left_px: int
    top_px: int
    width_px: int
    height_px: int
    size_px: int

    def to_stored(self, x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
        """Map a box (x, y, width, height) from input pixels to stored-image pixels."""
        return (x - self.left_px) / self.scale, (y - self.top_px) / self.scale, width / self.scale, height / self.scale


def placement(height_px: int, width_px: int, size_px: int) -> Placement:
    """Return the centred letterbox of a stored image: aspect kept, zero borders."""
    scale = size_px / max(height_px, width_px)
    width, height = max(1, round(width_px * scale)), max(1, round(height_px * scale))
    return Placement(scale, (size_px - width) // 2, (size_px - height) // 2, width, height, size_px)


def check_stored(image: np.ndarray) -> None:
    """Raise BadInput unless ``image`` is one grey image as it is stored: (H, W), uint8 or uint16, not empty."""
    if (
        not isinstance(image, np.ndarray)
        or image.ndim != 2
        or image.dtype not in (np.uint8, np.uint16)
        or not image.size
    ):
        shape = getattr(image, "shape", None)
        raise BadInput(
            f"Image of shape {shape} and type {getattr(image, 'dtype', type(image).__name__)}",
            accepted="(H, W) grey, uint8 or uint16; neither (C, H, W) nor (H, W, C)",
            do="pass one plane",
        )


def letterbox(image: np.ndarray, size_px: int) -> np.ndarray:
    """(H, W) uint8 or uint16 -> (S, S) uint16, min-max stretched to the full range; a flat image becomes zeros."""
    check_stored(image)
    height, width = image.shape
    where = placement(height, width, size_px)
    smaller = where.scale < 1
    grey: np.ndarray = image.astype(np.float32)
    if grey.shape != (where.height_px, where.width_px):
        interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        grey = cv2.resize(grey, (where.width_px, where.height_px), interpolation=interpolation)
    low, high = float(grey.min()), float(grey.max())
    square = np.zeros((size_px, size_px), dtype=np.uint16)
    if high > low:
        stretched = np.rint((grey - low) * (GREY_MAX / (high - low))).astype(np.uint16)
        square[where.top_px : where.top_px + where.height_px, where.left_px : where.left_px + where.width_px] = (
            stretched
        )
    return square


def to_channels(grey: np.ndarray, section: InputSection) -> np.ndarray:
    """(S, S) float32 in 0..1 -> (C, S, S) float32, normalised. Raises BadInput for anything else."""
    if grey.ndim != 2 or grey.dtype != np.float32:
        raise BadInput(
            f"Augmented image of shape {grey.shape} and type {grey.dtype}", accepted="(S, S) float32 in 0..1"
        )
    mean, deviation = normalisation(section)
    tensor = np.stack(CHANNELS[section.channels].planes(grey))
    return (tensor - mean[:, None, None]) / deviation[:, None, None]


def grey_plane(grey: np.ndarray) -> list[np.ndarray]:
    """(S, S) float32 in 0..1 -> itself."""
    return [grey]


def clahe_planes(grey: np.ndarray) -> list[np.ndarray]:
    """(S, S) float32 in 0..1 -> itself and its equalised forms."""
    # With 16 bits a tile has fewer pixels than the histogram has bins, and every clip limit rounds to the same 1.
    stored = np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)
    made = [cv2.createCLAHE(clip, CLAHE_TILES).apply(stored).astype(np.float32) / 255 for clip in CLAHE_CLIPS]
    return [grey, *made]


def normalisation(section: InputSection) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation per channel of a picture in 0..1, float32 (C,); one channel takes the mean of three."""
    chosen = section.normalisation
    if isinstance(chosen, str):
        mean, deviation = np.array(NORMALISATIONS[chosen].mean), np.array(NORMALISATIONS[chosen].deviation)
    else:
        low, high = chosen.range
        mean, deviation = (np.array(chosen.mean) - low) / (high - low), np.array(chosen.std) / (high - low)
    if section.channel_count == 1:
        mean, deviation = mean.mean(keepdims=True), deviation.mean(keepdims=True)
    shape = (section.channel_count,)
    mean, deviation = (np.broadcast_to(part, shape).astype(np.float32) for part in (mean, deviation))
    return mean, deviation


def prepare(image: np.ndarray, section: InputSection) -> np.ndarray:
    """(H, W) stored image -> (C, S, S) float32 as the model sees it outside training."""
    return to_channels(letterbox(image, section.size_px).astype(np.float32) / GREY_MAX, section)


def empty_image(section: InputSection) -> np.ndarray:
    """Return (C, S, S): what the model sees when there is nothing to see (a flat image)."""
    return to_channels(np.zeros((section.size_px, section.size_px), dtype=np.float32), section)

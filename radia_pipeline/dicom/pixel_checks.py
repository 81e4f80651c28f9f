"""Remarks on the rendered picture: flags with scores in [0, 1], never silent drops.

Labels and views' names are elsewhere.

Every check works on a small thumbnail, so that all of them together cost less than a millisecond. Rules and
thresholds are hand-made from anatomy; ``benchmarks/ingest_flags.py`` measures them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from radia_pipeline.dicom.phash import thumbnail

FLAGS = ("not_a_chest", "inverted", "rotated", "blank", "cropped")
LOW_RESOLUTION_PX = 256
_SIDE = 32
_THRESHOLD = 0.5
_FLAT_SPREAD = 0.02
"""Share of the grey range below which a picture shows nothing."""
_ANIMALS = re.compile(r"\b(CANINE|FELINE|EQUINE|BOVINE|AVIAN|DOG|CAT|HORSE|VETERINARY|VET)\b")
_CHEST_PARTS = re.compile(r"\b(CHEST|THORAX|LUNG|LUNGS|RIB|RIBS|HEART|CLAVICLE|STERNUM|POUMON|POUMONS|CXR)\b")


@dataclass(frozen=True)
class Remarks:
    """Scores by flag, and the flags that are raised."""

    scores: dict[str, float]
    flags: tuple[str, ...]


def remarks(image: np.ndarray, *, body_part: str = "", description: str = "", is_lateral: bool = False) -> Remarks:
    """Judge a rendered image (H, W) uint16, bright means dense.

    ``body_part`` and ``description`` come from the header.
    """
    small = thumbnail(image, _SIDE) / 65535.0
    scores = {
        "not_a_chest": not_a_chest_score(small, image.shape, body_part, description),
        "inverted": 0.0,
        "rotated": 0.0,
        "blank": blank_score(small),
        "cropped": 0.0,
    }
    if scores["blank"] < _THRESHOLD and not is_lateral:
        scores["inverted"] = inverted_score(small)
        scores["rotated"] = rotated_score(small)
    if scores["blank"] < _THRESHOLD:
        scores["cropped"] = cropped_score(image.shape)
    scores = {name: round(float(np.clip(score, 0.0, 1.0)), 4) for name, score in scores.items()}
    flags = [name for name in FLAGS if scores[name] >= _THRESHOLD]
    if min(image.shape) < LOW_RESOLUTION_PX:
        flags.append("low_resolution")
    return Remarks(scores, tuple(flags))


def blank_score(small: np.ndarray) -> float:
    """Return 1 for a picture of one grey value, falling to 0.5 at the spread below which nothing shows."""
    spread = float(np.percentile(small, 98) - np.percentile(small, 2))
    return float(np.clip(1.0 - 0.5 * spread / _FLAT_SPREAD, 0.0, 1.0))


def not_a_chest_score(small: np.ndarray, shape: tuple[int, int], body_part: str, description: str) -> float:
    """Return 1 where the header names an animal or another body part; else what the outline says."""
    if _ANIMALS.search(description.upper()) or _ANIMALS.search(body_part.upper()):
        return 1.0
    if body_part.strip() and not _CHEST_PARTS.search(body_part.upper()):
        return 0.9
    height, width = shape
    aspect = max(height, width) / min(height, width)
    return 0.6 if aspect > 2.0 else 0.0


def _contrast(region: np.ndarray, other: np.ndarray) -> float:
    return float(region.mean() - other.mean())


def lung_contrast(small: np.ndarray) -> float:
    """Return how much brighter the mediastinum is than the lungs beside it.

    Positive in a frontal chest as displayed.
    """
    middle = small[8:20, 13:19]
    lungs = np.concatenate([small[8:20, 5:11], small[8:20, 21:27]], axis=1)
    spread = float(small.std()) or 1.0
    return _contrast(middle, lungs) / spread


def inverted_score(small: np.ndarray) -> float:
    """Return near 1 where the mediastinum is darker than the lungs, as after a wrong inversion."""
    return float(1.0 / (1.0 + np.exp(6.0 * (lung_contrast(small) + 0.6))))


def rotated_score(small: np.ndarray) -> float:
    """Return near 1 where the picture turned by 90 degrees looks more like a frontal chest than as it stands."""
    upright = lung_contrast(small)
    turned = lung_contrast(np.rot90(small))
    return float(1.0 / (1.0 + np.exp(-6.0 * (turned - upright - 1.2))))


def cropped_score(shape: tuple[int, int]) -> float:
    """Return above 0.5 where the format is too narrow to hold a thorax."""
    aspect = max(shape) / min(shape)
    return float(np.clip((aspect - 1.5) / 0.8, 0.0, 1.0))

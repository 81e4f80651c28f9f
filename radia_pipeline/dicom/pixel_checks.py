"""Remarks on the rendered picture: flags with scores in [0, 1], never silent drops, and the view by pixels.

Every check works on a small thumbnail, so that all of them together cost less than a millisecond. How the picture lies
is ``poses``' answer; here it becomes scores. ``benchmarks/ingest_flags.py`` measures them. Labels and views' names are
elsewhere.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from radia_pipeline.dicom.poses import Pose, pose_of
from radia_pipeline.dicom.resample import thumbnail

NOT_A_CHEST = "not_a_chest"
FLAGS = (NOT_A_CHEST, "inverted", "rotated", "blank", "cropped")
LOW_RESOLUTION_PX = 256
_SIDE = 32
_THRESHOLD = 0.5
_FLAT_SPREAD = 0.02
"""Share of the grey range below which a picture shows nothing."""
_FIT = 0.3
"""No pose has this share: no chest. The least of 683 real chests is 0.34, a dog's thorax has 0.16."""
_DRAWN = 0.72
"""Share of the eight commonest grey values above which a picture is a page or a drawing; real chests reach 0.31."""
_LATERAL_ODDS, _LATERAL_SYMMETRY, _UPRIGHT = math.log(7.4), 0.88, 0.6
"""Lateral against frontal, and how like its mirror image it may be: 2 of 683 real frontal chests pass for lateral."""
_ANIMALS = re.compile(r"\b(CANINE|FELINE|EQUINE|BOVINE|AVIAN|DOG|CAT|HORSE|VETERINARY|VET)\b")
_CHEST_PARTS = re.compile(r"\b(CHEST|THORAX|LUNG|LUNGS|RIB|RIBS|HEART|CLAVICLE|STERNUM|POUMON|POUMONS|CXR)\b")


@dataclass(frozen=True)
class Remarks:
    """Scores by flag, and the flags that are raised. ``is_lateral``: what the pixels say of the view, if anything."""

    scores: dict[str, float]
    flags: tuple[str, ...]
    is_lateral: bool = False


def remarks(image: np.ndarray, *, body_part: str = "", description: str = "") -> Remarks:
    """Judge a rendered image (H, W) uint16, bright means dense.

    ``body_part`` and ``description`` come from the header.
    """
    small = thumbnail(image, _SIDE) / 65535.0
    scores = dict.fromkeys(FLAGS, 0.0)
    scores["blank"] = blank_score(small)
    # Some publishers use a part of the grey range only: how a picture looks does not depend on it.
    small = (small - small.min()) / max(float(np.ptp(small)), 1e-6)
    pose = pose_of(small)
    is_blank = scores["blank"] >= _THRESHOLD
    by_pixels = 0.0 if is_blank else max(unlike_score(pose), drawn_score(small))
    scores["not_a_chest"] = max(not_a_chest_score(image.shape, body_part, description), by_pixels)
    if not is_blank:
        scores["cropped"] = cropped_score(image.shape)
    if not is_blank and by_pixels < _THRESHOLD:
        scores["inverted"] = pose.shares["inverted"]
        scores["rotated"] = sum(pose.shares[name] for name in ("turned_left", "turned_right", "upside_down"))
    scores = {name: round(float(np.clip(score, 0.0, 1.0)), 4) for name, score in scores.items()}
    flags = [name for name in FLAGS if scores[name] >= _THRESHOLD]
    is_lateral = not flags and lies_lateral(pose)
    if min(image.shape) < LOW_RESOLUTION_PX:
        flags.append("low_resolution")
    return Remarks(scores, tuple(flags), is_lateral)


def blank_score(small: np.ndarray) -> float:
    """Return 1 for a picture of one grey value, falling to 0.5 at the spread below which nothing shows."""
    spread = float(np.percentile(small, 98) - np.percentile(small, 2))
    return float(np.clip(1.0 - 0.5 * spread / _FLAT_SPREAD, 0.0, 1.0))


def not_a_chest_score(shape: tuple[int, int], body_part: str, description: str) -> float:
    """Return 1 where the header names an animal, 0.9 for another body part; else what the outline says."""
    if _ANIMALS.search(description.upper()) or _ANIMALS.search(body_part.upper()):
        return 1.0
    if body_part.strip() and not _CHEST_PARTS.search(body_part.upper()):
        return 0.9
    return 0.6 if max(shape) / min(shape) > 2.0 else 0.0


def unlike_score(pose: Pose) -> float:
    """Return 1 where the picture fits no way in which a chest can lie, 0.5 at the threshold."""
    shares = pose.shares
    ways = [shares["frontal"] + shares["lateral"], *(shares[name] for name in shares if name not in _NO_WAY)]
    return 1.0 - 0.5 * max(ways) / _FIT


_NO_WAY = frozenset({"frontal", "lateral", "other"})


def drawn_score(small: np.ndarray) -> float:
    """Return how much of the picture has one of its eight commonest grey values: 1 all, 0.5 at the threshold."""
    counts = np.bincount(np.rint(small.ravel() * 255).astype(int), minlength=256)
    share = float(np.sort(counts)[-8:].sum()) / small.size
    return 1.0 - 0.5 * (1.0 - share) / (1.0 - _DRAWN)


def lies_lateral(pose: Pose) -> bool:
    """Tell whether the pixels alone make it a lateral view; doubt is no."""
    frontal, lateral = pose.shares["frontal"], pose.shares["lateral"]
    odds = math.log(lateral + 1e-9) - math.log(frontal + 1e-9)
    return odds > _LATERAL_ODDS and pose.symmetry < _LATERAL_SYMMETRY and frontal + lateral > _UPRIGHT


def cropped_score(shape: tuple[int, int]) -> float:
    """Return above 0.5 where the format is too narrow to hold a thorax."""
    aspect = max(shape) / min(shape)
    return float(np.clip((aspect - 1.5) / 0.8, 0.0, 1.0))

"""What may be wrong with a picture that a prediction is asked for: each doubt, whether it silences, and what to do.

A picture that is silenced gets no number. Here: the table, and the doubts that pixels and format alone can raise,
beside the flags of the judgement. Not here: the admission of a file (``privacy.reasons``), and how far a picture lies
from what a model has seen (``evaluation.familiarity``), whose doubts stand in the table too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.choices import Table
from radia_pipeline.dicom.resample import thumbnail

TOO_SMALL_PX = 48
"""Shorter sides than this show nothing that a model could use; the smallest recipe sees 64 px."""
NARROW = 2.0
"""Longest over shortest side of what is no film any more; the longest of 683 real ones is 1.5."""
_SIDE = 64
_BAND = 0.2
"""Share of a film that one uniform band from an edge may cover; collimators of 683 real films leave at most 0.14."""
_HOLE = 0.08
"""Share of a film that a square of one grey value may cover; 683 real films hold at most 0.03."""
_UNIFORM = 0.02
"""Of the film's range of grey, below which a row or column is uniform."""
_CONSTANT = 0.0005


@dataclass(frozen=True)
class Doubt:
    """``silences``: no number is given. ``means`` and ``do`` are sentences for people."""

    silences: bool
    means: str
    do: str


_TURN = "turn or invert the picture as a reader would see it, and ask again"
DOUBTS: Table[Doubt] = Table(
    "doubt",
    {
        "not_a_chest": Doubt(True, "the picture looks like no chest radiograph", "send a frontal chest radiograph"),
        "unfamiliar": Doubt(
            True,
            "the picture is farther from the films that the models learned from than all but a few of these",
            "look whether it is a chest film of a usual kind; a new device asks for a training with its films",
        ),
        "blank": Doubt(True, "the picture shows one grey value", "export the file again"),
        "blank_part": Doubt(True, "a part of the picture is empty", "export the whole film"),
        "too_small": Doubt(
            True, f"a side of the picture is shorter than {TOO_SMALL_PX} px", "send the film at full size"
        ),
        "too_narrow": Doubt(True, f"a side is more than {NARROW:g} times as long as the other", "send the whole film"),
        "inverted": Doubt(True, "bright and dark seem to be exchanged", _TURN),
        "rotated": Doubt(True, "the chest seems to lie on its side or upside down", _TURN),
        "no_frontal": Doubt(True, "the study has no frontal film, and the models read frontal films only", "add one"),
        "mirrored": Doubt(False, "left and right seem to be exchanged", "compare with the side marker"),
        "cropped": Doubt(False, "the format is too narrow to hold a whole thorax", "send the whole film"),
        "low_resolution": Doubt(
            False, "a side is shorter than 256 px: small findings cannot show", "send the full size"
        ),
        "initials": Doubt(False, "a short word stands in the film, perhaps somebody's initials", "look at it"),
        "unread_capture": Doubt(
            False,
            "a picture of a screen or a scan in which no print was looked for",
            "look at it, or leave out --ocr off",
        ),
        "lateral_alone": Doubt(False, "a lateral film without its frontal one", "add the frontal film"),
    },
)
"""By name; those that silence first, the most telling first."""


NO_DOUBT = frozenset({"age_capped", "for_processing", "secondary_capture", "settled_by_person"})
"""Flags of the judgement that say nothing against reading the picture: the models learned from such films too."""


def doubts_of(image: np.ndarray, scores: Mapping[str, float], flags: Iterable[str]) -> dict[str, float]:
    """Return the doubts about a picture (H, W) with scores 0 to 1, the most telling first.

    ``scores`` and ``flags``: what the judgement (``judgement.Judged``) has found on the same picture.
    """
    height, width = image.shape
    found = {name: scores.get(name, 1.0) for name in flags if name not in NO_DOUBT}
    if min(height, width) < TOO_SMALL_PX:
        found["too_small"] = 1.0
    if max(height, width) > NARROW * min(height, width):
        found["too_narrow"] = 1.0
    if "blank" not in found and (share := empty_share(image)) > 0:
        found["blank_part"] = share
    return {name: found[name] for name in DOUBTS if name in found}


def empty_share(image: np.ndarray) -> float:
    """Return the share of the picture that an empty part covers, 0 where it is too small to matter."""
    small = thumbnail(image, _SIDE)
    low, high = np.percentile(small, [1, 99])
    small = (small - low) / max(float(high - low), 1e-6)
    band = max(_edge_band(small), _edge_band(small.T))
    if band > _BAND:
        return band
    patch = _largest_patch(image)
    return patch if patch > _HOLE else 0.0


def _edge_band(small: np.ndarray) -> float:
    """Return the share of rows that are uniform from the first or the last one on."""
    uniform = np.ptp(small, axis=1) < _UNIFORM
    if uniform.all():
        return 1.0
    return max(int(np.argmin(uniform)), int(np.argmin(uniform[::-1]))) / len(small)


def _largest_patch(image: np.ndarray) -> float:
    """Return the share of the largest square of one grey value; air and collimators leave none as large."""
    from scipy import ndimage

    side = _SIDE if min(image.shape) >= 2 * _SIDE else max(1, min(image.shape) // 4)
    rows, columns = (np.linspace(0, size, side + 1).astype(int)[:-1] for size in image.shape)
    highest, lowest = (
        how.reduceat(how.reduceat(image, rows, axis=0), columns, axis=1) for how in (np.maximum, np.minimum)
    )
    span = max(int(image.max()) - int(image.min()), 1)
    flat = np.pad(highest.astype(np.int64) - lowest <= _CONSTANT * span, 1)
    reach = int(ndimage.distance_transform_cdt(flat, "chessboard").max())
    return ((2 * reach - 1) / side) ** 2 if reach else 0.0

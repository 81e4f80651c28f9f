"""Controls that every localisation figure stands beside: boxes of random maps, and each class's usual place.

A map that does not beat them has located nothing. Both use the same probabilities and gates as the maps, so that the
difference is the place alone; the blind prior uses no image at all. What does not belong here: judging
(``average_precision``).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.localisation.boxes import Boxes

RANDOM, PRIOR, BLIND = "random", "prior", "prior_blind"
CONTROLS = (RANDOM, PRIOR, BLIND)
NAMES = {
    RANDOM: "control: random place",
    PRIOR: "control: usual place",
    BLIND: "control: usual place, no model",
}
"""What people read; the detector's scorecard holds these names."""


def shown_name(name: str) -> str:
    """Return a set of boxes' name as people read it: a control's words, any other name as it is."""
    return NAMES.get(name, name)


def is_control(name: str) -> bool:
    """Tell whether a set of boxes is a control, by its key or by its words."""
    return name in NAMES or name in NAMES.values()


@dataclass(frozen=True)
class PriorBox:
    """A class's usual box as shares of width and height, (left, top, right, bottom), and how often it is drawn."""

    corners: tuple[float, float, float, float]
    frequency: float


def prior_boxes(drawn: Boxes, sizes: Mapping[str, tuple[int, int]]) -> dict[str, PriorBox]:
    """Learn each class's usual place from boxes of other patients: the median of each edge.

    ``sizes``: {image_id: (width_px, height_px)} of all images that were looked at; boxes on others are left out.
    """
    drawn = drawn.on(sizes)
    scale = np.array([sizes[image] * 2 for image in drawn.image_id], dtype=float).reshape(-1, 4)
    share, out = drawn.corners / scale, {}
    for name in sorted(set(drawn.label)):
        mine = drawn.label == name
        seen = len(set(drawn.image_id[mine])) / max(len(sizes), 1)
        out[name] = PriorBox(tuple(np.median(share[mine], axis=0)), min(seen, 1.0))
    return out


def at_prior(boxes: Boxes, priors: Mapping[str, PriorBox], sizes: Mapping[str, tuple[int, int]]) -> Boxes:
    """Move each image's best box of each class to the class's usual place; classes without one have no box.

    Keeps the score: same gate, same probability, only the place comes from other patients.
    """
    best: dict[tuple[str, str], int] = {}
    for index in np.argsort(-boxes.score, kind="stable"):
        best.setdefault((boxes.image_id[index], boxes.label[index]), int(index))
    return Boxes.of(
        (image, name, _placed(priors[name], sizes[image]), boxes.score[index])
        for (image, name), index in best.items()
        if name in priors and image in sizes
    )


def blind(priors: Mapping[str, PriorBox], sizes: Mapping[str, tuple[int, int]]) -> Boxes:
    """Put every class's usual box on every image, scored by its frequency: what needs no model."""
    return Boxes.of(
        (image, name, _placed(prior, size), prior.frequency)
        for image, size in sizes.items()
        for name, prior in priors.items()
    )


def at_random(boxes: Boxes, sizes: Mapping[str, tuple[int, int]], seed: int = 0) -> Boxes:
    """Move each box to a random place inside its image, its size and score kept; the same image gives the same draw."""
    rows = []
    for index in range(len(boxes)):
        image, (left, top, right, bottom) = boxes.image_id[index], boxes.corners[index]
        width, height = sizes[image]
        words = f"{seed}/{image}/{boxes.label[index]}/{left:.3f}/{top:.3f}"
        x, y = np.random.default_rng(zlib.crc32(words.encode())).random(2)
        x, y = x * max(width - (right - left), 0), y * max(height - (bottom - top), 0)
        corners = (x, y, x + right - left, y + bottom - top)
        rows.append((image, boxes.label[index], corners, boxes.score[index]))
    return Boxes.of(rows)


def _placed(prior: PriorBox, size: Sequence[int]) -> tuple[float, float, float, float]:
    left, top, right, bottom = prior.corners
    return left * size[0], top * size[1], right * size[0], bottom * size[1]


def all_of(
    boxes: Boxes, priors: Mapping[str, PriorBox], sizes: Mapping[str, tuple[int, int]], seed: int = 0
) -> dict[str, Boxes]:
    """Return every control of these boxes, by its name."""
    return {RANDOM: at_random(boxes, sizes, seed), PRIOR: at_prior(boxes, priors, sizes), BLIND: blind(priors, sizes)}


def sizes_of(image_ids: Iterable[str], widths: Iterable[int], heights: Iterable[int]) -> dict[str, tuple[int, int]]:
    """Return {image_id: (width_px, height_px)}."""
    return {image: (int(w), int(h)) for image, w, h in zip(image_ids, widths, heights)}

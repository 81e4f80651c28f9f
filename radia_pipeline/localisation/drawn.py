"""Radiologists' boxes of a lake by pool, as what boxes are judged against, and what is learned of them.

Only images on which somebody drew a box count: elsewhere nobody says where nothing is. Not here: judging
(``benchmark``), a phantom's true boxes (``truth``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import controls
from radia_pipeline.localisation.average_precision import Reference
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.explainer import ImageSet, read_images
from radia_pipeline.localisation.extents import Extent, learned


@dataclass(frozen=True)
class Drawn:
    """One pool's images with drawn boxes, and the reference they make."""

    images: ImageSet
    reference: Reference
    sizes: Mapping[str, tuple[int, int]]

    def extents(self) -> dict[str, Extent]:
        """Return how large the boxes are, of the classes with enough of them."""
        boxes = self.reference.boxes
        films = np.array([np.prod(self.sizes[image]) for image in boxes.image_id], dtype=float)
        return learned(boxes.label, (boxes.corners[:, 2:] - boxes.corners[:, :2]).prod(axis=1) / films)


def drawn_pools(lake: Lake) -> dict[str, Drawn]:
    """Read the images with boxes of each pool but test, which is kept for a release; pools without any are empty."""
    sources = [name for name in lake.partitions("box_annotations") if lake.exists("manifest", name)]
    tables = {name: lake.read("box_annotations", name) for name in sources}
    sources = [name for name in sources if tables[name].num_rows]
    if not sources:
        return {}
    boxes = Boxes.joined(Boxes.from_table(tables[name]) for name in sources)
    images = read_images(lake, sources).where(image_id=set(boxes.image_id))
    return {pool: _drawn(images.where(pool={pool}), boxes) for pool in (TRAIN, VALIDATION)}


def _drawn(images: ImageSet, boxes: Boxes) -> Drawn:
    names = tuple(images.columns["image_id"])
    boxes = boxes.on(names)
    have, classes = set(zip(boxes.image_id, boxes.label)), vocabulary().classes
    silent = {
        (image, classes[k])
        for row, image in enumerate(names)
        for k in np.flatnonzero(~images.known_absent(row))
        if (image, classes[k]) not in have
    }
    groups = np.array(images.columns["group_id"], dtype=object)
    sizes = controls.sizes_of(names, images.columns["width_px"], images.columns["height_px"])
    return Drawn(images, Reference(names, groups, boxes, frozenset(silent)), sizes)

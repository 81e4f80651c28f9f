"""Scoring boxes against a phantom's true boxes. Only the demo has such a truth; nothing else may read it.

Every image of the pool counts, also those on which there is nothing to find: a box there is false. What does not belong
here: reading the truth files (the demo does) and scores against radiologists' boxes (``benchmark``, ``detection``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from radia_pipeline.errors import EmptyPool
from radia_pipeline.evaluation.bootstrap import REPLICATES
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import controls
from radia_pipeline.localisation.average_precision import LEVELS, MEAN, Reference, score_boxes
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.explainer import ImageSet, read_images

HEADLINE = "map@0.3"


@dataclass(frozen=True)
class TruthScore:
    """Rows of boxes_of (``boxes`` or a control), level, class, metric, value, low, high, boxes, images, pool."""

    pool: str
    rows: tuple[dict, ...]

    def headline(self, boxes_of: str = "boxes", level: str = "class", metric: str = HEADLINE) -> dict | None:
        """Return the mean row of the boxes or of a control; None where no class has enough true boxes."""
        for row in self.rows:
            if (row["boxes_of"], row["level"], row["class"], row["metric"]) == (boxes_of, level, MEAN, metric):
                return row
        return None


def true_boxes_on_stored_images(lake: Lake, truth_boxes: pa.Table, keys) -> Boxes:
    """Bring true boxes from original pixels and native ids to stored-image pixels and keyed ids.

    ``truth_boxes``: source, native_image_id, class, x_px, y_px, width_px, height_px, image_width_px, image_height_px.
    ``keys``: the lake's Pseudonymizer. Boxes of images that are not in the lake (quarantined, duplicates) are dropped.
    """
    columns = ["image_id", "width_px", "height_px"]
    stored = {row["image_id"]: row for row in lake.read("images", columns=columns).to_pylist()}
    rows = []
    for box in truth_boxes.to_pylist():
        image = stored.get(keys.image_id(box["source"], box["native_image_id"]))
        if image is None:
            continue
        x = image["width_px"] / box["image_width_px"]
        y = image["height_px"] / box["image_height_px"]
        left, top = box["x_px"] * x, box["y_px"] * y
        corners = (left, top, left + box["width_px"] * x, top + box["height_px"] * y)
        rows.append((image["image_id"], box["class"], corners, 1.0))
    return Boxes.of(rows)


def score_against_truth(
    lake: Lake, boxes: pa.Table, truth_boxes: pa.Table, keys, *, pool: str = "test", levels: Sequence[str] = LEVELS,
    replicates: int = REPLICATES, seed: int = 0,
) -> TruthScore:  # fmt: skip
    """Judge boxes (columns of ``pseudo_boxes``) on one pool against the true boxes, beside three controls.

    ``random``: same sizes, scores and images, random places. ``prior``: same images and scores, the class's median true
    box of the other pools. ``prior_blind``: that box on every image, scored by its frequency. Raises EmptyPool where
    the pool has no image in any manifest.
    """
    everything = read_images(lake, lake.partitions("manifest"))
    judged, elsewhere = everything.where(pool={pool}), everything.where(pool={"train", "validation", "test"} - {pool})
    if not len(judged):
        raise EmptyPool(f"The manifest has no image in the pool {pool}", do="make a larger phantom")
    truth, guessed = true_boxes_on_stored_images(lake, truth_boxes, keys), Boxes.from_table(boxes)
    names, sizes = tuple(judged.columns["image_id"]), _sizes(judged)
    reference = Reference(names, np.array(judged.columns["group_id"], dtype=object), truth.on(names))
    guessed = guessed.on(names)
    priors = controls.prior_boxes(truth, _sizes(elsewhere))
    made = {
        "boxes": guessed,
        controls.RANDOM: controls.at_random(guessed, sizes, seed),
        controls.PRIOR: controls.at_prior(guessed, priors, sizes),
        controls.BLIND: controls.blind(priors, sizes),
    }
    rows = [
        {"boxes_of": name, "pool": pool, **row}
        for name, one in made.items()
        for row in score_boxes(one, reference, levels=levels, replicates=replicates, seed=seed)
    ]
    return TruthScore(pool, tuple(rows))


def _sizes(images: ImageSet) -> dict[str, tuple[int, int]]:
    columns = images.columns
    return controls.sizes_of(columns["image_id"], columns["width_px"], columns["height_px"])

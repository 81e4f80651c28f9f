"""Scoring boxes against a phantom's true boxes. Only the demo has such a truth; nothing else may read it.

Every image of the pool counts, also those on which there is nothing to find: a box there is false. What does not belong
here: reading the truth files (the demo does) and scores against radiologists' boxes (``benchmark``, ``detection``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from radia_pipeline.contracts.pools import POOLS, TEST, VALIDATION
from radia_pipeline.errors import EmptyPool
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import controls
from radia_pipeline.localisation.average_precision import LEVELS, MEAN, Reference, score_boxes
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.explainer import ImageSet, read_images
from radia_pipeline.training.studies import FRONTAL_ORDER

if TYPE_CHECKING:
    from radia_pipeline.lake.keys import Pseudonymizer

HEADLINE = "map@0.3"
PSEUDO = "pseudo boxes"


@dataclass(frozen=True)
class TruthScore:
    """Rows of boxes_of (a set or a control), level, class, metric, value, low, high, boxes, images, pool."""

    pool: str
    rows: tuple[dict, ...]

    def headline(self, boxes_of: str = PSEUDO, level: str = "class", metric: str = HEADLINE) -> dict | None:
        """Return the mean row of the boxes or of a control; None where no class has enough true boxes."""
        for row in self.rows:
            if (row["boxes_of"], row["level"], row["class"], row["metric"]) == (boxes_of, level, MEAN, metric):
                return row
        return None


def true_boxes_on_stored_images(lake: Lake, truth_boxes: pa.Table, keys: Pseudonymizer) -> Boxes:
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


def judge(
    lake: Lake,
    boxes: Mapping[str, pa.Table],
    truth: Boxes,
    *,
    pool: str = VALIDATION,
    levels: Iterable[str] = LEVELS,
    seed: int = 0,
) -> TruthScore:
    """Judge sets of boxes {name: columns of ``pseudo_boxes``} on one pool's frontal images, beside controls.

    ``truth``: as ``true_boxes_on_stored_images`` has them. Frontal, since the detector reads no other views.
    The controls are made of the first set. ``random``: same sizes, scores and images, random places. ``prior``: same
    images and scores, the class's median true box of the other pools but test. ``prior_blind``: that box on every
    image, scored by its frequency. Raises EmptyPool where the pool has no such image in any manifest.
    """
    everything = read_images(lake, lake.partitions("manifest")).where(view=set(FRONTAL_ORDER))
    judged, elsewhere = everything.where(pool={pool}), everything.where(pool=set(POOLS) - {pool, TEST})
    if not len(judged):
        raise EmptyPool(f"The manifest has no image in the pool {pool}", do="make a larger phantom")
    names, sizes = tuple(judged.columns["image_id"]), _sizes(judged)
    reference = Reference(names, np.array(judged.columns["group_id"], dtype=object), truth.on(names))
    made = {name: Boxes.from_table(table).on(names) for name, table in boxes.items()}
    first = next(iter(made.values()))
    priors = controls.prior_boxes(truth, _sizes(elsewhere))
    made |= controls.all_of(first, priors, sizes, seed)
    rows = [
        {"boxes_of": name, "pool": pool, **row}
        for name, one in made.items()
        for row in score_boxes(one, reference, levels=levels)
    ]
    return TruthScore(pool, tuple(rows))


def score_against_truth(
    lake: Lake,
    truth: Path | pa.Table,
    keys: Pseudonymizer,
    *,
    boxes: Mapping[str, pa.Table] | None = None,
    pool: str = VALIDATION,
    seed: int = 0,
) -> list[dict]:
    """Return the mAP@.3 of sets of boxes and of the controls against a phantom's truth, one row each.

    ``truth``: ``truth/boxes.parquet`` or its table. ``boxes``: {name: table}; by default the lake's pseudo boxes. Rows:
    boxes_of, pool, level, class, metric, value, low, high, boxes (true ones), images. Empty where no class has enough
    true boxes. Raises MissingTable without pseudo boxes.
    """
    table = truth if isinstance(truth, pa.Table) else pq.read_table(truth)
    sets = boxes if boxes is not None else {PSEUDO: lake.read("pseudo_boxes")}
    found = true_boxes_on_stored_images(lake, table, keys)
    scored = judge(lake, sets, found, pool=pool, levels=("class",), seed=seed)
    rows = (scored.headline(name) for name in (*sets, *controls.CONTROLS))
    return [row for row in rows if row is not None]


def _sizes(images: ImageSet) -> dict[str, tuple[int, int]]:
    columns = images.columns
    return controls.sizes_of(columns["image_id"], columns["width_px"], columns["height_px"])

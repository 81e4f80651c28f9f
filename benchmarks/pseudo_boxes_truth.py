"""Pseudo boxes of a demo's validation films against what its phantom drew, beside controls, by class, paired.

``python benchmarks/pseudo_boxes_truth.py --lake LAKE``, where ``radia demo`` made LAKE from a phantom of another seed
and key than those that anything was tuned on. Boxes are drawn anew, of the frontal films of validation alone, by the
default method and cut, with the lake's own sizes. Prints and keeps.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from radia_pipeline.contracts.pools import POOLS, TEST, TRAIN, VALIDATION
from radia_pipeline.evaluation.in_use import challenger_of, champion_of
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation import controls, pseudo
from radia_pipeline.localisation.average_precision import MEAN, Reference, score_boxes
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.choice import Choice
from radia_pipeline.localisation.drawn import drawn_pools
from radia_pipeline.localisation.explainer import BATCH, read_images
from radia_pipeline.localisation.paired import difference
from radia_pipeline.localisation.truth import true_boxes_on_stored_images
from radia_pipeline.training.studies import FRONTAL_ORDER

RESULT = Path(__file__).parent / "results" / "pseudo_boxes_truth.json"
IOU = 0.3


def drawn_now(lake: Lake) -> Boxes:
    """Pseudo boxes of validation's frontal films."""
    choice, using, rows = (
        Choice(extents=drawn_pools(lake)[TRAIN].extents()),
        champion_of(lake) or challenger_of(lake),
        [],
    )
    pseudo.read_choice = lambda *_: choice
    for source in lake.partitions("manifest"):
        images = read_images(lake, [source]).where(pool={VALIDATION}, view=set(FRONTAL_ORDER))
        voters = pseudo.voters_of(lake, using, images)
        for start in range(0, len(images), BATCH):
            batch = list(range(start, min(start + BATCH, len(images))))
            rows += pseudo._batch_rows(lake, batch, images, voters, using.ensemble, choice.method)
    return Boxes.of(
        (one["image_id"], one["class"], (one["x_px"], one["y_px"], one["x_px"] + one["width_px"],
         one["y_px"] + one["height_px"]), one["score"]) for one in rows
    )  # fmt: skip


def sizes_of(images) -> dict[str, tuple[int, int]]:
    """Width and height of images in pixels."""
    return controls.sizes_of(*(images.columns[name] for name in ("image_id", "width_px", "height_px")))


def main() -> int:
    """Draw, judge, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--said", default="", help="which phantom and key")
    chosen = parser.parse_args()
    lake = Lake.open(chosen.lake)
    keys = Pseudonymizer.from_environment(lake)
    table = pq.read_table(chosen.lake.with_name(chosen.lake.name + ".sources") / "truth" / "boxes.parquet")
    truth = true_boxes_on_stored_images(lake, table, keys)
    films = read_images(lake, lake.partitions("manifest")).where(view=set(FRONTAL_ORDER))
    judged, elsewhere = films.where(pool={VALIDATION}), films.where(pool=set(POOLS) - {VALIDATION, TEST})
    names = tuple(judged.columns["image_id"])
    reference = Reference(names, np.array(judged.columns["group_id"], dtype=object), truth.on(names))
    made = drawn_now(lake)
    priors = controls.prior_boxes(truth, sizes_of(elsewhere))
    told: dict = {"what": chosen.said, "images": len(names), "true_boxes": len(reference.boxes), "map@0.3": {}}
    for name, boxes in {"pseudo": made, **controls.all_of(made, priors, sizes_of(judged), 0)}.items():
        rows = score_boxes(boxes, reference, levels=["class"], thresholds=[IOU])
        figures = {one["class"]: [one[key] for key in ("value", "low", "high", "boxes")] for one in rows}
        told["map@0.3"][name] = figures.pop(MEAN)
        if boxes is made:
            told["ap@0.3"] = figures
        else:
            over = difference(made, boxes, reference, IOU)
            told[f"over {name}"] = [over.value, over.low, over.high]
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

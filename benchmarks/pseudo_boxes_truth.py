"""Pseudo boxes of validation films against what phantoms drew, beside controls, by class, paired; several worlds.

``python benchmarks/pseudo_boxes_truth.py FOLDER --seeds 211 212 213`` makes a demo's lake for each seed, of a phantom
and a key of its own on which nothing was tuned or changed, as far as the networks, and judges it. A lake that stands
is used again. Boxes are drawn of the frontal films of validation alone, by the default method and cut, with the lake's
own sizes. Worlds share no patient: the interval of their mean is that of independent means, and Student's over worlds
is stated beside it. Prints and keeps.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from over_worlds import independent_mean
from scipy.stats import t

from radia_pipeline.contracts.pools import POOLS, TEST, TRAIN, VALIDATION
from radia_pipeline.defs import demo
from radia_pipeline.defs.run import execute_graph
from radia_pipeline.evaluation.in_use import challenger_of, champion_of
from radia_pipeline.lake.keys import KEY_VARIABLE, Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
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
PSEUDO = "pseudo"


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
        (
            one["image_id"],
            one["class"],
            (one["x_px"], one["y_px"], one["x_px"] + one["width_px"], one["y_px"] + one["height_px"]),
            one["score"],
        )
        for one in rows
    )


def sizes_of(images) -> dict[str, tuple[int, int]]:
    """Width and height of images in pixels."""
    return controls.sizes_of(*(images.columns[name] for name in ("image_id", "width_px", "height_px")))


def made(folder: Path, seed: int) -> Lake:
    """The demo's lake of a seed and of a key of its own, as far as its networks; one that has them stays as it is."""
    os.environ[KEY_VARIABLE] = f"a key for the phantom of seed {seed} and nothing else"
    lake = Lake.open(folder / f"world_{seed}")
    size, deliveries = replace(demo.FULL, seed=seed, large_patients=0), lake.root.with_name(f"{lake.root.name}.sources")
    demo.invent(deliveries, size)
    change_settings(lake.root, sources_root=str(deliveries.absolute()), recipes=size.recipes, detector=size.detector)
    if lake.exists("pseudo_boxes", demo.SOURCES[0]):
        return lake
    if failed := execute_graph(lake, list(demo.SOURCES), "pseudo_boxes").failed:
        raise SystemExit(f"seed {seed}: {failed}")
    return lake


def judged(lake: Lake) -> dict[str, Any]:
    """Mean and per-class AP of the pseudo boxes, those of the controls, and paired differences, of one lake."""
    keys = Pseudonymizer.from_environment(lake)
    table = pq.read_table(lake.root.with_name(lake.root.name + ".sources") / "truth" / "boxes.parquet")
    truth = true_boxes_on_stored_images(lake, table, keys)
    films = read_images(lake, lake.partitions("manifest")).where(view=set(FRONTAL_ORDER))
    asked, elsewhere = films.where(pool={VALIDATION}), films.where(pool=set(POOLS) - {VALIDATION, TEST})
    names = tuple(asked.columns["image_id"])
    reference = Reference(names, np.array(asked.columns["group_id"], dtype=object), truth.on(names))
    drawn = drawn_now(lake)
    priors = controls.prior_boxes(truth, sizes_of(elsewhere))
    told: dict[str, Any] = {"images": len(names), "true_boxes": len(reference.boxes), "map@0.3": {}, "over": {}}
    for name, boxes in {PSEUDO: drawn, **controls.all_of(drawn, priors, sizes_of(asked), 0)}.items():
        rows = score_boxes(boxes, reference, levels=["class"], thresholds=[IOU])
        figures = {one["class"]: [one[key] for key in ("value", "low", "high", "boxes")] for one in rows}
        told["map@0.3"][name] = figures.pop(MEAN)[:3]
        if boxes is drawn:
            told["ap@0.3"] = figures
        else:
            over = difference(drawn, boxes, reference, IOU)
            told["over"][name] = [over.value, over.low, over.high]
    return told


def mean_of(intervals: list[list[float]]) -> dict[str, Any]:
    """The mean of worlds that share no patient: value and 95 % interval of the patients, and Student's over worlds."""
    mean, low, high = independent_mean(intervals)
    value = np.array(intervals)[:, 0]
    between = t.ppf(0.975, len(value) - 1) * value.std(ddof=1) / np.sqrt(len(value)) if len(value) > 1 else np.nan
    return {
        "value": mean,
        "patients": [low, high],
        "worlds": [mean - between, mean + between],
        "least": value.min(),
    }


def main() -> int:
    """Make, judge, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    chosen = parser.parse_args()
    worlds = {str(seed): judged(made(chosen.folder, seed)) for seed in chosen.seeds}
    each = list(worlds.values())
    told = {
        "map@0.3": {name: mean_of([one["map@0.3"][name] for one in each]) for name in each[0]["map@0.3"]},
        "over": {name: mean_of([one["over"][name] for one in each]) for name in each[0]["over"]},
        "ap@0.3, mean of worlds": {
            name: float(np.mean([one["ap@0.3"][name][0] for one in each if name in one["ap@0.3"]]))
            for name in sorted({name for one in each for name in one["ap@0.3"]})
        },
        "worlds": worlds,
    }
    RESULT.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

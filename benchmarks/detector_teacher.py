"""Is the detector better than what taught it? Against the truth of fresh patients, for several seeds.

``python benchmarks/detector_teacher.py FOLDER NAME [--worlds 1 2 3] [--seeds 0 1 2] [--set OPTION=VALUE …]`` trains a
detector for each world and seed, lets it look at patients whom neither it nor its teacher has seen, and keeps mean AP
at IoU .3 beside the pseudo boxes' and the controls', with the paired interval of the difference, under NAME in
``benchmarks/results/detector_teacher.json``. Not here: how the worlds are made (``detector_lake``).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from detector_lake import SOURCE, World, make_world

from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection import data, store
from radia_pipeline.detection.decode import raw_to_boxes
from radia_pipeline.detection.prior import prior_of
from radia_pipeline.detection.recipes import load_config, parse_config
from radia_pipeline.detection.train import train_detector
from radia_pipeline.detection.working_point import thresholds_for
from radia_pipeline.localisation import controls
from radia_pipeline.localisation.average_precision import MEAN, score_boxes
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.found_shares import sensitivities
from radia_pipeline.localisation.paired import difference
from radia_pipeline.training.inputs import prepare
from radia_pipeline.training.outcome import Runtime
from radia_pipeline.training.recipes import replaced
from radia_pipeline.training.studies import LATERAL

RESULT = Path(__file__).parent / "results" / "detector_teacher.json"
IOU = 0.3
RATE = 0.5
"""False boxes an image of the working point, as the detector's file says by default."""
RATES = (0.1, 0.25, 0.5, 1.0)
"""False boxes an image."""


def mean_ap(boxes: Boxes, world: World) -> tuple[float, float, float]:
    """Mean over classes at IoU .3: value, low, high."""
    rows = score_boxes(boxes, world.reference, levels=("class",), thresholds=(IOU,))
    row = next(row for row in rows if row["class"] == MEAN)
    return row["value"], row["low"], row["high"]


def judged(boxes: Boxes, world: World) -> dict[str, Any]:
    """What one set of boxes comes to."""
    names, counts = world.reference.image_ids, {}
    for image in boxes.image_id:
        counts[image] = counts.get(image, 0) + 1
    found = sensitivities(boxes, world.reference, IOU, RATES)
    return {
        "map30": rounded(mean_ap(boxes, world)), "boxes_an_image": round(len(boxes) / len(names), 2),
        "most_boxes_on_an_image": max(counts.values(), default=0),
        "froc": {str(rate): round(one.value, 3) for rate, one in found.items()},
    }  # fmt: skip


def rounded(values) -> list[float]:
    """Three digits."""
    return [round(float(value), 3) for value in values]


def teachers(world: World) -> dict[str, Boxes]:
    """The pseudo boxes of the judged patients, and the controls made of them."""
    names = world.reference.image_ids
    taught = Boxes.from_table(world.judged.read("pseudo_boxes", SOURCE)).on(names)
    stored = world.judged.read("manifest", SOURCE)
    sizes = controls.sizes_of(*(stored[name].to_pylist() for name in ("image_id", "width_px", "height_px")))
    sizes = {name: sizes[name] for name in names}
    return {
        "pseudo boxes": taught,
        **controls.all_of(taught, controls.prior_boxes(world.reference.boxes, sizes), sizes),
    }


def looked(world: World, model_dir: Path) -> dict[str, Boxes]:
    """The detector's boxes on the judged frontal films: alone, with the prior, and of these at the working point."""
    rows = [row for row in world.judged.read("manifest", SOURCE).to_pylist() if row["view"] != LATERAL]
    detector, found = store.load_detector(model_dir), {"alone": [], "prior": [], "working point": []}
    spec = replace(detector.spec, prior_weight=detector.spec.prior_weight or 0.5)  # the switch is measured either way
    for first in range(0, len(rows), 32):
        some = rows[first : first + 32]
        images = [cv2.imread(str(world.judged.root / row["path"]), cv2.IMREAD_UNCHANGED) for row in some]
        batch = torch.from_numpy(np.stack([prepare(image, spec.input_section) for image in images]))
        with torch.no_grad():
            raw = [output.numpy() for output in detector(batch)]
        facts = [(row["image_id"], *image.shape) for row, image in zip(some, images)]
        prior = prior_of(world.prior, [row["study_id"] for row in some], spec.classes)
        found["alone"].append(raw_to_boxes(raw, spec, facts))
        found["prior"].append(raw_to_boxes(raw, spec, facts, prior=prior))
        shown = prior if detector.spec.prior_weight else None
        found["working point"].append(raw_to_boxes(raw, detector.spec, facts, spec.working_point, shown))
    return {name: Boxes.joined(parts) for name, parts in found.items()}


def at_rate(boxes: Boxes, world: World) -> dict[str, float]:
    """What boxes that are shown come to: false ones on a film that shows nothing, true ones found, of all classes."""
    found = sensitivities(boxes, world.reference, IOU, (1e9,))
    return {
        "false_boxes_on_a_normal_film": round(len(boxes.on(world.normal)) / len(world.normal), 3),
        "sensitivity": rounded((found[1e9].value, found[1e9].low, found[1e9].high)),
        "boxes_an_image": round(len(boxes) / len(world.reference.image_ids), 2),
    }  # fmt: skip


def shown_pseudo_boxes(world: World, beside: Boxes) -> Boxes:
    """The judged pseudo boxes at thresholds that validation's gave at the same rate, as a detector's are chosen."""
    images = data.read_images(world.lake, (SOURCE,), (VALIDATION,))
    classes = vocabulary().pathologies
    absent = data.surely_absent(images, classes)
    names = images["image_id"].to_pylist()
    taught = Boxes.from_table(world.lake.read("pseudo_boxes", SOURCE)).on(names)
    cuts = dict(zip(classes, thresholds_for(taught, names, absent, classes, RATE, 0.0)))
    return beside.take(np.array([score > cuts.get(name, 1.0) for name, score in zip(beside.label, beside.score)]))


def one_training(world: World, config, folder: Path, beside: dict[str, Boxes]) -> dict[str, Any]:
    """Train, look, judge, compare with the pseudo boxes."""
    started = time.process_time()
    result = train_detector(world.lake, config, run_dir=folder, runtime=Runtime(workers=1))
    seconds = time.process_time() - started
    found = looked(world, result.model_dir)
    kept: dict[str, Any] = {"cpu_s": round(seconds), "epochs": result.epochs, "best_epoch": result.best_epoch}
    for name in ("alone", "prior"):
        pair = difference(found[name], beside["pseudo boxes"], world.reference, IOU)
        kept[name] = {
            **judged(found[name], world), "over_pseudo_boxes": rounded((pair.value, pair.low, pair.high)),
        }  # fmt: skip
    return {**kept, "working point": at_rate(found["working point"], world)}


def main() -> None:
    """Train, print, keep."""
    options = parser().parse_args()
    config = load_config(options.detector).as_dict() | {"name": "measured", "export_onnx": False}
    given = dict(one.split("=", 1) for one in options.set)
    settings = {name: json.loads(text) for name, text in given.items()}
    kept: dict[str, Any] = {"settings": given, "worlds": {}}
    for number in options.worlds:
        world = make_world(options.folder, number)
        beside = teachers(world)
        kept["worlds"][number] = rows = {name: judged(boxes, world) for name, boxes in beside.items()}
        rows["pseudo boxes at the working point's rate"] = at_rate(
            shown_pseudo_boxes(world, beside["pseudo boxes"]), world
        )
        rows["images"], rows["true_boxes"] = len(world.reference.image_ids), len(world.reference.boxes)
        print(number, json.dumps(rows), flush=True)
        for seed in options.seeds:
            one = parse_config(replaced(config, {**settings, "training.seed": seed}))
            folder = options.folder / "trained" / options.name / f"{number}.{seed}"
            rows[f"detector, seed {seed}"] = found = one_training(world, one, folder, beside)
            print(number, seed, json.dumps(found), flush=True)
        mine = [row for name, row in rows.items() if name.startswith("detector")]
        rows["mean over seeds"] = {
            name: round(float(np.mean([row[name]["map30"][0] for row in mine])), 3) for name in ("alone", "prior")
        }
    whole = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    whole[options.name] = kept
    RESULT.write_text(json.dumps(whole, indent=1) + "\n")


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("name")
    options.add_argument("--worlds", type=int, nargs="+", default=[1])
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--detector", default="small")
    options.add_argument("--set", nargs="*", default=[], metavar="OPTION=JSON")
    return options


if __name__ == "__main__":
    main()

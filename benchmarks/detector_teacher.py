"""Is the detector better than what taught it? Against the truth of fresh patients, for several seeds.

``python benchmarks/detector_teacher.py FOLDER NAME [--worlds 1 2 3] [--seeds 0 1 2] [--set OPTION=VALUE …]`` trains a
detector for each world and seed, lets it look at patients whom neither it nor its teacher has seen, and keeps mean AP
at IoU .3 beside the pseudo boxes' and the controls', with the paired intervals of the differences, under NAME in
``benchmarks/results/detector_teacher.json``: those of each seed, of a world's seeds and of all worlds together.
``--over OTHER`` compares with detectors of another name in the controls' stead; ``--first OTHER`` makes those the
teachers (with ``--set boxes.from_teacher=true`` or ``data.hard_share=…``); with ``--set boxes.real=true`` the phantom's
own boxes of the training patients are the radiologists'. What has been trained stays, so that a run that was stopped
goes on. Not here: how the worlds are made (``detector_lake``).
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

from detector_lake import SOURCE, World, draw_training_boxes, make_world
from over_worlds import independent_mean, over_seeds

from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection import data, store
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.decode import best_of_class, raw_to_boxes, shown_boxes
from radia_pipeline.detection.recipes import load_config, parse_config
from radia_pipeline.detection.train import train_detector
from radia_pipeline.detection.working_point import Limits, chosen
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.localisation import controls
from radia_pipeline.localisation.average_precision import MEAN, score_boxes
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.found_shares import sensitivities
from radia_pipeline.localisation.matching import match
from radia_pipeline.localisation.paired import difference
from radia_pipeline.training.inputs import prepare
from radia_pipeline.training.model_folders import point
from radia_pipeline.training.outcome import Runtime
from radia_pipeline.training.recipes import replaced
from radia_pipeline.training.studies import LATERAL

RESULT = Path(__file__).parent / "results" / "detector_teacher.json"
IOU = 0.3
DECODING = DetectorConfig().decoding
RATE = DECODING.false_boxes
"""False boxes on a normal film of the working point."""
PSEUDO, SHOWN, SHOWN_ALONE = "pseudo boxes", "working point", "working point, no ensemble at hand"
SAME_RATE = f"sensitivity_at_{RATE:g}_on_a_normal_film"
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
        "map30": rounded(mean_ap(boxes, world)),
        "boxes_an_image": round(len(boxes) / len(names), 2),
        "most_boxes_on_an_image": max(counts.values(), default=0),
        "froc": {str(rate): round(one.value, 3) for rate, one in found.items()},
        SAME_RATE: at_normal_rate(boxes, world),
    }


def rounded(values) -> list[float]:
    """Three digits."""
    return [round(float(value), 3) for value in values]


def teachers(world: World) -> dict[str, Boxes]:
    """The pseudo boxes of the judged patients, and the controls made of them."""
    taught = Boxes.from_table(world.judged.read("pseudo_boxes", SOURCE)).on(world.reference.image_ids)
    return {PSEUDO: taught, **controls_of(taught, world)}


def controls_of(boxes: Boxes, world: World) -> dict[str, Boxes]:
    """Boxes at random places, at their classes' usual places, and these on every film; usual by the truth itself."""
    stored = world.judged.read("manifest", SOURCE)
    sizes = controls.sizes_of(*(stored[name].to_pylist() for name in ("image_id", "width_px", "height_px")))
    sizes = {name: sizes[name] for name in world.reference.image_ids}
    return controls.all_of(boxes, controls.prior_boxes(world.reference.boxes, sizes), sizes)


def above(boxes: Boxes, others: dict[str, Boxes], world: World) -> dict[str, list[float]]:
    """By how much boxes' mean AP is above each other's, as ``over NAME``: value, low, high of the pair."""
    pairs = {name: difference(boxes, other, world.reference, IOU) for name, other in others.items()}
    return {f"over {name}": rounded((one.value, one.low, one.high)) for name, one in pairs.items()}


def looked(world: World, model_dir: Path) -> dict[str, Boxes]:
    """The detector's boxes on the judged frontal films: alone, with the prior, and what is shown at the working point,
    with and without the ensemble at hand."""
    rows = [row for row in world.judged.read("manifest", SOURCE).to_pylist() if row["view"] != LATERAL]
    detector = store.load_detector(model_dir)
    found: dict[str, list[Boxes]] = {"alone": [], "prior": [], SHOWN: [], SHOWN_ALONE: []}
    spec = replace(detector.spec, prior_weight=detector.spec.prior_weight or 0.5)  # the switch is measured either way
    for first in range(0, len(rows), 32):
        some = rows[first : first + 32]
        images = [cv2.imread(str(world.judged.root / row["path"]), cv2.IMREAD_UNCHANGED) for row in some]
        batch = torch.from_numpy(np.stack([prepare(image, spec.input_section) for image in images]))
        with torch.no_grad():
            raw = [output.numpy() for output in detector(batch)]
        facts, studies = (
            [(row["image_id"], *image.shape) for row, image in zip(some, images)],
            [r["study_id"] for r in some],
        )
        prior, possible = world.prior.of(studies, spec.classes), world.prior.possible(studies, spec.classes)
        found["alone"].append(raw_to_boxes(raw, spec, facts))
        found["prior"].append(raw_to_boxes(raw, spec, facts, prior=prior))
        weighed = prior if detector.spec.prior_weight else None
        found[SHOWN].append(shown_boxes(raw, detector.spec, facts, weighed, possible))
        found[SHOWN_ALONE].append(shown_boxes(raw, detector.spec, facts))
    return {name: Boxes.joined(parts) for name, parts in found.items()}


def at_rate(boxes: Boxes, world: World) -> dict[str, Any]:
    """What boxes that are shown come to: false ones on a film that shows nothing, true ones found, of all classes."""
    found = sensitivities(boxes, world.reference, IOU, (1e9,))
    return {
        "false_boxes_on_a_normal_film": false_rate(boxes, world),
        "sensitivity": rounded((found[1e9].value, found[1e9].low, found[1e9].high)),
        "boxes_an_image": round(len(boxes) / len(world.reference.image_ids), 2),
    }


def false_rate(boxes: Boxes, world: World) -> float:
    """Boxes on a film that shows nothing."""
    return round(len(boxes.on(world.normal)) / len(world.normal), 3)


def within_rate(boxes: Boxes, world: World, rate: float) -> Boxes:
    """Boxes above one threshold, read off the judged films, at which those that show nothing have ``rate`` each."""
    false = np.sort(boxes.on(world.normal).score)[::-1]
    spare = int(rate * len(world.normal) + 1e-6)
    cut = false[spare] if len(false) > spare else -np.inf
    return boxes.take(boxes.score > cut)


def at_normal_rate(boxes: Boxes, world: World) -> list[float]:
    """True boxes found, of all classes, where films that show nothing have ``RATE`` boxes each: value, low, high."""
    found = sensitivities(within_rate(boxes, world, RATE), world.reference, IOU, (1e9,))[1e9]
    return rounded((found.value, found.low, found.high))


def at_the_same_rate(shown: Boxes, taught: Boxes, world: World) -> dict[str, Any]:
    """What is shown beside the pseudo boxes at the rate that it came to: their threshold is read off the judged films,
    which is in their favour. ``found more``: share of true boxes, value, low, high of the pair by patient.
    """
    theirs = within_rate(taught, world, false_rate(shown, world))
    mine, others = hits(shown, world), hits(theirs, world)
    drawn = world.reference.boxes.on(world.reference.image_ids)
    place = {name: row for row, name in enumerate(world.reference.image_ids)}
    true = np.bincount([place[name] for name in drawn.image_id], minlength=len(place))
    value, group = (mine - others).sum() / true.sum(), np.asarray(world.reference.group_ids)
    _, number = np.unique(group, return_inverse=True)
    moved = np.bincount(number, weights=(mine - others - value * true) / true.sum())
    half = 1.96 * np.sqrt(np.square(moved).sum() * len(moved) / (len(moved) - 1))
    return {
        "pseudo boxes": at_rate(theirs, world),
        "found more": rounded((value, value - half, value + half)),
    }


def hits(boxes: Boxes, world: World) -> np.ndarray:
    """True boxes found on each judged film, of all classes."""
    reference, counts = world.reference, np.zeros(len(world.reference.image_ids))
    for name in sorted(set(reference.boxes.label)):
        mine, drawn = (some.take(some.label == name) for some in (boxes, reference.boxes))
        found = match(mine, drawn, reference.image_ids, IOU)
        counts += np.bincount(found.image[found.is_hit], minlength=len(counts))
    return counts


def shown_pseudo_boxes(world: World, beside: Boxes) -> Boxes:
    """The judged pseudo boxes at thresholds that validation's gave at the same rates, as a detector's are chosen."""
    images, classes = data.read_images(world.lake, (SOURCE,), (VALIDATION,)), vocabulary().pathologies
    films = data.counted_films(images, classes)
    taught = Boxes.from_table(world.lake.read("pseudo_boxes", SOURCE)).on(films.image_ids)
    taught = best_of_class(taught.take(np.isin(taught.label.astype(str), classes)), DECODING.class_boxes)
    limits = Limits(RATE, DECODING.absent_boxes, DECODING.class_boxes, 0.0)
    cuts = dict(zip(classes, chosen(taught, films, classes, limits)))
    return beside.take(np.array([score > cuts.get(name, 1.0) for name, score in zip(beside.label, beside.score)]))


def trained(world: World, config, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Train one; the model's folder and what it took."""
    started = time.process_time()
    result = train_detector(world.lake, config, run_dir=folder, runtime=Runtime(workers=1))
    seconds = time.process_time() - started
    facts: dict[str, Any] = {"epochs": result.epochs, "best_epoch": result.best_epoch}
    return result.model_dir, facts if result.reused else {"cpu_s": round(seconds), **facts}


def as_teacher(world: World, folder: Path, name: str) -> str:
    """Make a model that was trained aside the newest of a detector of the lake; returns the detector's name."""
    content = {"name": name, "fingerprint": json.loads((folder / "model.json").read_text())["fingerprint"]}
    home = world.lake.models_dir / "detector" / name
    home.mkdir(parents=True, exist_ok=True)
    place = home / content["fingerprint"]
    if not place.exists():
        place.symlink_to(folder.resolve())
    point(home, content)
    return name


def compared(world: World, model_dir: Path, beside: dict[str, Boxes], other: Path | None) -> dict[str, Any]:
    """Look, judge, compare with the pseudo boxes and with another detector of the same seed; without one, with all
    controls: of the pseudo boxes and, as ``its own``, of the detector's boxes.
    """
    found, kept = looked(world, model_dir), {}
    near = {PSEUDO: beside[PSEUDO]} | ({"other": looked(world, other)["alone"]} if other else {})
    own = {f"its own {name}": boxes for name, boxes in controls_of(found["alone"], world).items()}
    for name, against in (("alone", near if other else {**beside, **own}), ("prior", near)):
        kept[name] = {**judged(found[name], world), **above(found[name], against, world)}
    shown = {**at_rate(found[SHOWN], world), **at_the_same_rate(found[SHOWN], beside[PSEUDO], world)}
    return {**kept, SHOWN: shown, SHOWN_ALONE: at_rate(found[SHOWN_ALONE], world)}


def main() -> None:
    """Train, print, keep."""
    options = parser().parse_args()
    config = load_config(options.detector).as_dict() | {"name": "measured", "export_onnx": False}
    given = dict(one.split("=", 1) for one in options.set)
    settings = {name: json.loads(text) for name, text in given.items()}
    kept: dict[str, Any] = {"settings": given, "worlds": {}}
    for option in ("first", "over"):
        if named := getattr(options, option):
            kept[option] = named
    for number in options.worlds:
        world = make_world(options.folder, number)
        if settings.get("boxes.real"):
            draw_training_boxes(world.lake, number)
        beside = teachers(world)
        kept["worlds"][number] = rows = {name: judged(boxes, world) for name, boxes in beside.items()}
        rows[PSEUDO] |= above(beside[PSEUDO], {name: beside[name] for name in controls.CONTROLS}, world)
        rows["pseudo boxes at the working point's rate"] = at_rate(shown_pseudo_boxes(world, beside[PSEUDO]), world)
        rows["images"], rows["true_boxes"] = len(world.reference.image_ids), len(world.reference.boxes)
        print(number, json.dumps(rows), flush=True)
        for seed in options.seeds:
            folder = options.folder / "trained"
            run, named = f"{number}.{seed}", (options.first, options.over)
            first, other = (folder / name / run if name else None for name in named)
            taught = {"teacher": as_teacher(world, first, f"first_{options.first}_{seed}")} if first else {}
            one = parse_config(replaced(config, {**settings, **taught, "training.seed": seed}))
            model_dir, took = trained(world, one, folder / options.name / run)
            rows[f"detector, seed {seed}"] = found = {**took, **compared(world, model_dir, beside, other)}
            print(number, seed, json.dumps(found), flush=True)
            rows["mean over seeds"] = means([row for name, row in rows.items() if name.startswith("detector")])
            kept["worlds together"] = together(list(kept["worlds"].values()))
            whole = json.loads(RESULT.read_text()) if RESULT.exists() else {}
            RESULT.write_text(json.dumps({**whole, options.name: kept}, indent=1) + "\n")
        print(number, json.dumps(rows["mean over seeds"]), flush=True)
    print(json.dumps(kept["worlds together"]), flush=True)


def means(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean AP of several seeds, and their mean differences with the patients' interval and Student's for the seeds."""
    told: dict[str, Any] = {}
    for name in ("alone", "prior"):
        told[name] = round(float(np.mean([row[name]["map30"][0] for row in rows])), 3)
        for pair in (one for one in rows[0][name] if one.startswith("over ")):
            parts = [Interval(*row[name][pair], 0, 0) for row in rows]
            if len(parts) > 1:
                found = over_seeds(parts)
                told[f"{name} {pair}"] = {
                    "value": round(float(found["value"]), 3),
                    **{one: rounded(found[one]) for one in ("patients", "patients_and_seeds")},
                }
    shown = [row[SHOWN] for row in rows]
    more = over_seeds([Interval(*one["found more"], 0, 0) for one in shown]) if len(shown) > 1 else None
    told[SHOWN] = {
        "false_boxes_on_a_normal_film": [one["false_boxes_on_a_normal_film"] for one in shown],
        "sensitivity": round(float(np.mean([one["sensitivity"][0] for one in shown])), 3),
        "of the pseudo boxes at the same rate": [one["pseudo boxes"]["sensitivity"][0] for one in shown],
        **({"found more": rounded((more["value"], *more["patients"]))} if more else {}),
        SAME_RATE: round(float(np.mean([row["alone"][SAME_RATE][0] for row in rows])), 3),
    }
    return told


def together(worlds: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of all worlds' differences: their patients and trainings are independent, so half-widths add by squares.

    Of the pseudo boxes against the controls too, under ``pseudo boxes over …``.
    """
    told: dict[str, Any] = {}
    means_of = [one["mean over seeds"] for one in worlds if "mean over seeds" in one]
    for name in (one for one in means_of[0] if " over " in one and all(one in other for other in means_of)):
        told[name] = {
            kind: rounded(independent_mean([(one[name]["value"], *one[name][kind]) for one in means_of]))
            for kind in ("patients", "patients_and_seeds")
        }
    for name in (one for one in worlds[0][PSEUDO] if one.startswith("over ")):
        told[f"{PSEUDO} {name}"] = {"patients": rounded(independent_mean([one[PSEUDO][name] for one in worlds]))}
    return told


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("name")
    options.add_argument("--worlds", type=int, nargs="+", default=[1])
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--detector", default="small")
    options.add_argument("--first", help="NAME of detectors that teach these, seed by seed")
    options.add_argument("--over", help="NAME of detectors that these are compared with, seed by seed")
    options.add_argument("--set", nargs="*", default=[], metavar="OPTION=JSON")
    return options


if __name__ == "__main__":
    main()

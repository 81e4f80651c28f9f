"""The boxes, figures and maps that fixed inputs come to; ``golden.json`` has them on record.

``python -m radia_pipeline_tests.localisation.golden`` brings the record up to date (see ``records``). What is right is
said by other tests; the record says that a benchmark of last year and one of today do not differ by a change that
nobody meant.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from radia_pipeline.localisation import controls
from radia_pipeline.localisation.average_precision import Reference, mean_average_precision, score_boxes
from radia_pipeline.localisation.boxes import Boxes, CutRules, Frame, boxes_from_map, peak_of
from radia_pipeline.localisation.choice import sure_shares, surely_best_method
from radia_pipeline.localisation.extents import EXTENTS, UNKNOWN, Extent, learned
from radia_pipeline.localisation.found_shares import boxes_within, pointing, sensitivities
from radia_pipeline.localisation.fusion import fuse
from radia_pipeline.localisation.maps import METHODS, explain
from radia_pipeline.localisation.paired import difference, is_surely_better
from radia_pipeline.localisation.pictures import agreement, ranked
from radia_pipeline_tests.evaluation.golden import marks, plain
from radia_pipeline_tests.localisation.worlds import TinyClassifier
from radia_pipeline_tests.records import Record

BOXES_VERSION = 1
"""Raised where a form, a method or a choice was changed on purpose."""
RELATIVE = 1e-6
LOOSE = 1e-3
"""Of maps, which are float32, and of pixels, which are resampled by instructions that differ."""

IMAGES, CLASSES = 24, ("Mass", "Edema", "Nodule", "Pneumonia")
SIZES = {f"image{number}": (100 + number, 90) for number in range(IMAGES)}


def world(seed: int = 0, drawn_each: int = 26) -> tuple[Reference, Boxes, Boxes]:
    """Draw what radiologists drew (two images a patient) and what two detectors found, the second worse."""
    rng = np.random.default_rng(seed)
    rows, found, worse = [], [], []
    for name in CLASSES[: 4 if drawn_each > 4 else 1]:
        for _ in range(drawn_each if name != "Pneumonia" else 3):
            image = f"image{rng.integers(0, IMAGES - 2)}"
            left, top = rng.random(2) * 50
            corners = (left, top, left + 8 + 30 * rng.random(), top + 8 + 30 * rng.random())
            rows.append((image, name, corners, 1.0))
            for listed, spread, least in ((found, 3, 0.2), (worse, 9, 0.45)):
                if rng.random() > least:
                    moved = tuple(edge + spread * rng.normal() for edge in corners)
                    listed.append((image, name, moved, round(float(rng.random()), 1)))
                if rng.random() > 0.6:
                    listed.append((f"image{rng.integers(0, IMAGES)}", name, (40, 40, 70, 75), float(rng.random())))
    groups = np.array([f"patient{number // 2}" for number in range(IMAGES - 1)], dtype=object)
    reference = Reference(tuple(SIZES)[:-1], groups, Boxes.of(rows), frozenset({("image3", "Mass")}))
    return reference, Boxes.of(found), Boxes.of(worse)


def numbers(boxes: Boxes) -> list[Any]:
    """Return what tells boxes from others."""
    return [len(boxes), *(marks(part) or [] for part in (boxes.corners, boxes.score))]


def average_precisions() -> Any:
    """Return every row of the judging of boxes, their differences, and the mean without an interval."""
    reference, found, worse = world()
    rows = {
        f"{row['level']} {row['class']} {row['metric']}": [row[name] for name in ("value", "low", "high", "boxes")]
        for row in score_boxes(found, reference)
    }
    apart = difference(found, worse, reference, 0.3)
    single = difference(worse, found, reference, 0.5, ["Edema"])
    tries = [is_surely_better(apart, count) for count in (0, 1, 2, 20, 10**6)]
    return {
        "rows": rows,
        "difference": apart and asdict(apart),
        "single": single and asdict(single),
        "few": difference(found, worse, world(1, 1)[0], 0.3),
        "surely": [*tries, is_surely_better(None, 1), is_surely_better(single, 1)],
        "mean": [mean_average_precision(found, reference, level, 0.5) for level in ("class", "group", "agnostic")],
    }


def shares() -> Any:
    """Return shares of drawn boxes found, by points, by false boxes an image and by what lies within."""
    reference, found, worse = world(2)
    peaks = {
        (image, name): (float(corners[0] + 4), float(corners[1] + 6))
        for image, name, corners in zip(worse.image_id, worse.label, worse.corners)
    }
    return {
        "pointing": {name: list(asdict(one).values()) for name, one in pointing(peaks, reference).items()},
        "within": {str(key): list(asdict(one).values()) for key, one in boxes_within(found, reference).items()},
        "froc": {key: list(asdict(one).values()) for key, one in sensitivities(found, reference, 0.3).items()},
        "nothing": [list(asdict(one).values()) for one in sensitivities(Boxes.empty(), reference, 0.3).values()],
    }


def chosen() -> Any:
    """Return what is chosen among methods and thresholds, and which films a sheet shows."""
    reference, found, worse = world(3)
    far = {"stagecam": worse, "gradcam": found, "other": worse}
    agreed = agreement(found, reference)
    return {
        "better": surely_best_method(far, reference),
        "default": surely_best_method({"gradcam": found, "stagecam": found}, reference)[0],
        "first": surely_best_method({"a": found, "b": worse}, reference)[0],
        "shares": sure_shares({0.5: worse, 0.3: found, 0.7: worse}, reference),
        "stay": sure_shares({0.5: found, 0.3: worse}, reference),
        "agreed": agreed,
        "sheet": ranked(agreed, 2),
        "few": ranked({"a": 0.5, "b": 0.5, "c": 0.1}),
        "odd": ranked({str(number): float(number % 7) for number in range(11)}),
    }


def fused() -> Any:
    """Return what three voters' boxes become."""
    rng = np.random.default_rng(5)
    voters = []
    for count in (5, 0, 4, 6):
        low = rng.integers(0, 4, (count, 2)) * 12.0
        corners = np.concatenate([low, low + 14 + 4 * rng.random((count, 2))], axis=1)
        voters.append((corners, rng.integers(1, 4, count) / 4))
    return [
        [marks(part) for part in fuse([corners for corners, _ in voters], [score for _, score in voters], **more)]
        for more in ({}, {"threshold": 0.1}, {"threshold": 0.8})
    ]


def hills(seed: int, side: int = 12) -> np.ndarray:
    """Return a map of a few hills, some below nought."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    total = np.zeros((side, side))
    for _ in range(4):
        middle, width = rng.random(2) * side, 0.7 + 3 * rng.random()
        total += (rng.random() - 0.2) * np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / (2 * width**2))
    return total.astype(np.float32)


def cut() -> Any:
    """Return boxes cut out of hills, of every class and frame, and where the hills are highest."""
    frames = (Frame(300, 300, 96), Frame(400, 250, 96), Frame(200, 333, 96))
    rules = (None, CutRules(0.3), CutRules(0.7, max_boxes=1), CutRules(extents={"Mass": Extent(0.01, 0.02)}))
    found: dict[str, Any] = {}
    for number, label in enumerate((*EXTENTS, "No Finding")):
        rule = rules[number % len(rules)]
        made = [boxes_from_map(hills(number + 50 * at), 0.8, label, frame, rule) for at, frame in enumerate(frames)]
        found[label] = [[[*corners, score] for corners, score in one] for one in made]
    found["Mass of its own size"] = boxes_from_map(hills(1), 1.5, "Mass", frames[0], rules[3])
    flat = np.full((4, 4), 0.7, dtype=np.float32)
    found["flat"] = boxes_from_map(flat, 0.5, "Nodule", frames[1])
    found["nothing"] = [boxes_from_map(-flat, 0.5, "Nodule", frames[1]), peak_of(-flat, frames[1])]
    found["peaks"] = [peak_of(hills(number), frame) for number in range(4) for frame in frames]
    return found


def extents() -> Any:
    """Return how surprising sizes are, and what drawn boxes say of them."""
    at = np.array([0.0, 1e-4, 0.004, 0.02, 0.1, 0.3, 0.9])
    rng = np.random.default_rng(7)
    labels = np.array(["Mass"] * 20 + ["Edema"] * 19 + ["Nodule"] * 25, dtype=object)
    sizes = np.concatenate([np.exp(rng.normal(-3, 0.5, 39)), np.full(25, 0.01)])
    return {
        "surprise": {name: one.surprise(at) for name, one in {**EXTENTS, "unknown": UNKNOWN}.items()},
        "own spread": Extent(0.01, 0.1, 0.03, 0.5).surprise(at),
        "learned": {name: asdict(one) for name, one in learned(labels, sizes).items()},
    }


def placed() -> Any:
    """Return the controls of boxes: usual places, random ones, blind ones."""
    reference, found, _ = world(4)
    priors = controls.prior_boxes(reference.boxes, SIZES)
    made = controls.all_of(found, priors, SIZES)
    return {
        "priors": {name: [*one.corners, one.frequency] for name, one in priors.items()},
        **{name: numbers(boxes) for name, boxes in made.items()},
        "seed": numbers(controls.at_random(found, SIZES, 1)),
        "large": numbers(controls.at_random(Boxes.of([("image0", "Mass", (0, 0, 500, 20), 0.5)]), SIZES)),
    }


def shown(head: str, method: str) -> Any:
    """Return what a method shows of three pictures, by a classifier with this head."""
    images = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(9))
    _, made = explain(TinyClassifier(head).eval(), images, (method,))
    return [list(made[method].shape), marks(made[method].double().numpy())]


PARTS: dict[str, Callable[[], Any]] = {
    "average_precisions": average_precisions,
    "shares": shares,
    "chosen": chosen,
    "fused": fused,
    "cut": cut,
    "extents": extents,
    "placed": placed,
    **{f"{method} of {head}": partial(shown, head, method) for head in ("linear", "pcam") for method in METHODS},
}


def part_of(name: str) -> str:
    """Return the part of the record that holds an entry."""
    return "pixels" if name == "cut" or " of " in name else "numbers"


def measure() -> dict[str, Any]:
    """Return what the record should say."""
    found: dict[str, Any] = {"version": BOXES_VERSION, "numbers": {}, "pixels": {}}
    for name, make in PARTS.items():
        found[part_of(name)][name] = plain(make())
    return found


RECORD = Record(
    file=Path(__file__).with_name("golden.json"),
    version="BOXES_VERSION",
    declared_in="radia_pipeline_tests/localisation/golden.py",
    door="python -m radia_pipeline_tests.localisation.golden",
    exact={"numbers": RELATIVE, "pixels": LOOSE},
)

if __name__ == "__main__":
    sys.exit(RECORD.update(measure()))

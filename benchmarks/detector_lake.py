"""Phantom lakes on which detectors are compared with what taught them: one to learn from, one of fresh patients.

``lake``: classifiers, their ensemble, pseudo boxes. ``judged``: the same models before patients whom nobody has seen,
pseudo boxes drawn there without labels, and what is true. Not here: what is compared (``detector_teacher``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from training_lake import key, patient_rows

from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.prior import Prior
from radia_pipeline.evaluation.ensemble import build_ensemble
from radia_pipeline.evaluation.in_use import challenger_of
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.average_precision import Reference
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.localisation.explainer import Explainer, read_images
from radia_pipeline.localisation.pseudo import build_pseudo_boxes
from radia_pipeline.phantom.people import draw_patient
from radia_pipeline.phantom.radiograph import take
from radia_pipeline.training.inference import predict_manifest
from radia_pipeline.training.outcome import Runtime
from radia_pipeline.training.recipes import load_recipe
from radia_pipeline.training.studies import LATERAL
from radia_pipeline.training.trainer import train

SOURCE, SIZE_PX = "ccsmtl", 256
PATIENTS, JUDGED, HELD_EVERY = 480, 300, 6
RECIPES = ("demo_linear", "demo_pcam")


@dataclass(frozen=True)
class World:
    """Two lakes; ``reference``: the true boxes of the judged frontal films; ``normal``: films that show nothing;
    ``prior``: what the ensemble says of the judged studies."""

    lake: Lake
    judged: Lake
    reference: Reference
    normal: tuple[str, ...]
    prior: Prior


def train_ensemble(lake: Lake) -> None:
    """Train the two small networks and make their ensemble, where the lake has them not yet."""
    for name in RECIPES:
        if not lake.exists("predictions", name):
            train(load_recipe(name), lake, runtime=Runtime(workers=1))
            predict_manifest(lake, name)
    if not lake.exists("ensemble"):
        build_ensemble(lake, RECIPES)


def make_world(folder: Path, seed: int) -> World:
    """Make what is not there yet; the judged patients' seed is one of its own."""
    lake, judged = Lake.open(folder / f"lake{seed}"), Lake.open(folder / f"judged{seed}")
    _invent(lake, seed, PATIENTS, lambda number: VALIDATION if number % HELD_EVERY == 0 else TRAIN)
    _invent(judged, 1000 + seed, JUDGED, lambda _number: VALIDATION)
    train_ensemble(lake)
    for one in (lake, judged):
        if one is judged and not one.exists("ensemble"):
            one.models_dir.symlink_to(lake.models_dir)
            one.write("ensemble", lake.read("ensemble").to_pylist())
            for name in RECIPES:
                one.write("predictions", lake.read("predictions", name).to_pylist(), name)
        if not one.exists("pseudo_boxes", SOURCE):
            build_pseudo_boxes(SOURCE, one)
    return World(lake, judged, *_truth(judged, 1000 + seed), _prior(judged))


def _prior(lake: Lake) -> Prior:
    path, images, ensemble = lake.root / "prob.npz", read_images(lake, [SOURCE]), challenger_of(lake).ensemble
    if not path.exists():
        films = images.take([row for row, view in enumerate(images.columns["view"]) if view != LATERAL])
        said = {}
        for name in ensemble.used_members:
            one = Explainer(lake, name, films, ("gradcam",))
            parts = [list(range(first, min(first + 32, len(films)))) for first in range(0, len(films), 32)]
            said[name] = np.concatenate([one.probabilities(rows) for rows in parts])
        np.savez(path, ids=np.array(films.columns["image_id"]), prob=ensemble.predict(said)[1])
    study_of, kept = dict(zip(images.columns["image_id"], images.columns["study_id"])), np.load(path)
    said_of = {study_of[str(image)]: row for image, row in zip(kept["ids"], kept["prob"])}
    return Prior(said_of, ensemble.thresholds)


def _invent(lake: Lake, seed: int, patients: int, pool) -> None:
    if lake.exists("manifest", SOURCE):
        return
    rows = []
    for number in range(1, patients + 1):
        made = patient_rows(lake.root, seed, SIZE_PX, (SOURCE, number))
        rows += [{**row, "pool": pool(number), "fold": number % 5 if pool(number) == TRAIN else None} for row in made]
    lake.write("manifest", rows, partition=SOURCE)


def _truth(lake: Lake, seed: int) -> tuple[Reference, tuple[str, ...]]:
    stored = {row["image_id"]: row for row in lake.read("manifest", SOURCE).to_pylist() if row["view"] != LATERAL}
    drawn, seen, path = [], set(), lake.root / "truth.npz"
    if path.exists():
        kept = np.load(path)
        seen, drawn = set(kept["seen"].tolist()), list(zip(*(kept[n] for n in ("image", "label", "corners", "score"))))
    else:
        for image_id, boxes in _films(seed, JUDGED):
            if image_id in stored:
                seen.update([image_id] if boxes else [])
                drawn += [(image_id, name, corners, 1.0) for name, corners in boxes]
        columns = dict(zip(("image", "label", "corners", "score"), zip(*drawn)))
        np.savez(path, **columns, seen=sorted(seen))
    drawn = [(str(image), str(label), tuple(corners), float(score)) for image, label, corners, score in drawn]
    ids = tuple(sorted(stored))
    groups = np.array([stored[one]["group_id"] for one in ids], dtype=object)
    return Reference(ids, groups, Boxes.of(drawn)), tuple(one for one in ids if one not in seen)


def draw_training_boxes(lake: Lake, seed: int) -> None:
    """Write the phantom's own boxes of the training pool as a radiologist's, where the lake has them not yet."""
    if lake.exists("box_annotations", SOURCE):
        return
    wanted, rows = ("source", "image_id", "study_id"), []
    learned = {row["image_id"]: row for row in lake.read("manifest", SOURCE).to_pylist() if row["pool"] == TRAIN}
    for image_id, boxes in _films(seed, PATIENTS):
        for name, (left, top, right, bottom) in boxes if image_id in learned else ():
            rows.append(
                {
                    **{one: learned[image_id][one] for one in wanted},
                    "box_index": len(rows),
                    "class": name,
                    "x_px": left,
                    "y_px": top,
                    "width_px": right - left,
                    "height_px": bottom - top,
                    "reader": "nih",
                    "origin": "nih",
                }
            )
    lake.write("box_annotations", rows, SOURCE)


def _films(seed: int, patients: int) -> Iterator[tuple[str, list[tuple[str, tuple[float, float, float, float]]]]]:
    """Yield each film's key and what is drawn on it, under the groups above too."""
    words = vocabulary()
    for number in range(1, patients + 1):
        for study in draw_patient(seed, SOURCE, number, SIZE_PX).studies:
            for image in study.images:
                boxes = []
                for name, (x, y, width, height) in take(image.film).boxes:
                    above = [one for one in words.ancestors(name) if one in words.pathologies]
                    boxes += [(one, (x, y, x + width, y + height)) for one in (name, *above)]
                yield key(SOURCE, number, study.number, image.number), boxes


if __name__ == "__main__":
    root, *seeds = sys.argv[1:]
    for one in seeds:
        world = make_world(Path(root), int(one))
        print(one, len(world.reference.image_ids), len(world.reference.boxes), len(world.normal), flush=True)

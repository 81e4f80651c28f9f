"""The detector's time for an image against the ensemble of saliency maps as it stood at commit 454e2c0, in one run.

``python benchmarks/detection_speed.py FOLDER --model DIR`` takes the first world of ``detector_teacher`` and a detector
that was trained there. The maps' code is unpacked from the repository's history and run in a process of its own; both
sides say what a batch takes from the packed or prepared picture to boxes in stored pixels. One thread; medians of
processor time; kept among the results. Not here: how good boxes are (``detector_teacher``).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BASELINE = "454e2c0"
IMAGES, REPEATS, SOURCE = 8, 3, "ccsmtl"
RESULT = Path(__file__).parent / "results" / "detection_speed.json"


def cpu_ms(work: Callable[[], object], images: int, repeats: int = REPEATS) -> float:
    """Median processor milliseconds an image."""
    work()
    taken = []
    for _ in range(repeats):
        before = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - before) / images)
    return round(float(np.median(taken)), 2)


def maps_ms(folder: Path) -> dict[str, float]:
    """The ensemble of maps; runs with the package of ``BASELINE``."""
    import torch

    torch.set_num_threads(1)
    from radia_pipeline.evaluation.ensemble import load_ensemble
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.localisation import explainer, pseudo
    from radia_pipeline.localisation.explainer import Explainer, read_images

    explainer.load_classifier = classifier_then
    lake = Lake.open(folder / "judged1")
    ensemble, images = load_ensemble(lake), read_images(lake, [SOURCE])
    rows = [row for row, view in enumerate(images.columns["view"]) if view != "LATERAL"][:IMAGES]
    choices = {name: pseudo.read_choice(lake, name) for name in ensemble.used_members}
    voters = [pseudo.Voter(Explainer(lake, name, images, (one.method,)), one) for name, one in choices.items()]

    def look(batch: list[int]) -> None:
        list(pseudo._batch_rows(batch, images, voters, ensemble, "maps"))

    return {
        "single": cpu_ms(lambda: [look([row]) for row in rows], IMAGES),
        "batched": cpu_ms(lambda: look(rows), IMAGES),
    }


def classifier_then(model_dir: Path, device: str):
    """A model of today in the network of ``BASELINE``: options that its recipes did not know are left out."""
    from radia_pipeline.learning.models import Classifier
    from radia_pipeline.learning.recipe_schema import Recipe
    from safetensors.torch import load_file

    told, known = json.loads((model_dir / "model.json").read_text())["recipe"], Recipe.model_fields
    content = {name: value for name, value in told.items() if name in known}
    for name, section in content.items():
        options = getattr(known[name].annotation, "model_fields", None)
        if options is not None:
            content[name] = {key: value for key, value in section.items() if key in options}
    content["augmentation"].pop("also", None)
    classifier = Classifier(Recipe.model_validate(content))
    weights, mine = load_file(model_dir / "model.safetensors"), classifier.state_dict()
    classifier.load_state_dict({**mine, **{name: weights[name] for name in mine if name in weights}})
    return classifier.to(device).eval()


def detector_ms(folder: Path, model_dir: Path) -> dict[str, float]:
    """The detector in ONNX Runtime, its decoding apart, at the working point; and the same in torch."""
    import cv2
    import torch

    torch.set_num_threads(1)
    from detector_lake import make_world

    from radia_pipeline.detection import store
    from radia_pipeline.detection.decode import raw_to_boxes, shown_boxes
    from radia_pipeline.detection.export import export_onnx
    from radia_pipeline.detection.onnx_model import OnnxDetector
    from radia_pipeline.training.inputs import prepare
    from radia_pipeline.training.studies import LATERAL

    exported = export_onnx(model_dir)
    onnx, torch_detector, world = (
        OnnxDetector.load(model_dir, threads=1),
        store.load_detector(model_dir),
        make_world(folder, 1),
    )
    spec = onnx.spec
    rows = [row for row in world.judged.read("manifest", SOURCE).to_pylist() if row["view"] != LATERAL][:IMAGES]
    stored = [cv2.imread(str(world.judged.root / row["path"]), cv2.IMREAD_UNCHANGED) for row in rows]
    batch = np.stack([prepare(image, spec.input_section) for image in stored])
    facts = [(row["image_id"], *image.shape) for row, image in zip(rows, stored)]
    studies = [row["study_id"] for row in rows]
    prior, possible = world.prior.of(studies, spec.classes), world.prior.possible(studies, spec.classes)
    raw = onnx.raw(batch)

    def decoded(some: slice, found) -> None:
        shown_boxes(found, spec, facts[some], prior[some], possible[some])

    def both(some: slice) -> None:
        decoded(some, onnx.raw(batch[some]))

    def in_torch(some: slice) -> None:
        with torch.no_grad():
            decoded(some, [one.numpy() for one in torch_detector(torch.from_numpy(batch[some]))])

    ones, whole = [slice(place, place + 1) for place in range(IMAGES)], slice(0, IMAGES)
    return {
        "single": cpu_ms(lambda: [both(one) for one in ones], IMAGES),
        "batched": cpu_ms(lambda: both(whole), IMAGES),
        "single_in_torch": cpu_ms(lambda: [in_torch(one) for one in ones], IMAGES),
        "batched_in_torch": cpu_ms(lambda: in_torch(whole), IMAGES),
        "decoding_single": cpu_ms(lambda: [decoded(one, [part[one] for part in raw]) for one in ones], IMAGES),
        "decoding_batched": cpu_ms(lambda: decoded(whole, raw), IMAGES),
        "decoding_of_every_box": cpu_ms(lambda: raw_to_boxes(raw, spec, facts, prior=prior), IMAGES),
        "onnx_largest_difference": exported.max_difference,
    }


def unpacked(where: Path) -> Path:
    """The package at ``BASELINE``, from the repository's history."""
    archive = where / "then.tar"
    subprocess.run(["git", "archive", "-o", str(archive), BASELINE], cwd=ROOT, check=True)
    with tarfile.open(archive) as content:
        content.extractall(where / "then", filter="data")
    return where / "then"


def main() -> None:
    """Measure, print, keep."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--model", type=Path)
    options.add_argument("--maps", action="store_true")
    options = options.parse_args()
    if options.maps:
        print(json.dumps(maps_ms(options.folder)))
        return
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as there:
        environment = {**os.environ, "PYTHONPATH": str(unpacked(Path(there)))}
        command = [sys.executable, __file__, str(options.folder), "--maps"]
        said = subprocess.run(command, env=environment, cwd=there, check=True, stdout=subprocess.PIPE, text=True).stdout
    maps, mine = json.loads(said.splitlines()[-1]), detector_ms(options.folder, options.model)
    ratios = {f"maps_over_detector_{name}": round(maps[name] / mine[name], 2) for name in ("single", "batched")}
    ratios |= {
        f"decoding_share_{name}": round(mine[f"decoding_{name}"] / mine[name], 3) for name in ("single", "batched")
    }
    result = {"images": IMAGES, "maps_ms": maps, "detector_ms": mine, **ratios}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

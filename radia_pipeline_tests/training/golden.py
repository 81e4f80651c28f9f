"""The numbers that trainings of the declared version come to; ``golden.json`` has them on record.

``python -m radia_pipeline_tests.training.golden`` brings the record up to date (see ``records``).

Trainings run in float64 on one thread, from float64 draws of weights, on images that no resampling has touched: what is
left of a processor's ways of summing and of its logarithms is near 1e-13, measured with every instruction set of torch,
MKL, NumPy and OpenCV switched off in turn.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from radia_pipeline.lake.lake import Lake
from radia_pipeline.training import augmentation
from radia_pipeline.training.identity import TRAINING_VERSION
from radia_pipeline.training.inference import load_classifier
from radia_pipeline.training.recipe_schema import AugmentationSection, Recipe
from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline.training.trainer import Runtime, train
from radia_pipeline_tests.records import Record
from radia_pipeline_tests.training.synthetic import SIDE_PX, tiny_recipe, write_lake

RELATIVE = 1e-8
PIXELS = 1e-4
"""Of augmented pixels, which are float32 and resampled in steps of 1/32 px by instructions that differ."""

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "onecycle_pcam_conditional": {
        "model": {"head": "pcam"}, "views": {"use": "all", "combine": "max"}, "input": {"normalisation": "imagenet"},
        "task": {"kind": "conditional", "inference": "hierarchy"}, "labels": {"uncertain": "ones", "blank": "ignore"},
        "data": {"sampler": "weighted", "no_finding_weight": 0.5}, "schedule": {"name": "onecycle"},
        "optimizer": {"name": "sgd", "lr": 0.02},
    },
    "cosine_auc_margin": {
        "views": {"combine": "sum", "test_time": "flip"}, "input": {"normalisation": "none"},
        "task": {"kind": "auc_margin"}, "labels": {"uncertain": "zeros"},
        "schedule": {"name": "cosine"}, "optimizer": {"name": "adam"},
        "stopping": {"metric": "f1"},
    },
    "step_separate_views": {
        "views": {"combine": "logsumexp", "weights": "separate"}, "labels": {"uncertain": "ignore"},
        "task": {"pos_weight": "auto"}, "schedule": {"name": "step", "step_epochs": 1, "step_gamma": 0.3},
        "optimizer": {"name": "rmsprop", "lr": 0.001}, "stopping": {"metric": "loss"}, "training": {"ema": 0.9},
        "model": {"freeze_batch_norm": True},
    },
    "restarts_clahe_moving_labels": {
        "views": {"use": "frontal"}, "input": {"channels": "clahe", "normalisation": "imagenet"},
        "labels": {"moving_average": 0.9}, "task": {"label_smoothing": 0.1, "class_weight": {"Edema": 2.0}},
        "schedule": {"name": "cosine_restarts", "restart_epochs": 1}, "optimizer": {"name": "adagrad", "lr": 0.01},
        "model": {"dropout": 0.2}, "augmentation": {"flip": {"p": 0.5}}, "data": {"fold": 1},
        "stopping": {"metric": "p4"},
    },
    "head_of_plain": {
        "init_from": "plain", "model": {"head": "pcam", "train_only": "head"}, "stopping": {"metric": "cf1"},
    },
    "taught_by_plain": {
        "labels": {"teacher": "plain", "teacher_answers": ["uncertain", "blank", "unlabelled"], "blank": "ignore",
                   "asked_blank": "ignore"},
        "training": {"accumulate": 2}, "data": {"max_per_patient": 1}, "classes": {"leave_out": ["Fracture"]},
    },
}  # fmt: skip
"""Together they use every choice that a recipe offers; a test compares them with the tables."""


def recipe_of(case: str) -> Recipe:
    """Return a case's recipe; images keep the side at which they are stored."""
    sections = {**CASES[case], "name": case}
    sections["input"] = {"size_px": SIDE_PX, **sections.get("input", {})}
    sections["training"] = {"precision": "fp64", "channels_last": False, **sections.get("training", {})}
    return tiny_recipe(**sections)


@contextlib.contextmanager
def exact_arithmetic() -> Iterator[None]:
    """One thread, and float64 also where torch is asked for no type, as in the first draw of weights."""
    threads, kind = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(kind)
        torch.set_num_threads(threads)


def numbers_of(case: str, lake: Lake) -> dict[str, Any]:
    """Train a case on the lake (and, before it, the case that it starts or learns from) and return what it came to."""
    with exact_arithmetic():
        recipe = recipe_of(case)
        if first := recipe.init_from or recipe.labels.teacher:
            train(recipe_of(first), lake, runtime=Runtime(device="cpu", workers=1))
        result = train(recipe, lake, runtime=Runtime(device="cpu", workers=1))
        model = load_classifier(result.model_dir).double()
        image = torch.linspace(0, 1, recipe.input.size_px**2).reshape(1, 1, 1, recipe.input.size_px, -1)
        image = image.expand(1, 1, recipe.input.channel_count, -1, -1)
        with torch.no_grad():
            answer = model.probabilities(model(image, torch.ones(1, 1, dtype=torch.bool)))[0]
        lengths = [float(weight.detach().norm()) for weight in model.parameters()]
    figures = {name: [line[name] for line in result.history] for name in ("train_loss", "auc", "f1", "loss", "lr")}
    return {**figures, "weights": lengths, "answer": answer.tolist()}


def pixels_of(seed: int) -> dict[str, Any]:
    """Draw and apply all five augmentations; return what was drawn and sums over the picture's quarters."""
    on = {name: {"p": 1.0} for name in AugmentationSection.model_fields if name != "also"}
    on["elastic"] = {"p": 1.0, "alpha": 200.0, "sigma": 4.0}
    section = AugmentationSection.model_validate(on)
    drawn = augmentation.draw(np.random.Generator(np.random.Philox(seed)), section, SIDE_PX)
    along = np.arange(SIDE_PX, dtype=np.float64)
    image = (0.5 + 0.25 * np.sin(along / 9) + 0.25 * np.cos(along[:, None] / 7)).astype(np.float32)
    moved = augmentation.apply(image, drawn, section).astype(np.float64)
    half = SIDE_PX // 2
    quarters = [moved[y : y + half, x : x + half].sum() for y in (0, half) for x in (0, half)]
    shown = {"forward": drawn.forward.ravel(), "grid_x": drawn.grid_x, "grid_y": drawn.grid_y}
    plain = {name: values.tolist() for name, values in shown.items()}
    return {**plain, "brightness": drawn.brightness, "contrast": drawn.contrast, "quarters": quarters}


def defaults() -> dict[str, Any]:
    """Return every option of a recipe with its default, by dotted path."""
    content = parse_recipe({"name": "x"}).model_dump(mode="json", exclude={"name", "title", "vocabulary", "sweep"})
    return dict(_flat(content))


def _flat(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def measure() -> dict[str, Any]:
    """Train everything and return what the record should say."""
    with tempfile.TemporaryDirectory() as folder:
        lake = write_lake(Path(folder), patients=40, third_view=True)
        trainings = {case: numbers_of(case, lake) for case in CASES}
    pixels = {str(seed): pixels_of(seed) for seed in (0, 1)}
    return {"version": TRAINING_VERSION, "defaults": defaults(), "trainings": trainings, "pixels": pixels}


RECORD = Record(
    file=Path(__file__).with_name("golden.json"),
    version="TRAINING_VERSION",
    declared_in="radia_pipeline/training/identity.py",
    door="python -m radia_pipeline_tests.training.golden",
    exact={"defaults": 0.0, "trainings": RELATIVE, "pixels": PIXELS},
)

if __name__ == "__main__":
    sys.exit(RECORD.update(measure()))

"""A small lake with drawn findings, their pseudo boxes, and a classifier with random weights to start from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.detection.recipes import parse_config
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.model_folders import point_latest
from radia_pipeline.training.model_store import publish
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.recipes import parse_recipe

SOURCE = "nih_cxr14"
RECIPE = "toy"
HEIGHT, WIDTH = 200, 160
DRAWN = {"Cardiomegaly": (60, 50), "Mass": (24, 24), "Pleural Effusion": (40, 30)}
"""Class -> width and height in pixels of what is drawn for it."""


@dataclass(frozen=True)
class World:
    """The lake and the true boxes: image_id -> [(class, x, y, width, height)]."""

    lake: Lake
    truth: dict[str, list[tuple[str, float, float, float, float]]]


def small_config(**changes) -> DetectorConfig:
    """A detector that trains in seconds; options as in a file without sections, which is read too."""
    options = {
        "name": "small",
        "recipe": RECIPE,
        "size_px": 64,
        "strides": (8, 16, 32),
        "fpn_channels": 32,
        "head_convs": 1,
        "epochs": 2,
        "batch_size": 8,
        "max_images": 24,
        "max_validation_images": 8,
        "export_onnx": False,
    }
    return parse_config({**options, **changes})


def keyed(text: str) -> str:
    """An id that looks like the lake's."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def draw(random: np.random.Generator) -> tuple[np.ndarray, list[tuple[str, float, float, float, float]]]:
    """A noisy grey image with none to three findings, each of its own shape and brightness."""
    image = random.normal(20_000, 2_000, (HEIGHT, WIDTH))
    found = []
    for name, (width, height) in DRAWN.items():
        if random.random() > 0.45:
            continue
        width, height = width * random.uniform(0.8, 1.2), height * random.uniform(0.8, 1.2)
        x, y = random.uniform(2, WIDTH - width - 2), random.uniform(2, HEIGHT - height - 2)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        left, top, right, bottom = (round(edge) for edge in (x, y, x + width, y + height))
        if name == "Mass":
            centre, axes = ((left + right) // 2, (top + bottom) // 2), ((right - left) // 2, (bottom - top) // 2)
            cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
            image[mask > 0] += 30_000
        elif name == "Cardiomegaly":
            cv2.rectangle(mask, (left, top), (right, bottom), 1, -1)
            image[mask > 0] += 12_000
        else:
            stripes = np.zeros_like(mask)
            stripes[::4] = 1
            cv2.rectangle(mask, (left, top), (right, bottom), 1, -1)
            image[(mask & stripes) > 0] += 25_000
        found.append((name, x, y, width, height))
    return image.clip(0, 65535).astype(np.uint16), found


def make_world(root: Path, images: int = 60, seed: int = 0) -> World:
    """Write pixels, ``manifest``, ``pseudo_boxes``, ``box_annotations`` and the classifier of recipe ``toy``."""
    lake, random, truth = Lake.open(root), np.random.default_rng(seed), {}
    manifest, pseudo, drawn = [], [], []
    for number in range(images):
        image_id, study_id = keyed(f"image{number}"), keyed(f"study{number}")
        pixels, found = draw(random)
        truth[image_id] = found
        path = lake.pixels_dir / SOURCE / image_id[:2] / f"{image_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels)
        ids = {"source": SOURCE, "image_id": image_id, "study_id": study_id}
        manifest.append(manifest_row(ids, number, images, path.relative_to(lake.root), {name for name, *_ in found}))
        for index, (name, x, y, width, height) in enumerate(found):
            edges = dict(zip(("x_px", "y_px", "width_px", "height_px"), (x, y, width, height)))
            row = {**ids, "box_index": index, "class": name, **edges}
            pseudo.append({**row, "score": 0.5 + 0.4 * random.random(), "method": "gradcam", "model": RECIPE})
            drawn.append({**row, "reader": "nih", "origin": "nih"})
    lake.write("manifest", manifest, SOURCE)
    lake.write("pseudo_boxes", pseudo, SOURCE)
    lake.write("box_annotations", drawn, SOURCE)
    publish_classifier(lake)
    return World(lake, truth)


def manifest_row(ids: dict, number: int, images: int, path: Path, present: set[str]) -> dict:
    """Sixty percent train, a fifth each for validation and test; every patient has one image."""
    pool = "train" if number < 0.6 * images else "validation" if number < 0.8 * images else "test"
    values = {name: int(name in present) for name in vocabulary().pathologies}
    values[vocabulary().no_finding] = int(not present)
    patient = keyed(f"patient{number}")
    return {
        **ids,
        "patient_key": patient,
        "group_id": patient,
        "path": str(path),
        "view": "PA",
        "width_px": WIDTH,
        "height_px": HEIGHT,
        **values,
        "pool": pool,
        "weight": 1.0,
        "boxes": [],
        **({"fold": 0} if pool == "train" else {}),
    }


def toy_recipe() -> Recipe:
    """A DenseNet of a few thousand weights."""
    return parse_recipe(
        {
            "name": RECIPE,
            "input": {"size_px": 64, "normalisation": "half"},
            "model": {"backbone": "densenet121", "kwargs": {"block_config": [1, 2, 2, 1], "growth_rate": 8}},
        }
    )


def publish_classifier(lake: Lake) -> Path:
    """Publish a classifier with random weights as the recipe's newest model."""
    recipe = toy_recipe()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        classifier = Classifier(recipe)
    folder = lake.models_dir / RECIPE / "0123456789abcdef"
    card = {
        "recipe": recipe.model_dump(mode="json"),
        "fingerprint": folder.name,
        "classes": list(vocabulary().classes),
        "vocabulary_version": vocabulary().version,
    }
    publish(folder, classifier.state_dict(), card)
    point_latest(lake, RECIPE, folder)
    return folder

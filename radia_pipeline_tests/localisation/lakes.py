"""A lake of bright squares: made-up images whose one finding lies where a square is, and models with fresh weights."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.panel import Panel, rows_of
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.model_folders import point_latest
from radia_pipeline.training.model_store import publish
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline_tests.evaluation.worlds import key

SOURCE, WIDTH, HEIGHT = "nih_cxr14", 96, 64
KEYS = Pseudonymizer(b"a key for tests only")


def recipe_of(name: str, head: str):
    return parse_recipe(
        {
            "name": name,
            "input": {"size_px": 64, "normalisation": "half"},
            "model": {"backbone": "densenet121", "kwargs": {"block_config": [1, 1], "growth_rate": 8}, "head": head},
        }
    )


def save_model(lake: Lake, name: str, head: str, seed: int = 0, fingerprint: str = "f00d") -> Classifier:
    """Publish a classifier with fresh weights as the recipe's newest model."""
    torch.manual_seed(seed)
    recipe = recipe_of(name, head)
    classifier = Classifier(recipe).eval()
    folder = lake.models_dir / name / fingerprint
    folder.mkdir(parents=True)
    card = {
        "fingerprint": fingerprint,
        "recipe": recipe.model_dump(mode="json"),
        "vocabulary_version": vocabulary().version,
    }
    publish(folder, classifier.state_dict(), card)
    point_latest(lake, name, folder)
    return classifier


def image_ids(count: int) -> list[str]:
    return [KEYS.image_id(SOURCE, f"{number}.png") for number in range(count)]


def make_lake(path, count: int = 60, recipes: dict[str, str] | None = None) -> Lake:
    """Mass on every second image, drawn; pools in turn; one model for each {recipe: head}, with predictions."""
    lake, names = Lake.open(path), image_ids(count)
    rng, manifest, drawn = np.random.default_rng(0), [], []
    for number, name in enumerate(names):
        picture = rng.integers(8_000, 12_000, (HEIGHT, WIDTH)).astype(np.uint16)
        x, y = (int(v) for v in rng.integers(0, (WIDTH - 24, HEIGHT - 24)))
        boxes = []
        if number % 2 == 0:
            picture[y : y + 24, x : x + 24] += 40_000
            boxes = [{"class": "Mass", "x_px": x, "y_px": y, "width_px": 24.0, "height_px": 24.0}]
            drawn.append(
                {
                    "source": SOURCE,
                    "image_id": name,
                    "study_id": key("s", number),
                    "box_index": 0,
                    **boxes[0],
                    "reader": "r",
                    "origin": "nih",
                }
            )
        file = lake.pixels_dir / SOURCE / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), picture)
        pool = ("train", "validation", "test")[(number // 2) % 3]
        values = dict.fromkeys(("Mass", "Lung Lesion", "Nodule", "No Finding"), 0) | (
            {"Mass": 1, "Lung Lesion": 1} if boxes else {"No Finding": 1}
        )
        manifest.append(
            {
                "source": SOURCE,
                "image_id": name,
                "study_id": key("s", number),
                "patient_key": key("p", number),
                "group_id": key("p", number),
                "path": str(file.relative_to(lake.root)),
                "view": "PA",
                "width_px": WIDTH,
                "height_px": HEIGHT,
                **values,
                "pool": pool,
                "fold": 0 if pool == "train" else None,
                "weight": 1.0,
                "boxes": boxes,
            }
        )
    lake.write("manifest", manifest, SOURCE)
    lake.write("box_annotations", drawn, SOURCE)
    for seed, (name, head) in enumerate((recipes or {}).items()):
        save_model(lake, name, head, seed)
        lake.write("predictions", rows_of(_panel(manifest, seed), name), name)
    return lake


def _panel(manifest: list[dict], seed: int) -> Panel:
    """Random probabilities on validation: low thresholds, so that something is drawn."""
    rows = [row for row in manifest if row["pool"] == "validation"]
    classes = vocabulary().classes
    label = np.array([[row.get(name, 0) for name in classes] for row in rows], dtype=np.int8)
    probability = np.random.default_rng(seed).uniform(0.3, 0.6, label.shape) + 0.1 * label
    columns = {n: np.array([row[n] for row in rows], dtype=object) for n in ("source", "study_id", "patient_key")}
    groups, pools = (np.array([row[n] for row in rows], dtype=object) for n in ("group_id", "pool"))
    return Panel(
        **columns,
        group_id=groups,
        pool=pools,
        image_count=np.ones(len(rows), dtype=int),
        is_held=np.zeros(len(rows), dtype=bool),
        logit=np.log(probability / (1 - probability)),
        probability=probability,
        label=label,
    )

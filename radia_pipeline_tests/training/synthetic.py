"""A tiny lake whose images show four signs that a small net can learn: what the tests of learning train on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from radia_pipeline.contracts.label_values import MISSING, resolve
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.recipes import parse_recipe

SIGNS = {"Cardiomegaly": (32, 40), "Pneumothorax": (12, 14), "Edema": (52, 14), "Fracture": (12, 50)}
SIDE_PX = 64


def key(*parts: object) -> str:
    """32 hexadecimal digits, as the lake's keyed identifiers."""
    return hashlib.md5("/".join(map(str, parts)).encode()).hexdigest()


def draw_image(random: np.random.Generator, found: list[str]) -> np.ndarray:
    """(64, 64) uint16: noise, a gradient, a bright square for each sign."""
    image = random.normal(0.3, 0.05, (SIDE_PX, SIDE_PX)) + np.linspace(0, 0.2, SIDE_PX)
    for name in found:
        x, y = SIGNS[name]
        image[y - 6 : y + 6, x - 6 : x + 6] += 0.5
    return (np.clip(image, 0, 1) * 65535).astype(np.uint16)


def write_lake(
    root: Path,
    patients: int = 60,
    *,
    sources: tuple[str, ...] = ("ccsmtl",),
    seed: int = 0,
    third_view: bool = False,
) -> Lake:
    """Write PNGs and a manifest; every third study has a lateral view, every fifth an uncertain Edema.

    ``third_view``: every sixth study has an AP view too.
    """
    lake = Lake.open(root)
    for source in sources:
        rows = [row for number in range(patients) for row in _study_rows(lake, source, number, seed, third_view)]
        lake.write("manifest", rows, partition=source)
    return lake


def _study_rows(lake: Lake, source: str, number: int, seed: int, third_view: bool) -> list[dict]:
    words = vocabulary()
    random = np.random.default_rng([seed, number, len(source)])
    found = [name for name in SIGNS if random.random() < 0.4]
    said = np.full((1, len(words.classes)), MISSING, dtype=np.int8)
    for name in found:
        said[0, words.index(name)] = -1 if name == "Edema" and number % 5 == 0 else 1
    if not found:
        said[0, words.index(words.no_finding)] = 1
    values = resolve(said, source_sheet(source).labelled)[0]
    labels = {name: None if value == MISSING else int(value) for name, value in zip(words.classes, values)}
    pool = ("train", "train", "train", "validation", "test")[number % 5]
    rows = []
    for view in ("PA", "LATERAL", "AP")[: _view_count(number, third_view)]:
        image_id = key(source, number, view)
        path = Path("pixels") / source / image_id[:2] / f"{image_id}.png"
        (lake.root / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(lake.root / path), draw_image(random, found))
        rows.append(
            {
                "source": source,
                "image_id": image_id,
                "study_id": key(source, number, "study"),
                "patient_key": key(source, number, "patient"),
                "group_id": key(source, number, "group"),
                "path": path.as_posix(),
                "view": view,
                "width_px": SIDE_PX,
                "height_px": SIDE_PX,
                **labels,
                "pool": pool,
                "fold": number % 4 if pool == "train" else None,
                "weight": 1.0,
                "excluded": None,
                "boxes": [],
            }
        )
    return rows


def _view_count(number: int, third_view: bool) -> int:
    if number % 3:
        return 1
    return 3 if third_view and number % 6 == 0 else 2


def tiny_recipe(**sections: dict) -> object:
    """A recipe that trains in a second: one small dense block at 32 px; sections are merged over it."""
    content = {
        "name": "tiny",
        "vocabulary": vocabulary().version,
        "input": {"size_px": 32, "normalisation": "half"},
        "model": {"backbone": "densenet121", "kwargs": {"block_config": [2, 2], "growth_rate": 8}},
        "optimizer": {"lr": 0.005},
        "schedule": {"name": "constant"},
        "stopping": {"min_positives": 1},
        "training": {"max_epochs": 2, "batch_size": 8, "seed": 5},
    }
    for name, section in sections.items():
        is_nested = isinstance(section, dict) and isinstance(content.get(name), dict)
        content[name] = {**content[name], **section} if is_nested else section
    return parse_recipe(content)

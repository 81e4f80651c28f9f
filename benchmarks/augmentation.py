"""Processor time of augmentation per image: ours bare and inside Compose, the library's five, each recipe's.

All are measured in turns within one run; medians count. What Compose costs is the median of differences between
pairs that are measured alone, either one first in turns: beside others the second finds another cache than the first.
The library's five resample four times and draw no affine in their elastic step, which newer releases dropped.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations

from radia_pipeline.training import augmentation
from radia_pipeline.training.composed import Augmenter
from radia_pipeline.training.recipe_schema import AugmentationSection
from radia_pipeline.training.recipes import load_recipe, recipe_names
from radia_pipeline.training.sampler import generator

RESULT = Path(__file__).parent / "results" / "augmentation.json"
ROUNDS, UNCOUNTED, PAIRS = 60, 4, 200
SIDE_PX = 384
ALWAYS = {name: {"p": 1.0} for name in ("affine", "jitter", "flip", "grid", "elastic")}
ALSO = [{"RandomGamma": {"p": 1.0}}, {"GaussNoise": {"p": 1.0, "std_range": [0.01, 0.05]}}]


def picture(side: int) -> np.ndarray:
    """A soft grey picture (side, side), float32 in 0..1."""
    field = cv2.GaussianBlur(np.random.default_rng(0).random((side, side), dtype=np.float32), (0, 0), side / 16)
    return (field - field.min()) / (field.max() - field.min())


def bare(section: AugmentationSection, image: np.ndarray) -> Callable[[int], np.ndarray]:
    """Ours without the library."""
    return lambda seed: augmentation.apply(image, augmentation.draw(generator(seed), section, len(image)), section)


def composed(section: AugmentationSection, image: np.ndarray) -> Callable[[int], np.ndarray]:
    """What a training does."""
    augmenter = Augmenter(section)
    return lambda seed: augmenter(image, generator(seed), generator(seed, 1) if section.also else None)


def of_library(image: np.ndarray) -> Callable[[int], np.ndarray]:
    """The library's own five with the same limits, in the original's order."""
    five = albumentations.Compose(
        [
            albumentations.Affine(
                translate_percent=(-0.1, 0.1), rotate=(-15, 15), shear=(-5, 5), scale=(0.9, 1.1), p=1.0
            ),
            albumentations.RandomBrightnessContrast(0.1, 0.1, p=1.0),
            albumentations.HorizontalFlip(p=1.0),
            albumentations.GridDistortion(num_steps=5, distort_limit=0.2, normalized=False, p=1.0),
            albumentations.ElasticTransform(alpha=0.1, sigma=20, p=1.0),
        ]
    )

    def step(seed: int) -> np.ndarray:
        five.set_random_seed(seed)
        return five(image=image)["image"]

    return step


def measured(steps: dict[str, Callable[[int], np.ndarray]]) -> dict[str, list[float]]:
    """Milliseconds of each, image by image in turns, each with the same seed."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for seed in range(-UNCOUNTED, ROUNDS):
        for name, step in steps.items():
            begun = time.process_time()
            step(abs(seed))
            if seed >= 0:
                times[name].append((time.process_time() - begun) * 1e3)
    return times


def cost_of_compose(section: AugmentationSection, image: np.ndarray) -> dict[str, float]:
    """Milliseconds that Compose adds to one image, and what the image takes without it."""
    steps, differences, alone = {"bare": bare(section, image), "composed": composed(section, image)}, [], []
    for turn in range(-UNCOUNTED, PAIRS):
        names, took = ("bare", "composed") if turn % 2 else ("composed", "bare"), {}
        for name in names:
            begun = time.process_time()
            steps[name](abs(turn))
            took[name] = (time.process_time() - begun) * 1e3
        if turn >= 0:
            differences.append(took["composed"] - took["bare"])
            alone.append(took["bare"])
    return {"bare_ms": statistics.median(alone), "compose_adds_ms": statistics.median(differences)}


def medians(times: dict[str, list[float]]) -> dict[str, float]:
    """The median of each."""
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> int:
    """Measure, print and keep; 1 where Compose changes a pixel."""
    cv2.setNumThreads(1)
    image = picture(SIDE_PX)
    whole, more = (AugmentationSection.model_validate(content) for content in (ALWAYS, {**ALWAYS, "also": ALSO}))
    if not all(np.array_equal(bare(whole, image)(seed), composed(whole, image)(seed)) for seed in range(50)):
        print("Compose changes what ours makes")
        return 1
    found = measured(
        {
            "ours, bare": bare(whole, image),
            "ours in Compose": composed(whole, image),
            "and RandomGamma, GaussNoise": composed(more, image),
            "the library's five": of_library(image),
        }
    )
    costs = {
        "the five, always": cost_of_compose(whole, image),
        "densenet121's": cost_of_compose(load_recipe("densenet121").augmentation, image),
        "nothing": cost_of_compose(AugmentationSection(), image),
    }
    five = medians(found)
    recipes = {name: load_recipe(name) for name in recipe_names()}
    each = medians(
        measured(
            {
                f"{name}, {recipe.input.size_px} px": composed(recipe.augmentation, picture(recipe.input.size_px))
                for name, recipe in recipes.items()
            }
        )
    )
    result = {
        "side_px": SIDE_PX,
        "albumentations": albumentations.__version__,
        "five_ms": five,
        "recipes_ms": each,
        "load": os.getloadavg()[0],
        "compose": costs,
        "library_against_ours": five["the library's five"] / five["ours in Compose"],
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, value in {**five, **each}.items():
        print(f"{value:8.2f} ms  {name}")
    for name, cost in costs.items():
        print(f"Compose adds {cost['compose_adds_ms']:.3f} ms to {cost['bare_ms']:.2f} ms: {name}")
    print(f"the library's five take {result['library_against_ours']:.1f} x ours")
    return 0


if __name__ == "__main__":
    sys.exit(main())

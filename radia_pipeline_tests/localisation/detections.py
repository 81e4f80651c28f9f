"""Simulated detections with known average precision: patients' images, boxes that are there, boxes that are found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

from radia_pipeline.localisation.matching import Matched
from radia_pipeline_tests.evaluation.patients import alike, patients_of

TRUTH_IMAGES = 200_000


@dataclass(frozen=True)
class Detections:
    """One class: share of images with boxes; how far hits score above false boxes; share found; false boxes an
    image."""

    prevalence: float
    gap: float
    found: float
    false: float

    def boxes(self, rng: np.random.Generator, group: np.ndarray) -> np.ndarray:
        """Draw how many boxes each image of these patients has."""
        has = alike(rng, group) > -ndtri(self.prevalence)
        return has * (1 + (rng.random(len(group)) < 0.3))

    def draw(self, rng: np.random.Generator, group: np.ndarray, boxes: np.ndarray | None = None) -> Matched:
        """Draw what a detector says of images of these patients, as matched boxes; ``boxes``: those that are there."""
        boxes = self.boxes(rng, group) if boxes is None else boxes
        image = np.repeat(np.arange(len(group)), boxes)
        skill = ndtr(0.7 * alike(rng, group)[image] + ndtri(self.found) * np.sqrt(1.49))
        hits = image[rng.random(len(image)) < skill]
        misses = np.repeat(np.arange(len(group)), rng.poisson(self.false, len(group)))
        where, is_hit = np.r_[hits, misses], np.arange(len(hits) + len(misses)) < len(hits)
        common = alike(rng, group)[where]
        score = self.gap * is_hit + np.sqrt(0.3) * common + np.sqrt(0.7) * rng.standard_normal(len(where))
        order = np.argsort(-score, kind="stable")
        return Matched(is_hit[order], where[order], np.arange(len(order)), boxes)

    @cached_property
    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        """True recall, and false boxes an image, as scores go down."""
        rng = np.random.default_rng(0)
        group = patients_of(rng, TRUTH_IMAGES)
        matched = self.draw(rng, group)
        return np.cumsum(matched.is_hit) / matched.boxes, np.cumsum(~matched.is_hit) / len(group)

    @cached_property
    def _by_density(self) -> tuple[np.ndarray, np.ndarray]:
        recall, false = self._curve
        gained = np.diff(recall, prepend=0.0)
        densities = np.geomspace(0.005, 2, 60)
        values = []
        for density in densities:
            precision = density * recall / (density * recall + false)
            values.append(float((gained * np.maximum.accumulate(precision[::-1])[::-1]).sum()))
        return densities, np.array(values)

    def truth(self, boxes_an_image: float) -> float:
        """True average precision on a pool with so many boxes an image."""
        return float(np.interp(boxes_an_image, *self._by_density))

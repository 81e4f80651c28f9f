"""Simulated pools with known truth: patients of 1 + Poisson(1) studies whose labels and scores are alike.

Scores are normal with one place for each kind, so that every figure's true value can be computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri

ALIKE = 0.5
"""Share of the variance of labels (before they are cut) and of scores that belongs to the patient."""
GRID = np.linspace(-9, 14, 20_001)


@dataclass(frozen=True)
class World:
    """A pool to draw from: ``studies`` of it, ``prevalence`` and ``auc`` of one class in it."""

    studies: int
    prevalence: float
    auc: float

    @cached_property
    def gap(self) -> float:
        """How far positives lie above negatives, in deviations."""
        return float(np.sqrt(2) * ndtri(self.auc))

    @cached_property
    def cut(self) -> float:
        """The score from which F1 is best in the long run."""
        return float(GRID[np.argmax(self.f1_at(GRID, self.prevalence))])

    def found(self, cut: np.ndarray | float) -> np.ndarray | float:
        """True sensitivity at a cut."""
        return ndtr(self.gap - cut)

    def f1_at(self, cut: np.ndarray | float, prevalence: float) -> np.ndarray | float:
        """True F1 at a cut and a prevalence."""
        hit, false = prevalence * self.found(cut), (1 - prevalence) * ndtr(-cut)
        return 2 * hit / (hit + false + prevalence)

    def ap(self, prevalence: float) -> float:
        """True average precision at a prevalence."""
        recall, false = self.found(GRID), ndtr(-GRID)
        called = prevalence * recall + (1 - prevalence) * false
        precision = prevalence * recall / np.maximum(called, 1e-300)
        return float(-np.sum(np.diff(recall) * (precision[1:] + precision[:-1]) / 2))

    def partial_auc(self, end: float) -> float:
        """True standardised partial AUC up to a false positive rate."""
        false = np.linspace(0, end, 4001)[1:]
        area = float(np.trapezoid(ndtr(self.gap + ndtri(false)), false))
        return 0.5 * (1 + (area - end * end / 2) / (end - end * end / 2))


def patients_of(rng: np.random.Generator, studies: int) -> np.ndarray:
    """Draw patients until there are so many studies; returns whose each study is, from 0."""
    sizes = 1 + rng.poisson(1, studies)
    return np.repeat(np.arange(studies), sizes)[:studies]


def alike(rng: np.random.Generator, group: np.ndarray, share: float = ALIKE) -> np.ndarray:
    """Draw standard normal values (n,) that share a part within each group."""
    common = rng.standard_normal(group.max() + 1)[group]
    return np.sqrt(share) * common + np.sqrt(1 - share) * rng.standard_normal(len(group))


def draw(rng: np.random.Generator, world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw (score, label, group) of a pool with two positive and two negative patients at least."""
    while True:
        group = patients_of(rng, world.studies)
        label = (alike(rng, group) > -ndtri(world.prevalence)).astype(int)
        if has_two_of_both(label, group):
            return alike(rng, group) + world.gap * label, label, group


def has_two_of_both(label: np.ndarray, group: np.ndarray) -> bool:
    """Say whether positives and negatives each come from two patients at least."""
    return all(np.count_nonzero(np.bincount(group[label == kind])) >= 2 for kind in (0, 1))


def draw_together(
    rng: np.random.Generator, worlds: Sequence[World], correlation: float
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Draw the group (n,) of a pool and the score and label (n,) of each class in it, with two patients of both kinds;
    all classes share a part of their scores and labels."""
    group = patients_of(rng, worlds[0].studies)
    common_label, common_score = alike(rng, group), alike(rng, group)

    def mixed(common: np.ndarray) -> np.ndarray:
        return np.sqrt(correlation) * common + np.sqrt(1 - correlation) * alike(rng, group)

    drawn = []
    for world in worlds:
        while True:
            label = (mixed(common_label) > -ndtri(world.prevalence)).astype(int)
            if has_two_of_both(label, group):
                break
        drawn.append((mixed(common_score) + world.gap * label, label))
    return group, drawn

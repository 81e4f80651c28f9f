"""How likely each label is wrong: models that did not learn from the study against what the label rests on.

One annotator, the labeler, whose habits are learned together with the models' curves by EM (Dawid & Skene 1979, with
classifiers in the place of further annotators as in Raykar et al. 2010; a curve fitted through flipped labels as in
Copas 1988). A habit is the share of absent findings that are called present, or of present ones that are missed: of
all classes, of each class, and of each ground that labels rest on (a rule, a silence, a table); where cells are few the
narrower share is drawn to the wider one. Not here: which cells there are and in which order they are read
(``review_queue``).

Shape legend: M models, n studies, K classes. A cell is a study × class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE
from radia_pipeline.evaluation.calibration import Calibration, fit_expected, fit_platt, sigmoid

FIRST_SHARE, OPINION = 0.02, 50.0
"""The share of wrong labels that is thought of before any is seen, and how many cells that opinion is worth."""
OF_ALL, OF_CLASS = 200.0, 150.0
"""How many cells the share of all classes is worth against a class's own, and a class's against a ground's."""
MIN_OF_A_KIND = 2
"""Positive, and negative, labels of a class under which its labels are not judged."""
MOST_ROUNDS, ENOUGH = 100, 1e-4


@dataclass(frozen=True)
class LabelNoise:
    """(n, K) each: the chance that the label is ``wrong`` and that the models see the finding (``present``), NaN where
    there is no label or no score; their ``spread`` in logits, NaN under two models. ``missed``, ``invented``: share of
    present findings that a class's labels deny, and of absent ones that they affirm, (K,)."""

    wrong: np.ndarray
    present: np.ndarray
    spread: np.ndarray
    missed: np.ndarray
    invented: np.ndarray


def label_noise(logits: np.ndarray, label: np.ndarray, ground: np.ndarray) -> LabelNoise:
    """Judge labels.

    ``logits`` (M, n, K): of models that did not learn from the study, NaN where one says nothing; ``label`` (n, K):
    1 or 0, anything else says nothing; ``ground`` (n, K): code from 0 of what the label rests on. A class is not judged
    where its labels of either value are too few.
    """
    known = (label == POSITIVE) | (label == NEGATIVE)
    pairs = [_combined(logits[:, :, k], np.where(known[:, k], label[:, k], -1)) for k in range(label.shape[1])]
    score, spread = (np.stack(part, axis=1) for part in zip(*pairs))
    seen = np.isfinite(score) & known
    for value in (POSITIVE, NEGATIVE):
        seen &= (seen & (label == value)).sum(axis=0) >= MIN_OF_A_KIND
    wrong, present = np.full(label.shape, np.nan), np.full(label.shape, np.nan)
    habits = _Habits.first(label.shape[1])
    if seen.any():
        cells = _Cells(score[seen], label[seen] == POSITIVE, np.nonzero(seen)[1], ground[seen])
        wrong[seen], present[seen], habits = _learned(cells, label.shape[1])
    return LabelNoise(wrong, present, spread, habits.of_class[1], habits.of_class[0])


def _combined(logits: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the models' (M, n) mean logit, each calibrated on the labels, and their spread: (n,) each, NaN where no
    model, or one alone, says something.
    """
    known = np.isfinite(logits)
    moved = np.stack(
        [
            fit_platt(np.where(here, one, 0.0), np.where(here, label, -1))(np.where(here, one, 0.0))
            for one, here in zip(logits, known)
        ]
    )
    count = known.sum(axis=0)
    mean = np.where(known, moved, 0.0).sum(axis=0) / np.maximum(count, 1)
    variance = np.where(known, (moved - mean) ** 2, 0.0).sum(axis=0) / np.maximum(count - 1, 1)
    return np.where(count > 0, mean, np.nan), np.where(count > 1, np.sqrt(variance), np.nan)


@dataclass(frozen=True)
class _Cells:
    """Cells in one row each, (N,): the models' score, whether the label is positive, class, ground."""

    score: np.ndarray
    y: np.ndarray
    column: np.ndarray
    ground: np.ndarray


@dataclass(frozen=True)
class _Habits:
    """Shares of cells whose label contradicts the truth, by the truth (0, 1): ``of_class`` (2, K); ``lift`` (N,): how
    much more often a cell's own ground is wrong than its class, in logits."""

    of_class: np.ndarray
    lift: np.ndarray | float = 0.0

    @classmethod
    def first(cls, classes: int) -> _Habits:
        return cls(np.full((2, classes), FIRST_SHARE))

    @classmethod
    def of(cls, cells: _Cells, wrong: np.ndarray, place: np.ndarray, classes: int) -> _Habits:
        """Learn from chances. ``place`` (N,): each cell's number among value × class × ground."""
        truth = np.where(cells.y, 1 - wrong, wrong)
        shares = np.empty((2, classes))
        for value, chance in enumerate((1 - truth, truth)):
            is_wrong = np.where(cells.y == bool(value), 0.0, chance)
            found, of = (np.bincount(cells.column, part, minlength=classes) for part in (is_wrong, chance))
            of_all = (found.sum() + FIRST_SHARE * OPINION) / (of.sum() + OPINION)
            shares[value] = (found + of_all * OF_ALL) / (of + OF_ALL)
        return cls(np.clip(shares, 1e-6, 0.5), _lift(cells, wrong, place, classes))


def _lift(cells: _Cells, wrong: np.ndarray, place: np.ndarray, classes: int) -> np.ndarray:
    """Return by how many logits the cells of one ground are wrong more often than those of its class and value (N,)."""
    wide = cells.column * 2 + cells.y
    of_wide, all_wide = (np.bincount(wide, part, minlength=2 * classes) for part in (wrong, np.ones(len(wrong))))
    share = ((of_wide + 1e-3) / (all_wide + 2e-3))[wide]
    of_ground, all_ground = (np.bincount(place, part)[place] for part in (wrong, np.ones(len(wrong))))
    own = (of_ground + share * OF_CLASS) / (all_ground + OF_CLASS)
    own, share = np.clip(own, 1e-6, 1 - 1e-6), np.clip(share, 1e-6, 1 - 1e-6)
    return np.log(own / (1 - own)) - np.log(share / (1 - share))


def _learned(cells: _Cells, classes: int) -> tuple[np.ndarray, np.ndarray, _Habits]:
    """Return each cell's chance to be wrong, the models' chance that the finding is present (N,), and the habits."""
    curves = _curves(cells, cells.y.astype(float), classes, fit_platt_of_labels)
    keys = np.stack([cells.column, cells.y.astype(np.int64), cells.ground])
    place = np.unique(keys, axis=1, return_inverse=True)[1].reshape(-1)
    habits, wrong = _Habits.first(classes), np.zeros(len(cells.y))
    for _ in range(MOST_ROUNDS):
        before, odds = wrong, _odds(cells, curves)
        wrong = _wrong(cells, odds, habits)
        habits = _Habits.of(cells, wrong, place, classes)
        curves = _curves(cells, np.where(cells.y, 1 - wrong, wrong), classes, fit_expected)
        if np.abs(wrong - before).max() < ENOUGH:
            break
    return wrong, sigmoid(_odds(cells, curves)), habits


def fit_platt_of_labels(score: np.ndarray, label: np.ndarray) -> Calibration:
    """Fit the curve of labels as they stand, before any is doubted."""
    return fit_platt(score, label.astype(int))


def _curves(
    cells: _Cells, expected: np.ndarray, classes: int, fit: Callable[[np.ndarray, np.ndarray], Calibration]
) -> list[Calibration]:
    of_class = (cells.column == k for k in range(classes))
    return [fit(cells.score[mine], expected[mine]) if mine.any() else Calibration() for mine in of_class]


def _odds(cells: _Cells, curves: list[Calibration]) -> np.ndarray:
    a, b = (np.array([getattr(one, name) for one in curves])[cells.column] for name in ("a", "b"))
    return a * cells.score + b


def _wrong(cells: _Cells, odds: np.ndarray, habits: _Habits) -> np.ndarray:
    """Return P(truth is not the label | models' log odds, label, ground) by Bayes."""
    invented, missed = habits.of_class[:, cells.column]
    habit = np.where(cells.y, np.log(invented) - np.log1p(-missed), np.log(missed) - np.log1p(-invented))
    return sigmoid(np.where(cells.y, -odds, odds) + habit + habits.lift)

"""What a training's loss will count: positives and negatives of each class, as weighed, masked and drawn.

From these come the weight of a positive, the AUC margin's share, the shift of the odds that is undone in probabilities,
and which classes cannot be learned. Not here: the loss (``tasks``), chances to be drawn (``sampler``).

Legend: n studies, 21 classes in vocabulary order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.training.choices import POSITIVE_WEIGHTS, SAMPLERS, TASKS
from radia_pipeline.training.recipe_schema import Recipe, TaskSection
from radia_pipeline.training.sampler import study_weights
from radia_pipeline.training.studies import Studies
from radia_pipeline.training.targets import targets_and_mask

SMALLEST_SHARE = 1e-6
"""A share of positives is kept so far from 0 and from 1."""


@dataclass(frozen=True)
class Counted:
    """Studies' worth of positives and negatives for each class, float64 (21,); a target of .7 is .7 of a positive.

    ``leave_out``: classes that the recipe does not learn.
    """

    positives: np.ndarray
    negatives: np.ndarray
    leave_out: tuple[str, ...] = ()

    @property
    def has_both(self) -> np.ndarray:
        """Which classes have both kinds: bool (21,)."""
        return (self.positives > 0) & (self.negatives > 0)

    @property
    def is_learned(self) -> np.ndarray:
        """Which classes the loss counts, bool (21,): those of both kinds that the recipe does not leave out."""
        return self.has_both & ~np.isin(vocabulary().classes, self.leave_out)

    @property
    def share(self) -> np.ndarray:
        """Positives among what counts: float64 (21,)."""
        total = np.maximum(self.positives + self.negatives, np.finfo(np.float64).tiny)
        return np.clip(self.positives / total, SMALLEST_SHARE, 1 - SMALLEST_SHARE)

    @property
    def log_odds(self) -> np.ndarray:
        """ln of positives over negatives, half a study added to each where one is missing: float64 (21,)."""
        extra = np.where(self.has_both, 0.0, 0.5)
        return np.log(self.positives + extra) - np.log(self.negatives + extra)


def counted_by_loss(recipe: Recipe, studies: Studies) -> Counted:
    """Return what an epoch of the recipe's training counts of a pool, in expectation over draws of its size."""
    return _counted(recipe, studies, study_weights(studies, recipe.data))


def _counted(recipe: Recipe, studies: Studies, chances: np.ndarray) -> Counted:
    # Draws of uncertain targets are uniform and targets linear in them: the middle draw gives what is expected.
    middle = np.full(studies.values.shape, 0.5)
    targets, mask = targets_and_mask(studies.values, studies.labelled, recipe.labels, middle, studies.soft)
    if TASKS[recipe.task.kind].only_below_positive_parents:
        mask &= parents_are_positive(studies.values == 1)
    weights = mask * (chances * len(studies))[:, None]
    if studies.trust is not None:
        weights = weights * studies.trust
    positives, negatives = ((weights * part).sum(axis=0) for part in (targets, 1 - targets))
    return Counted(positives, negatives, recipe.classes.leave_out)


def parents_are_positive(positive: Any) -> Any:
    """Return in which cells all parents are positive: bool (n, 21) -> the same, an array or a tensor."""
    words, found = vocabulary(), positive | True
    for column, name in enumerate(words.classes):
        if parents := [words.index(parent) for parent in words.parents(name)]:
            found[:, column] = positive[:, parents].all(1)
    return found


def positive_weights(section: TaskSection, counted: Counted) -> np.ndarray:
    """Return pos_weight per class, float64 (21,): given by class, as it is; else by the recipe's rule, capped."""
    if isinstance(section.pos_weight, dict):
        weights = equal_weights(counted)
        for name, value in section.pos_weight.items():
            weights[vocabulary().index(name)] = value
        return weights
    weights = POSITIVE_WEIGHTS[section.pos_weight](counted)
    return np.clip(weights, 1 / section.pos_weight_cap, section.pos_weight_cap)


def equal_weights(counted: Counted) -> np.ndarray:
    """A positive weighs as much as a negative: float64 (21,)."""
    return np.ones(len(counted.positives))


def balancing_weights(counted: Counted) -> np.ndarray:
    """Negatives / positives, float64 (21,); 1 where one of both is missing."""
    weights, learned = equal_weights(counted), counted.is_learned
    weights[learned] = counted.negatives[learned] / counted.positives[learned]
    return weights


def prior_shift(recipe: Recipe, studies: Studies) -> np.ndarray:
    """Return ln of the factor by which pos_weight and weighted sampling multiply the odds, float64 (21,).

    pos_weight w multiplies them by w. Sampling multiplies them by the odds in what is drawn over the odds in the pool,
    both as the loss counts. A class that is left out of the loss answers with the pool's odds: its logit stays 0.
    """
    counted = counted_by_loss(recipe, studies)
    pool = _counted(recipe, studies, studies.weight / studies.weight.sum())
    shift = np.zeros(len(counted.positives))
    if recipe.task.correct_prior and TASKS[recipe.task.kind].weighs_positives:
        shift += np.log(positive_weights(recipe.task, counted))
    if recipe.task.correct_prior and (SAMPLERS[recipe.data.sampler].weighs or recipe.data.max_per_patient):
        shift += counted.log_odds - pool.log_odds
    return np.where(counted.is_learned, shift, -pool.log_odds)


def counted_event(recipe: Recipe, counted: Counted) -> dict[str, Any]:
    """Return what a training says of what it counts: by class, and which classes are left out of the loss."""
    names = vocabulary().classes
    shown = {"positives": counted.positives, "negatives": counted.negatives}
    if TASKS[recipe.task.kind].weighs_positives:
        shown["pos_weight"] = positive_weights(recipe.task, counted)
    else:
        shown["positive_share"] = counted.share
    by_class = {key: dict(zip(names, values.round(6).tolist())) for key, values in shown.items()}
    left_out = np.array(names)[~counted.is_learned].tolist()
    return {"event": "counted", **by_class, "left_out": left_out}

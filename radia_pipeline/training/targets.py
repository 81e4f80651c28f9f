"""Label values -> what the loss compares with: targets in 0..1 and a mask. Policies for uncertain and blank only.

Legend: n studies, 21 classes in vocabulary order. Draws come from the caller, so that they can be replayed.
"""

from __future__ import annotations

import numpy as np

from radia_pipeline.contracts.label_values import MISSING, UNCERTAIN
from radia_pipeline.training import choices
from radia_pipeline.training.recipe_schema import LabelsSection


def targets_and_mask(
    values: np.ndarray, labelled: np.ndarray, policy: LabelsSection, draws: np.ndarray, soft: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return targets float32 and mask bool, both of the shape of ``values``.

    ``values``: int8 1, 0, −1 or MISSING. ``labelled``: bool, whether the study's source labels the class; elsewhere
    the mask is False, whatever the value (a source with only positives by closure would teach "always 1").
    ``draws``: uniform in 0..1, used for uncertain values only. ``soft``: a teacher's probabilities, NaN where it has
    none: the targets of the kinds of cells that the policy leaves to it.
    """
    targets = (values == 1).astype(np.float32)
    mask = labelled.copy()
    uncertain, rule = values == UNCERTAIN, choices.UNCERTAIN[policy.uncertain]
    if rule.target is None:
        mask &= ~uncertain
    else:
        targets = np.where(uncertain, rule.target(draws, policy), targets)
    if not choices.BLANK[policy.blank]:
        mask &= values != MISSING
    if soft is not None:
        open_cells = [choices.OPEN_CELLS[kind](values, labelled) for kind in policy.teacher_answers]
        answered = np.logical_or.reduce(open_cells) & np.isfinite(soft)
        targets, mask = np.where(answered, soft, targets).astype(np.float32), mask | answered
    return targets, mask


def is_uncertain(values: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Said to be uncertain, of a class that the source labels."""
    return (values == UNCERTAIN) & labelled


def is_blank(values: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Not mentioned, of a class that the source labels."""
    return (values == MISSING) & labelled


def is_unlabelled(values: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Of a class that the source does not label."""
    return ~labelled


def drawn(draws: np.ndarray, policy: LabelsSection) -> np.ndarray:
    """A draw within the recipe's range, float32."""
    low, high = policy.uncertain_range
    return (low + (high - low) * draws).astype(np.float32)


def positive(draws: np.ndarray, policy: LabelsSection) -> np.ndarray:
    """As if it were there."""
    return np.ones_like(draws, dtype=np.float32)


def negative(draws: np.ndarray, policy: LabelsSection) -> np.ndarray:
    """As if it were absent."""
    return np.zeros_like(draws, dtype=np.float32)

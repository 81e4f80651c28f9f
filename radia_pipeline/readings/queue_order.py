"""In which order doubted labels are read: by the chance that a reading mends what no other would, classes in turn.

Not here: the chance that a label is wrong (``label_noise``), the table (``review_queue``).

Shape legend: n studies, K classes that can be asked. A cell is a study × class.
"""

from __future__ import annotations

import numpy as np

from radia_pipeline.contracts.label_values import NEGATIVE, POSITIVE
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.readings.label_grounds import asked_classes

EVERY, ENOUGH_OF_WORST = 3, 0.5
"""Each third place goes to the classes in turn, to cells at least half as urgent as the worst that are left."""


def urgency(wrong: np.ndarray, label: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return the chance (n, K) that a label is wrong by itself. ``wrong``: that it is wrong, NaN where unjudged;
    ``source`` (n,): where the study is from.

    A group's absence is wrong too where that of one of its classes is, and who mends the class mends the group. That a
    missed group is present by itself follows by Bayes: first from the share of the source's present groups that are
    present without one of their classes, then from the chance that none of the study's denied classes was missed.
    """
    words, classes = vocabulary(), asked_classes()
    missed = np.where((label == NEGATIVE) & np.isfinite(wrong), wrong, 0.0)
    out = wrong.copy()
    for k, name in enumerate(classes):
        below = [child for child, one in enumerate(classes) if name in words.ancestors(one)]
        if not below:
            continue
        of_a_class = 1 - np.prod(1 - missed[:, below], axis=1)
        is_alone = (label[:, k] == POSITIVE) & ~(label[:, below] == POSITIVE).any(axis=1)
        for one in np.unique(source.astype(str)):
            here = source == one
            denied = here & (label[:, k] == NEGATIVE)
            if denied.any():
                present = (here & (label[:, k] == POSITIVE)).sum()
                share = ((here & is_alone).sum() + 0.5) / (present + 1)
                out[denied, k] *= _by_itself(of_a_class[denied], share)
    return out


def _by_itself(of_a_class: np.ndarray, share: float) -> np.ndarray:
    """Return the chance (n,) that a missed group is present by itself. ``of_a_class``: that one of its classes was
    missed, of all denied groups; ``share``: of present groups, those without a class."""
    usual = np.clip(of_a_class.mean(), 1e-6, 1 - 1e-6)
    alone, with_class = share * (1 - of_a_class) / (1 - usual), (1 - share) * of_a_class / usual
    return alone / np.maximum(alone + with_class, 1e-12)


def in_turn(urgent: np.ndarray, is_open: np.ndarray) -> np.ndarray:
    """Return the open cells (n, K) as places of the flat array, in the order of reading.

    Two places of three are the most urgent cells that are left, whatever their class; the third goes to the classes in
    turn, to each one's worst while that is ENOUGH_OF_WORST as urgent as what it is read before. So no class waits
    behind one that is full of errors, and nobody reads what is surely right for the sake of a turn.
    """
    flat = np.flatnonzero(is_open & np.isfinite(urgent))
    flat = flat[np.argsort(-urgent.reshape(-1)[flat], kind="stable")]
    chance = urgent.reshape(-1)[flat]
    column, worst = flat % urgent.shape[1], np.arange(len(flat))
    within = np.empty(len(flat), dtype=np.int64)
    for k in range(urgent.shape[1]):
        mine = column == k
        within[mine] = np.arange(mine.sum())
    turn = np.empty(len(flat), dtype=np.int64)
    turn[np.lexsort((worst, within))] = worst
    by_chance, by_turn = worst * EVERY / (EVERY - 1), EVERY * turn + EVERY - 1
    before = chance[np.minimum(by_turn, len(flat) - 1)] if len(flat) else chance
    place = np.where(chance >= ENOUGH_OF_WORST * before, np.minimum(by_chance, by_turn), by_chance)
    return flat[np.argsort(place, kind="stable")]

"""The pools that patients are placed in: their names and their order, which every package takes from here; the
folds of the training pool.

Not here: the shares, which are a lake's policy, and how a patient is placed (``cohort``).
"""

from __future__ import annotations

TRAIN, VALIDATION, TEST = "train", "validation", "test"
POOLS = (TRAIN, VALIDATION, TEST)
"""From the lowest side to the highest: a late link excludes the lower."""
HELD_OUT = (VALIDATION, TEST)
"""Pools that no model is trained on: those that are predicted and judged."""
TRAIN_OR_VALIDATION = "train_or_validation"
"""No pool: a publisher's one list for both, which leaves the choice between them to the hash."""
TRAIN_FOLDS = 5
"""Parts of the training pool; a group stays in its own."""
LEVEL = {pool: level for level, pool in enumerate(POOLS)}
"""Each pool's place in that order."""

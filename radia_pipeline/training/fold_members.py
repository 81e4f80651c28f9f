"""A recipe trained once for each fold of the training pool: what its models are called, and which recipes they are of.

``<recipe>_fold<i>`` is a recipe of its own that learns from the other folds and chooses its epoch on fold i. Such
models are members of an ensemble as any other, and together they answer for the whole training pool with models that
did not learn from the patient (``out_of_fold``). Not here: how the recipe is made of the one it is named after
(``recipes``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from radia_pipeline.contracts.pools import TRAIN_FOLDS

_NAME = re.compile(rf"(?P<recipe>.+)_fold(?P<fold>[0-{TRAIN_FOLDS - 1}])")


def fold_member(recipe: str, fold: int) -> str:
    """Return the name of a recipe's member that leaves out a fold."""
    return f"{recipe}_fold{fold}"


def fold_members(recipe: str) -> tuple[str, ...]:
    """Return the names of a recipe's members, one for each fold."""
    return tuple(fold_member(recipe, fold) for fold in range(TRAIN_FOLDS))


def parted(name: str) -> tuple[str, int] | None:
    """Return the recipe and the fold that a member's name tells; None for another name."""
    found = _NAME.fullmatch(name)
    return (found["recipe"], int(found["fold"])) if found else None


def whole_recipes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the recipes of which a member for every fold is among the names, in the order of the first ones."""
    given = list(names)
    bases = dict.fromkeys(found[0] for name in given if (found := parted(name)))
    return tuple(base for base in bases if set(fold_members(base)) <= set(given))

"""A fixed part of the validation pool that steers a training where the whole pool takes too long.

Studies with rare findings are taken more often, and each stands for as many as it was drawn from: figures on the sample
are weighted by the inverse of the chance to be in it (Horvitz and Thompson 1952). The scorecard reads the whole pool.
"""

from __future__ import annotations

import numpy as np

from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.sampler import generator, rarity
from radia_pipeline.training.studies import Studies

BALANCE = 0.5
"""A study's chance goes with (count of its rarest positive class) ** −BALANCE, as the weighted sampler's default."""


def validation_sample(recipe: Recipe, studies: Studies) -> tuple[np.ndarray, np.ndarray] | None:
    """Return study numbers (n,) in order and what each stands for, float64 (n,); None where the whole pool is read."""
    wanted = recipe.stopping.validation_studies
    if wanted is None or wanted >= len(studies):
        return None
    chances = inclusion(rarity(studies) ** -BALANCE, wanted)
    draw = generator(recipe.training.seed, "validation sample")
    order = draw.permutation(len(studies))
    # Systematic sampling: one start, then every whole number along the summed chances; their sum is ``wanted``.
    along = np.cumsum(chances[order]) + draw.random()
    chosen = np.sort(order[np.floor(along) > np.floor(along - chances[order])])
    return chosen, 1 / chances[chosen]


def inclusion(sizes: np.ndarray, wanted: int) -> np.ndarray:
    """Return chances in proportion to ``sizes``, at most 1, whose sum is ``wanted``: float64 (n,)."""
    chances, sure = np.zeros(len(sizes)), np.zeros(len(sizes), dtype=bool)
    while True:
        chances = np.where(sure, 1.0, sizes * (wanted - sure.sum()) / sizes[~sure].sum())
        if not (chances > 1).any():
            return chances
        sure |= chances >= 1

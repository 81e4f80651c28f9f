"""How many images a second two ensembles answer for, measured in one run, turn by turn, on this machine.

Each is given the same squares of noise; turns alternate, so that what else the machine does falls upon both. Only their
ratio means something elsewhere. Not here: what is asked of it (``gate``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from radia_pipeline.evaluation.answering import served_models
from radia_pipeline.evaluation.in_use import InUse
from radia_pipeline.evaluation.serving import ServedModel

TURNS, IMAGES = 7, 6
"""Turns of each, after one that warms up, and images in a turn."""


def images_per_second(sides: Sequence[InUse]) -> tuple[float, ...]:
    """Return the median over turns for each ensemble; raises NotTrained where a model is missing."""
    random = np.random.default_rng(0)
    opened = [served_models(side) for side in sides]
    sizes = {model.input.size_px for models in opened for model in models.values()}
    squares = {size: random.integers(0, 65536, (IMAGES, size, size)).astype(np.uint16) for size in sizes}
    rates: list[list[float]] = [[] for _ in sides]
    for turn in range(TURNS + 1):
        for place, models in enumerate(opened):
            took_s = _turn(list(models.values()), squares)
            if turn:
                rates[place].append(IMAGES / took_s)
    return tuple(float(np.median(found)) for found in rates)


def _turn(models: Sequence[ServedModel], squares: dict[int, np.ndarray]) -> float:
    started = time.perf_counter()
    for number in range(IMAGES):
        for model in models:
            model.look(squares[model.input.size_px][number])
    return max(time.perf_counter() - started, 1e-9)

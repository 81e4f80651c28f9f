"""How many images a second two ensembles answer for, measured in one run, turn by turn, on this machine.

Each is given the same squares of noise; turns alternate, and each one's fastest counts: whatever else the machine does
makes a turn slower, never faster. It goes on until neither has become faster for a while. Only their ratio means
something elsewhere. Not here: what is asked of it (``gate``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from radia_pipeline.evaluation.answering import served_models
from radia_pipeline.evaluation.in_use import InUse
from radia_pipeline.evaluation.serving import ServedModel

Models = tuple[str, ...]
"""Folders of the models that an ensemble uses."""
IMAGES, LEAST_TURNS, MOST_TURNS = 6, 7, 60
"""Images in a turn; turns of each, after one that warms up."""
SETTLED_TURNS, FASTER = 5, 1.02
"""So many turns in a row in which neither became faster by this factor end the run."""


def images_per_second(sides: Sequence[InUse]) -> tuple[float, ...]:
    """Return the pace of each ensemble's fastest turn; raises NotTrained where a model is missing.

    Ensembles of the same models are measured once: they have one pace.
    """
    random = np.random.default_rng(0)
    opened = {key: served_models(side) for key, side in {_models_of(side): side for side in sides}.items()}
    sizes = {model.input.size_px for models in opened.values() for model in models.values()}
    squares = {size: random.integers(0, 65536, (IMAGES, size, size)).astype(np.uint16) for size in sizes}
    turns = {key: partial(_turn, list(models.values()), squares) for key, models in opened.items()}
    fastest = fastest_turns(turns)
    return tuple(IMAGES / fastest[_models_of(side)] for side in sides)


def fastest_turns(turns: Mapping[Models, Callable[[], float]]) -> dict[Models, float]:
    """Take turns, each the seconds that it took, and return the fastest of each."""
    for warm_up in turns.values():
        warm_up()
    fastest, settled, taken = dict.fromkeys(turns, np.inf), 0, 0
    while taken < LEAST_TURNS or (settled < SETTLED_TURNS and taken < MOST_TURNS):
        found = {key: turns[key]() for key in (list(turns) if taken % 2 else reversed(list(turns)))}
        faster = any(found[key] * FASTER < fastest[key] for key in turns)
        fastest = {key: min(found[key], fastest[key]) for key in turns}
        settled, taken = 0 if faster else settled + 1, taken + 1
    return fastest


def _models_of(side: InUse) -> Models:
    return tuple(str(side.folder(member)) for member in side.ensemble.used_members)


def _turn(models: Sequence[ServedModel], squares: dict[int, np.ndarray]) -> float:
    started = time.perf_counter()
    for number in range(IMAGES):
        for model in models:
            model.look(squares[model.input.size_px][number])
    return max(time.perf_counter() - started, 1e-9)

"""Drawing a sample of a pool with known inclusion probabilities, and each reader's own order of it. Pure numbers.

One study is drawn from each group, then a simple random sample from each stratum of these: a study's probability is
one over its group's studies, times its stratum's sampling fraction. Not here: where strata come from and where a set is
kept (``sets``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

REST = "rest"
REST_SHARE = 0.4
"""At least this share of a set comes from the unenriched stratum: else single positives of large weight rule it."""
REPEAT_SHARE = 0.1
REPEAT_DISTANCE = 100
"""Positions between a study and its hidden repeat: far enough to be forgotten."""


@dataclass(frozen=True)
class Drawn:
    """``members``: places (m,) in the frame, sorted; ``probability`` (m,): of inclusion; ``stratum`` (m,): names."""

    members: np.ndarray
    probability: np.ndarray
    stratum: np.ndarray


def draw(groups: np.ndarray, strata: np.ndarray, size: int, seed: int) -> Drawn:
    """Draw ``size`` studies, at most one of a group. ``groups``, ``strata`` (n,): names; all groups may be fewer."""
    generator = np.random.default_rng(seed)
    _, group_of, count = np.unique(groups, return_inverse=True, return_counts=True)
    shuffled = generator.permutation(len(groups))
    _, first = np.unique(group_of[shuffled], return_index=True)
    ones = np.sort(shuffled[first])
    names, stratum_of, available = np.unique(strata[ones], return_inverse=True, return_counts=True)
    taken = allocation(dict(zip(names.tolist(), available.tolist())), size)
    members, probability = [], []
    for place, name in enumerate(names.tolist()):
        inside = ones[stratum_of == place]
        chosen = np.sort(generator.choice(inside, taken[name], replace=False))
        members.append(chosen)
        probability.append(taken[name] / len(inside) / count[group_of[chosen]])
    order = np.argsort(np.concatenate(members), kind="stable")
    members = np.concatenate(members)[order]
    return Drawn(members, np.concatenate(probability)[order], strata[members])


def allocation(available: dict[str, int], size: int) -> dict[str, int]:
    """Return how many to draw from each stratum: the rest gets its share, the others equal parts of what is left.

    Strata that hold less than their part give it all; what they leave goes to the others, at last to the rest.
    """
    size = min(size, sum(available.values()))
    enriched = {name: count for name, count in available.items() if name != REST}
    left = size - min(available.get(REST, 0), math.ceil(REST_SHARE * size))
    taken = dict.fromkeys(available, 0)
    while left and (open_ := [name for name in sorted(enriched) if taken[name] < enriched[name]]):
        part = max(1, left // len(open_))
        for name in open_:
            more = min(part, enriched[name] - taken[name], left)
            taken[name], left = taken[name] + more, left - more
    if REST in available:
        taken[REST] = min(available[REST], size - sum(taken.values()))
    return taken


@dataclass(frozen=True)
class Turn:
    """One place in a reader's order. ``is_repeat``: the reader saw this study before and does not know."""

    study_id: str
    is_repeat: bool


def order_of(study_ids: Sequence[str], reader: str, seed: int) -> list[Turn]:
    """Return a reader's own order of a set, with a tenth of it a second time, at least REPEAT_DISTANCE later.

    Sets of fewer studies than that distance have none.
    """
    generator = np.random.default_rng([seed, *reader.encode()])
    shuffled = generator.permutation(np.array(sorted(study_ids), dtype=object)).tolist()
    wanted = round(REPEAT_SHARE * len(shuffled)) if len(shuffled) >= REPEAT_DISTANCE else 0
    total = len(shuffled) + wanted
    slots = set((REPEAT_DISTANCE + generator.permutation(max(0, total - REPEAT_DISTANCE))[:wanted]).tolist())
    turns: list[Turn] = []
    again: set[str] = set()
    firsts = iter(shuffled)
    while len(turns) < total:
        far = turns[: len(turns) - REPEAT_DISTANCE + 1] if len(turns) in slots else []
        candidates = [turn.study_id for turn in far if not turn.is_repeat and turn.study_id not in again]
        if candidates:
            again.add(study := candidates[int(generator.integers(len(candidates)))])
            turns.append(Turn(study, True))
        elif (study := next(firsts, None)) is not None:
            turns.append(Turn(study, False))
        else:
            break  # a place for a repeat had none to choose from
    return turns

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


@dataclass(frozen=True)
class Coded:
    """A frame from which is drawn often, coded once. ``group_of``, ``stratum_of`` (n,): numbers; ``count`` (groups,):
    studies of each group; ``names``: strata in order."""

    group_of: np.ndarray
    count: np.ndarray
    stratum_of: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, groups: np.ndarray, strata: np.ndarray) -> Coded:
        """Code names (n,) of groups and strata."""
        _, group_of, count = np.unique(groups, return_inverse=True, return_counts=True)
        names, stratum_of = np.unique(strata, return_inverse=True)
        return cls(group_of, count, stratum_of, tuple(names.tolist()))

    def draw(self, size: int, seed: int) -> Drawn:
        """Draw ``size`` studies, at most one of a group; all groups may be fewer."""
        generator = np.random.default_rng(seed)
        shuffled = generator.permutation(len(self.group_of))
        first = np.empty(len(self.count), dtype=np.int64)
        first[self.group_of[shuffled[::-1]]] = shuffled[::-1]  # the last one written came first in the shuffle
        ones = np.sort(first)
        stratum_of = self.stratum_of[ones]
        available = np.bincount(stratum_of, minlength=len(self.names))
        taken = allocation({name: int(n) for name, n in zip(self.names, available) if n}, size)
        drawn, probability = [], []
        for place in np.flatnonzero(available):
            inside, wanted = ones[stratum_of == place], taken[self.names[place]]
            chosen = np.sort(generator.choice(inside, wanted, replace=False))
            drawn.append(chosen)
            probability.append(wanted / len(inside) / self.count[self.group_of[chosen]])
        members = np.concatenate(drawn)
        order = np.argsort(members, kind="stable")
        members = members[order]
        stratum = np.array(self.names)[self.stratum_of[members]]
        return Drawn(members, np.concatenate(probability)[order], stratum)


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
        elif (first := next(firsts, None)) is not None:
            turns.append(Turn(first, False))
        else:
            break  # a place for a repeat had none to choose from
    return turns

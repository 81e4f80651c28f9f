"""When a trial of a sweep is ended before its last epoch: rules over curves of epochs. Pure; what they mean for a
process is in ``sweeps``.

A rule compares the best that a trial has reached after so many epochs with what its peers had reached after as many.
Which trials are its peers is the caller's: it decides whether the answer depends on who came first.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from radia_pipeline.contracts.choices import Table

FEWEST_PEERS = 4
"""Of the median: fewer say little of where the middle is."""
WARM_UP_SHARE = 0.1
"""Of the epochs: before that the median rule ends nothing."""
REDUCTION = 3
"""Of successive halving: one in so many goes on at each rung, and each rung is so many times as long as the last."""


@dataclass(frozen=True)
class Curve:
    """A trial's figure of merit by epoch, from 0 on; ``is_whole``: it has come to its own end."""

    by_epoch: Mapping[int, float]
    is_whole: bool

    def best_after(self, epochs: int) -> float | None:
        """The best of the first epochs; None where an unfinished trial has fewer."""
        reached = [value for epoch, value in self.by_epoch.items() if epoch < epochs]
        return max(reached) if reached and (self.is_whole or len(reached) == epochs) else None


@dataclass(frozen=True)
class Moment:
    """A trial after ``epochs`` of ``longest``: its best so far, and its peers' after as many epochs."""

    epochs: int
    longest: int
    own: float
    peers: tuple[float, ...]


def never(_moment: Moment) -> bool:
    """Every trial comes to its own end."""
    return False


def below_median(moment: Moment) -> bool:
    """The best so far is below the median of the peers' (Golovin et al. 2017, of bests in place of averages)."""
    is_early = moment.epochs < max(1, WARM_UP_SHARE * moment.longest)
    if is_early or len(moment.peers) < FEWEST_PEERS:
        return False
    return moment.own < statistics.median(moment.peers)


def below_best_third(moment: Moment) -> bool:
    """At a rung, not among the best third of those that have reached it (successive halving, Li et al. 2020)."""
    count = len(moment.peers) + 1
    if moment.epochs not in rungs(moment.longest) or count < REDUCTION:
        return False
    return sum(peer > moment.own for peer in moment.peers) >= count // REDUCTION


def rungs(longest: int) -> tuple[int, ...]:
    """Epochs after which successive halving looks: ``longest`` divided by the reduction again and again, to 1."""
    found, epochs = [], longest // REDUCTION
    while epochs >= 1:
        found.append(epochs)
        epochs //= REDUCTION
    return tuple(reversed(found))


RULES: Table[Callable[[Moment], bool]] = Table(
    "rule by which trials end early", {"none": never, "median": below_median, "halving": below_best_third}
)

"""Sweeps over a recipe's declared ranges: which trial is trained when, side by side, ended early, gone on with.

A trial is trained like any recipe, under a name of its own: one that was interrupted goes on at its checkpoint. Its
options come from the trials of earlier rounds, and so do the curves that may end it: what a sweep comes to does not
depend on how many trials run at once, nor on which is faster. Without rounds both come from whatever has ended.
Not here: the journal (``trials``), rules (``pruning``), MLflow (the caller trains each trial).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from radia_pipeline.errors import BadRecipe, RunFailed, TrainingDiverged
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.training.choices import STOPPING
from radia_pipeline.training.exclusive import exclusive
from radia_pipeline.training.launch import Seat, seats, train_recipe
from radia_pipeline.training.outcome import OnEvent, TrainResult
from radia_pipeline.training.pruning import RULES, Curve, Moment
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.recipes import with_options
from radia_pipeline.training.trials import Asked, Journal

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake

TrainOne = Callable[[Recipe, OnEvent, StopRequest, Seat | None], TrainResult]
"""Trains a trial's recipe; the seat is None where it has the machine for itself."""
ENDED_EARLY = "ended_early"
"""Kind of the event, and the reason for which a trial's training stops."""


@dataclass(frozen=True)
class Search:
    """How a sweep looks; it belongs to its identity. ``round_size``: trials that are asked together, None: each when a
    place is free. ``pruning``: of ``pruning.RULES``."""

    round_size: int | None = 4
    pruning: str = "none"


@dataclass(frozen=True)
class Abreast:
    """How many trials are trained at once, each in a process and on a GPU of its own.

    ``threads``: of arithmetic for each of them, an equal share of the processors by default.
    """

    workers: int = 1
    threads: int | None = None

    def places(self) -> list[Seat | None]:
        """Return a seat for each; one alone has the machine."""
        return [*seats(self.workers, self.threads)] if self.workers > 1 or self.threads else [None]


@dataclass(frozen=True)
class Trial:
    """One point of a sweep: its number, options and metric (None: it diverged), and whether it was ended early."""

    number: int
    options: dict[str, Any]
    metric: float | None
    is_early: bool = False


@dataclass(frozen=True)
class Hooks:
    """What whoever sweeps has a hand in. ``train_one``: how a trial's recipe is trained, None: by ``train_recipe``.

    ``on_event`` and ``on_trial`` are called by several threads, events with their trial's number under ``trial``.
    """

    train_one: TrainOne | None = None
    on_event: OnEvent = lambda _event: None
    on_trial: Callable[[Trial], None] = lambda _trial: None
    stop: StopRequest = field(default_factory=StopRequest)


@dataclass(frozen=True)
class SweepResult:
    """What stands in the journal: ended trials, those among them that ended early or diverged, the best options."""

    recipe: str
    trials: int
    ended_early: int
    diverged: int
    best_metric: float
    best_options: dict[str, Any]


def sweep(
    recipe: Recipe,
    lake: Lake,
    *,
    trials: int,
    search: Search | None = None,
    abreast: Abreast | None = None,
    hooks: Hooks | None = None,
) -> SweepResult:
    """Train until the sweep has ``trials`` ended trials; what the journal already holds counts.

    Raises BadRecipe when the recipe declares no ranges or does not accept one of their values, AlreadyRunning,
    RunFailed when every trial diverged or when it was asked to stop: the same call goes on.
    """
    search, hooks = search or Search(), hooks or Hooks()
    _check_ranges(recipe)
    # held: a trial that is not ended belongs to nobody who lives
    with exclusive(lake, recipe.name, "sweep", "A sweep over {} runs in another process"):
        path = lake.models_dir / "_sweeps" / f"{recipe.name}-{identity(recipe, lake, search)}.jsonl"
        journal = Journal(path, recipe.name, recipe.sweep, lies=search.round_size is None)
        train_one = hooks.train_one or _trained_here(lake)
        _Sweep(recipe, journal, search, trials, train_one, hooks, (abreast or Abreast()).places()).until_done()
    best = journal.best()
    if best is None:
        raise RunFailed(f"All {journal.ended} trials of {recipe.name} diverged", do="lower the ranges")
    return SweepResult(recipe.name, journal.ended, **journal.counts(), best_metric=best[0], best_options=best[1])


def identity(recipe: Recipe, lake: Lake, search: Search) -> str:
    """Return what makes two sweeps the same sweep: recipe, ranges, manifest, and how it looks."""
    ranges = {name: values.model_dump() for name, values in recipe.sweep.items()}
    content = json.dumps([recipe.hash, ranges, lake.versions("manifest"), asdict(search)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def trial_name(recipe: Recipe, options: dict[str, Any]) -> str:
    """Return the name under which a trial is trained: the same options have the same checkpoint."""
    content = json.dumps(options, sort_keys=True)
    return f"{recipe.name[:48]}_t{hashlib.sha256(content.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class _Sweep:
    """One sweep under way: what is asked, who trains, where."""

    recipe: Recipe
    journal: Journal
    search: Search
    trials: int
    train_one: TrainOne
    hooks: Hooks
    places: list[Seat | None]
    names: dict[str, threading.Lock] = field(default_factory=dict)

    def until_done(self) -> None:
        """Round after round, or trial after trial, until as many as wanted have ended."""
        step = self.search.round_size or self.trials
        for first in range(0, self.trials, step):
            last = min(first + step, self.trials)
            if all(self.journal.is_ended(number) for number in range(first, last)):
                continue
            if self.search.round_size:  # all of a round are asked before one of them has ended
                self._asked(first + step - 1)
            numbers = iter([number for number in range(first, last) if not self.journal.is_ended(number)])
            self._side_by_side(numbers)

    def _asked(self, number: int) -> Asked:
        """The trial of a number, asked if it has not been, after all those before it."""
        asked = self.journal.asked()
        while len(asked) <= number:
            asked.append(self.journal.ask(len(asked)))
        return asked[number]

    def _side_by_side(self, numbers: Iterator[int]) -> None:
        """Train these trials, as many at once as there are places; one that fails stops the others."""
        if len(self.places) == 1:
            for number in numbers:
                self._train(self._asked(number), self.places[0], self.hooks.stop)
                self._obey()
            return
        free, running = list(reversed(self.places)), {}
        together = StopRequest(above=self.hooks.stop)
        with ThreadPoolExecutor(len(self.places)) as pool:
            try:
                while True:
                    while free and not together and (following := next(numbers, None)) is not None:
                        place = free.pop()
                        running[pool.submit(self._train, self._asked(following), place, together)] = place
                    if not running:
                        break
                    done: set[Future] = wait(running, return_when=FIRST_COMPLETED).done
                    free += [running.pop(future) for future in done]
                    for future in done:
                        future.result()
            except BaseException:
                together.set("another trial failed")
                raise
        self._obey()

    def _obey(self) -> None:
        if self.hooks.stop:
            raise RunFailed(
                f"The sweep over {self.recipe.name} was stopped ({self.hooks.stop.reason})",
                do="sweep again: it goes on with the trials that were under way",
            )

    def _train(self, asked: Asked, place: Seat | None, stop: StopRequest) -> None:
        """Train one trial to its end, or to where its rule ends it, and note what it came to."""
        self.hooks.on_event(
            {
                "event": "trial",
                "trial": asked.number,
                "number": asked.number,
                "trials": self.trials,
                **{f"option {name}": value for name, value in asked.options.items()},
            }
        )
        chosen = with_options(
            self.recipe, {**asked.options, "name": trial_name(self.recipe, asked.options), "sweep": {}}
        )
        watch = _Watch(self, chosen, asked, StopRequest(above=stop))
        watch.look_back()
        try:
            with self.names.setdefault(chosen.name, threading.Lock()):  # the same options twice are one training
                result = None if watch.ended_at else self.train_one(chosen, watch.listen, watch.stop, place)
        except TrainingDiverged:
            if watch.ended_at is None:
                self.journal.diverge(asked)
                return self.hooks.on_trial(Trial(asked.number, asked.options, None))
        except RunFailed:
            if watch.ended_at is None:
                raise
        else:
            watch.take_note(*(result.history if result else ()))
        is_early = watch.ended_at is not None
        value = watch.best if is_early or result is None else float(result.best_metric)
        self.journal.end(asked, value, is_early=is_early)
        return self.hooks.on_trial(Trial(asked.number, asked.options, value, is_early))

    def peers(self, asked: Asked) -> list[Curve]:
        """Curves that a trial is compared with: of earlier rounds; without rounds of every other trial."""
        size = self.search.round_size
        before = asked.number // size * size if size else None
        others = (one for one in self.journal.asked()[:before] if one.number != asked.number)
        return [curve for curve in map(self.journal.curve, others) if curve.by_epoch]


class _Watch:
    """Looks at a trial's epochs as they come, and asks it to stop where the rule ends it."""

    def __init__(self, run: _Sweep, chosen: Recipe, asked: Asked, stop: StopRequest) -> None:
        self.run, self.stopping, self.asked, self.stop = run, chosen.stopping, asked, stop
        self.longest = chosen.training.max_epochs
        self.ended_at: int | None = None
        self.best = float("nan")

    def listen(self, event: dict[str, Any]) -> None:
        """Take one event of the trial's training."""
        self.run.hooks.on_event({**event, "trial": self.asked.number})
        if event["event"] == "epoch" and self.ended_at is None:
            self.take_note(event)
            if self.ended_at is not None:
                self.run.hooks.on_event(
                    {"event": ENDED_EARLY, "trial": self.asked.number, "after_epochs": self.ended_at}
                )
                self.stop.set(ENDED_EARLY)

    def take_note(self, *epochs: dict[str, Any]) -> None:
        """Decide after each of these epochs, as if they came now; what comes after the end is left."""
        for line in epochs:
            if self.ended_at is None:
                value = STOPPING[self.stopping.metric] * float(line[self.stopping.metric])
                self.run.journal.note(self.asked, int(line["epoch"]), value)
                self._decide(int(line["epoch"]) + 1)

    def look_back(self) -> None:
        """Decide over the epochs that an interrupted sweep has noted."""
        for epoch in sorted(self.run.journal.curve(self.asked).by_epoch):
            if self.ended_at is None:
                self._decide(epoch + 1)

    def _decide(self, after: int) -> None:
        own = self.run.journal.curve(self.asked).best_after(after)
        if own is None or after >= self.longest:  # an epoch was missed: the whole history decides later
            return
        others = (curve.best_after(after) for curve in self.run.peers(self.asked))
        moment = Moment(after, self.longest, own, tuple(value for value in others if value is not None))
        if RULES[self.run.search.pruning](moment):
            self.ended_at, self.best = after, own


def _trained_here(lake: Lake) -> TrainOne:
    def train_one(chosen: Recipe, on_event: OnEvent, stop: StopRequest, seat: Seat | None) -> TrainResult:
        return train_recipe(chosen, lake, on_event=on_event, stop=stop, seat=seat)

    return train_one


def _check_ranges(recipe: Recipe) -> None:
    """Refuse ranges of which the recipe does not accept an end or a choice, before anything is trained."""
    if not recipe.sweep:
        raise BadRecipe(
            f"Recipe {recipe.name} declares no ranges",
            accepted="sweep: {optimizer.lr: {low: 1.0e-5, high: 1.0e-2, log: true}}",
            do="add a sweep section to the recipe",
        )
    for name, values in recipe.sweep.items():
        for value in values.choices if values.choices is not None else (values.low, values.high):
            with_options(recipe, {name: int(value) if values.integer else value, "sweep": {}})

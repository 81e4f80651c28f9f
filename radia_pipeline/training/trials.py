"""A sweep's journal: which trials were asked, what each epoch came to, how each ended. Optuna proposes and keeps it.

It lies in ``models/_sweeps/<recipe>-<identity>.jsonl``; a trial that is neither ended nor failed was under way, or has
yet to begin, when the sweep was left: it goes on with its options. Not here: training (``sweeps``).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from radia_pipeline.training.pruning import Curve
from radia_pipeline.training.recipe_schema import SweepRange

SEED = 0
DIVERGED = "diverged"
"""Marks failed trials that ended; a failed one without it was torn while it was asked, and does not count."""


@dataclass(frozen=True)
class Asked:
    """A trial's place in the sweep, its options, and its number in the journal."""

    number: int
    options: dict[str, Any]
    entry: int


class Journal:
    """All trials of one sweep; may be used from several threads. ``ranges``: option -> values to try."""

    def __init__(self, path: Path, name: str, ranges: dict[str, SweepRange], *, lies: bool) -> None:
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path.parent.mkdir(parents=True, exist_ok=True)
        backend = JournalFileBackend(str(path))
        storage = optuna.storages.JournalStorage(backend)
        self._study = optuna.create_study(study_name=name, storage=storage, direction="maximize", load_if_exists=True)
        self._optuna, self._ranges, self._lies, self._lock = optuna, ranges, lies, threading.RLock()
        for trial in self._found(optuna.trial.TrialState.RUNNING):
            if set(trial.params) != set(ranges):
                self._study.tell(trial.number, state=optuna.trial.TrialState.FAIL)

    def _found(self, *states: Any) -> list[Any]:
        return self._study.get_trials(deepcopy=False, states=states or None)

    def _standing(self) -> list[Any]:
        """Trials that count, in the order in which they were asked: the place is a trial's number."""
        fail = self._optuna.trial.TrialState.FAIL
        with self._lock:
            return [trial for trial in self._found() if trial.state != fail or DIVERGED in trial.user_attrs]

    def asked(self) -> list[Asked]:
        """Return all trials that were asked."""
        return [Asked(at, dict(trial.params), trial.number) for at, trial in enumerate(self._standing())]

    def is_ended(self, number: int) -> bool:
        """Whether a trial has a figure, was ended early, or diverged."""
        standing = self._standing()
        return number < len(standing) and standing[number].state.is_finished()

    @property
    def ended(self) -> int:
        """How many trials have ended."""
        return sum(trial.state.is_finished() for trial in self._standing())

    def ask(self, number: int) -> Asked:
        """Propose the next trial, from what has ended by now.

        One sampler a trial, seeded by its number: whoever asks with the same ended trials gets the same options.
        """
        with self._lock:
            samplers = self._optuna.samplers
            self._study.sampler = samplers.TPESampler(seed=SEED + number, constant_liar=self._lies)
            trial = self._study.ask()
            options = {name: _suggest(trial, name, values) for name, values in self._ranges.items()}
            return Asked(number, options, trial.number)

    def curve(self, asked: Asked) -> Curve:
        """Return what a trial has come to so far."""
        with self._lock:
            trial = self._found()[asked.entry]
            is_whole = trial.state == self._optuna.trial.TrialState.COMPLETE
            return Curve(dict(trial.intermediate_values), is_whole)

    def note(self, asked: Asked, epoch: int, value: float) -> None:
        """Keep an epoch's figure; one that is known stays."""
        with self._lock:
            trial = self._found()[asked.entry]
            if epoch not in trial.intermediate_values:
                self._optuna.trial.Trial(self._study, trial._trial_id).report(value, epoch)

    def end(self, asked: Asked, value: float, *, is_early: bool = False) -> None:
        """Note a trial's figure: that of its end, or what it had when it was ended early."""
        states = self._optuna.trial.TrialState
        with self._lock:
            if is_early:  # its figure is that of its last epoch, by Optuna's rule
                self._study.tell(asked.entry, state=states.PRUNED)
            else:
                self._study.tell(asked.entry, value)

    def diverge(self, asked: Asked) -> None:
        """Note that a trial diverged."""
        with self._lock:
            trial = self._found()[asked.entry]
            self._optuna.trial.Trial(self._study, trial._trial_id).set_user_attr(DIVERGED, True)
            self._study.tell(asked.entry, state=self._optuna.trial.TrialState.FAIL)

    def best(self) -> tuple[float, dict[str, Any]] | None:
        """Return figure and options of the best trial that came to its own end; None where none did."""
        whole = self._found(self._optuna.trial.TrialState.COMPLETE)
        first = max(whole, key=lambda trial: (trial.value, -trial.number), default=None)
        return (first.value, dict(first.params)) if first else None

    def counts(self) -> dict[str, int]:
        """Return how many trials ended early, and how many diverged."""
        pruned = self._found(self._optuna.trial.TrialState.PRUNED)
        return {"ended_early": len(pruned), "diverged": sum(DIVERGED in one.user_attrs for one in self._standing())}


def _suggest(trial: Any, name: str, values: SweepRange) -> Any:
    if values.choices is not None:
        return trial.suggest_categorical(name, list(values.choices))
    low, high = cast(float, values.low), cast(float, values.high)  # a range that lists no choices has both
    if values.integer:
        return trial.suggest_int(name, int(low), int(high), log=values.log)
    return trial.suggest_float(name, low, high, log=values.log)

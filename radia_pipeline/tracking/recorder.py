"""From a trainer's events to an MLflow run: the one seam that the Dagster asset and ``radia train`` share.

A trainer knows no MLflow; it calls ``on_event({"event": "step" | "epoch" | "done" | …, numbers…})``. Only numbers are
recorded: text and lists in an event are dropped, so nothing private can slip in. Not here: what a trainer computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.run import TrackedRun, flatten

BOOKKEEPING = frozenset({"event", "step", "epoch", "steps", "epochs", "total_steps", "total_epochs", "seed"})
GROUPS = {"step": "train", "epoch": "epoch", "done": "final"}


class EventRecorder:
    """A callable for ``on_event``: a training's numbers go into its run as ``train/…``, ``epoch/…``, ``final/…``."""

    def __init__(self, run: TrackedRun) -> None:
        self.run = run
        self.counts: dict[str, int] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Record one event. Kinds that are not known are counted and their numbers kept under their own name."""
        kind = str(event.get("event", "unnamed"))
        self.counts[kind] = self.counts.get(kind, 0) + 1
        numbers = flatten({key: value for key, value in event.items() if key not in BOOKKEEPING}, "/")
        group = GROUPS.get(kind, kind)
        self.run.log_metrics({f"{group}/{name}": value for name, value in numbers.items()}, self._position(kind, event))
        if kind in ("epoch", "done"):
            self.run.flush()

    def _position(self, kind: str, event: Mapping[str, Any]) -> int:
        """Where the event stands: its epoch for epochs, else its step, else how many of its kind came before."""
        order = ("epoch", "step") if kind == "epoch" else ("step", "epoch")
        for name in order:
            if isinstance(event.get(name), int):
                return event[name]
        return self.counts[kind] - 1


@contextmanager
def record_training(
    tracker: Tracker,
    name: str,
    settings: Mapping[str, Any],
    tags: Mapping[str, str],
    *,
    force: bool = False,
) -> Iterator[EventRecorder]:
    """The recorder of one training's run, for ``with``: finished at its end, FAILED on errors, KILLED on interruption.

    ``settings`` become parameters. The run of a training that finished before is not written to again, except that
    ``recorder.run`` tells which it is.
    """
    run = tracker.start_or_resume(name, tags, force=force)
    if run.is_finished:
        yield FinishedRecorder(run)
        return
    run.log_params(settings)
    try:
        yield EventRecorder(run)
    except Exception as error:
        run.fail(type(error).__name__)
        raise
    except BaseException as error:  # KeyboardInterrupt, SystemExit: the training can be resumed
        run.fail(type(error).__name__, status="KILLED")
        raise
    run.finish()


class FinishedRecorder(EventRecorder):
    """Recorder of a run that is finished: events of the report are counted, the run stays as it is."""

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Count the event."""
        kind = str(event.get("event", "unnamed"))
        self.counts[kind] = self.counts.get(kind, 0) + 1

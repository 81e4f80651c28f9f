"""From a trainer's events to an MLflow run: the one seam that the Dagster asset and ``radia train`` share.

A trainer knows no MLflow; it calls ``on_event({"event": "step" | "epoch" | "done" | …, numbers…})``. Only numbers are
recorded: text and lists in an event are dropped, so nothing private can slip in; of a picture, its place in the lake's
previews is noted, never the picture. Not here: what a trainer computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.provenance import TAG_FINGERPRINT, TAG_PICTURE
from radia_pipeline.tracking.run import TrackedRun, flatten

BOOKKEEPING = frozenset({"event", "step", "epoch", "steps", "epochs", "total_steps", "total_epochs", "seed"})
GROUPS = {"step": "train", "epoch": "epoch", "done": "final"}


class EventRecorder:
    """A callable for ``on_event``: a training's numbers go into its run as ``train/…``, ``epoch/…``, ``final/…``.

    A trainer that says ``start`` trains indeed. If the run is finished, or was another training's (the trainer's
    ``fingerprint`` also covers what the run's tags do not: its version), ``renew`` gives the run that it writes to.
    """

    def __init__(self, run: TrackedRun, renew: Callable[[], TrackedRun]) -> None:
        self.run, self._renew = run, renew
        self.is_open = not run.is_finished
        self.is_stopped = False
        self.counts: dict[str, int] = {}

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Record one event. Kinds that are not known are counted and their numbers kept under their own name."""
        kind = str(event.get("event", "unnamed"))
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == "start":
            self._begin(str(event.get("fingerprint", "")))
        self.is_stopped |= kind == "stopped"
        if not self.is_open:
            return
        if "picture" in (kind, *event):
            self.run.log_tags({f"{TAG_PICTURE}.{kind}": str(event.get("picture", event.get("path")))})
        numbers = flatten({key: value for key, value in event.items() if key not in BOOKKEEPING}, "/")
        group = GROUPS.get(kind, kind)
        self.run.log_metrics({f"{group}/{name}": value for name, value in numbers.items()}, self._position(kind, event))
        if kind in ("epoch", "done"):
            self.run.flush()

    def end(self, error: BaseException | None = None) -> None:
        """End the run: FINISHED, FAILED on an error, KILLED where the training was stopped or interrupted."""
        if not self.is_open:
            return
        if self.is_stopped or (error is not None and not isinstance(error, Exception)):
            self.run.fail("Stopped" if error is None else type(error).__name__, status="KILLED")
        elif error is not None:
            self.run.fail(type(error).__name__)
        else:
            self.run.finish()

    def _begin(self, fingerprint: str) -> None:
        before = self.run.tags.get(TAG_FINGERPRINT)
        if not self.is_open or before not in (None, fingerprint):
            if self.is_open:
                self.run.fail("Superseded", status="KILLED")
            self.run, self.is_open = self._renew(), True
        self.run.log_tags({TAG_FINGERPRINT: fingerprint})

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
    fingerprint: str | None = None,
) -> Iterator[EventRecorder]:
    """The recorder of one training's run, for ``with``: finished at its end, FAILED on errors, KILLED on interruption.

    ``settings`` become parameters. The run of a training that finished before is reported (``recorder.run``) and not
    written to, unless the trainer starts to train all the same: then a new run begins. ``fingerprint``: of the model
    that stands finished already, if there is one.
    """

    def renew() -> TrackedRun:
        run = tracker.start_or_resume(name, tags, force=True)
        run.log_params(settings)
        return run

    run = tracker.start_or_resume(name, tags, force=force, fingerprint=fingerprint)
    if not run.is_finished:
        run.log_params(settings)
    recorder = EventRecorder(run, renew)
    try:
        yield recorder
    except BaseException as error:
        recorder.end(error)
        raise
    recorder.end()


class ParentRun:
    """A run under which others are nested: a sweep's."""

    def __init__(self, run: TrackedRun) -> None:
        self.run = run

    def nested_tags(self) -> dict[str, str]:
        """Tags by which MLflow shows a run beneath this one."""
        return {"mlflow.parentRunId": self.run.run_id}


@contextmanager
def parent_run(
    tracker: Tracker, name: str, settings: Mapping[str, Any], tags: Mapping[str, str]
) -> Iterator[ParentRun]:
    """The run of a search, for ``with``: taken up again by the same search, also when it had ended (more trials)."""
    run = tracker.start_or_resume(name, tags)
    if run.is_finished:
        run.take_over(tags)
    run.log_params({name: value for name, value in settings.items() if name not in run.params})
    try:
        yield ParentRun(run)
    except BaseException as error:
        run.fail(type(error).__name__, status="FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    run.finish()

"""From a trainer's events to an MLflow run: the one seam that the Dagster asset and ``radia train`` share.

A trainer knows no MLflow; it calls ``on_event({"event": "step" | "epoch" | "done" | …, numbers…})``. Only numbers are
recorded: text and lists in an event are dropped, so nothing private can slip in; of a picture, its place in the lake's
previews is noted, never the picture. Not here: what a trainer computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from radia_pipeline.errors import AlreadyRunning
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.provenance import TAG_FINGERPRINT, TAG_PICTURE
from radia_pipeline.tracking.tracked_run import TrackedRun, flatten

BOOKKEEPING = frozenset({"event", "step", "epoch", "steps", "epochs", "total_steps", "total_epochs", "seed", "at_ms"})
KEPT_TEXTS = ("event", "fingerprint", "picture", "path")
"""The only texts of an event that are looked at: its kind, the training's name, a picture's place in the lake."""
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
        found = {f"{group}/{name}": value for name, value in numbers.items()}
        self.run.log_metrics(found, self._position(kind, event), event.get("at_ms"))
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


def recorded_part(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a recorder looks at of an event, on one level: its numbers and ``KEPT_TEXTS``."""
    numbers = {name: value for name, value in flatten(event, "/").items() if isinstance(value, int | float)}
    return numbers | {name: str(event[name]) for name in KEPT_TEXTS if name in event}


@dataclass(frozen=True)
class Resumption:
    """What there is of a training before it starts. ``fingerprint``: of the model that stands finished already.

    ``force``: it is made again all the same. ``goes_on``: it was begun by ``force`` and stopped.
    """

    force: bool = False
    goes_on: bool = False
    fingerprint: str | None = None


@contextmanager
def record_training(
    tracker: Tracker,
    name: str,
    settings: Mapping[str, Any],
    tags: Mapping[str, str],
    standing: Resumption | None = None,
    *,
    run_id: str | None = None,
) -> Iterator[EventRecorder]:
    """The recorder of one training's run, for ``with``: finished at its end, FAILED on errors, KILLED on interruption.

    ``settings`` become parameters. The run of a training that finished before is reported (``recorder.run``) and not
    written to, unless the trainer starts to train all the same: then a new run begins. ``run_id``: the run, where it is
    known.
    """

    def renew() -> TrackedRun:
        run = tracker.start_or_resume(name, tags, force=True)
        run.log_params(settings)
        return run

    if run_id is None:
        run = tracker.start_or_resume(name, tags, **asdict(standing or Resumption()))
    else:
        run = tracker.take_up(run_id, name, tags)
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
    """A run under which others are nested: a sweep's. Without MLflow nothing is nested, and that is said."""

    def __init__(self, run: TrackedRun | None, say: Callable[[dict[str, Any]], None]) -> None:
        self.run, self._say = run, say

    @property
    def run_id(self) -> str | None:
        """The MLflow run, None where it could not be begun."""
        return self.run.run_id if self.run else None

    def nested_tags(self) -> dict[str, str]:
        """Tags by which MLflow shows a run beneath this one."""
        return {"mlflow.parentRunId": self.run.run_id} if self.run else {}

    def note(self, metrics: Mapping[str, Any], step: int, tags: Mapping[str, str] | None = None) -> None:
        """Record figures at a step, and tags."""

        def write(run: TrackedRun) -> None:
            run.log_metrics(metrics, step)
            run.flush()
            run.log_tags(tags or {})

        self.attempt(write)

    def attempt(self, write: Callable[[TrackedRun], Any]) -> None:
        """Write; what MLflow cannot take is said and left."""
        if self.run is None:
            return
        try:
            write(self.run)
        except Exception as error:  # whatever MLflow, its database or its server raise: the search goes on
            message = f"MLflow cannot be written ({type(error).__name__}): the search goes on without it"
            self._say({"event": "warning", "message": message})


@contextmanager
def parent_run(
    tracker: Tracker,
    name: str,
    settings: Mapping[str, Any],
    tags: Mapping[str, str],
    say: Callable[[dict[str, Any]], None],
) -> Iterator[ParentRun]:
    """The run of a search, for ``with``: taken up again by the same search, also when it had ended (more trials).

    Raises AlreadyRunning; without MLflow the search goes on.
    """
    parent = ParentRun(None, say)
    try:
        parent.run = tracker.start_or_resume(name, tags)
    except AlreadyRunning:
        raise
    except Exception as error:
        message = f"MLflow cannot be written ({type(error).__name__}): the search goes on without a run of its own"
        say({"event": "warning", "message": message})
    parent.attempt(lambda run: run.take_over(tags) if run.is_finished else None)
    parent.attempt(
        lambda run: run.log_params({name: value for name, value in settings.items() if name not in run.params})
    )
    try:
        yield parent
    except BaseException as error:
        name, status = type(error).__name__, "FAILED" if isinstance(error, Exception) else "KILLED"
        parent.attempt(lambda run: run.fail(name, status=status))
        raise
    parent.attempt(lambda run: run.finish())

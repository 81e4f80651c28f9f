"""A training's figures on their way to MLflow, which never holds a training up nor ends it.

Each event is a line of a file in the lake first (``models/_spool``); a thread of its own hands it to MLflow. Where that
is locked, gone or slow, the file stays and is sent by the next training or by the nightly upkeep: what arrives twice
counts once. Not here: what an event means (``recorder``).
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radia_pipeline.errors import AlreadyRunning, LakeLocked
from radia_pipeline.lake.atomic import file_lock
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.models import log_model
from radia_pipeline.tracking.provenance import owner_lives, process_tags
from radia_pipeline.tracking.recorder import EventRecorder, Resumption, record_training, recorded_part

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake

START_WAIT_S = 90.0
"""How long a training waits for its MLflow run before it begins without."""
END_WAIT_S = 120.0
"""How long an ended training waits for the last of its figures to arrive."""
STOP_WAIT_S = 8.0
"""The same for one that was stopped or failed: its process is to be gone within 30 seconds."""
RETRY_S = 5.0
LAST_TRIES = 3
"""How often an ended training tries again to be rid of its figures."""
SPOOL = "_spool"
Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Header:
    """What a training's run is opened with; ``owner``: the process that wrote it."""

    name: str
    settings: dict[str, Any]
    tags: dict[str, str]
    force: bool
    goes_on: bool
    fingerprint: str | None
    owner: dict[str, str]


class Courier:
    """Takes a training's events and sees to it that they reach MLflow, now or later."""

    def __init__(self, lake: Lake, header: Header, say: Say) -> None:
        self._lake, self._header, self._say = lake, header, say
        folder = lake.models_dir / SPOOL
        self._path = folder / f"{header.name.replace('/', '_')}-{os.getpid()}-{time.time_ns()}.jsonl"
        self._queue: queue.SimpleQueue = queue.SimpleQueue()
        self._opened, self._done = threading.Event(), threading.Event()
        self._refusal: AlreadyRunning | None = None
        self._trouble, self._said = "", False
        self._recorder: EventRecorder | None = None
        self._thread = threading.Thread(target=self._work, name="figures to MLflow", daemon=True)

    @property
    def run_id(self) -> str | None:
        """The MLflow run, None while there is none."""
        return self._recorder.run.run_id if self._recorder else None

    def start(self) -> None:
        """Open the run; raises AlreadyRunning, and nothing else: without MLflow the training begins all the same."""
        self._write(asdict(self._header))
        self._thread.start()
        self._opened.wait(START_WAIT_S)
        if self._refusal:
            self._path.unlink(missing_ok=True)
            raise self._refusal
        self._say_trouble()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event."""
        self._put({"event": recorded_part(event) | {"at_ms": int(time.time() * 1000)}})
        self._say_trouble()

    def end(self, error: BaseException | None = None, model: Mapping[str, str] | None = None) -> None:
        """End the run, with the model's folder, name and kind if it is to be logged; says what has not arrived."""
        if model:
            self._put({"model": dict(model)})
        ended = {"error": type(error).__name__ if error else None, "is_failure": isinstance(error, Exception)}
        self._put({"end": ended})
        deadline = time.monotonic() + (END_WAIT_S if error is None else STOP_WAIT_S)
        while not self._done.wait(0.1) and time.monotonic() < deadline:
            pass
        if not self._done.is_set():
            self._trouble = self._trouble or "it does not answer"
        self._say_trouble(is_last=True)

    def _put(self, line: dict[str, Any]) -> None:
        self._write(line)
        self._queue.put(line)

    def _write(self, line: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a disk that is full ends the training by itself, and says so
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(line) + "\n")

    def _say_trouble(self, *, is_last: bool = False) -> None:
        missing = not self._opened.is_set() or bool(self._trouble)
        if missing and (is_last or not self._said):
            why = self._trouble or "it does not answer"
            self._said = True
            now = "has ended" if is_last else "goes on"
            self._say(
                {
                    "event": "warning",
                    "message": f"MLflow cannot be written ({why}): the training {now}, its figures are kept in "
                    f"models/{SPOOL} and sent by the next training or the nightly upkeep",
                }
            )

    # --- in the thread ----------------------------------------------------------------------------------------------
    def _work(self) -> None:
        waiting: list[dict[str, Any]] = []
        tries_left = LAST_TRIES
        while True:
            try:
                self._send_all(waiting)
                self._trouble = ""
                self._path.unlink(missing_ok=True)
                return self._done.set()
            except AlreadyRunning as refusal:
                self._refusal = refusal
                return self._opened.set()
            except Exception as error:  # whatever MLflow, its database or its server raise: the training goes on
                self._trouble = type(error).__name__
                self._opened.set()
                if waiting and "end" in waiting[-1]:
                    tries_left -= 1
                    if not tries_left:
                        return self._done.set()
                    time.sleep(RETRY_S)
                else:
                    self._collect(waiting, RETRY_S)

    def _send_all(self, waiting: list[dict[str, Any]]) -> None:
        """Send what stands outside, then one line after another as it comes, until the end has arrived.

        ``waiting``: lines that were taken from the queue; after an error all of them are sent once more.
        """
        tracker = Tracker(self._lake)
        deliver_left(self._lake, tracker)
        with _opened(tracker, self._header, self.run_id) as record:
            self._recorder = record
            self._note_run(record)
            self._opened.set()
            position = 0
            while True:
                if position == len(waiting):
                    self._collect(waiting, None)
                line = waiting[position]
                if "end" in line:
                    return _end(record, line["end"])
                _hand_over(self._lake, record, line)
                self._note_run(record)
                position += 1

    def _collect(self, waiting: list[dict[str, Any]], wait_s: float | None) -> None:
        """Take what lies in the queue: at least one line, or what comes within a time."""
        with contextlib.suppress(queue.Empty):
            waiting.append(self._queue.get(timeout=wait_s))
            while "end" not in waiting[-1]:
                waiting.append(self._queue.get_nowait())

    def _note_run(self, record: EventRecorder) -> None:
        if record.run.run_id != getattr(self, "_noted", None):
            self._noted = record.run.run_id
            self._write({"run": self._noted})


def deliver_left(lake: Lake, tracker: Tracker) -> int:
    """Send what trainings could not, whose process has ended; returns how many files were sent.

    What another process sends or writes is left to it; raises whatever MLflow raises.
    """
    folder, sent = lake.models_dir / SPOOL, 0
    if not any(folder.glob("*.jsonl")):
        return sent
    with contextlib.suppress(LakeLocked), file_lock(folder / "lock", wait_s=0.0):
        for path in sorted(folder.glob("*.jsonl")):
            lines = _lines(path)
            header = Header(**lines[0]) if lines else None
            if header is not None:
                if owner_lives(header.owner) is not False:
                    continue
                try:
                    _replay(lake, tracker, header, lines[1:])
                except AlreadyRunning:  # the training goes on elsewhere: later
                    continue
            path.unlink(missing_ok=True)
            sent += 1
    return sent


def _replay(lake: Lake, tracker: Tracker, header: Header, lines: list[dict[str, Any]]) -> None:
    run_id = next((line["run"] for line in reversed(lines) if "run" in line), None)
    ended = next((line["end"] for line in lines if "end" in line), {"error": "ProcessGone", "is_failure": False})
    with _opened(tracker, header, run_id) as record:
        for line in lines:
            _hand_over(lake, record, line)
        _end(record, ended)


@contextlib.contextmanager
def _opened(tracker: Tracker, header: Header, run_id: str | None) -> Iterator[EventRecorder]:
    """The recorder of a header's run, ended as the lines say: an error that they tell of is not raised here."""
    standing = Resumption(header.force, header.goes_on, header.fingerprint)
    opened = record_training(tracker, header.name, header.settings, header.tags, standing, run_id=run_id)
    with contextlib.suppress(_Ended), opened as record:
        yield record


class _Ended(BaseException):
    """A training's own end by an error or a stop, told to its recorder."""


def _end(record: EventRecorder, ended: Mapping[str, Any]) -> None:
    if ended["error"]:
        kind = (_Ended, Exception) if ended["is_failure"] else (_Ended,)
        raise type(ended["error"], kind, {})()


def _hand_over(lake: Lake, record: EventRecorder, line: Mapping[str, Any]) -> None:
    if "event" in line:
        before = dict(record.counts)
        try:
            record(line["event"])
        except BaseException:
            record.counts = before  # the event comes again
            raise
    elif "model" in line:
        model = line["model"]
        log_model(record.run, lake.root / model["folder"], model["name"], kind=model["kind"])


def _lines(path: Path) -> list[dict[str, Any]]:
    """Return a spool file's lines; one that a killed process left half written is none."""
    found = []
    for text in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            found.append(json.loads(text))
    return found


def header_of(
    name: str,
    settings: Mapping[str, Any],
    tags: Mapping[str, str],
    *,
    force: bool,
    goes_on: bool,
    fingerprint: str | None,
) -> Header:
    """Return the header of a training of this process."""
    return Header(name, dict(settings), dict(tags), force, goes_on, fingerprint, process_tags())

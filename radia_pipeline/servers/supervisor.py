"""Keeps servers running: each is started again when it dies or falls silent, and all end together when asked.

Here: starting, looking, back-off, the end, and the card by which others see how they are. Nothing here knows what a
server serves. What was started carries a variable of the environment, so that nothing of it is left behind wherever it
stands: at the end, and when a supervisor follows one that was killed.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radia_pipeline.lake import atomic
from radia_pipeline.processes import children
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.processes.parents import started_at
from radia_pipeline.processes.progress import say

START_VARIABLE = "RADIA_UI_START"
STOP_WITHIN_S = 10.0
"""What was asked to end is killed after this long: with what comes before and after, all have ended in 15 s."""
SILENT_S = 120.0
"""A server that has answered before and has not for so long is ended and started again."""
COMES_UP_WITHIN_S = 900.0
"""A server that has not answered at all for so long is started again."""
BACK_OFF_S, MOST_BACK_OFF_S = 1.0, 30.0
LIVES_WELL_S = 60.0
"""Who lived so long is started again at once when it dies."""
_LOOK_EVERY_S, _ASK_EVERY_S, _GRACE_S = 0.2, 1.0, 3.0
STARTING, READY, SILENT, WAITING = "starting", "ready", "silent", "waits to be started again"


@dataclass(frozen=True)
class Service:
    """One server. ``answers``: whether it does its work, asked again and again in a thread of its own; ``address``:
    where people find it; ``after``: name of a server that must have answered before this one is first started."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    answers: Callable[[], bool]
    address: str = field(default="", repr=False)
    after: str | None = None


class _Kept:
    """A service and its process."""

    def __init__(self, service: Service, logs: Path, start: str) -> None:
        self.service, self._start = service, start
        self._log = logs / f"{service.name.replace(' ', '_')}.log"
        self.process: subprocess.Popen | None = None
        self.state, self.restarts, self.begun_s, self.answered_s = STARTING, -1, 0.0, 0.0
        self._back_off_s, self._due_s = BACK_OFF_S, 0.0

    def look(self, now_s: float) -> None:
        """Start, or start again, what does not run as it should."""
        if self.process is None:
            if now_s >= self._due_s:
                self._begin(now_s)
            return
        silent_s = now_s - max(self.begun_s, self.answered_s)
        most_s = SILENT_S if self.answered_s > self.begun_s else COMES_UP_WITHIN_S
        if self.process.poll() is not None or silent_s > most_s:
            self._lose(now_s)
        elif self.answered_s > self.begun_s:
            self.state = READY if silent_s < 10 * _ASK_EVERY_S else SILENT

    def ask(self) -> None:
        """Note whether the service answers."""
        if self.process is not None and self.service.answers():
            self.answered_s = time.monotonic()

    def _begin(self, now_s: float) -> None:
        with self._log.open("ab") as log:
            env = {**self.service.env, START_VARIABLE: self._start}
            self.process = children.start(self.service.command, env, stdout=log, stderr=log, cwd=self._log.parent)
        self.state, self.begun_s, self.restarts = STARTING, now_s, self.restarts + 1

    def _lose(self, now_s: float) -> None:
        how = "does not answer"
        if self.process is not None:
            how = "has died" if self.process.poll() is not None else how
            children.end(self.process, grace_s=_GRACE_S)  # what its group left behind, too
        self.process, self.state = None, WAITING
        if now_s - self.begun_s > LIVES_WELL_S:
            self._back_off_s = BACK_OFF_S
        say(f"The {self.service.name} {how}: it is started again in {self._back_off_s:.0f} s (log: {self._log})")
        self._due_s = now_s + self._back_off_s
        self._back_off_s = min(2 * self._back_off_s, MOST_BACK_OFF_S)

    def told(self) -> dict[str, Any]:
        """Return how it is, for the card."""
        pid = self.process.pid if self.process else None
        return {
            "name": self.service.name,
            "state": self.state,
            "address": self.service.address,
            "pid": pid,
            "restarts": max(self.restarts, 0),
        }


class Supervisor:
    """Runs services until it is asked to stop. ``card``: the file, readable by its owner alone, that says how they are;
    ``logs``: where each writes to."""

    def __init__(self, services: Sequence[Service], card: Path, logs: Path) -> None:
        self._start, self._card, self._written = secrets.token_hex(16), card, ""
        self._kept = {service.name: _Kept(service, logs, self._start) for service in services}

    def run(self, stop: StopRequest) -> None:
        """Keep everything running until ``stop`` is set; then nothing of it is left."""
        if before := read_card(self._card):
            children.end_carrying(START_VARIABLE, before["start"], grace_s=_GRACE_S)
        threads = [threading.Thread(target=self._ask, args=(kept, stop), daemon=True) for kept in self._kept.values()]
        try:
            self._write()
            for thread in threads:
                thread.start()
            while not stop:
                for kept in self._kept.values():
                    if self._may_begin(kept):
                        kept.look(time.monotonic())
                self._write()
                time.sleep(_LOOK_EVERY_S)
        finally:
            children.end_carrying(START_VARIABLE, self._start, grace_s=STOP_WITHIN_S)
            for kept in self._kept.values():
                if kept.process is not None:
                    kept.process.wait()
            self._card.unlink(missing_ok=True)

    def _may_begin(self, kept: _Kept) -> bool:
        before = kept.service.after
        return kept.restarts >= 0 or before is None or self._kept[before].answered_s > 0

    def _ask(self, kept: _Kept, stop: StopRequest) -> None:
        while not stop:
            kept.ask()
            time.sleep(_ASK_EVERY_S)

    def _write(self) -> None:
        process = {"pid": os.getpid(), "started": started_at(os.getpid())}
        content = {"start": self._start, **process, "services": [kept.told() for kept in self._kept.values()]}
        text = json.dumps(content) + "\n"
        if text != self._written:
            self._card.parent.mkdir(parents=True, exist_ok=True)
            with atomic.replace_file(self._card, mode=0o600) as temporary:
                temporary.write_text(text, encoding="utf-8")
            self._written = text


def read_card(card: Path) -> dict[str, Any] | None:
    """Return what a supervisor last said; None where none has, or where it ended in order."""
    try:
        return json.loads(card.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def lives(card: dict[str, Any]) -> bool:
    """Whether the supervisor of a card still runs."""
    return started_at(card["pid"]) == card["started"]

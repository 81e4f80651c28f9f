"""Readers who click while the server is killed again and again: what was confirmed, and what the store holds after."""

from __future__ import annotations

import http.client
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes import children
from radia_pipeline.readings.store import Store, lines_of
from radia_pipeline_tests.review.worlds import HOST, Client, answered

_GIVES_UP_S = 120.0


@dataclass
class Server:
    """A server in a process of its own, started again at the same port each time that it is killed."""

    lake: Lake
    port: int
    process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        options = ("--lake", self.lake.root, "--port", self.port, "--no-browser", "--proxy", HOST)
        command = children.module("radia_pipeline.cli.main", "review", *options)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=children.environment({}), start_new_session=True, **quiet)
        deadline = time.monotonic() + _GIVES_UP_S
        while time.monotonic() < deadline:
            try:
                if Client(self.port, "nobody").get("/health/live").status == 200:
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
        raise TimeoutError("the server does not come back")

    def kill(self) -> None:
        """Kill it and all that it started, without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class Reader:
    """A reader with one tab or two; resends an answer with its key until it is confirmed."""

    port: int
    name: str
    list_id: str
    confirmed: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    pause_s: float = 0.03
    is_done: bool = False

    def read(self, stop: threading.Event) -> None:
        """Read until nothing is left."""
        client = Client(self.port, self.name, timeout_s=10.0)
        while not stop.is_set():
            turns = self._patiently(stop, lambda: client.get(f"/page/lists/{self.list_id}/next").json["turns"])
            if not turns:
                self.is_done = not stop.is_set()
                return
            time.sleep(self.pause_s)
            body = answered(turns[0], present=("Mass",) if self.sent % 3 else ())
            self.sent += 1
            answer = self._patiently(stop, lambda sent=body: client.post("/page/readings", sent))
            if answer is not None and answer.status in (200, 201):
                self.confirmed[body["request_key"]] = answer.json["sequence"]
            elif answer is not None:
                assert answer.code == "already_read", answer.body

    @staticmethod
    def _patiently(stop: threading.Event, ask):
        while not stop.is_set():
            try:
                return ask()
            except (OSError, http.client.HTTPException, KeyError, ValueError):
                time.sleep(0.02)
        return None


@contextmanager
def clicking(readers: list[Reader]) -> Iterator[list[threading.Thread]]:
    """Let readers click until the block ends."""
    stop = threading.Event()
    threads = [threading.Thread(target=one.read, args=(stop,), daemon=True) for one in readers]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def kill_under(server: Server, readers: list[Reader], kills: int, *, seed: int = 0, finishes: bool = True) -> int:
    """Kill a server so often while readers click, then let them finish; returns how many kills there were."""
    chance, done = random.Random(seed), 0
    server.start()
    try:
        with clicking(readers) as threads:
            while done < kills and any(thread.is_alive() for thread in threads):
                _wait_for_clicks(readers, threads)
                time.sleep(chance.uniform(0.0, 0.5))
                server.kill()
                done += 1
                server.start()
            for thread in threads if finishes else ():
                thread.join(_GIVES_UP_S)
    finally:
        server.kill()
    return done


def _wait_for_clicks(readers: list[Reader], threads: list[threading.Thread]) -> None:
    """Wait until a server that has just come back confirms answers again; its first one takes longest."""
    before, deadline = sum(len(one.confirmed) for one in readers), time.monotonic() + _GIVES_UP_S
    while sum(len(one.confirmed) for one in readers) == before and time.monotonic() < deadline:
        if not any(thread.is_alive() for thread in threads):
            return
        time.sleep(0.01)


def faults(lake: Lake, readers: list[Reader]) -> list[str]:
    """Return what is wrong with a store after it: a confirmed answer that is not there once, or one that is half."""
    Store(lake)  # proves the whole chain
    read = [line for _, line in lines_of(lake) if line is not None and line.kind == "read"]
    found = []
    keys = [line.content["request_key"] for line in read]
    places = [(line.content["reader"], line.content["position"]) for line in read]
    for reader in readers:
        for key, sequence in reader.confirmed.items():
            if keys.count(key) != 1:
                found.append(f"{keys.count(key)} lines of a confirmed answer")
            elif read[keys.index(key)].sequence != sequence:
                found.append("a confirmed answer under another number")
    found += [f"a turn answered {places.count(one)} times" for one in set(places) if places.count(one) != 1]
    found += ["half an answer" for line in read if set(line.content["answers"]) != set(line.content["asked"])]
    return found

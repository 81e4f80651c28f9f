"""Stopping in order: a request is made once, an impatient second one interrupts, and time ends what does not hear."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from radia_pipeline.processes import lifecycle
from radia_pipeline.processes.lifecycle import StopRequest, stop_on_signals

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_first_reason_stays():
    stop = StopRequest()
    assert not stop
    stop.set("SIGTERM")
    stop.set("parent died")
    assert stop
    assert stop.reason == "SIGTERM"


def test_a_request_above_counts_for_the_parts_below_and_not_the_other_way():
    whole = StopRequest()
    part, other = StopRequest(above=whole), StopRequest(above=whole)
    part.set("ended early")
    assert (bool(part), bool(other), bool(whole)) == (True, False, False)
    with stop_on_signals(whole), stop_on_signals(other):
        os.kill(os.getpid(), signal.SIGTERM)
        assert whole and other, "who listens above listens for those below"
    assert (part.reason, other.reason) == ("ended early", "SIGTERM")


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_that_comes_twice_at_once_is_one_request(first):
    """From the terminal to the whole group, and handed on by whoever started this."""
    stop = StopRequest()
    with stop_on_signals(stop):
        os.kill(os.getpid(), first)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == first.name


def test_an_interrupt_some_time_after_the_first_interrupts_at_once(monkeypatch):
    monkeypatch.setattr(lifecycle, "SAME_REQUEST_S", -1.0)
    with pytest.raises(KeyboardInterrupt), stop_on_signals(StopRequest()):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_signals_are_as_before_afterwards():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    stop = StopRequest()
    with stop_on_signals(stop), stop_on_signals(stop):
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_another_thread_than_the_main_one_leaves_signals_alone():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def listen() -> None:
        with stop_on_signals(StopRequest()):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [before]


def test_what_cannot_end_a_step_ends_by_force():
    code = (
        "import time\nfrom radia_pipeline.processes import lifecycle\nlifecycle.LAST_RESORT_S = 1.0\n"
        "with lifecycle.stop_on_signals(lifecycle.StopRequest()):\n    print('on', flush=True)\n    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    child.stdout.readline()
    child.terminate()
    assert child.wait(timeout=10) == 1

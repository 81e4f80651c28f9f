"""Nothing outlives the process that it was started for: neither what can still act, nor what hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from radia_pipeline.processes.parents import PARENT_VARIABLE, named, started_at

REPOSITORY = Path(__file__).resolve().parents[2]
WATCHER = """
import signal, sys, time
from radia_pipeline.processes import parents
parents.PARENT_POLL_S, parents.LAST_RESORT_S = 0.05, float(sys.argv[1])
def tell(reason):
    open(sys.argv[2], "w").write(reason)
parents.watch_parents(tell)
print(parents.os.getpid(), flush=True)
time.sleep(600)
"""
STARTER = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", *sys.argv[1:]]).wait()
"""
HANGING = """
import ctypes, os, signal
from radia_pipeline.processes.parents import die_with_parent
die_with_parent()
print(os.getpid(), flush=True)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
ctypes.PyDLL(None).sleep(600)  # holds the interpreter's lock: no thread of its own could act
"""


def start(*code: str, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-c", *code]
    return subprocess.Popen(command, cwd=REPOSITORY, env=os.environ | environment, stdout=subprocess.PIPE, text=True)


def sleeper() -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def assert_gone(process: psutil.Process) -> None:
    deadline = time.monotonic() + 20
    while started_at(process.pid) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert started_at(process.pid) is None


def test_the_death_of_the_parent_is_told_and_what_does_not_end_then_ends_by_force(tmp_path):
    starter = start(STARTER, WATCHER, "0.2", str(tmp_path / "told"))
    watcher = psutil.Process(int(starter.stdout.readline()))
    starter.kill()
    starter.wait()
    assert_gone(watcher)
    assert (tmp_path / "told").read_text() == "parent died"


def test_a_named_process_counts_as_a_parent_also_as_a_zombie(tmp_path):
    other = sleeper()
    watcher = start(WATCHER, "0.2", str(tmp_path / "told"), **named(other.pid))
    watcher.stdout.readline()
    other.kill()  # nobody waits for it yet
    assert watcher.wait(timeout=20) == 1
    assert (tmp_path / "told").read_text() == "parent died"
    other.wait()


def test_one_of_several_that_has_gone_before_the_watch_began_is_seen(tmp_path):
    other = sleeper()
    other.kill()
    other.wait()
    watcher = start(WATCHER, "0.2", str(tmp_path / "told"), **{PARENT_VARIABLE: f"{os.getpid()},{other.pid}"})
    assert watcher.wait(timeout=20) == 1


def test_while_its_parents_live_nothing_is_told(tmp_path):
    watcher = start(WATCHER, "0.2", str(tmp_path / "told"), **named())
    watcher.stdout.readline()
    time.sleep(1.0)
    assert watcher.poll() is None
    assert not (tmp_path / "told").exists()
    watcher.kill()
    watcher.wait()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_hangs_in_c_code_ends_with_its_parent(how):
    starter = start(STARTER, HANGING)
    hanging = psutil.Process(int(starter.stdout.readline()))
    starter.send_signal(how)
    starter.wait()
    assert_gone(hanging)


def test_a_process_is_known_by_when_it_started():
    child = sleeper()
    assert started_at(child.pid) == started_at(child.pid) != None  # noqa: E711
    assert int(started_at(child.pid)) >= int(started_at(os.getpid()))
    child.kill()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert started_at(child.pid) is None, "a zombie is gone"
    child.wait()

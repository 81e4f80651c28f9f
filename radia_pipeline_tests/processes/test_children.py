"""Processes that we start: they find our modules, end as a whole group, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from radia_pipeline.processes import children
from radia_pipeline.processes.lifecycle import StopRequest

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
if sys.argv[2] == "goes first":
    sys.exit(0)
time.sleep(600)
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_child_finds_the_modules_of_its_starter_wherever_it_is_started(tmp_path, monkeypatch):
    (tmp_path / "found_by_starter.py").write_text("print('found')")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "found_by_starter.py").write_text("print('another')")
    monkeypatch.syspath_prepend(tmp_path)
    process = children.start(
        children.module("found_by_starter"), stdout=subprocess.PIPE, text=True, cwd=tmp_path / "elsewhere"
    )
    assert process.communicate(timeout=60)[0] == "found\n"


def test_more_variables_win_over_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert children.environment()["OMP_NUM_THREADS"] == "7"
    assert children.environment(children.threads(2))["OMP_NUM_THREADS"] == "2"


def test_an_interrupt_at_the_terminal_does_not_reach_a_child():
    process = children.start(python("import os; print(os.getpgrp() == os.getpid())"), stdout=subprocess.PIPE, text=True)
    assert process.communicate(timeout=60)[0] == "True\n"


@pytest.mark.parametrize("leader", ["goes first", "stays"])
def test_what_does_not_hear_is_killed_after_the_grace_also_without_its_leader(leader):
    with children.running(python(FAMILY, DEAF, leader), grace_s=0.5, stdout=subprocess.PIPE, text=True) as process:
        deaf = psutil.Process(int(process.stdout.readline()))
        begun = time.monotonic()
    assert 0.4 < time.monotonic() - begun < 10
    psutil.wait_procs([deaf], timeout=10)
    assert not is_alive(deaf)
    assert process.returncode is not None


def test_what_hears_is_not_waited_for_longer_than_it_takes():
    with children.running(python("import time; time.sleep(600)"), grace_s=60):
        begun = time.monotonic()
    assert time.monotonic() - begun < 20


def test_a_child_may_finish_its_work_within_the_grace(tmp_path):
    code = (
        "import signal, sys, time\n"
        "def save(*_):\n    time.sleep(0.5)\n    open(sys.argv[1], 'w').write('saved')\n    sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, save)\nprint('ready', flush=True)\ntime.sleep(600)\n"
    )
    with children.running(python(code, str(tmp_path / "a")), grace_s=60, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
    assert (tmp_path / "a").read_text() == "saved"
    assert process.returncode == 3


def test_a_stop_request_ends_it_while_the_caller_reads():
    stop = StopRequest()
    code = "import time\nprint('ready', flush=True)\ntime.sleep(600)\n"
    with children.running(python(code), grace_s=5, stop=stop, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        stop.set("test")
        assert process.stdout.read() == ""
        assert process.wait(timeout=20) == -signal.SIGTERM


def test_a_person_who_does_not_wait_for_the_grace_leaves_nothing_behind(monkeypatch):
    process = children.start(python(DEAF), stdout=subprocess.PIPE, text=True)
    process.stdout.readline()

    def impatient(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(children.time, "sleep", impatient)
    with pytest.raises(KeyboardInterrupt):
        children.end(process, grace_s=60)
    assert process.returncode == -signal.SIGKILL


def test_ending_what_has_ended_does_nothing():
    process = children.start(python("raise SystemExit(4)"))
    process.wait()
    children.end(process, grace_s=60)
    children.end(process, grace_s=60)
    assert process.returncode == 4
    assert Path(f"/proc/{os.getpid()}").exists()

"""Workers: a crash or a hang costs one task, memory and time are bounded, nobody's words are taken on trust."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from radia_pipeline.errors import BadFrame, LakeLocked, RunFailed
from radia_pipeline.processes.frames import Caps, Frame
from radia_pipeline.processes.nursery import Nursery, nursery_of
from radia_pipeline.processes.pool import CRASHED, TIMED_OUT, Lost, Work, map_tasks
from radia_pipeline_tests.processes import work as tasks

ACT = Work(f"{tasks.__name__}:act", f"{tasks.__name__}:warm_up", seconds=20.0)


def answers(bodies: list, work: Work = ACT, workers: int = 2) -> dict:
    """Return what came of each task: an answer's body, or what stands for a lost one."""
    found = map_tasks(work, (Frame(body) for body in bodies), workers=workers)
    return {number: answer.body if isinstance(answer, Frame) else answer for number, answer in found}


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_every_task_is_answered_once():
    assert answers([["echo", number] for number in range(500)]) == dict(enumerate(range(500)))
    assert answers([]) == {}


def test_arrays_go_there_and_come_back():
    sent = [np.full((300, 400), number, np.uint16) for number in range(8)]
    work = Work(f"{tasks.__name__}:double")
    for number, answer in map_tasks(work, (Frame(None, (array,)) for array in sent), workers=2):
        np.testing.assert_array_equal(answer.arrays[0], sent[number] * 2)


def test_tasks_are_drawn_as_they_are_needed():
    drawn = []

    def endless():
        while True:
            drawn.append(len(drawn))
            yield Frame(["echo", len(drawn)])

    found = map_tasks(ACT, endless(), workers=2)
    for _ in range(20):
        next(found)
    found.close()
    assert len(drawn) <= 20 + 2 * 2 + 4


def test_a_crash_costs_one_task_and_a_hang_no_more_than_its_deadline():
    bodies = [["echo", 0], ["crash", None], ["echo", 2], ["hang", None], ["echo", 4]]
    begun = time.monotonic()
    found = answers(bodies, replace(ACT, seconds=1.0))
    assert found == {0: 0, 1: Lost(CRASHED), 2: 2, 3: Lost(TIMED_OUT), 4: 4}
    assert time.monotonic() - begun < 15


def test_a_task_that_took_its_worker_down_is_tried_again_alone(tmp_path):
    assert answers([["echo", 0], ["crash once", str(tmp_path / "tried")]]) == {0: 0, 1: "second attempt"}


def test_memory_is_bounded():
    found = answers([["eat", 8], ["echo", 1]], replace(ACT, memory_bytes=2 << 30))
    assert found[0].how.endswith("MemoryError")
    assert found[1] == 1


def test_errors_of_the_tree_are_handed_on_whole_and_of_others_the_kind_alone():
    found = answers([["locked", "by another"], ["quote", "the file"], ["no such verb", None]])
    assert type(found[0]) is LakeLocked
    assert (found[0].received, found[0].do) == ("by another", "wait")
    assert (found[1], found[2]) == (Lost("ValueError"), Lost("KeyError"))
    assert "the file" not in str(found[1])


@pytest.mark.parametrize("how", ["babble", "answer for another"])
def test_a_worker_that_does_not_answer_in_form_is_ended_like_one_that_crashed(how):
    assert answers([["echo", 0], [how, None], ["echo", 2]]) == {0: 0, 1: Lost(CRASHED), 2: 2}


def test_an_answer_that_cannot_cross_concerns_its_task_alone():
    found = answers([["object", None], ["long", 5000], ["echo", 2]], replace(ACT, caps=Caps(json_bytes=2000)))
    assert (type(found[0]), type(found[1]), found[2]) == (BadFrame, BadFrame, 2)


def test_what_the_work_needs_is_prepared_once_for_all_workers():
    found = answers([["warmed", None]] * 4, workers=4)
    assert set(map(tuple, found.values())) == {("once",)}
    assert nursery_of(ACT.function, ACT.warm_up) is nursery_of(ACT.function, ACT.warm_up)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (Work("radia_pipeline.no_such_module:act"), "ModuleNotFoundError"),
        (Work(f"{tasks.__name__}:no_such_function"), "AttributeError"),
        (Work(ACT.function, f"{tasks.__name__}:fail_to_warm_up"), "no codec here"),
    ],
)
def test_a_work_that_cannot_be_prepared_says_why(work, words):
    with pytest.raises(RunFailed, match=words):
        answers([["echo", 0]], work)


def test_a_nursery_that_is_gone_is_said_and_the_next_run_starts_another():
    found = map_tasks(ACT, [Frame(["pid", None]), Frame(["hang", None])], workers=1)
    worker = psutil.Process(next(found)[1].body)
    nursery_of(ACT.function, ACT.warm_up).process.kill()
    with pytest.raises(RunFailed, match="starts workers"):
        list(found)
    assert_gone([worker])
    assert answers([["echo", 5]]) == {0: 5}


def test_workers_are_silent(capfd):
    assert answers([["speak", "a patient's name"]])[0] >= 0
    assert capfd.readouterr() == ("", "")


SCRIPT = """
import sys, time
from radia_pipeline.processes.frames import Frame
from radia_pipeline.processes.pool import Work, map_tasks
found = map_tasks(Work(sys.argv[1]), [Frame(["pid", None]), Frame(["hang", None])], workers=1)
print(next(found)[1].body, flush=True)
next(found)
"""


def test_a_worker_that_hangs_ends_with_a_killed_parent():
    command = [sys.executable, "-c", SCRIPT, ACT.function]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as parent:
        worker = psutil.Process(int(parent.stdout.readline()))
        nursery = worker.parent()
        parent.kill()
    assert_gone([worker, nursery])


def test_a_stopped_nursery_leaves_no_worker():
    nursery = Nursery(ACT.function)
    pid, end = nursery.start(1 << 32, Caps())
    worker = psutil.Process(pid)
    nursery.stop()
    end.close()
    assert_gone([worker])


def test_a_slow_task_holds_the_others_at_most_a_window_behind():
    drawn, order = [], []

    def many():
        for number in range(40):
            drawn.append(number)
            yield Frame(["hang", 0] if number == 0 else ["echo", number])

    for number, _ in map_tasks(replace(ACT, seconds=1.0), many(), workers=2, window=6):
        if number == 0:
            assert max(drawn) == 5
        order.append(number)
    assert sorted(order) == list(range(40))
    assert order.index(0) == 5

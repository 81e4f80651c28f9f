"""Portions cross between machines whole: what is asked, what is done with it, and one answer for each task."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from radia_pipeline.errors import BadFrame, LakeLocked
from radia_pipeline.processes.frames import Caps, Frame
from radia_pipeline.processes.node import NodeParent, facts_here
from radia_pipeline.processes.pool import CRASHED, Lost, Work
from radia_pipeline.processes.portions import answers_of, order_of, result_of, tasks_of
from radia_pipeline_tests.processes import work as tasks

ACT = Work(f"{tasks.__name__}:act", f"{tasks.__name__}:warm_up", 20.0, 2 << 30, Caps(1 << 16, 1 << 16))


def test_a_node_gets_work_and_tasks_as_they_were_asked():
    array = np.arange(6, dtype=np.uint16).reshape(2, 3)
    work, asked = tasks_of(order_of(ACT, [(7, Frame(["echo", 1], (array,))), (9, Frame(["echo", None]))]))
    assert work == ACT
    assert [(number, task.body) for number, task in asked] == [(7, ["echo", 1]), (9, ["echo", None])]
    np.testing.assert_array_equal(asked[0][1].arrays[0], array)


def test_a_node_works_a_portion_with_limits_and_answers_each_task_once():
    asked = [(4, Frame(["echo", "x"])), (5, Frame(["crash", None])), (6, Frame(["locked", "held"]))]
    answers = dict(answers_of(NodeParent(2).work(order_of(ACT, asked)), asked, ACT.caps))
    assert answers[4].body == "x" and answers[5] == Lost(CRASHED)
    assert isinstance(answers[6], LakeLocked) and answers[6].received == "held"


def test_nothing_but_this_package_is_called():
    with pytest.raises(BadFrame, match="not this package"):
        tasks_of(order_of(replace(ACT, function="os:system"), [(0, Frame("ls"))]))


def test_an_answer_too_few_or_too_many_is_no_result():
    asked = [(0, Frame(None)), (1, Frame(None))]
    for numbers in ([0], [0, 0], [0, 1, 1], [0, 2]):
        result = result_of([(number, Frame(None)) for number in numbers], ACT.caps)
        with pytest.raises(BadFrame, match="each task"):
            answers_of(result, asked, ACT.caps)
    for garbage in (b"", b"\x80\x04", pa.py_buffer(b"x" * 64).to_pybytes()):
        with pytest.raises(BadFrame):
            answers_of(garbage, asked, ACT.caps)


def test_a_node_tells_folders_apart_by_what_lies_in_them(tmp_path):
    for name, inside in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name / inside).mkdir(parents=True)
    a, b, c, d = facts_here("salt", [str(tmp_path / name) for name in "abcd"], [])["reads"].values()
    assert a == b != c and d is None
    probe = tmp_path / "probe"
    assert facts_here("salt", [], [str(probe)])["writes"] == {str(probe): False}

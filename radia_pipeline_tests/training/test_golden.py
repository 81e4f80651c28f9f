"""Trainings come to the numbers on record, or the version says that they are others."""

from __future__ import annotations

import dataclasses
import json

import pytest

from radia_pipeline.training import schedules
from radia_pipeline.training.identity import TRAINING_VERSION
from radia_pipeline_tests.records import Record
from radia_pipeline_tests.training import golden
from radia_pipeline_tests.training.golden import CASES, RECORD
from radia_pipeline_tests.training.synthetic import write_lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("golden"), patients=40, third_view=True)


def complaint(part: str, name: str, found) -> None:
    if wrong := RECORD.complaints(part, name, found):
        pytest.fail(wrong, pytrace=False)


def test_the_record_is_of_the_declared_version():
    if wrong := RECORD.stale(TRAINING_VERSION):
        pytest.fail(wrong, pytrace=False)


@pytest.mark.parametrize("case", CASES)
def test_a_training_comes_to_its_numbers(case, lake):
    complaint("trainings", case, golden.numbers_of(case, lake))


@pytest.mark.parametrize("seed", [0, 1])
def test_augmentation_draws_and_moves_as_before(seed):
    complaint("pixels", str(seed), golden.pixels_of(seed))


def test_no_default_changes_without_a_word():
    """A recipe's identity leaves defaults out: another default is another training under the same name."""
    found, known = golden.defaults(), RECORD.read()["defaults"]
    assert set(known) == set(found), f"options came or went: run `{RECORD.door}`"
    for name, value in found.items():
        complaint("defaults", name, value)


def test_a_planted_change_of_numbers_or_of_a_default_is_seen(tmp_path, monkeypatch):
    case = "onecycle_pcam_conditional"
    monkeypatch.setattr(schedules, "ONECYCLE_DIV", 25.001)
    found = golden.numbers_of(case, write_lake(tmp_path, patients=40, third_view=True))
    for wrong in (RECORD.complaints("trainings", case, found), RECORD.complaints("defaults", "optimizer.lr", 2e-4)):
        assert "raise TRAINING_VERSION in radia_pipeline/training/identity.py" in wrong


@pytest.fixture
def record(tmp_path) -> Record:
    """A record of two numbers, one of them exact to 1 %."""
    made = dataclasses.replace(RECORD, file=tmp_path / "record.json", exact={"a": 0.0, "b": 0.01})
    assert made.update({"version": 1, "a": {"x": 1}, "b": {"y": [100.0]}}) == 0
    return made


def test_a_record_takes_new_entries_and_keeps_old_numbers_under_one_version(record):
    assert record.update({"version": 1, "a": {"x": 1, "z": 3}, "b": {"y": [100.5]}}) == 0
    assert json.loads(record.file.read_text()) == {"version": 1, "a": {"x": 1, "z": 3}, "b": {"y": [100.0]}}


def test_a_record_refuses_another_number_until_the_version_is_raised(record, capsys):
    changed = {"version": 1, "a": {"x": 2}, "b": {"y": [100.0]}}
    assert record.update(changed) == 1
    assert record.read()["a"] == {"x": 1}
    assert "x: 1 became 2" in capsys.readouterr().err
    assert record.stale(2).endswith(f"run `{record.door}`")
    assert record.update({**changed, "version": 2}) == 0
    assert record.complaints("a", "x", 2) == record.stale(2) == ""


def test_a_number_that_is_not_on_record_asks_for_the_door(record):
    assert "not on record" in record.complaints("a", "new", 1)
    assert record.complaints("b", "y", [101.5])
    assert record.complaints("b", "y", [100.0, 100.0])

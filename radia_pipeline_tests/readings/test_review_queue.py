"""The queue: flipped labels first, balanced, nothing of validation or test, nothing that was read, no report's word."""

from __future__ import annotations

import csv
import json

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.errors import BadInput, MissingTable, RunFailed, UnknownName
from radia_pipeline.readings import review_queue
from radia_pipeline.readings.in_force import labels_in_force
from radia_pipeline.readings.queue_list import Wish, read_list, waiting, write_list
from radia_pipeline.readings.review_queue import build_review_queue
from radia_pipeline.readings.store import Store
from radia_pipeline_tests.cohort.lakes import new_lake
from radia_pipeline_tests.readings.queues import CLASSES, SOURCE, make_world, put_answers, put_splits, seen
from radia_pipeline_tests.readings.worlds import reading


@pytest.fixture
def world(tmp_path):
    return make_world(tmp_path)


def cells(lake) -> list[tuple[str, str]]:
    return [(row["study_id"], row["class"]) for row in waiting(lake)]


def test_flipped_labels_stand_in_the_first_tenth(world):
    result = build_review_queue(world.lake)
    in_train = sum(world.flipped[row].sum() for row, pool in enumerate(world.pools) if pool == "train")
    first = cells(world.lake)[: result.judged // 10]
    assert result.judged == 320 * len(CLASSES)
    assert sum(cell in world.wrong for cell in first) >= 0.75 * in_train
    assert result.expected_wrong == pytest.approx(in_train, rel=0.4)
    assert set(result.by_class) == set(CLASSES) == set(result.missed)


def test_only_the_train_pool_is_queued(world):
    build_review_queue(world.lake)
    table = world.lake.read("label_review_queue")
    held = {world.study(row) for row, pool in enumerate(world.pools) if pool != "train"}
    assert len(table) and not held & set(table["study_id"].to_pylist())
    assert set(table["pool"].to_pylist()) == {"train"}


def test_a_study_that_has_left_train_since_is_left_out(world):
    before = build_review_queue(world.lake)
    put_splits(world.lake, world.names, ["test" if row < 100 else pool for row, pool in enumerate(world.pools)])
    moved = {world.study(row) for row in range(100)}
    assert not moved & {study for study, _ in cells(world.lake)}  # at once, though the table still has them
    after = build_review_queue(world.lake)
    assert (before.left_out_studies, after.left_out_studies) == (0, 80)
    assert not moved & set(world.lake.read("label_review_queue")["study_id"].to_pylist())


def test_a_test_study_in_the_queue_is_refused_before_it_is_written(world, monkeypatch):
    build_review_queue(world.lake)
    version = world.lake.version("label_review_queue")
    one = world.lake.read("label_review_queue", columns=["study_id"])["study_id"][0].as_py()
    pools = review_queue.pools_of_studies(world.lake)
    with pytest.raises(RunFailed, match="outside the train pool"):
        review_queue._require_train({**pools, one: "test"}, world.lake.read("label_review_queue"))
    assert world.lake.version("label_review_queue") == version


@pytest.mark.parametrize(
    "changes",
    [
        {"phase": "queue"},
        {"phase": "reread"},
        {"phase": "imported", "role": "none"},
        {"phase": "queue", "not_assessable": "quality"},
    ],
)
def test_a_reading_takes_its_cells_off_at_once_and_undoing_puts_them_back(world, changes):
    build_review_queue(world.lake)
    first, second, *_ = cells(world.lake)
    answers = {} if "not_assessable" in changes else {first[1]: 1}
    given = reading(answers, source=SOURCE, study_id=first[0], set_id=None, asked=(first[1],), **changes)
    line = Store(world.lake).append(given)
    assert first not in cells(world.lake) and cells(world.lake)[0] == second
    assert build_review_queue(world.lake).read == 1
    assert first not in cells(world.lake)
    Store(world.lake).undo(line.sequence, "r1")
    assert build_review_queue(world.lake).read == 0
    assert cells(world.lake)[0] == first


def test_a_monitoring_reading_changes_no_label_and_takes_nothing_off(world):
    build_review_queue(world.lake)
    first = cells(world.lake)[0]
    Store(world.lake).append(reading({first[1]: 1}, source=SOURCE, study_id=first[0], set_id=None, phase="monitor"))
    assert cells(world.lake)[0] == first


def test_a_reading_from_the_queue_mends_no_label_where_models_are_judged(world):
    held, train = (next(row for row, one in enumerate(world.pools) if one == pool) for pool in ("test", "train"))
    for row in (held, train):
        Store(world.lake).append(
            reading({"Nodule": 1}, source=SOURCE, study_id=world.study(row), set_id=None, phase="queue")
        )
    assert {study for _, study, _ in labels_in_force(world.lake)} == {world.study(train)}


def test_without_answers_out_of_fold_the_queue_is_empty_and_says_so(tmp_path, capsys):
    lake = make_world(tmp_path, models=()).lake
    result = build_review_queue(lake)
    assert (result.models, result.queued) == ((), 0)
    assert main(["review", "queue", "--lake", str(lake.root)]) == 0
    assert "--by-fold" in capsys.readouterr().out


def test_before_it_was_made_there_is_no_queue(tmp_path):
    with pytest.raises(MissingTable, match="label_review_queue"):
        waiting(new_lake(tmp_path))


def test_two_models_on_different_studies_are_put_together(world):
    put_answers(world.lake, "two", world.names[:100], world.pools[:100], seen(world.truth, 77)[:100])
    build_review_queue(world.lake)
    rows = waiting(world.lake)
    early = {world.study(row) for row in range(100)}
    assert {row["models"] for row in rows if row["study_id"] in early} == {2}
    assert {row["models"] for row in rows if row["study_id"] not in early} == {1}
    assert all((row["spread"] is None) == (row["models"] == 1) for row in rows)


def test_the_command_filters_and_writes_a_list_that_tells_no_answer(world, tmp_path, capsys):
    build_review_queue(world.lake)
    lake, out = str(world.lake.root), tmp_path / "cells.csv"
    arguments = ["review", "queue", "--class", "Nodule", "--label", "absent", "--lake", lake]
    assert main([*arguments, "--json", "--most", "5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {(row["class"], row["label"]) for row in found["cells"]} == {("Nodule", 0)} and len(found["cells"]) == 5
    assert main([*arguments, "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.open()))
    assert list(rows[0]) == ["position", "source", "study_id", "class"] and len(rows) == found["waiting"]
    assert [row["study_id"] for row in rows[:5]] == [row["study_id"] for row in found["cells"]]
    source, study, name = read_list(out)[0]
    Store(world.lake).append(reading({name: 0}, source=source, study_id=study, set_id=None, phase="queue"))
    capsys.readouterr()
    assert main(["review", "queue", "--of", str(out), "--json", "--lake", lake]) == 0
    assert json.loads(capsys.readouterr().out)["waiting"] == len(rows) - 1


def test_names_that_there_are_not_are_refused(world, tmp_path, capsys):
    build_review_queue(world.lake)
    with pytest.raises(UnknownName, match="Unknown source"):
        waiting(world.lake, Wish(sources=("mars",)))
    assert main(["review", "queue", "--class", "Liquid", "--lake", str(world.lake.root)]) == 2
    path = tmp_path / "bad.csv"
    path.write_text("source,study_id,class\nnih_cxr14,,Nodule\n")
    with pytest.raises(BadInput, match="Line 2 of the list"):
        read_list(path)
    write_list([], path)
    assert read_list(path) == []

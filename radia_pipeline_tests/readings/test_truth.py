"""Truth is what blind readers agree on, else the adjudicator's; nothing that saw a model has a part in it."""

from __future__ import annotations

import pytest

from radia_pipeline.errors import BadInput
from radia_pipeline.lake.keys import DEMO_KEY, Pseudonymizer
from radia_pipeline.readings.store import Store
from radia_pipeline.readings.truth import answers_by_set, build_truth
from radia_pipeline_tests.readings.lakes import answer, drawn_set, pool_lake
from radia_pipeline_tests.readings.worlds import SOURCE, reading, revealed


@pytest.fixture
def world(tmp_path):
    lake = pool_lake(tmp_path)
    found, studies = drawn_set(lake)
    return lake, found.set_id, studies[0]


def truth_of(lake, study: str) -> tuple:
    build_truth(lake)
    rows = [row for row in lake.read("label_truth").to_pylist() if (row["study_id"], row["class"]) == (study, "Mass")]
    return tuple(rows[0][name] for name in ("value", "rule", "present", "readers"))


@pytest.mark.parametrize(
    ("readers", "adjudicator", "truth"),
    [
        ((), None, (None, "waits_for_reader", 0, 0)),
        ((1,), None, (None, "waits_for_reader", 1, 1)),
        ((1, 1), None, (1, "agreement", 2, 2)),
        ((-1, -1), None, (-1, "agreement", 0, 2)),
        ((1, 0), None, (None, "waits_for_adjudicator", 1, 2)),
        ((1, 0), 0, (0, "adjudication", 1, 2)),
        ((1, 1), 0, (1, "agreement", 2, 2)),
        ((1, 1, 0), 1, (1, "adjudication", 2, 3)),
    ],
)
def test_two_agree_else_the_adjudicator(world, readers, adjudicator, truth):
    lake, set_id, study = world
    for number, value in enumerate(readers):
        answer(lake, set_id, study, f"r{number}", value)
    if adjudicator is not None:
        answer(lake, set_id, study, "a1", adjudicator, phase="adjudication", role="adjudicator")
    assert truth_of(lake, study) == truth


def test_what_saw_the_answer_came_too_early_or_from_elsewhere_has_no_part(world):
    lake, set_id, study = world
    answer(lake, set_id, study, "r1", 1)
    Store(lake).append(revealed({"Mass": 1}, study_id=study, set_id=set_id, reader="r2"))
    answer(lake, set_id, study, "r3", 1, phase="imported", made_from="sheet")
    with pytest.raises(BadInput, match="not closed"):
        answer(lake, "a-set-nobody-closed", study, "r4", 1)
    assert truth_of(lake, study) == (None, "waits_for_reader", 1, 1)


def test_an_undone_answer_opens_the_cell_again(world):
    lake, set_id, study = world
    answer(lake, set_id, study, "r1", 1)
    line = Store(lake).append(reading({"Mass": 1}, study_id=study, set_id=set_id, reader="r2", source=SOURCE))
    assert truth_of(lake, study)[1] == "agreement"
    Store(lake).undo(line.sequence, "r2")
    assert truth_of(lake, study)[1] == "waits_for_reader"


def test_a_study_that_two_cannot_assess_has_no_truth(world):
    lake, set_id, study = world
    for reader in ("r1", "r2"):
        given = reading({}, asked=("Mass",), not_assessable="quality", study_id=study, set_id=set_id, reader=reader)
        Store(lake).append(given)
    assert truth_of(lake, study) == (None, "not_assessable", 0, 0)


def test_a_compared_reader_is_left_out_of_the_reference(world):
    lake, set_id, study = world
    for reader, value in (("r1", 1), ("r2", 0), ("r3", 1)):
        answer(lake, set_id, study, reader, value)
    said = answers_by_set(lake)[set_id][study]
    assert said.truth("Mass", without={"r2"}) == (1, "agreement")
    assert said.truth("Mass", without={"r1"}) == (None, "waits_for_adjudicator")


def test_weights_are_those_of_the_draw_and_simulated_readers_make_truth_in_a_demo_only(world):
    lake, set_id, study = world
    for reader in ("r1", "r2"):
        answer(lake, set_id, study, reader, 1, origin="simulated")
    assert truth_of(lake, study)[1] == "waits_for_reader"
    (lake.root / "key_fingerprint.txt").unlink(missing_ok=True)
    Pseudonymizer(DEMO_KEY).bind(lake)
    assert truth_of(lake, study)[1] == "agreement"
    rows = lake.read("label_truth").to_pylist()
    assert {row["is_simulated"] for row in rows if row["study_id"] == study} == {True}
    weight = {row["study_id"]: 1 / row["inclusion_probability"] for row in lake.read("reading_sets").to_pylist()}
    assert all(row["weight"] == pytest.approx(weight[row["study_id"]]) for row in rows)

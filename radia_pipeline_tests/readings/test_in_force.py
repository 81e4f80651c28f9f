"""What readings make of labels: nobody is overwritten, an adjudicator decides, the revealed do not judge the model."""

from __future__ import annotations

import pytest

from radia_pipeline.labels.box_annotations import build_boxes
from radia_pipeline.lake.keys import DEMO_KEY, Pseudonymizer
from radia_pipeline.readings.in_force import boxes_in_force, labels_in_force, publish_reviews
from radia_pipeline.readings.reading import ReadBox
from radia_pipeline.readings.store import Store
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images
from radia_pipeline_tests.readings.worlds import SOURCE, reading, revealed, with_set

STUDY = KEYS.study_id(SOURCE, "s1")


@pytest.fixture
def lake(tmp_path):
    return with_set(new_lake(tmp_path), STUDY)


def value_of(lake) -> int | None:
    found = labels_in_force(lake).get((SOURCE, STUDY, "Mass"))
    return found and found.value


def say(lake, value: int, reader: str = "r1", **changes):
    return Store(lake).append(reading({"Mass": value}, reader=reader, study_id=STUDY, **changes))


@pytest.mark.parametrize(
    ("answers", "together"), [((1,), 1), ((1, 1), 1), ((1, 0), -1), ((1, 0, 0), 0), ((1, -1), -1), ((1, 0, -1), -1)]
)
def test_readers_count_once_each_and_a_tie_is_uncertain(lake, answers, together):
    for number, value in enumerate(answers):
        say(lake, value, f"r{number}")
    assert value_of(lake) == together


def test_the_adjudicator_decides_even_before_the_last_reader(lake):
    say(lake, 1)
    say(lake, 0, "a1", phase="adjudication", role="adjudicator")
    say(lake, 1, "r2")
    assert value_of(lake) == 0


def test_undone_and_superseded_answers_are_gone(lake):
    first = say(lake, 1)
    second = say(lake, 0, supersedes=first.sequence)
    assert value_of(lake) == 0
    Store(lake).undo(second.sequence, "r1")
    assert value_of(lake) is None
    publish_reviews(lake)
    assert lake.read("label_reviews")["is_in_force"].to_pylist() == [False, False]


def test_repeats_and_monitoring_make_no_label(lake):
    say(lake, 0)
    say(lake, 1, phase="repeat")
    say(lake, 1, phase="monitor")
    assert value_of(lake) == 0


def test_a_study_that_cannot_be_assessed_says_nothing_and_is_published(lake):
    Store(lake).append(reading({}, asked=("Mass", "Hernia"), not_assessable="quality", study_id=STUDY))
    assert labels_in_force(lake) == {}
    publish_reviews(lake)
    rows = lake.read("label_reviews").select(["class", "value", "not_assessable"]).to_pylist()
    assert rows == [{"class": name, "value": None, "not_assessable": "quality"} for name in ("Hernia", "Mass")]


@pytest.mark.parametrize(("pool", "seen"), [("train", 1), ("validation", 0), ("test", 0), (None, 1)])
def test_a_reading_after_a_reveal_mends_the_training_pool_only(lake, pool, seen):
    patient = KEYS.patient_key(SOURCE, "p")
    if pool:
        put_images(lake, SOURCE, [image_row(SOURCE, "a.png", "p", "s1")])
        fold = 0 if pool == "train" else None
        placed = {"source": SOURCE, "patient_key": patient, "group_id": patient, "pool": pool, "fold": fold}
        lake.write("splits", [{**placed, "reason": "hash", "excluded": None}])
    say(lake, 0)
    Store(lake).append(revealed({"Mass": 1}, study_id=STUDY))
    assert value_of(lake) == seen


def test_simulated_readers_unlock_nothing_outside_a_demo(lake):
    say(lake, 1, origin="simulated")
    assert value_of(lake) is None
    (lake.root / "key_fingerprint.txt").unlink(missing_ok=True)
    Pseudonymizer(DEMO_KEY).bind(lake)
    assert value_of(lake) == 1


def test_confirmed_boxes_join_the_annotations_cut_to_the_image(lake):
    put_images(lake, SOURCE, [image_row(SOURCE, "a.png", "p", "s1")])
    image = KEYS.image_id(SOURCE, "a.png")

    def box(x_px: float, **changes) -> ReadBox:
        return ReadBox(**{**vars(ReadBox(image, "Mass", x_px, 10.0, 50.0, 40.0)), **changes})

    first = say(lake, 1, boxes=(box(1.0),))
    boxes = (box(20.0), box(480.0), box(30.0, is_confirmed=False), box(5.0, image_id="f" * 32))
    say(lake, 1, boxes=boxes, supersedes=first.sequence)
    result = build_boxes(SOURCE, None, lake, KEYS, boxes_in_force(lake, SOURCE))
    assert (result.boxes, result.images, result.problems) == (2, 1, {"read_boxes_left_out": 1})
    rows = lake.read("box_annotations", SOURCE).to_pylist()
    assert [(row["x_px"], row["width_px"], row["reader"], row["origin"]) for row in rows] == [
        (20.0, 50.0, "r1", "review"),
        (480.0, 32.0, "r1", "review"),
    ]
    assert boxes_in_force(lake, "chexpert") == []

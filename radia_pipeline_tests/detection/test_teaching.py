"""A second round: what a trained detector teaches the next one, and that it is that training and no other."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection import data, identity, store, teaching
from radia_pipeline.detection.inference import detect
from radia_pipeline.detection.recipes import parse_config
from radia_pipeline.detection.teaching import Teacher, with_own, wrongly_sure
from radia_pipeline.detection.train import train_detector
from radia_pipeline.errors import BadRecipe, NotTrained, RunFailed
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.training.outcome import Runtime
from radia_pipeline_tests.detection.test_train import equal_weights, stopped_at
from radia_pipeline_tests.detection.worlds import SOURCE, make_world, small_config

HERE, THERE = (0.0, 0.0, 9.0, 9.0), (5.0, 5.0, 20.0, 20.0)
SECOND = {"name": "second", "teacher": "small", "boxes": {"from_teacher": True}}


def films(**positive: tuple[str, ...]) -> pa.Table:
    """Films on which the named classes are, and no others."""
    rows = [
        {"image_id": name, "source": SOURCE, **{one: int(one in there) for one in vocabulary().classes}}
        for name, there in positive.items()
    ]
    return pa.Table.from_pylist(rows)


def own(teacher: list[tuple], pseudo: list[tuple], grey: list[tuple] = (), **positive) -> tuple[Boxes, Boxes]:
    said = Teacher(Boxes.of(teacher), dict.fromkeys(vocabulary().classes, 0.5))
    return with_own(said, films(**positive), Boxes.of(pseudo), Boxes.of(grey))


def listed(boxes: Boxes) -> list[tuple]:
    return sorted(zip(boxes.image_id, boxes.label, map(tuple, boxes.corners.tolist())))


def test_a_shown_box_of_a_class_that_is_there_stands_in_place_of_certain_and_grey_ones():
    certain, grey = own(
        [("a", "Mass", THERE, 0.9), ("a", "Mass", HERE, 0.4), ("b", "Mass", THERE, 0.9), ("c", "Mass", THERE, 0.4)],
        [("a", "Mass", HERE, 0.6), ("a", "Hernia", HERE, 0.6), ("b", "Mass", HERE, 0.2), ("c", "Mass", HERE, 0.4)],
        [("a", "Mass", HERE, 0.1), ("c", "Mass", HERE, 0.1)],
        a=("Mass", "Hernia"),
        b=(),
        c=("Mass",),
    )
    assert listed(certain) == [("a", "Hernia", HERE), ("a", "Mass", THERE), ("b", "Mass", HERE), ("c", "Mass", HERE)]
    assert listed(grey) == [("c", "Mass", HERE)]


def test_its_scores_come_to_the_pseudo_boxes_mean_of_the_class():
    certain, _ = own(
        [("a", "Mass", THERE, 0.6), ("b", "Mass", THERE, 0.8)],
        [("a", "Mass", HERE, 0.1), ("c", "Mass", HERE, 0.3)],
        a=("Mass",),
        b=("Mass",),
        c=("Mass",),
    )
    mine = certain.take(np.array([image in "ab" for image in certain.image_id]))
    assert mine.score.mean() == pytest.approx(0.2)
    assert mine.score[1] / mine.score[0] == pytest.approx(0.8 / 0.6)


def test_a_groups_box_gives_way_to_that_of_a_class_below_it():
    both = {"a": ("Consolidation", "Lung Opacity"), "b": ("Lung Opacity",)}
    certain, _ = own(
        [("a", "Lung Opacity", THERE, 0.9), ("b", "Lung Opacity", THERE, 0.9)],
        [("a", "Consolidation", HERE, 0.5)],
        **both,
    )
    assert listed(certain) == [("a", "Consolidation", HERE), ("b", "Lung Opacity", THERE)]


@pytest.fixture(scope="module")
def pool(trained):
    lake, classes = trained.world.lake, trained.result.classes
    images = data.read_images(lake, (SOURCE,), ("train",))
    return data.pool_entries(images, data.read_boxes(lake, (SOURCE,)), classes, small_config()), classes


def test_it_is_wrongly_sure_only_of_what_is_known_not_to_be_there(pool):
    entries, classes = pool
    boxed = next(one for one in entries if len(one.target.label))
    there = classes[boxed.target.label[0]]
    absent = next(name for k, name in enumerate(classes) if k not in boxed.target.label)
    empty = next(one for one in entries if not len(one.target.label))
    rows = [
        (boxed.image_id, there, HERE, 0.9),
        (boxed.image_id, absent, HERE, 0.3),
        (boxed.image_id, absent, HERE, 0.2),
        (empty.image_id, there, HERE, 0.7),
        ("elsewhere", there, HERE, 0.9),
    ]
    found = wrongly_sure(Teacher(Boxes.of(rows), {}), entries, classes)
    assert found == {boxed.image_id: 0.3, empty.image_id: 0.7}


def test_the_surest_films_without_a_box_come_first_and_no_box_is_lost(pool):
    entries, _ = pool
    names = sorted(one.image_id for one in entries if not len(one.target.label))
    sure = {name: 0.1 + 0.01 * place for place, name in enumerate(names)}

    def chosen(share: float) -> tuple[list[str], list[str]]:
        config = small_config(teacher="other", data={"hard_share": share, "empty_share": 0.3, "max_images": 12})
        found = data.choose_entries(entries, config, sure)
        empty = [one.image_id for one in found if not len(one.target.label)]
        return empty, [one.image_id for one in found if len(one.target.label)]

    empty, boxed = chosen(1.0)
    assert empty == names[::-1][: len(empty)]
    assert len(empty) == 3
    half, same = chosen(0.5)
    assert set(half[:2]) == set(names[-2:])
    assert len(set(half)) == 3
    assert boxed == same


@pytest.mark.parametrize(
    "content",
    [
        {"teacher": "small"},
        {"boxes": {"from_teacher": True}},
        {"data": {"hard_share": 0.5}},
        {"name": "x", "teacher": "x", "boxes": {"from_teacher": True}},
    ],
)
def test_a_teacher_without_a_use_and_a_use_without_one_are_refused(content):
    with pytest.raises(BadRecipe, match="teacher"):
        parse_config(content)


def test_a_teacher_that_was_not_trained_says_what_to_run(trained, tmp_path):
    with pytest.raises(NotTrained, match="radia train detector/absent"):
        train_detector(trained.world.lake, small_config(**{**SECOND, "teacher": "absent"}), run_dir=tmp_path)


def test_a_second_round_learns_from_the_first_and_another_teacher_is_another_training(trained, tmp_path):
    lake, runtime = trained.world.lake, Runtime(workers=1)
    config = small_config(**SECOND, data={"hard_share": 1.0, "max_images": 24, "max_validation_images": 8})
    versions = identity.data_versions(lake, (SOURCE,), config)
    assert versions["detector/small"] == trained.result.fingerprint
    stopped, listen = stopped_at(2)
    with pytest.raises(RunFailed):
        train_detector(lake, config, run_dir=tmp_path / "a", on_event=listen, runtime=stopped)
    assert (tmp_path / "a" / teaching.FILE).exists()
    resumed = train_detector(lake, config, run_dir=tmp_path / "a", runtime=runtime)
    whole = train_detector(lake, config, run_dir=tmp_path / "b", runtime=runtime)
    assert equal_weights(resumed.model_dir, whole.model_dir)
    assert not equal_weights(whole.model_dir, trained.result.model_dir)
    assert not (tmp_path / "b" / teaching.FILE).exists()


def test_what_a_teacher_saw_is_kept_for_the_training_alone_and_names_no_film(trained, tmp_path):
    lake = trained.world.lake
    images = data.read_images(lake, (SOURCE,), ("train",))
    config = small_config(**SECOND)
    first = teaching.look(lake, config, images, tmp_path, "one")
    written = (tmp_path / teaching.FILE).stat().st_mtime_ns
    again = teaching.look(lake, config, images, tmp_path, "one")
    assert (tmp_path / teaching.FILE).stat().st_mtime_ns == written
    assert listed(first.boxes) == listed(again.boxes)
    seen = Boxes.from_table(detect(lake, images, model_dir=trained.result.model_dir))
    assert listed(first.boxes) == listed(seen)
    assert first.shown_above == dict(zip(trained.result.classes, store.read_spec(trained.result.model_dir).thresholds))
    content = (tmp_path / teaching.FILE).read_bytes()
    assert not any(name.encode() in content for name in images["image_id"].to_pylist())
    (tmp_path / teaching.FILE).write_bytes(content[:100])
    assert listed(teaching.look(lake, config, images, tmp_path, "one").boxes) == listed(seen)
    assert teaching.look(lake, small_config(), images, tmp_path, "one") is None


def test_grey_boxes_may_be_left_out(tmp_path):
    world = make_world(tmp_path / "lake", images=24)
    rows = world.lake.read("pseudo_boxes", SOURCE).to_pylist()
    world.lake.write("pseudo_boxes", [{**row, "is_grey": n % 2 == 1} for n, row in enumerate(rows)], SOURCE)
    results = {}
    for ignored in (True, False):
        config = small_config(boxes={"ignore_grey": ignored}, training={"max_epochs": 1, "batch_size": 8})
        results[ignored] = train_detector(world.lake, config, run_dir=tmp_path / str(ignored))
    assert results[True].boxes > results[False].boxes

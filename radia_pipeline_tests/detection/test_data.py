"""What the detector is shown: which images, which boxes, which background is trusted; augmentation moves both alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.detection import data
from radia_pipeline.detection.identity import data_versions
from radia_pipeline.detection.loss import ImageTarget
from radia_pipeline.detection.sources import training_sources
from radia_pipeline.errors import BadRecipe, EmptyPool
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.training.composed import Augmenter
from radia_pipeline_tests.detection.worlds import SOURCE, make_world, small_config

CLASSES = ("Cardiomegaly", "Pleural Effusion", "Mass")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("data") / "lake", images=40)


def entries_of(world, pool="train"):
    images = data.read_images(world.lake, (SOURCE,), (pool,))
    return data.pool_entries(images, data.read_boxes(world.lake, (SOURCE,)), CLASSES, small_config())


def test_training_never_sees_other_pools(world):
    pools = [{entry.image_id for entry in entries_of(world, pool)} for pool in ("train", "validation", "test")]
    assert all(pools)
    assert not pools[0] & pools[1] | pools[0] & pools[2] | pools[1] & pools[2]


def test_boxes_lie_where_they_were_drawn(world):
    scale, left = 64 / 200, round((64 - 160 * 64 / 200) / 2)
    for entry in entries_of(world):
        expected = [
            (x * scale + left, y * scale, w * scale, h * scale) for _, x, y, w, h in world.truth[entry.image_id]
        ]
        boxes = entry.target.boxes
        found = [(box[0], box[1], box[2] - box[0], box[3] - box[1]) for box in boxes]
        assert np.allclose(sorted(found), sorted(expected), atol=0.51) if expected else not len(boxes)


def test_choice_prefers_images_with_boxes_and_keeps_some_without(world):
    config = small_config(max_images=16, empty_share=0.25)
    entries = entries_of(world)
    chosen = data.choose_entries(entries, config)
    boxed = [entry for entry in chosen if len(entry.target.label)]
    assert len(chosen) <= 16
    assert len(boxed) >= 12
    again = data.choose_entries(entries[::-1], config)
    assert {entry.image_id for entry in again} == {entry.image_id for entry in chosen}


def test_grey_boxes_weigh_nothing_and_do_not_make_an_image_one_with_findings(world):
    images = data.read_images(world.lake, (SOURCE,), ("train",))
    every = data.read_boxes(world.lake, (SOURCE,))
    solid, grey = every.take(every.label == "Mass"), every.take(every.label == "Cardiomegaly")
    entries = data.pool_entries(images, solid, CLASSES, small_config(), grey)
    plain = data.pool_entries(images, solid, CLASSES, small_config())
    assert any((entry.target.weight == 0).any() for entry in entries)
    for entry, one in zip(entries, plain):
        assert (entry.target.weight[entry.target.label == CLASSES.index("Cardiomegaly")] == 0).all()
        assert entry.target.known.tolist() == one.target.known.tolist()
        assert entry.target.learned.tolist() == one.target.learned.tolist()
    chosen, before = (data.choose_entries(some, small_config(max_images=12)) for some in (entries, plain))
    assert [entry.image_id for entry in chosen] == [entry.image_id for entry in before]


def test_drawn_boxes_stand_in_place_of_pseudo_boxes_of_the_classes_that_are_drawn():
    box = (0.0, 0.0, 9.0, 9.0)
    pseudo = Boxes.of([("a", "Mass", box, 0.4), ("a", "Hernia", box, 0.3), ("b", "Mass", box, 0.2)])
    grey = Boxes.of([("a", "Mass", box, 0.1), ("b", "Hernia", box, 0.1)])
    drawn = Boxes.of([("a", "Mass", (5.0, 5.0, 9.0, 9.0), 1.0)])
    found, rest = data.with_drawn(pseudo, grey, drawn)
    assert sorted(zip(found.image_id, found.label, found.score)) == [
        ("a", "Hernia", 0.3),
        ("a", "Mass", 1.0),
        ("b", "Mass", 0.2),
    ]
    assert list(zip(rest.image_id, rest.label)) == [("b", "Hernia")]


def test_drawn_boxes_are_learned_from_where_the_config_wants_them_and_are_another_training(world):
    images = data.read_images(world.lake, (SOURCE,), ("train",))
    drawn = data.read_drawn(world.lake, (SOURCE,), images)
    plain, real = (data_versions(world.lake, (SOURCE,), small_config(boxes={"real": one})) for one in (False, True))
    assert set(real) - set(plain) == {f"box_annotations/{SOURCE}"}
    assert set(drawn.image_id) <= set(images["image_id"].to_pylist())
    assert len(drawn)


def test_tables_without_a_grey_zone_have_certain_boxes_alone(world):
    assert len(data.read_boxes(world.lake, (SOURCE,))) == len(data.read_boxes(world.lake, (SOURCE,), grey=None))
    assert len(data.read_boxes(world.lake, (SOURCE,), grey=True)) == 0


def test_class_that_is_positive_without_a_box_is_no_background():
    said = np.array([1, 0, MISSING], dtype=np.int8)
    known = data.known_classes(SOURCE, said, np.array([], dtype=int), CLASSES)
    assert known.tolist() == [False, True, True]
    assert data.known_classes(SOURCE, said, np.array([0]), CLASSES).tolist() == [True, True, True]


def test_uncertain_class_is_no_background():
    said = np.array([-1, -1, 0], dtype=np.int8)
    assert data.known_classes(SOURCE, said, np.array([], dtype=int), CLASSES).tolist() == [False, False, True]


def test_class_that_the_source_does_not_label_is_no_background():
    names = ("Fracture", "Mass")
    blank = np.array([MISSING, MISSING], dtype=np.int8)
    assert data.known_classes(SOURCE, blank, np.array([], dtype=int), names).tolist() == [False, True]


def test_box_of_a_class_is_also_its_groups_box():
    boxes = Boxes.of([("a", "Consolidation", (0, 0, 4, 4), 0.5), ("a", "Mass", (1, 1, 3, 3), 0.5)])
    found = data.with_groups(boxes, ("Consolidation", "Lung Opacity"))
    assert sorted(found.label) == ["Consolidation", "Lung Opacity", "Lung Opacity"]  # a mass is a lung lesion, too


def test_lake_without_pseudo_boxes_is_an_empty_pool(tmp_path):
    with pytest.raises(EmptyPool, match="pseudo_boxes"):
        training_sources(Lake.open(tmp_path / "lake"), small_config())


boxes_inside = st.tuples(st.integers(8, 40), st.integers(8, 40), st.integers(6, 16), st.integers(6, 16))


def augmenter(**changes) -> Augmenter:
    return Augmenter(small_config(**changes).augmentation, kept_share=data.KEPT_SHARE)


@settings(max_examples=60, deadline=None)
@given(boxes_inside, st.integers(0, 2**32 - 1))
def test_augmented_box_still_holds_what_was_drawn_in_it(box, seed):
    """The bright rectangle and its box move alike: flipped, scaled, shifted, and cropped by the library."""
    x, y, width, height = box
    grey = np.full((64, 64), 0.1, dtype=np.float32)
    grey[y : y + height, x : x + width] = 0.9
    corners = np.array([[x, y, x + width, y + height]], dtype=float)
    target = ImageTarget(corners, np.array([0]), np.ones(1, np.float32), np.array([True]))
    random, further = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    with_crop = augmenter(jitter=0.0, also=({"CropAndPad": {"percent": [-0.1, 0.1]}},))
    moved, after = data.augment(grey, target, with_crop, random, further)
    if not len(after.boxes):
        assert not after.known[0]
        return
    rows, columns = np.nonzero(moved > 0.5)
    seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    assert np.abs(after.boxes[0] - seen).max() <= 1.6


def test_boxes_keep_their_class_and_weight_and_a_box_that_left_takes_its_class_along():
    corners = np.array([[0, 20, 4, 30], [20, 20, 40, 40], [30, 5, 50, 60]], dtype=float)
    target = ImageTarget(corners, np.array([2, 0, 1]), np.array([0.5, 1, 2], np.float32), np.ones(3, dtype=bool))
    grey, left = np.zeros((64, 64), np.float32), augmenter(flip_p=0.0, scale=0.0, translate=0.5)
    for seed in range(40):
        _, after = data.augment(grey, target, left, np.random.default_rng(seed), None)
        kept = [[2, 0, 1].index(label) for label in after.label]
        assert after.weight.tolist() == target.weight[kept].tolist()
        assert after.known.tolist() == [label in after.label for label in range(3)]


def test_augmentation_is_replayed_exactly():
    grey = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    nothing = ImageTarget(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, np.float32), np.array([True]))
    one, draws = augmenter(also=({"GaussNoise": {"p": 1}},)), []
    for seed in (5, 5, 6):
        parts = np.random.default_rng(seed), np.random.default_rng([seed, 1])
        draws.append(data.augment(grey, nothing, one, *parts)[0])
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


@pytest.mark.parametrize("also", [({"RandomGama": {}},), ({"RandomGamma": {"gamma_limit": [2, 1]}},), ("RandomGamma",)])
def test_a_further_augmentation_that_is_none_is_refused_with_the_page_that_lists_them(also):
    with pytest.raises(BadRecipe, match=r"also.*augmentations\.md"):
        small_config(also=also)


def test_softness_wants_boxes_below_their_classs_mean_less_and_no_others(world):
    images = data.read_images(world.lake, (SOURCE,), ("train",))
    every = data.read_boxes(world.lake, (SOURCE,))
    score = np.where(np.arange(len(every)) % 2, 0.9, 0.3)
    uneven = Boxes(every.image_id, every.label, every.corners, score)
    hard, soft = (
        data.pool_entries(images, uneven, CLASSES, small_config(boxes={"softness": share})) for share in (0.0, 0.5)
    )
    assert all((entry.target.wanted == 1).all() for entry in hard)
    wanted = np.concatenate([entry.target.wanted for entry in soft])
    assert 0.5 < wanted.min() < 1.0
    assert wanted.max() == 1.0
    for one, other in zip(hard, soft):
        assert (one.target.weight == other.target.weight).all()

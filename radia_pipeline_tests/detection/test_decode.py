"""Raw outputs become boxes: laws of positions, suppression and the way back to stored pixels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.detection.decode import (
    CANDIDATES,
    decode,
    each_class_alone,
    positions,
    raw_to_boxes,
    shown_boxes,
    suppressed_by_class,
)
from radia_pipeline.detection.loss import Matcher
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.detection.working_point import Films, thresholds_for
from radia_pipeline.errors import BadInput
from radia_pipeline.sources.overlap import iou
from radia_pipeline.training.inputs import placement

SIZE, STRIDES, CLASSES = 64, (8, 16, 32), ("Cardiomegaly", "Mass")
CENTRES, STEPS = positions(SIZE, STRIDES)
RULES = {"size_px": SIZE, "strides": STRIDES, "score_threshold": 0.1, "nms_iou": 0.4, "max_boxes": 10}


def spec(**changes) -> DetectorSpec:
    fields = {
        "classes": CLASSES,
        "fpn_channels": 32,
        "head_convs": 1,
        "input": {"size_px": SIZE},
        "backbone": {},
        "vocabulary_version": "1",
        **RULES,
    }
    return DetectorSpec(**{**fields, **changes})


def outputs_for(box, label: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The raw outputs of a detector that is sure of one box (left, top, right, bottom)."""
    places = np.flatnonzero(Matcher(SIZE, STRIDES, 1.5, 4.0).match(np.array([box], dtype=float))[:, 0])
    logits = np.full((len(CENTRES), len(CLASSES)), -10.0)
    logits[places, label] = 5.0
    centre = CENTRES[places]
    distances = np.zeros((len(CENTRES), 4))
    distances[places] = np.concatenate([centre - box[:2], box[2:] - centre], axis=1) / STEPS[places, None]
    return logits, distances, np.full((len(CENTRES), 1), 5.0)


def test_positions_cover_the_input_evenly():
    assert len(CENTRES) == 8 * 8 + 4 * 4 + 2 * 2
    assert (CENTRES[0].tolist(), CENTRES[-1].tolist()) == ([4.0, 4.0], [48.0, 48.0])
    for stride in STRIDES:
        assert CENTRES[stride == STEPS].mean(axis=0).tolist() == [SIZE / 2, SIZE / 2]


def test_sure_outputs_give_their_box_once():
    box = np.array([8.0, 10.0, 40.0, 50.0])
    found = decode([part[None] for part in outputs_for(box, 1)], spec(), 0.1)
    assert len(found) == 1
    assert np.allclose(found.corners[0], box)
    assert found.label.tolist() == [1]


def test_nothing_above_the_threshold_is_no_box():
    blank = [np.full((1, len(CENTRES), 2), -10.0), np.ones((1, len(CENTRES), 4)), np.zeros((1, len(CENTRES), 1))]
    assert len(decode(blank, spec(), 0.1)) == 0
    assert len(raw_to_boxes(blank, spec(), [("a", 64, 64)])) == 0


def noise(seed: int, images: int = 3) -> list[np.ndarray]:
    """Outputs of an untrained detector, half of whose positions are sure of something."""
    random = np.random.default_rng(seed)
    logits, distances, centreness = (random.normal(0, 2, (images, len(CENTRES), width)) for width in (2, 4, 1))
    return [logits.astype(np.float32), np.abs(distances).astype(np.float32), centreness.astype(np.float32)]


def one_by_one(raw: list[np.ndarray], image: int, threshold: float, factor: float = 1.0) -> set[tuple]:
    """What the formulas say without any short cut: all boxes, then those that no better one of the class overlaps."""
    logits, distances, centreness = (part[image].astype(np.float64) for part in raw)
    every = []
    for place, (centre, step) in enumerate(zip(CENTRES, STEPS)):
        for label in range(len(CLASSES)):
            chance = 1 / (1 + np.exp(-logits[place, label])) / (1 + np.exp(-centreness[place, 0]))
            reach = distances[place] * step
            box = np.clip([*(centre - reach[:2]), *(centre + reach[2:])], 0, SIZE)
            if np.sqrt(chance) * factor > threshold and (box[2:] - box[:2]).min() >= 1:
                every.append((np.sqrt(chance) * factor, label, box))
    kept: list[tuple] = []
    for score, label, box in sorted(every, key=lambda one: -one[0]):
        if all(other != label or iou(box[None], rest[None])[0, 0] <= 0.4 for _, other, rest in kept):
            kept.append((score, label, box))
    return {(label, round(score, 4), *np.round(box, 2)) for score, label, box in kept}


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.8])
def test_pruning_by_logits_and_whole_batches_lose_no_box(threshold):
    raw = noise(0)
    found = decode(raw, spec(max_boxes=1000), threshold)
    for image in range(3):
        mine = found.take(found.image == image)
        rows = zip(mine.label, mine.score, mine.corners)
        assert {(label, round(float(s), 4), *np.round(box, 2)) for label, s, box in rows} == one_by_one(
            raw, image, threshold
        )
        assert (np.diff(mine.score) <= 0).all()


def test_an_images_boxes_do_not_depend_on_its_batch():
    raw = noise(1)
    together = decode(raw, spec(), 0.5)
    for image in range(3):
        alone, mine = (
            decode([part[image : image + 1] for part in raw], spec(), 0.5),
            together.take(together.image == image),
        )
        assert (alone.corners == mine.corners).all()
        assert (alone.score == mine.score).all()


def test_thresholds_are_by_class():
    raw = noise(2)
    every = spec(max_boxes=1000)
    found = decode(raw, every, (0.5, 1.0))
    assert set(found.label) == {0}
    assert len(found) == (decode(raw, every, 0.5).label == 0).sum()


def test_a_prior_weighs_scores_and_the_threshold_is_of_the_weighed_score():
    raw, names = noise(3), [("a", SIZE, SIZE), ("b", SIZE, SIZE), ("c", SIZE, SIZE)]
    prior = np.array([[1.0, 0.0], [0.25, 1.0], [1.0, 1.0]])
    plain = raw_to_boxes(raw, spec(prior_weight=0.5, max_boxes=1000), names, 0.3)
    weighed = raw_to_boxes(raw, spec(prior_weight=0.5, max_boxes=1000), names, 0.3, prior)
    assert not ((weighed.image_id == "a") & (weighed.label == "Mass")).any()
    halved = weighed.take((weighed.image_id == "b") & (weighed.label == "Cardiomegaly"))
    before = plain.take((plain.image_id == "b") & (plain.label == "Cardiomegaly"))
    assert np.allclose(np.sort(halved.score), np.sort(before.score[before.score > 0.6] / 2))
    last = [boxes.take(boxes.image_id == "c").score.tolist() for boxes in (plain, weighed)]
    assert last[0] == last[1]


def test_what_is_shown_is_possible_passes_its_class_threshold_and_is_of_few():
    raw, names = noise(5), [("a", SIZE, SIZE), ("b", SIZE, SIZE), ("c", SIZE, SIZE)]
    one = spec(max_boxes=1000, thresholds=(0.7, 0.6), ensemble_thresholds=(0.5, 0.4), class_boxes=3)
    possible = np.array([[True, False], [False, False], [True, True]])
    with_ensemble, alone = shown_boxes(raw, one, names, possible=possible), shown_boxes(raw, one, names)
    pairs = [("a", "Cardiomegaly"), ("c", "Cardiomegaly"), ("c", "Mass")]
    assert set(zip(with_ensemble.image_id, with_ensemble.label)) == set(pairs)
    every = raw_to_boxes(raw, one, names, (0.5, 0.4))
    for image, name in pairs:
        mine, all_of = (
            np.sort(boxes.score[(boxes.image_id == image) & (boxes.label == name)])[::-1]
            for boxes in (with_ensemble, every)
        )
        assert len(all_of) > 3
        assert (mine == all_of[:3]).all()
    assert (alone.score > np.where(alone.label == "Mass", 0.6, 0.7)).all()
    assert {"a", "b", "c"} == set(alone.image_id)


def test_a_detector_of_before_shows_what_it_showed():
    """Thresholds of its own alone: the ensemble forbids nothing, and no class is cut short."""
    raw, names = noise(6), [("a", SIZE, SIZE), ("b", SIZE, SIZE), ("c", SIZE, SIZE)]
    content = spec(max_boxes=1000, thresholds=(0.6, 0.5)).to_json()
    kept = DetectorSpec.from_json({k: v for k, v in content.items() if k not in ("ensemble_thresholds", "class_boxes")})
    shown = shown_boxes(raw, kept, names, possible=np.zeros((3, 2), dtype=bool))
    before = raw_to_boxes(raw, kept, names, (0.6, 0.5))
    assert shown.score.tolist() == before.score.tolist()
    assert max(Counter(zip(shown.image_id, shown.label)).values()) > 3


def test_a_sure_normal_film_has_no_box_and_a_full_one_more_than_twenty():
    raw = noise(4, images=1)
    raw[0] -= 12
    assert len(raw_to_boxes(raw, spec(max_boxes=100), [("a", SIZE, SIZE)])) == 0
    raw[0] += 20
    raw[1] /= 10
    assert len(raw_to_boxes(raw, spec(max_boxes=100), [("a", SIZE, SIZE)])) > 20


def test_a_class_that_others_crowd_out_is_seen_where_thresholds_are_chosen():
    """Many sure boxes of one class hide another's faint ones, which the first one's threshold would bring back."""
    side, facts = 256, [("a", 256, 256)]
    many = spec(size_px=side, score_threshold=0.05)
    places = len(positions(side, STRIDES)[0])
    assert places > CANDIDATES
    raw = [
        np.stack([np.full(places, 2.0), np.full(places, -3.0)], axis=1)[None].astype(np.float32),
        np.full((1, places, 4), 0.4, np.float32),
        np.full((1, places, 1), 5.0, np.float32),
    ]
    assert set(raw_to_boxes(raw, many, facts).label) == {"Cardiomegaly"}
    alone = each_class_alone(raw, many, facts)
    assert set(alone.label) == {"Cardiomegaly", "Mass"}
    for rate in (0.0, 2.0):
        film = Films(["a"], np.ones((1, 2), dtype=bool), np.ones(1, dtype=bool))
        cuts = thresholds_for(alone, film, CLASSES, rate, many.score_threshold)
        assert len(raw_to_boxes(raw, many, facts, cuts)) <= rate


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_classes_alone_are_as_they_are_together_where_nothing_crowds(seed):
    raw, names = noise(seed, images=1), [("a", SIZE, SIZE)]
    few = spec(max_boxes=1000, score_threshold=0.7)
    together, alone = raw_to_boxes(raw, few, names), each_class_alone(raw, few, names)
    for name in CLASSES:
        best = np.sort(together.score[together.label == name])[::-1][:20]
        assert np.allclose(best, np.sort(alone.score[alone.label == name])[::-1])


@pytest.mark.parametrize("raw", [noise(0, images=0), [part[:, :5] for part in noise(0)], noise(0)[:2]])
def test_an_empty_batch_and_outputs_of_another_detector_are_refused_in_words(raw):
    with pytest.raises(BadInput, match=r"batch without an image|Raw outputs of shapes"):
        decode(raw, spec(), 0.1)


coordinate = st.floats(0, 60, allow_nan=False, width=32)
box_lists = st.lists(st.tuples(coordinate, coordinate, st.floats(1, 40), st.floats(1, 40)), max_size=12)


@settings(max_examples=80, deadline=None)
@given(box_lists, st.randoms(use_true_random=False))
def test_suppression_leaves_no_overlap_within_a_class_and_drops_nothing_else(boxes, shuffled):
    corners = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes]).reshape(-1, 4)
    score = np.array([shuffled.random() for _ in boxes])
    label = np.array([shuffled.randrange(2) for _ in boxes], dtype=int)
    kept = suppressed_by_class(corners, score, label, 0.4)
    overlap = iou(corners, corners)
    same = label[:, None] == label[None]
    for a in kept:
        assert not any(overlap[a, b] > 0.4 and same[a, b] for b in kept if a != b)
    for gone in set(range(len(boxes))) - set(kept.tolist()):
        assert any(overlap[gone, b] > 0.4 and same[gone, b] and score[b] >= score[gone] for b in kept)
    assert (np.diff(score[kept]) <= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 60), st.floats(0, 120), st.floats(30, 100), st.floats(30, 120), st.booleans())
def test_box_in_stored_pixels_survives_the_square_input(x, y, width, height, is_wide):
    high, wide = (200, 400) if is_wide else (400, 200)
    box = np.array([x, y, min(x + width, wide), min(y + height, high)])
    where = placement(high, wide, SIZE)
    square = box * where.scale + np.array([where.left_px, where.top_px] * 2)
    raw = [output[None] for output in outputs_for(square, 0)]
    found = raw_to_boxes(raw, spec(), [("a", high, wide)])
    assert len(found) >= 1
    assert iou(found.corners[:1], box[None])[0, 0] > 0.99
    assert found.label[0] == "Cardiomegaly"

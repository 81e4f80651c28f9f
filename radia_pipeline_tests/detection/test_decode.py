"""Raw outputs become boxes: laws of positions, suppression and the way back to stored pixels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.detection.decode import decode, positions, raw_to_boxes, suppressed_by_class
from radia_pipeline.detection.loss import Matcher
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.sources.overlap import iou
from radia_pipeline.training.inputs import placement

SIZE, STRIDES, CLASSES = 64, (8, 16, 32), ("Cardiomegaly", "Mass")
CENTRES, STEPS = positions(SIZE, STRIDES)
RULES = {"size_px": SIZE, "strides": STRIDES, "score_threshold": 0.1, "nms_iou": 0.4, "max_boxes": 10}


def spec(**changes) -> DetectorSpec:
    fields = {
        "classes": CLASSES, "fpn_channels": 32, "head_convs": 1, "input": {"size_px": SIZE}, "backbone": {},
        "vocabulary_version": "1", **RULES,
    }  # fmt: skip
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
    found = decode(*outputs_for(box, 1), **RULES)
    assert len(found) == 1
    assert np.allclose(found.corners[0], box)
    assert found.label.tolist() == [1]


def test_nothing_above_the_threshold_is_no_box():
    blank = np.full((len(CENTRES), 2), -10.0)
    assert len(decode(blank, np.ones((len(CENTRES), 4)), np.zeros((len(CENTRES), 1)), **RULES)) == 0


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

"""From maps to boxes in stored-image pixels, and what a box set can do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.localisation.boxes import (
    Boxes,
    CutRules,
    Frame,
    _components,
    _size_at_peak,
    boxes_from_map,
    suppressed,
)
from radia_pipeline.localisation.extents import EXTENTS, Extent, learned
from radia_pipeline_tests.localisation.worlds import boxes, random_boxes

WIDE = CutRules(extents={"x": Extent(0.0, 1.0)})


def blob(shape, row, column, spread=1.0):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * spread**2)).astype(np.float32)


@pytest.mark.parametrize(("height", "width"), [(1024, 1024), (1024, 700), (500, 1000), (333, 320)])
def test_a_box_lies_around_the_saliency_in_stored_pixels(height, width):
    where = Frame(width, height, 160)
    x, y = 0.6 * width, 0.3 * height
    inside = where.placement
    row, column = (y * inside.scale + inside.top_px) / 16 - 0.5, (x * inside.scale + inside.left_px) / 16 - 0.5
    (((left, top, right, bottom), score),) = boxes_from_map(blob((10, 10), row, column), 0.8, "x", where, WIDE)
    position = 16 / inside.scale
    assert abs((left + right) / 2 - x) < 0.4 * position
    assert abs((top + bottom) / 2 - y) < 0.4 * position
    assert right - left == pytest.approx(2.35 * position, rel=0.3)
    assert 0.4 < score < 0.8


@given(st.integers(0, 10_000), st.integers(60, 900), st.integers(60, 900), st.floats(0.1, 0.9))
@settings(max_examples=80, deadline=None)
def test_boxes_stay_inside_the_image_and_scores_below_the_probability(seed, height, width, share):
    saliency = np.random.default_rng(seed).normal(size=(7, 7))
    for (left, top, right, bottom), score in boxes_from_map(
        saliency, 0.7, "x", Frame(width, height, 112), CutRules(share, extents={"x": Extent(0.0, 0.3)})
    ):
        assert 0 <= left < right <= width + 1e-6
        assert 0 <= top < bottom <= height + 1e-6
        assert 0 < score <= 0.7 + 1e-9
        assert (right - left) * (bottom - top) <= 0.31 * height * width + 8 * max(height, width)


def test_scaling_a_map_changes_nothing_and_a_flat_or_negative_map_has_no_box():
    where = Frame(200, 200, 112)
    saliency = blob((7, 7), 2, 4)
    ((scaled, high),), ((plain, low),) = (boxes_from_map(s, 0.5, "x", where) for s in (saliency * 100, saliency))
    assert scaled == pytest.approx(plain)
    assert high == pytest.approx(low)
    assert boxes_from_map(np.zeros((7, 7)), 0.5, "x", where) == []
    assert boxes_from_map(-np.ones((7, 7)), 0.5, "x", where) == []


def test_two_blobs_give_two_boxes_best_first():
    saliency = blob((12, 12), 3, 3) + 0.8 * blob((12, 12), 9, 9)
    found = boxes_from_map(saliency, 1.0, "x", Frame(120, 120, 120), WIDE)
    assert len(found) == 2
    assert found[0][1] > found[1][1]
    assert found[0][0][0] < found[1][0][0]


def test_saliency_over_the_padding_is_ignored():
    where = Frame(200, 400, 80)
    saliency = blob((10, 10), 5, 0) * 10 + blob((10, 10), 5, 5)
    for (left, _, right, _), _ in boxes_from_map(saliency, 1.0, "x", where, WIDE):
        assert 0 <= left <= right <= 200


def test_a_component_too_large_for_its_class_is_tightened_around_the_peak():
    wide = blob((16, 16), 6, 10, spread=4)
    where = Frame(160, 160, 160)
    ((free, _),) = boxes_from_map(wide, 1.0, "x", where, WIDE)
    ((tight, _),) = boxes_from_map(wide, 1.0, "Nodule", where)
    area = (tight[2] - tight[0]) * (tight[3] - tight[1])
    assert area <= 0.021 * 160 * 160
    assert free[0] < tight[0] < 105 < tight[2] < free[2]


def test_a_plateau_too_large_becomes_the_largest_square_around_its_peak():
    ((box, _),) = boxes_from_map(np.ones((8, 8)), 1.0, "Nodule", Frame(80, 80, 80))
    assert 0 < (box[2] - box[0]) * (box[3] - box[1]) <= 0.021 * 80 * 80


def test_a_map_is_cut_where_its_box_is_of_the_usual_size():
    wide, where = blob((16, 16), 8, 8, spread=3), Frame(160, 160, 160)
    areas = []
    for usual in (0.02, 0.1, 0.4):
        rules = CutRules(extents={"x": Extent(usual / 4, usual * 4, usual)})
        ((box, _),) = boxes_from_map(wide, 1.0, "x", where, rules)
        areas.append((box[2] - box[0]) * (box[3] - box[1]) / 160**2)
    assert areas[0] < areas[1] < areas[2]
    at_share = np.log(2) * 2 * 4 * 9 / 256  # a box around half the height of a bump of spread 3
    assert areas[0] < at_share < areas[2], "the share and the size are weighed, neither rules alone"


def test_a_lakes_own_boxes_say_how_large_findings_are_only_where_there_are_enough():
    shares = np.r_[np.geomspace(0.01, 0.04, 21), np.full(5, 0.3)]
    found = learned(np.array(["Mass"] * 21 + ["Hernia"] * 5, dtype=object), shares)
    assert set(found) == {"Mass"}
    assert found["Mass"].usual == pytest.approx(0.02)
    assert found["Mass"].smallest < 0.01 < 0.04 < found["Mass"].largest


def test_shipped_extents_are_in_order():
    for one in EXTENTS.values():
        assert 0 < one.smallest < one.usual < one.largest < 1


@given(st.integers(0, 5000))
@settings(max_examples=30, deadline=None)
def test_suppression_equals_torchvisions(seed):
    import torch
    from torchvision.ops import nms

    some = random_boxes(seed, 12)
    kept = nms(torch.tensor(some.corners), torch.tensor(some.score), 0.4).numpy()
    assert np.array_equal(suppressed(some.corners, some.score, 0.4), kept)


def test_boxes_survive_a_table():
    import pyarrow as pa

    some = boxes(("a", "Mass", 1, 2, 5, 8, 0.5), ("b", "Edema", 0, 0, 3, 3, 0.25))
    table = pa.table(
        {
            "image_id": ["a", "b"],
            "class": ["Mass", "Edema"],
            "x_px": [1.0, 0.0],
            "y_px": [2.0, 0.0],
            "width_px": [4.0, 3.0],
            "height_px": [6.0, 3.0],
            "score": [0.5, 0.25],
        }
    )
    again = Boxes.from_table(table)
    assert np.array_equal(again.corners, some.corners)
    assert np.array_equal(again.score, some.score)
    assert list(again.on(["b"]).label) == ["Edema"]
    assert len(Boxes.joined([some, again])) == 4


def test_parts_that_touch_only_at_a_corner_are_two_boxes():
    fine = np.zeros((12, 12), np.float32)
    fine[2:6, 2:6], fine[6:10, 6:10] = 1.0, 0.8
    assert [window for window, _ in _components(fine, 0.5, 144)] == [(2, 2, 6, 6), (6, 6, 10, 10)]
    assert _size_at_peak(fine, 0.5) == 16

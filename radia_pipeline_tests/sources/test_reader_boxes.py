"""Several readers' boxes become one for each finding, whatever their order; a minority's are counted."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.sources.reader_boxes import ReaderBox, agreed_boxes
from radia_pipeline.sources.run_lengths import pieces

corner = st.integers(0, 40)
boxes = st.lists(
    st.builds(
        lambda name, reader, x, y, w, h: ReaderBox("i", name, reader, (x, y, x + w, y + h)),
        st.sampled_from(["Mass", "Nodule"]),
        st.sampled_from(["R1", "R2", "R3"]),
        corner,
        corner,
        st.integers(1, 40),
        st.integers(1, 40),
    ),
    max_size=9,
)


def box(reader: str, *corners: float, name: str = "Mass") -> ReaderBox:
    return ReaderBox("i", name, reader, corners)


def test_three_boxes_around_one_finding_are_one_at_their_mean():
    problems: Counter = Counter()
    drawn = [box("R2", 2, 2, 12, 12), box("R1", 0, 0, 10, 10), box("R3", 1, 1, 11, 11)]
    assert agreed_boxes(drawn, {"i": 3}, problems) == [box("R1+R2+R3", 1, 1, 11, 11)]
    assert problems == {"boxes_joined_into_one": 2}


@pytest.mark.parametrize(("readers", "kept"), [(1, 1), (2, 1), (3, 0), (5, 0)])
def test_what_fewer_than_half_drew_is_counted_and_left_out(readers, kept):
    problems: Counter = Counter()
    assert len(agreed_boxes([box("R1", 0, 0, 10, 10)], {"i": readers}, problems)) == kept
    assert problems["boxes_of_a_minority_of_readers"] == 1 - kept


def test_two_findings_of_one_class_stay_two_and_classes_do_not_mix():
    far = [box(reader, x, 0, x + 10, 10) for reader in ("R1", "R2") for x in (0, 30)]
    other = [box(reader, 0, 0, 10, 10, name="Nodule") for reader in ("R1", "R2")]
    found = agreed_boxes(far + other, {"i": 3}, Counter())
    assert [(one.class_name, one.corners[0]) for one in found] == [("Mass", 0), ("Mass", 30), ("Nodule", 0)]


@given(boxes, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_every_box_is_accounted_for(drawn, rng):
    shuffled = drawn[:]
    rng.shuffle(shuffled)
    problems: Counter = Counter()
    found = agreed_boxes(drawn, {"i": 3}, problems)
    assert agreed_boxes(shuffled, {"i": 3}, Counter()) == found
    assert len(drawn) == len(found) + sum(problems.values())


def test_pieces_of_a_mask_that_touch_at_a_corner_are_one():
    mask = np.zeros((9, 9), np.uint8)
    mask[1:3, 1:3] = mask[3:6, 3:6] = mask[8, 8] = 1
    assert pieces(mask) == [(1, 1, 5, 5), (8, 8, 1, 1)]

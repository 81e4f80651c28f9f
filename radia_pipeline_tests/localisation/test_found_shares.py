"""The pointing game and free-response sensitivity against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.localisation.average_precision import Reference
from radia_pipeline.localisation.found_shares import boxes_within, clustered_share, pointing, sensitivities
from radia_pipeline_tests.localisation.worlds import boxes

IMAGES = tuple("abcd")
DRAWN = boxes(
    ("a", "Mass", 0, 0, 10, 10),
    ("b", "Mass", 0, 0, 10, 10),
    ("b", "Mass", 20, 20, 30, 30),
    ("c", "Edema", 0, 0, 10, 10),
)
REFERENCE = Reference(IMAGES, np.array(IMAGES, dtype=object), DRAWN)


def test_pointing_counts_a_pair_once_and_a_missing_map_as_a_miss():
    found = pointing({("a", "Mass"): (5, 5), ("b", "Mass"): (25, 29)}, REFERENCE)
    assert set(found) == {"Mass", "mean"}, "Edema is of one patient"
    assert found["Mass"].value == 1.0
    assert found["mean"].value == pytest.approx(2 / 3)
    assert found["mean"].low < 2 / 3 < found["mean"].high
    assert pointing({("a", "Mass"): (15, 5)}, REFERENCE)["Mass"].value == 0.0


def test_sensitivity_grows_with_the_false_boxes_that_are_allowed():
    predicted = boxes(
        ("a", "Mass", 0, 0, 10, 10, 0.9),
        ("d", "Mass", 0, 0, 10, 10, 0.8),
        ("b", "Mass", 20, 20, 30, 30, 0.7),
        ("c", "Mass", 0, 0, 10, 10, 0.6),
        ("c", "Edema", 0, 0, 10, 10, 0.5),
    )
    found = sensitivities(predicted, REFERENCE, 0.3, (0.1, 0.25, 0.5))
    assert [one.value for one in found.values()] == [0.25, 0.5, 0.75]
    assert sensitivities(boxes(), REFERENCE, 0.3, (1.0,))[1.0].value == 0.0


def test_boxes_of_equal_score_enter_together():
    predicted = boxes(("a", "Mass", 0, 0, 10, 10, 0.9), ("d", "Mass", 0, 0, 10, 10, 0.9))
    assert sensitivities(predicted, REFERENCE, 0.3, (0.1, 0.5))[0.1].value == 0.0
    assert sensitivities(predicted, REFERENCE, 0.3, (0.1, 0.5))[0.5].value == 0.25


def test_patients_count_and_not_boxes():
    hit = np.tile([True, False], 20)
    alone = clustered_share(hit, np.arange(40))
    together = clustered_share(hit, np.repeat(np.arange(4), 10))
    same = clustered_share(np.repeat([True, False], 20), np.repeat(np.arange(4), 10))
    assert same.high - same.low > alone.high - alone.low
    assert together.value == alone.value == 0.5
    assert clustered_share(hit, np.zeros(40)) is None


def test_nothing_drawn_is_no_share():
    assert sensitivities(boxes(), Reference((), np.zeros(0, dtype=object), boxes()), 0.3) == {}
    assert sensitivities(boxes(), Reference(IMAGES, REFERENCE.group_ids, boxes()), 0.3) == {}


def test_a_box_within_a_drawn_one_counts_by_its_own_area_and_only_for_its_class():
    names = ("a", "b", "c")
    drawn = boxes(*[(name, "Mass", 0, 0, 10, 10) for name in names], ("c", "Nodule", 0, 0, 10, 10))
    found = boxes(("a", "Mass", 1, 1, 2, 2), ("b", "Mass", 5, 0, 15, 10), ("c", "Fracture", 0, 0, 10, 10))
    shares = boxes_within(found, Reference(names, np.array(names), drawn))
    assert shares["Mass", 0.25].value == pytest.approx(2 / 3), "a speck lies in it, and half of a box"
    assert shares["Mass", 0.5].value == pytest.approx(1 / 3), "more than half, not half"
    assert shares["mean", 0.25].value == pytest.approx(2 / 4)
    assert ("Nodule", 0.25) not in shares, "of one patient"

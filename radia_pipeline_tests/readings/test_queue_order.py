"""The order of reading: what is wrong by itself first, each class in its turn, no turn for what is surely right."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.readings.label_grounds import asked_classes
from radia_pipeline.readings.queue_order import in_turn, urgency

CLASSES = asked_classes()
NODULE, LESION, MASS = (CLASSES.index(name) for name in ("Nodule", "Lung Lesion", "Mass"))
STUDIES = 200


def lesions(alone: int, source: str = "ccsmtl") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (wrong, label, source) of 200 studies: half has a lesion, ``alone`` of them without nodule and mass; of
    the others the lesion's label is as likely wrong as right."""
    label = np.zeros((STUDIES, len(CLASSES)), np.int8)
    label[:100, LESION] = 1
    label[alone:100, NODULE] = 1
    wrong = np.full(label.shape, 0.01)
    wrong[100:, LESION] = 0.5
    return wrong, label, np.full(STUDIES, source, dtype=object)


def test_a_group_that_nobody_sees_without_its_classes_waits_for_them():
    never, often = (urgency(*lesions(alone))[150, LESION] for alone in (0, 80))
    assert never < 0.01 < 0.35 < often < 0.5


def test_a_group_whose_class_was_missed_is_not_asked_beside_it():
    wrong, label, source = lesions(alone=50)
    wrong[150, NODULE], wrong[151, NODULE] = 0.9, np.nan
    found = urgency(wrong, label, source)
    assert found[150, LESION] < 0.05 < 0.2 < found[151, LESION]
    assert found[150, NODULE] == 0.9 and np.isnan(found[151, NODULE]) and found[150, MASS] == 0.01
    assert (found[:100, LESION] == wrong[:100, LESION]).all(), "what is said to be present waits for nothing"


def test_each_source_has_its_own_share_of_groups_without_a_class():
    never, often = lesions(0, "ccsmtl"), lesions(100, "vindr_cxr")
    both = urgency(*(np.concatenate(parts) for parts in zip(never, often)))
    assert np.array_equal(both[:STUDIES], urgency(*never)) and np.array_equal(both[STUDIES:], urgency(*often))


def test_every_third_place_goes_to_the_classes_in_turn():
    urgent = np.column_stack([np.linspace(0.99, 0.9, 100), np.linspace(0.7, 0.5, 100), np.linspace(0.6, 0.5, 100)])
    order = in_turn(urgent, np.ones(urgent.shape, bool))
    assert sorted(order.tolist()) == list(range(300))
    assert order[0] == 0
    counts = np.bincount(order[:30] % 3, minlength=3)
    assert counts[1] >= 3 and counts[2] >= 3 and counts[0] >= 20
    for k in range(3):
        mine = order[order % 3 == k] // 3
        assert (np.diff(mine) > 0).all()


def test_no_turn_for_what_is_surely_right():
    urgent = np.column_stack([np.linspace(0.99, 0.9, 100), np.linspace(0.6, 0.5, 100), np.full(100, 0.01)])
    order = in_turn(urgent, np.ones(urgent.shape, bool))
    counts = np.bincount(order[:60] % 3, minlength=3)
    assert counts[1] >= 6 and counts[2] == 0


@pytest.mark.parametrize("cells", [[], [(3, 1)]])
def test_closed_cells_are_not_in_turn(cells):
    open_ = np.zeros((10, 2), bool)
    for cell in cells:
        open_[cell] = True
    assert in_turn(np.full((10, 2), 0.5), open_).tolist() == [row * 2 + k for row, k in cells]

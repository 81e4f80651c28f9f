"""What uncertain and blank labels become, and where nothing may be learned."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.training.recipe_schema import LabelsSection
from radia_pipeline.training.targets import targets_and_mask

VALUES = np.array([[1, 0, -1, MISSING]], dtype=np.int8)
ALL, NONE = np.ones((1, 4), dtype=bool), np.zeros((1, 4), dtype=bool)
HALF = np.full((1, 4), 0.5)


def test_uncertain_uniform_lies_in_the_recipes_range():
    targets, mask = targets_and_mask(VALUES, ALL, LabelsSection(), HALF)
    assert np.allclose(targets, [[1, 0, 0.675, 0]])
    assert mask.all()


def test_uncertain_policies_differ():
    found = {p: targets_and_mask(VALUES, ALL, LabelsSection(uncertain=p), HALF) for p in ("ones", "zeros", "ignore")}
    assert found["ones"][0][0, 2] == 1
    assert found["zeros"][0][0, 2] == 0
    assert not found["ignore"][1][0, 2]
    assert found["ones"][1][0, 2]


def test_blank_policy_masks_or_negates_only_where_the_source_labels():
    _, negative = targets_and_mask(VALUES, ALL, LabelsSection(blank="negative"), HALF)
    _, ignore = targets_and_mask(VALUES, ALL, LabelsSection(blank="ignore"), HALF)
    _, unknown = targets_and_mask(VALUES, NONE, LabelsSection(blank="negative"), HALF)
    assert negative[0, 3]
    assert not ignore[0, 3]
    assert not unknown.any(), "a positive by closure alone would teach that the class is always there"


@given(st.lists(st.sampled_from([1, 0, -1, MISSING]), min_size=1, max_size=8), st.floats(0, 1))
def test_targets_stay_between_0_and_1_and_the_input_is_untouched(values, draw):
    array = np.array([values], dtype=np.int8)
    before = array.copy()
    targets, _ = targets_and_mask(array, np.ones_like(array, dtype=bool), LabelsSection(), np.full(array.shape, draw))
    assert ((targets >= 0) & (targets <= 1)).all()
    assert (array == before).all()

"""The sample that steers: fixed for a seed, as large as asked, and of what it stands for the whole pool's figures."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline.training.validation_sample import inclusion, validation_sample
from radia_pipeline_tests.training.test_counted import EDEMA, WORDS, pool

STUDIES = pool((8, {"Hernia": 1}), (60, {"Edema": 1}), (332, {"No Finding": 1}), blank=0)
HERNIA = WORDS.index("Hernia")


def sample(seed: int = 0, wanted: int | None = 80):
    content = {"name": "x", "training": {"seed": seed}, "stopping": {"validation_studies": wanted}}
    return validation_sample(parse_recipe(content), STUDIES)


def test_it_is_fixed_as_large_as_asked_and_holds_every_study_once():
    chosen, stands_for = sample()
    assert len(set(chosen.tolist())) == len(chosen) == len(stands_for) == 80
    assert (sample()[0] == chosen).all()
    assert (sample(seed=1)[0] != chosen).any()
    assert sample(wanted=None) is sample(wanted=400) is None


def test_rare_findings_come_oftener_and_what_studies_stand_for_adds_up():
    found = [sample(seed) for seed in range(200)]
    hernias = np.mean([(STUDIES.values[chosen, HERNIA] == 1).sum() for chosen, _ in found])
    assert hernias > 3 * 8 * 80 / 400
    for column, expected in ((HERNIA, 8), (EDEMA, 60)):
        totals = [(stands_for * (STUDIES.values[chosen, column] == 1)).sum() for chosen, stands_for in found]
        assert np.mean(totals) == pytest.approx(expected, rel=0.05)


def test_chances_go_with_size_up_to_certainty():
    found = inclusion(np.array([100.0, 1.0, 1.0, 2.0]), 3)
    assert found.tolist() == [1.0, 0.5, 0.5, 1.0]
    assert inclusion(np.ones(8), 2).tolist() == [0.25] * 8

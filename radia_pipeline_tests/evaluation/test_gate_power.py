"""How many studies would tell: at that number an equally good ensemble passes as often as it is said."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.evaluation.gate_power import POWER, _rounded, shortfall
from radia_pipeline.evaluation.intervals import Interval

BOUND = -0.01


def interval(value: float, deviation: float) -> Interval:
    return Interval(value, value - 1.96 * deviation, value + 1.96 * deviation, 100, 1000)


def test_at_the_number_that_is_named_four_equal_ones_of_five_pass():
    scatter = 0.8  # of a study's difference
    for studies in (500, 2000):
        said = shortfall(interval(0.0, scatter / np.sqrt(studies)), BOUND, studies)
        lows = np.random.default_rng(0).normal(size=20_000) * scatter / np.sqrt(said.studies_needed)
        passed = lows - 1.96 * scatter / np.sqrt(said.studies_needed) > BOUND
        assert passed.mean() == pytest.approx(POWER, abs=0.02)
        assert said.words == f"too few studies to tell: {studies:,} of about {said.studies_needed:,}"


def test_the_number_depends_on_the_width_and_not_on_what_was_found():
    found = {shortfall(interval(value, 0.01), BOUND, 1000).studies_needed for value in (-0.015, 0.0, 0.009)}
    assert found == {7900}


def test_what_lies_below_nothing_is_worse_and_more_studies_would_not_help():
    assert shortfall(interval(-0.05, 0.01), BOUND, 1000) == shortfall(interval(-0.03, 0.01), BOUND, 90)
    assert shortfall(interval(-0.05, 0.01), BOUND, 1000).words == "surely worse"
    assert shortfall(Interval(float("nan"), float("nan"), float("nan"), 0, 0), BOUND, 10).studies_needed is None


def test_where_there_are_enough_they_are_not_said_to_be_few():
    found = shortfall(interval(-0.005, 0.003), BOUND, 40_000)
    assert found.studies_needed is None and "an equally good one would pass" in found.words


@pytest.mark.parametrize(("studies", "needed"), [(7, 7), (10, 10), (99, 99), (100, 100), (101, 110), (7_840, 7_900)])
def test_a_number_is_rounded_up_to_two_digits(studies, needed):
    assert _rounded(studies) == needed

"""Agreement of readers, beside scikit-learn's κ and published examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from radia_pipeline.readings.agreement import agreement


def two_readers(both: int, first: int, second: int, none: int) -> tuple[np.ndarray, np.ndarray]:
    """Return answers from a 2 × 2 table: present by both, by the first only, by the second only, by none."""
    counts = [both, first, second, none]
    return np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)


@given(st.tuples(*[st.integers(0, 40)] * 4).filter(lambda counts: sum(counts) > 0))
def test_kappa_is_scikit_learns(counts):
    first, second = two_readers(*counts)
    found = agreement(first, second).kappa
    if len({*first, *second}) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)


def test_gwets_example():
    """Gwet (2008): of 125 subjects 118 are positive to both and none negative to both: κ fails, AC1 does not."""
    found = agreement(*two_readers(118, 5, 2, 0))
    chance = 2 * (243 / 250) * (7 / 250)
    assert found.ac1 == pytest.approx((118 / 125 - chance) / (1 - chance), abs=1e-9)
    assert (round(found.ac1, 4), round(found.kappa, 4)) == (0.9408, -0.0234)


def test_the_share_of_calls_that_are_shared():
    """Cicchetti & Feinstein (1990): 2a / (2a + b + c) and 2d / (2d + b + c)."""
    found = agreement(*two_readers(40, 9, 6, 45))
    assert found.positive == pytest.approx(80 / 95, abs=1e-12)
    assert found.negative == pytest.approx(90 / 105, abs=1e-12)
    assert found.low < found.kappa < found.high


def test_the_interval_of_kappa_holds_the_truth():
    """300 cases at prevalence .3: about 95 % of intervals hold the κ of the readers' true table."""
    generator, held = np.random.default_rng(0), 0
    cells = np.array([0.24, 0.06, 0.06, 0.64])
    observed, expected = cells[0] + cells[3], 0.3 * 0.3 + 0.7 * 0.7
    truth = (observed - expected) / (1 - expected)
    for _ in range(1000):
        found = agreement(*two_readers(*generator.multinomial(300, cells)))
        held += found.low <= truth <= found.high
    assert 925 <= held <= 975


def test_uncertain_and_unanswered_cells_do_not_count():
    first, second = np.array([1, -1, 0, -9, 1]), np.array([1, 1, 0, 0, -1])
    assert agreement(first, second).cells == 2
    assert agreement(first[:0], second[:0]).cells == 0

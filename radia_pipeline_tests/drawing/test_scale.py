"""Axes: round ticks inside the limits, limits that hold the values, values that stay on the axis."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from radia_pipeline.drawing.scale import Scale, limits, tick_texts, ticks

values = st.floats(-1e9, 1e9, allow_nan=False)


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1, 6, (0, 0.2, 0.4, 0.6, 0.8, 1)),
        (0, 1, 5, (0, 0.25, 0.5, 0.75, 1)),
        (0, 1, 4, (0, 0.5, 1)),
        (-0.3, 0.3, 4, (-0.2, 0.0, 0.2)),
        (0, 1702, 5, (0, 500, 1000, 1500)),
    ],
)
def test_ticks_are_round(low, high, most, expected):
    assert ticks(low, high, most=most) == expected


@given(values, st.floats(1e-6, 1e9), st.integers(2, 9), st.booleans())
def test_ticks_lie_inside_are_few_and_are_multiples_of_a_round_step(low, span, most, is_whole):
    assume(span > 1e-5 * abs(low))
    high = low + span
    found = ticks(low, high, most=most, is_whole=is_whole)
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert len(found) <= most
    assert all(low - slack <= tick <= high + slack for tick in found)
    if is_whole:
        assert all(float(tick).is_integer() for tick in found)
    if len(found) > 1:
        step = found[1] - found[0]
        mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
        assert min(abs(mantissa - round_) for round_ in (1, 2, 2.5, 5, 10)) < 1e-3


def test_an_axis_of_no_width_is_refused():
    with pytest.raises(ValueError, match="is none"):
        ticks(1, 1)


@given(st.lists(values), st.none() | values, st.none() | values)
def test_limits_hold_the_values_and_are_never_of_zero_width(found, low, high):
    assume(low is None or high is None or high > low)
    start, stop = limits(found, low, high)
    assert start < stop
    if low is None and high is None:
        assert all(start <= value <= stop for value in found)
    assert low is None or start == low
    assert high is None or stop == high


def test_limits_of_nothing_and_of_what_is_not_finite():
    assert limits([]) == limits([math.nan, math.inf]) == (0, 1)
    assert limits([3.0]) == pytest.approx((2.6, 3.4))
    assert limits([0.0, math.nan]) == (-1, 1)


def test_values_that_differ_by_less_than_a_float_divides_are_one_value():
    assert limits([0.0, 5e-324]) == (-1, 1)
    assert limits([1e-310], low=0.0) == (0, 1)
    assert limits([1e17, math.nextafter(1e17, 2e17)]) == pytest.approx((8.8e16, 1.12e17), rel=0.05)
    assert limits([1.0], low=1e17) == pytest.approx((1e17, 1.1e17))
    assert limits([], low=0.0, high=5e-324) == (0.0, 5e-324)
    with pytest.raises(ValueError, match="is none"):
        ticks(0.0, 5e-324)


def test_tick_texts_share_their_decimals():
    assert tick_texts([0, 0.25, 1]) == ["0.00", "0.25", "1.00"]
    assert tick_texts([-1000, 0, 1000]) == ["−1,000", "0", "1,000"]
    assert tick_texts([]) == []


def test_values_beyond_an_axis_stay_on_its_edge():
    scale = Scale(0, 10, 100, 0)
    assert [scale.at(value) for value in (-5, 0, 2.5, 10, 99)] == [100, 100, 75, 0, 0]

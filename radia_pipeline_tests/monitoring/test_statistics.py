"""The arithmetic of drift: scan, offsets between windows, limits, evidence, discoveries. On simulated streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.monitoring.baseline import Past, fit_baselines
from radia_pipeline.monitoring.between import fit_offsets, posteriors
from radia_pipeline.monitoring.discoveries import beyond_floor, discovered
from radia_pipeline.monitoring.edetector import log_evidence, log_threshold
from radia_pipeline.monitoring.levels import levels
from radia_pipeline.monitoring.limits import limit_of
from radia_pipeline.monitoring.protocol import protocol
from radia_pipeline.monitoring.scan import Wander, innovations, lengths, scan
from radia_pipeline.monitoring.watching import Seen, follow

STRICT = protocol().statistics.strictness
WINDOWS, PATIENTS = 52, 100


def quiet(streams: int, windows: int, seed: int, offset_sd: float = 0.0, memory: float = 0.0) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(streams):
        offset, one = rng.normal() * offset_sd, []
        for _ in range(windows):
            one.append(rng.normal(size=PATIENTS) + offset)
            offset = memory * offset + rng.normal() * offset_sd * np.sqrt(1 - memory**2)
        found.append(one)
    return found


def baselines(streams: list[list[np.ndarray]], is_share: bool = False):
    return fit_baselines([Past(one[:WINDOWS], np.arange(WINDOWS), is_share) for one in streams], STRICT)


WANDER = Wander(0.01, 0.6, 0.001)
NOISE, GAPS = np.full(40, 0.01), np.ones(40)


def covariance(wander: Wander, noise: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Return what the filter stands for: windows with an AR(1) offset, noise of their own, an error in common."""
    place = np.cumsum(gaps)
    apart = np.abs(place[:, None] - place[None])
    return np.diag(noise) + wander.offset_variance * wander.memory**apart + wander.mean_variance


def test_innovations_are_the_windows_whitened_by_what_came_before():
    noise, gaps = np.linspace(0.01, 0.03, 40), np.where(np.arange(40) % 7 == 3, 4.0, 1.0)
    series = np.random.default_rng(1).normal(size=(3, 40))
    whole = np.linalg.solve(np.linalg.cholesky(covariance(WANDER, noise, gaps)), series.T).T
    assert innovations(series, noise, gaps, WANDER) == pytest.approx(whole)


def test_the_scan_is_the_generalized_least_squares_estimate_beyond_the_floor():
    series = np.random.default_rng(2).normal(size=(1, 40)) * 0.1
    series[:, 30:] += 0.4
    beyond, began = scan(series, NOISE, GAPS, WANDER, 0.05)
    inverse, best = np.linalg.inv(covariance(WANDER, NOISE, GAPS)), []
    for length in lengths(40):
        step = (np.arange(40) >= 40 - length).astype(float)
        information = step @ inverse @ step
        shift = step @ inverse @ series[0] / information
        best.append((abs(shift) - 0.05) * np.sqrt(information))
    assert beyond[0, -1] == pytest.approx(max(best)) and began[0, -1] == 40 - lengths(40)[int(np.argmax(best))]
    assert abs(began[0, -1] - 30) <= 2


def test_later_windows_change_nothing_of_earlier_ones_and_a_long_shift_goes_on_standing_out():
    series = np.random.default_rng(3).normal(size=(1, 300)) * 0.1
    series[:, 20:] += 0.5
    noise, gaps = np.full(300, 0.01), np.ones(300)
    whole, _ = scan(series, noise, gaps, WANDER, 0.05)
    half, _ = scan(series[:, :150], noise[:150], gaps[:150], WANDER, 0.05)
    assert whole[:, :150] == pytest.approx(half) and whole[0, 60:].min() > 3


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.001, 0.5))
def test_discoveries_are_the_smallest_p_values_and_those_of_the_rule(values, rate):
    found = discovered(values, rate)
    count = int(found.sum())
    assert sorted(np.array(values)[found]) == sorted(values)[:count]
    assert count == 0 or sorted(values)[count - 1] <= rate * count / len(values)
    assert all(value > rate * place / len(values) for place, value in enumerate(sorted(values), 1) if place > count)


def test_a_shift_within_the_floor_is_no_discovery_and_skewness_is_allowed_for():
    plain, skewed = (
        beyond_floor(np.array([0.04, 0.4]), np.array([0.01] * 2), 0.05, np.zeros(2)),
        beyond_floor(np.array([0.04, 0.4]), np.array([0.01] * 2), 0.05, np.ones(2)),
    )
    assert plain[0] == 1.0 and plain[1] < 0.001 < skewed[1]


def test_windows_that_remember_each_other_are_told_from_chance():
    means = {
        name: np.array([[w.mean() for w in one] for one in quiet(20, WINDOWS, 1, *law)]).T
        for name, law in {"chance": (), "memory": (0.1, 0.6)}.items()
    }
    counts, level = np.full(WINDOWS, float(PATIENTS)), np.ones((WINDOWS, 1))
    variance = {
        name: np.mean([one.long_run_variance for one in posteriors(fit_offsets(y, counts, np.arange(WINDOWS), level))])
        for name, y in means.items()
    }
    assert variance["chance"] < 0.01 and 0.02 < variance["memory"] < 0.12  # truth 0 and .04


def test_a_limit_is_the_quantile_and_beyond_it_an_exponential_tail():
    sums = np.random.default_rng(2).exponential(size=200_000)
    assert limit_of(sums, 0.01) == pytest.approx(-np.log(0.01), rel=0.05)
    assert limit_of(sums, 1e-6) == pytest.approx(-np.log(1e-6), rel=0.1)


def test_evidence_without_drift_stays_down_and_grows_with_it():
    variance = np.full(200, 0.01)
    still = log_evidence(np.random.default_rng(3).normal(size=200) * 0.1, variance, 0.1)
    assert still.max() < log_threshold(1000, 1)
    shifted = log_evidence(np.full(60, 0.3), variance[:60], 0.1)
    assert shifted[-1] > log_threshold(1000, 40) and np.all(np.diff(shifted) > 0)


@pytest.mark.parametrize("law", [(), (0.1, 0.6)], ids=["independent", "autocorrelated"])
def test_quiet_streams_stay_quiet(law):
    streams = quiet(12, WINDOWS + 60, 4, *law)
    tracks = [
        follow(one, [Seen(values, WINDOWS + n) for n, values in enumerate(stream[WINDOWS:])], STRICT, 0.1)
        for one, stream in zip(baselines(streams), streams, strict=True)
    ]
    asked = [
        levels(
            [t.p_value[n] for t in tracks],
            [t.strength[n] for t in tracks],
            [t.log_evidence[n] for t in tracks],
            protocol().statistics,
        )
        for n in range(60)
    ]
    assert sum(set(row) != {"none"} for row in asked) <= 6, "one excursion of a few weeks"


@pytest.mark.parametrize(("shift", "within"), [(0.2, 30), (0.5, 5)])
def test_shifts_are_found_in_time_and_dated(shift, within):
    streams = quiet(10, WINDOWS + 20 + within, 5)
    late = []
    for one, stream in zip(baselines(streams), streams, strict=True):
        seen = [Seen(v + shift * (n >= 20), WINDOWS + n) for n, v in enumerate(stream[WINDOWS:])]
        track = follow(one, seen, STRICT, 0.1)
        assert track.strength[-1] > 1
        late.append(track.began - 20)
    assert abs(np.median(late)) <= 3


def test_a_rare_finding_is_followed_without_alarms():
    rng = np.random.default_rng(6)
    stream = [(rng.random(PATIENTS) < 0.004).astype(float) for _ in range(WINDOWS + 100)]
    track = follow(
        baselines([stream], is_share=True)[0],
        [Seen(v, WINDOWS + n) for n, v in enumerate(stream[WINDOWS:])],
        STRICT,
        0.1,
    )
    assert (track.strength > 1).mean() <= 0.01 and track.log_evidence.max() < log_threshold(1000, 40)


def test_one_odd_value_is_no_drift():
    stream = quiet(1, WINDOWS + 1, 7)[0]
    stream[-1] = np.append(stream[-1], 1e9)
    track = follow(baselines([stream])[0], [Seen(stream[-1], WINDOWS)], STRICT, 0.1)
    assert track.strength[0] < 1


def test_a_season_of_two_years_is_no_drift():
    rng = np.random.default_rng(8)
    wave = 0.3 * np.sin(2 * np.pi * np.arange(156) / 52.1775)
    stream = [rng.normal(size=PATIENTS) + one for one in wave]
    (one,) = fit_baselines([Past(stream[:104], np.arange(104))], STRICT)
    track = follow(one, [Seen(v, 104 + n) for n, v in enumerate(stream[104:])], STRICT, 0.1)
    assert one.wave and (track.strength > 1).mean() <= 0.05
    (blind,) = fit_baselines([Past(stream[:52], np.arange(52))], STRICT)
    assert not blind.wave  # one year alone tells no season from a wander

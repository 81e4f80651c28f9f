"""Calibration recovers known distortions and never harms a ranking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.evaluation import calibration
from radia_pipeline_tests.evaluation.worlds import figures


def true_world(seed: int, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.0, 1.5, n)
    return z, (rng.random(n) < calibration.sigmoid(z)).astype(int)


@pytest.mark.parametrize(("a", "b"), [(2.0, 1.0), (0.5, -0.7), (1.0, 3.0)])
def test_a_known_distortion_is_undone(a, b):
    z, y = true_world(0)
    fitted = calibration.fit_platt(a * z + b, y)
    assert fitted.a == pytest.approx(1 / a, rel=0.08)
    assert fitted.b == pytest.approx(-b / a, abs=0.1)
    moved = a * z + b
    before, after = (figures(calibration.sigmoid(x), y)["ece"] for x in (moved, fitted(moved)))
    assert after < before / 3


def test_fit_equals_unpenalised_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    z, y = true_world(1)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(z[:, None] * 1.7, y)
    fitted = calibration.fit_platt(z * 1.7, y)
    assert fitted.a == pytest.approx(reference.coef_[0, 0], abs=2e-3)
    assert fitted.b == pytest.approx(reference.intercept_[0], abs=2e-3)


@given(st.integers(0, 500), st.integers(0, 12), st.floats(-3, 3))
@settings(max_examples=60, deadline=None)
def test_the_slope_is_positive_and_finite_whatever_comes(seed, positives, separation):
    rng = np.random.default_rng(seed)
    y = np.r_[np.ones(positives), np.zeros(30), -np.ones(3)].astype(int)
    fitted = calibration.fit_platt(rng.normal(size=len(y)) + separation * y, y)
    assert calibration.MIN_SLOPE <= fitted.a <= calibration.MAX_SLOPE
    assert np.isfinite(fitted.b)


def test_with_few_positives_the_slope_stays_near_one():
    z = np.linspace(-3, 3, 50)
    y = (np.arange(50) >= 45).astype(int)
    assert 0.5 < calibration.fit_platt(z, y).a < 2.0
    shifted = calibration.fit_shift(z, y)
    assert shifted.a == 1.0
    assert calibration.sigmoid(shifted(z)).mean() == pytest.approx((5 * 6 / 7 + 45 / 47) / 50, abs=1e-6)


def test_the_prior_on_the_slope_is_better_than_a_fixed_slope_with_four_positives():
    """True slope .6: over many small pools the log loss on the whole world is lower."""
    z, y = true_world(5, 8_000)
    moved, rng, losses = z / 0.6, np.random.default_rng(6), {calibration.fit_platt: [], calibration.fit_shift: []}
    for _ in range(60):
        some = np.r_[rng.choice(np.flatnonzero(y == 1), 4), rng.choice(np.flatnonzero(y == 0), 46)]
        for fit, found in losses.items():
            found.append(calibration.log_loss(fit(moved[some], y[some])(moved), y).mean())
    assert np.mean(losses[calibration.fit_platt]) < np.mean(losses[calibration.fit_shift])


@pytest.mark.parametrize("name", calibration.METHODS)
@given(seed=st.integers(0, 200), positives=st.integers(0, 160))
@settings(max_examples=25, deadline=None)
def test_every_method_keeps_the_order_of_scores(name, seed, positives):
    rng = np.random.default_rng(seed)
    y = np.r_[np.ones(positives), np.zeros(160)].astype(int)
    z = rng.normal(size=len(y)) + y
    moved = calibration.METHODS[name](z, y)(z)
    order = np.argsort(z)
    assert np.isfinite(moved).all()
    assert (np.diff(moved[order]) > 0).all()


def test_isotonic_steps_follow_a_curve_that_no_line_does():
    rng = np.random.default_rng(0)
    z = rng.uniform(-3, 3, 20_000)
    truth = np.where(z > 0, 0.6, 0.2)
    y = (rng.random(len(z)) < truth).astype(int)
    found = {name: calibration.sigmoid(calibration.METHODS[name](z, y)(z)) for name in ("platt", "isotonic")}
    errors = {name: np.abs(p - truth).mean() for name, p in found.items()}
    assert errors["isotonic"] < 0.03 < errors["platt"]


def test_logit_and_sigmoid_are_inverse_and_bounded():
    z = np.linspace(-25, 25, 101)
    assert np.allclose(calibration.logit(calibration.sigmoid(z)), z, atol=1e-4)
    assert np.isfinite(calibration.logit(np.array([0.0, 1.0]))).all()
    assert np.isfinite(calibration.sigmoid(np.array([-1e4, 1e4]))).all()


def test_the_sigmoid_neither_overflows_nor_leaves_its_range():
    with np.errstate(over="raise", invalid="raise"):
        assert calibration.sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]

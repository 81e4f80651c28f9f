"""Probabilities that are coherent and calibrated at once, whatever classes say of each other."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import ensemble
from radia_pipeline.evaluation.calibration import Calibration, fit_isotonic, fit_platt, sigmoid
from radia_pipeline.evaluation.calibration_slope import calibration_slope
from radia_pipeline.evaluation.coherence import WAYS, capped, violations
from radia_pipeline.evaluation.judged import ABNORMAL, Judged
from radia_pipeline.evaluation.settling import STILL, coherent, settled
from radia_pipeline_tests.evaluation.champions import panel_of_skill


@cache
def panel(noise: int = 1, studies: int = 3000):
    """A model that judges every class by itself, so that many lie above their parents."""
    return panel_of_skill(1.5, noise, studies=studies, shares=(0.0, 0.0, 1.0))


def lines(logits, label):
    fits = [fit_platt(logits[:, k], label[:, k]) for k in range(label.shape[1])]
    return np.array([(fit.a, fit.b) for fit in fits])


@pytest.mark.parametrize("way", WAYS)
def test_coherent_scores_keep_slope_and_prevalence(way):
    one = panel()
    alone = tuple(fit_platt(one.logit[:, k], one.label[:, k]) for k in range(one.label.shape[1]))
    before = lines(coherent(alone, way, one.logit), one.label)
    after = coherent(settled(alone, way, one.logit, one.label), way, one.logit)
    assert np.abs(before[:, 0] - 1).max() > 0.2, "coherence after calibration moves slopes"
    assert np.abs(lines(after, one.label) - [1, 0]).max() < STILL
    assert violations(capped(sigmoid(after))) == 0
    gaps = sigmoid(after).mean(axis=0) - one.label.mean(axis=0)
    assert np.abs(gaps).max() < 0.01


def test_steps_settle_too():
    one = panel()
    fits = tuple(fit_isotonic(one.logit[:, k], one.label[:, k]) for k in range(one.label.shape[1]))
    assert sum(bool(fit.knots) for fit in fits) > 10
    after = coherent(settled(fits, "met", one.logit, one.label), "met", one.logit)
    assert np.abs(lines(after, one.label) - [1, 0]).max() < STILL


def test_on_other_patients_the_gate_finds_slopes_that_hold_one(monkeypatch):
    """The same model, calibrated class by class and made coherent afterwards, is refused in most classes."""
    one = panel(3)

    def off() -> int:
        chosen = ensemble.fit_ensemble("single:m", ("m",), [one])
        classes = Judged.ensemble_cross_fitted(chosen, [one]).classes()
        slopes = [calibration_slope(found, len(classes) - 1) for name, found in classes.items() if name != ABNORMAL]
        return sum(not slope.low <= 1 <= slope.high for slope in slopes if slope)

    assert off() == 0
    monkeypatch.setattr(ensemble, "settled", lambda fits, *_: tuple(fits))
    assert off() >= 5


def test_classes_without_relatives_keep_their_own_curve():
    one, k = panel(), vocabulary().index("Fracture")
    alone = tuple(fit_platt(one.logit[:, j], one.label[:, j]) for j in range(one.label.shape[1]))
    found = settled(alone, "met", one.logit, one.label)[k]
    assert (found.a, found.b) == pytest.approx((alone[k].a, alone[k].b), abs=0.05)


def test_a_class_without_positives_or_scores_keeps_its_curve_and_harms_no_other():
    one = panel()
    label, logits = one.label.copy(), one.logit.copy()
    label[:, 3], logits[:, 5] = 0, np.nan
    found = settled((Calibration(),) * label.shape[1], "met", logits, label)
    assert found[3] == found[5] == Calibration()
    assert all(np.isfinite([fit.a, fit.b]).all() for fit in found)


@given(st.integers(0, 10_000), st.sampled_from(list(WAYS)))
@settings(max_examples=6, deadline=None)
def test_labels_that_contradict_the_vocabulary_leave_rising_curves(seed, way):
    rng = np.random.default_rng(seed)
    shape = (60, len(vocabulary().classes))
    label, logits = rng.integers(-1, 2, shape), 4 * rng.normal(size=shape)
    found = settled(tuple(fit_isotonic(logits[:, k], label[:, k]) for k in range(shape[1])), way, logits, label)
    assert all(fit.a > 0 and np.isfinite(fit.b) for fit in found)
    assert violations(capped(sigmoid(coherent(found, way, logits)))) == 0


def test_a_curve_followed_by_a_line_is_both():
    z = np.linspace(-4, 4, 201)
    fit = Calibration(1.3, -0.4, "platt")
    assert np.allclose(fit.then(0.7, 0.2)(z), 0.7 * fit(z) + 0.2)
    steps = replace(fit, method="isotonic", knots=(-2.0, 0.0, 2.0), shares=(0.05, 0.3, 0.9))
    assert np.abs(steps.then(1.2, -0.3)(z) - (1.2 * steps(z) - 0.3)).max() < 0.25
    assert (np.diff(steps.then(1.2, -0.3)(z)) > 0).all()

"""The slope of labels on log odds: 1 of a calibrated model, found where a model is too sure, counted by patients."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.evaluation.calibration_slope import calibration_slope
from radia_pipeline.evaluation.class_figures import OneClass


def drawn(seed: int, factor: float = 1.0, patients: int = 400, each: int = 1) -> OneClass:
    """Return a class whose true log odds are told ``factor`` times too large; a patient's studies are alike."""
    rng = np.random.default_rng(seed)
    odds = np.repeat(rng.normal(-1.5, 1.5, patients), each)
    label = (np.repeat(rng.random(patients), each) < sigmoid(odds)).astype(int)
    return OneClass.of(sigmoid(factor * odds), label, np.repeat(np.arange(patients), each))


@pytest.mark.parametrize(("factor", "slope"), [(1.0, 1.0), (2.5, 0.4), (3.0, 1 / 3), (0.5, 2.0)])
def test_the_slope_is_what_undoes_the_factor(factor, slope):
    found = calibration_slope(drawn(1, factor, patients=4000))
    assert found.value == pytest.approx(slope, rel=0.12) and found.low < slope < found.high


def test_its_interval_holds_the_truth_as_often_as_it_says_with_patients_of_three_studies():
    held = [
        one.low <= 1 <= one.high for seed in range(200) if (one := calibration_slope(drawn(seed, patients=150, each=3)))
    ]
    assert len(held) == 200 and 0.91 <= np.mean(held) <= 0.99


def test_slopes_that_are_looked_at_together_are_wider():
    alone, together = calibration_slope(drawn(2)), calibration_slope(drawn(2), comparisons=21)
    assert together.low < alone.low < alone.high < together.high and together.value == alone.value


def test_too_few_patients_or_kinds_apart_say_nothing():
    assert calibration_slope(drawn(3, patients=12)) is None
    score = np.linspace(0.01, 0.99, 100)
    assert calibration_slope(OneClass.of(score, (score > 0.5).astype(int), np.arange(100))) is None
    assert calibration_slope(OneClass.of(np.full(100, 0.3), np.arange(100) % 2, np.arange(100))) is None


def test_a_class_that_is_told_apart_nearly_without_error_is_not_called_off_for_that():
    """Every positive is told .6 and more, hardly a negative as much: what is said is as good as what happened."""
    score = np.concatenate([np.linspace(0.6, 0.98, 36), np.full(140, 0.03), [0.2, 0.4, 0.45, 0.63]])
    label = np.repeat([1, 0], [36, 144])
    found = calibration_slope(OneClass.of(score, label, np.arange(180)), comparisons=17)
    assert score.sum() == pytest.approx(label.sum(), rel=0.1)
    assert found.value > 3 and found.low < 1 < found.high

"""What a probability has meant so far: the share among its neighbours, within an interval that counts patients."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.evaluation.reliability import NEIGHBOURS, Reliability


def world(count: int, per_patient: int = 1, seed: int = 0) -> Reliability:
    rng = np.random.default_rng(seed)
    known = np.sort(rng.random(count))
    label = (rng.random(count) < known).astype(np.int8)
    return Reliability(((known, label, np.arange(count) // per_patient),))


def test_a_calibrated_model_finds_its_probabilities_in_the_interval():
    reliability = world(4000)
    held = [reliability.of(0, p) for p in np.linspace(0.05, 0.95, 40)]
    inside = [found.low <= p <= found.high for found, p in zip(held, np.linspace(0.05, 0.95, 40))]
    assert np.mean(inside) > 0.85
    assert all(found.studies == NEIGHBOURS for found in held)


def test_the_neighbours_are_the_nearest():
    known = np.array([0.0] * 30 + [0.9] * 30)
    label = np.array([0] * 30 + [1] * 30, dtype=np.int8)
    reliability = Reliability(((known, label, np.arange(60)),))
    assert reliability.of(0, 0.05).share == 0.0
    assert reliability.of(0, 0.95).share == 1.0


def test_a_rare_finding_is_not_measured_by_studies_of_another_probability():
    """Twenty-four sure positives among 181 studies: half of the pool had it in 27 %, those like it in all."""
    known = np.sort(np.concatenate([np.linspace(0.0, 0.05, 157), np.linspace(0.93, 0.99, 24)]))
    reliability = Reliability(((known, (known > 0.5).astype(np.int8), np.arange(181)),))
    found = reliability.of(0, 0.989)
    assert (found.share, found.studies) == (1.0, 24)
    assert found.low > 0.8
    assert reliability.of(0, 0.5) is None


def test_studies_of_one_patient_count_as_one():
    alone, together = world(1000).of(0, 0.5), world(1000, per_patient=5).of(0, 0.5)
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_too_few_say_nothing():
    assert world(19).of(0, 0.5) is None
    known = np.linspace(0, 1, 50)
    one_patient = Reliability(((known, np.ones(50, dtype=np.int8), np.zeros(50, dtype=np.int64)),))
    assert one_patient.of(0, 0.5) is None


def test_no_interval_has_zero_width():
    known = np.linspace(0, 1, 400)
    never = Reliability(((known, np.zeros(400, dtype=np.int8), np.arange(400)),))
    found = never.of(0, 0.5)
    assert found.low == pytest.approx(0.0, abs=1e-12)
    assert found.high > 0.01

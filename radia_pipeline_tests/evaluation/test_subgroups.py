"""Subgroups stand beside the rest, corrected for how many there are; a planted fault is seen and noise is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.subgroups import CO_FINDING, TOO_FEW, _p_value, corrected, subgroup_rows
from radia_pipeline_tests.evaluation.worlds import make_panel

PLACE = {"model": "ensemble", "pool": "validation"}


def facts_of(panel, degraded: np.ndarray) -> dict:
    """Machines A to D, of which D is every fourth patient's; sexes at random."""
    rng = np.random.default_rng(0)
    keys = list(zip(panel.source.tolist(), panel.study_id.tolist()))
    machine = np.where(degraded, "D", rng.choice(["A", "B", "C"], len(keys)))
    return {
        "machine": {key: (str(name),) for key, name in zip(keys, machine)},
        "sex": {key: (str(name),) for key, name in zip(keys, rng.choice(["F", "M"], len(keys)))},
    }


def judged(panel, facts) -> list[dict]:
    rows = subgroup_rows(PLACE, panel, facts)
    q = corrected([row.get("p_value") for row in rows])
    return [{**row, "q_value": value} for row, value in zip(rows, q)]


@pytest.fixture(scope="module")
def planted():
    """Images of machine D are degraded: their scores are half noise."""
    panel = make_panel(1.8, studies=900)
    degraded = (np.arange(len(panel)) // 2) % 4 == 0
    noise = np.random.default_rng(3).normal(size=panel.probability.shape)
    spoiled = np.where(degraded[:, None], 0.25 * panel.logit + 1.2 * noise - 1, panel.logit)
    return judged(replace(panel, probability=1 / (1 + np.exp(-spoiled)), logit=spoiled), facts_of(panel, degraded))


def test_a_subgroup_with_degraded_images_stands_out(planted):
    (row,) = [r for r in planted if (r["attribute"], r["stratum"], r["class"]) == ("machine", "D", "mean")]
    assert row["q_value"] < 0.001 and row["difference_high"] < -0.1
    sure = [r for r in planted if r["class"] == "mean" and r["q_value"] is not None and r["q_value"] < 0.05]
    out = {(r["attribute"], r["stratum"]) for r in sure if r["difference"] < 0}
    assert out == {("machine", "D")}


def test_subgroups_of_a_model_that_treats_all_alike_do_not_stand_out():
    panel = make_panel(1.2, studies=900, seed=5, noise_seed=6)
    rows = judged(panel, facts_of(panel, (np.arange(len(panel)) // 2) % 4 == 0))
    assert sum(row["q_value"] is not None and row["q_value"] < 0.05 for row in rows) <= 1


def test_too_few_is_said_instead_of_a_number(planted):
    empty = vocabulary().classes[13]
    rows = [row for row in planted if row["class"] == empty]
    assert {row["remark"] for row in rows} == {TOO_FEW} and all("value" not in row for row in rows)


def test_a_finding_is_no_co_finding_of_itself_or_of_what_stands_above(planted):
    pairs = {(row["stratum"], row["class"]) for row in planted if row["attribute"] == CO_FINDING}
    assert ("Edema", "Fracture") in pairs
    assert not {("Edema", "Edema"), ("Edema", "Liquid"), ("Edema", "Lung Opacity")} & pairs


@pytest.mark.parametrize(("difference", "low", "high"), [(0.1, 0.0, 0.3), (0.1, 0.0, 0.11), (-0.1, -0.4, 0.0)])
def test_the_limit_towards_nothing_at_nothing_is_one_in_twenty_whatever_the_other(difference, low, high):
    assert _p_value(difference, low, high) == pytest.approx(0.05, abs=1e-6)


def test_a_limit_half_way_to_nothing_is_twice_as_many_deviations():
    assert _p_value(0.1, 0.05, 0.4) == pytest.approx(2 * stats.norm.sf(2 * 1.959964), rel=1e-3)
    assert _p_value(0.0, -0.1, 0.2) == 1.0
    assert _p_value(0.1, 0.1, 0.1) == 1.0


def test_q_values_are_those_of_scipy_and_leave_gaps():
    p = [0.001, None, 0.04, 0.03, None, 0.9, 0.011]
    given = [value for value in p if value is not None]
    found = corrected(p)
    assert [value for value in found if value is not None] == pytest.approx(stats.false_discovery_control(given))
    assert [value is None for value in found] == [value is None for value in p]
    assert corrected([]) == [] and corrected([None]) == [None]

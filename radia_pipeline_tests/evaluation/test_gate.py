"""What went wrong is refused, each for its own reason, and what is better passes."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from radia_pipeline.evaluation import gate
from radia_pipeline.evaluation.calibration import logit, sigmoid
from radia_pipeline.evaluation.gate_case import Side
from radia_pipeline.evaluation.gate_rules import RULES
from radia_pipeline.evaluation.gate_words import WORDS
from radia_pipeline.evaluation.in_use import challenger_of, champion_of
from radia_pipeline.evaluation.panel import panel_of, rows_of
from radia_pipeline.lake.keys import DEMO_KEY, Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.truth import build_truth
from radia_pipeline.usecases import promotion
from radia_pipeline.usecases.champion_text import gate_found, gate_text
from radia_pipeline_tests.evaluation.champions import (
    BETTER,
    approval,
    approved_world,
    flipped,
    make_released,
    new_world,
    panel_of_skill,
    put_model,
    read_set,
    steady,
    worse_at_nih,
)


@pytest.fixture(scope="module")
def approved(tmp_path_factory):
    return approved_world(tmp_path_factory.mktemp("approved") / "lake")


@pytest.fixture
def lake(approved, tmp_path):
    shutil.copytree(approved.root, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def offered(lake: Lake, panel, pace=None) -> gate.GateResult:
    make_released(lake, {"second": panel})
    return gate.judge(lake, pace=pace or steady())


def test_every_rule_is_in_words_and_in_the_contract(approved):
    assert tuple(RULES) == tuple(WORDS)
    rows = approved.read("gate_verdicts").to_pylist()
    assert {row["rule"] for row in rows} == set(RULES) - {"expert_sets"}, "this lake has no study that experts labelled"


def test_the_first_is_held_against_fixed_minima_and_that_is_said(approved):
    rows = {row["rule"]: row for row in approved.read("gate_verdicts").to_pylist()}
    assert rows["mean_auc"]["champion"] is None and rows["mean_auc"]["bound"] == 0.7
    assert all("fixed minimum" in rows[rule]["detail"] for rule in ("mean_auc", "mean_f1", "speed"))


def test_flipped_labels_are_refused_by_every_mean(lake):
    found = offered(lake, panel_of_skill(1.6, 2, flipped))
    assert {"mean_auc", "mean_f1"} <= set(found.refused)
    (auc,) = [one for one in found.verdicts if one.rule == "mean_auc"]
    assert auc.found.high < -0.1 and auc.challenger < 0.5 < auc.champion
    assert auc.detail.startswith("surely worse") and auc.studies_needed is None


def test_an_equally_good_one_on_few_studies_is_told_that_they_are_few_and_not_that_it_is_worse(lake):
    found = offered(lake, panel_of_skill(1.2, 7))
    refused = [one for one in found.verdicts if one.outcome == "refused"]
    assert "mean_f1" in found.refused and {one.rule for one in refused} <= {"mean_auc", "mean_f1", "subgroups"}
    assert all(one.detail.startswith("too few studies to tell: ") and one.found.high > 0 for one in refused)
    assert all(one.studies_needed > one.found.studies for one in refused)
    rows = {(row["rule"], row["subject"]): row["studies_needed"] for row in lake.read("gate_verdicts").to_pylist()}
    assert all(rows[one.rule, one.subject] == one.studies_needed for one in refused)
    assert {key for key, needed in rows.items() if needed} == {(one.rule, one.subject) for one in refused}
    text = gate_text(gate_found(lake))
    assert "mean F1: the data are too few to tell, which is no sign that this one is worse" in text
    with pytest.raises(promotion.PromotionRefused, match="no sign that this one is worse"):
        promotion.approve(lake, approval())


def test_a_degraded_subgroup_is_refused_although_the_whole_is_better(lake):
    found = offered(lake, panel_of_skill(2.4, 2, worse_at_nih))
    assert found.refused == ("subgroups",)
    by_subject = {one.subject: one for one in found.verdicts if one.rule == "subgroups"}
    assert by_subject["source: nih_cxr14"].found.value < -0.03 < by_subject["source: ccsmtl"].found.low
    unjudged = [one for one in by_subject.values() if one.outcome == "not judged"]
    assert unjudged and all(one.found.positives < 3 * 30 or one.detail.endswith(": 2") for one in unjudged)


def test_an_incoherent_one_is_refused_with_the_count_of_cells(lake):
    make_released(lake, {"second": panel_of_skill(BETTER, 3)})
    panel = panel_of(lake.read("predictions", "ensemble"))
    moved = panel.probability[:, ::-1].copy()
    lake.write("predictions", rows_of(replace(panel, probability=moved, logit=logit(moved)), "ensemble"), "ensemble")
    found = gate.judge(lake, pace=steady())
    assert found.refused == ("coherence",)
    (verdict,) = [one for one in found.verdicts if one.rule == "coherence" and one.outcome == "refused"]
    assert verdict.subject == "validation" and verdict.found.value > 100


def test_a_better_one_passes_and_a_slower_one_does_not(lake):
    panel = panel_of_skill(BETTER, 3)
    assert offered(lake, panel).refused == ()
    slow = gate.judge(lake, pace=steady(7.9, 10.0))
    assert slow.refused == ("speed",)
    (speed,) = [one for one in slow.verdicts if one.rule == "speed"]
    assert "7.90 images a second beside 10.00" in speed.detail


def test_what_was_not_released_is_no_challenger(lake):
    put_model(lake, "second", panel_of_skill(BETTER, 3))
    gate_before = lake.version("gate_verdicts")
    from radia_pipeline.evaluation.ensemble import build_ensemble

    build_ensemble(lake, ["second"])
    found = gate.judge(lake, pace=steady())
    assert {"release", "truth"} == set(found.refused) and lake.version("gate_verdicts") != gate_before


def test_probabilities_that_are_too_sure_are_refused_class_by_class(lake):
    case = gate.gathered(lake, steady())
    judged = case.challenger.judged
    sure = replace(judged, probability=sigmoid(2.5 * logit(judged.probability)))
    before = {one.subject: one.outcome for one in RULES["calibration"](case)}
    after = list(RULES["calibration"](replace(case, challenger=Side(sure, 1.0))))
    refused = [one for one in after if one.outcome == "refused"]
    assert "refused" not in before.values() and len(refused) > 10
    assert all(one.found.high < 1 and "too sure" in one.detail for one in refused)


def test_without_a_reading_set_only_research(tmp_path):
    lake = new_world(tmp_path, is_read=False)
    found = gate.judge(lake, pace=steady())
    assert found.refused == ("truth",)
    with pytest.raises(promotion.PromotionRefused, match=r"no reading set of the hospital.*--research"):
        promotion.approve(lake, approval())
    assert champion_of(lake) is None
    assert promotion.approve(lake, approval(is_research=True)).standing == "research"
    assert champion_of(lake).standing == "research"


def test_simulated_readers_are_nobodys_truth_outside_a_demonstration(tmp_path):
    lake = new_world(tmp_path, origin="simulated")
    found = gate.judge(lake, pace=steady())
    (truth,) = [one for one in found.verdicts if one.rule == "truth"]
    assert found.refused == ("truth",) and "80 readings of simulated readers do not count" in truth.detail
    # A truth that says so itself, from wherever it came, is refused for what it is, for research too.
    rows = lake.read("label_truth").to_pylist()
    planted = {"value": 1, "rule": "agreement", "is_simulated": True, "present": 2, "readers": 2}
    lake.write("label_truth", [{**row, **planted, "value": number % 2} for number, row in enumerate(rows)])
    assert gate.judge(lake, pace=steady()).refused == ("readers",)
    with pytest.raises(promotion.PromotionRefused, match="simulated readers made this truth"):
        promotion.approve(lake, approval(is_research=True))


def test_in_a_demonstration_they_are_and_it_is_called_one(tmp_path):
    Pseudonymizer(DEMO_KEY).bind(Lake.open(tmp_path))
    lake = new_world(tmp_path, origin="simulated")
    assert gate.judge(lake, pace=steady()).refused == ()
    assert promotion.approve(lake, approval()).standing == "demonstration"


def test_a_set_that_still_waits_is_no_truth(tmp_path):
    lake = new_world(tmp_path, is_read=False)
    read_set(lake, panel_of_skill(1.2, 1), readers=("r1",))
    (truth,) = [one for one in gate.judge(lake, pace=steady()).verdicts if one.rule == "truth"]
    assert truth.outcome == "refused" and "wait for readers" in truth.detail


def test_studies_that_experts_labelled_are_a_test_of_their_own(lake):
    panel = panel_of_skill(1.2, 1).only(pool="validation", source="ccsmtl")
    experts = {("ccsmtl", study): ("expert",) for study in panel.study_id.tolist()}
    make_released(lake, {"second": panel_of_skill(1.6, 2, flipped)})
    case = replace(gate.gathered(lake, steady()), facts={"origin": experts})
    (verdict,) = RULES["expert_sets"](case)
    assert verdict.outcome == "refused" and verdict.subject == "ccsmtl" and "surely worse" in verdict.detail
    same = replace(case, challenger=case.champion)
    (verdict,) = RULES["expert_sets"](same)
    assert verdict.outcome == "passed" and verdict.found.value == 0


def test_what_the_champion_said_is_scored_anew_where_it_is_not_kept(lake):
    """Forgetting deletes earlier versions: its models then say again what they said."""
    make_released(lake, {"second": panel_of_skill(BETTER, 3)})
    kept = champion_of(lake)
    again = replace(kept, predictions=dict.fromkeys(kept.predictions, ""), fingerprints={"first": "f"})
    lake.models_dir.joinpath("first", "f").mkdir(parents=True)
    for name in ("model.json", "model.safetensors"):
        (lake.models_dir / "first" / "f" / name).write_text("{}")
    asked = []

    def rescorer(_, recipe, folder):
        asked.append((recipe, folder.name))
        return rows_of(panel_of_skill(1.2, 1).only(pool="validation"), recipe)

    mine = challenger_of(lake).panel("second")
    found = again.panel("first", of=mine, rescorer=rescorer)
    assert asked == [("first", "f")] and np.array_equal(found.probability, kept.panel("first", of=mine).probability)


def test_the_truth_is_what_the_readings_say_today(lake):
    before = gate.basis_of(lake)
    build_truth(lake)
    assert gate.basis_of(lake) == before
    lake.write("label_truth", lake.read("label_truth").to_pylist()[1:])
    assert gate.basis_of(lake) != before

"""Parts of the scorecard, of facts, of sides and of reliability by themselves: bounds, defaults, what is left out."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import curves, familiarity, reliability, scorecard, study_facts
from radia_pipeline.evaluation.answering import _digit
from radia_pipeline.evaluation.calibration import Calibration, fit_expected, fit_platt
from radia_pipeline.evaluation.class_figures import OneClass
from radia_pipeline.evaluation.clustered import Studies
from radia_pipeline.evaluation.ensemble import best_cuts, choose_rule, filled, validation_cuts
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.judged import Judged
from radia_pipeline.evaluation.metrics import Ranked
from radia_pipeline.evaluation.panel import panel_of, rows_of
from radia_pipeline.evaluation.settling import settled
from radia_pipeline.evaluation.sides import Sides
from radia_pipeline.evaluation.subgroups import parts
from radia_pipeline_tests.evaluation.worlds import make_panel


# --- facts of studies ------------------------------------------------------------------------------------------------
def images(**changes) -> pd.DataFrame:
    row = {
        "source": "s",
        "study_id": "1",
        "view": "PA",
        "patient_sex": "F",
        "patient_age_years": 50.0,
        "manufacturer": "Maker",
        "device_model": "X1",
    }
    return pd.DataFrame([{**row, **changes}])


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (0, "0 to 17"),
        (17.9, "0 to 17"),
        (18, "18 to 39"),
        (39, "18 to 39"),
        (40, "40 to 59"),
        (60, "60 to 79"),
        (79, "60 to 79"),
        (80, "80 and older"),
        (119, "80 and older"),
    ],
)
def test_an_age_is_in_the_band_that_it_begins(age, band):
    assert study_facts._of_images(images(patient_age_years=age))["age"] == {("s", "1"): (band,)}


def test_views_machines_and_counts_of_a_study_are_of_all_its_images():
    rows = [images(), images(view="LATERAL"), images(study_id="2", view="AP"), images(study_id="3", view=None)]
    rows += [images(study_id="4", manufacturer=None, device_model=None, patient_sex=None, patient_age_years=None)] * 3
    found = study_facts._of_images(pd.concat(rows))
    assert found["views"] == {("s", "1"): ("LATERAL + PA",), ("s", "2"): ("AP",), ("s", "4"): ("PA",)}
    assert found["portable"] == {
        ("s", "1"): ("not AP",),
        ("s", "2"): ("AP, as at the bedside",),
        ("s", "4"): ("not AP",),
    }
    assert found["machine"] == {("s", str(number)): ("Maker X1",) for number in (1, 2, 3)}
    assert found["images"] == {("s", "1"): ("2",), ("s", "2"): ("1",), ("s", "3"): ("1",), ("s", "4"): ("3 and more",)}
    assert ("s", "4") not in found["sex"] and ("s", "4") not in found["age"]


def test_signs_and_devices_of_reports_are_in_words():
    row = {"source": "s", "study_id": "1", "devices": "tube catheter", **dict.fromkeys(study_facts.REPORT_SIGNS, False)}
    found = study_facts._of_reports(
        pd.DataFrame([row, {**row, "study_id": "2", "devices": "", "has_open_question": True}])
    )
    assert found["devices"] == {("s", "1"): ("tube", "catheter"), ("s", "2"): ("none",)}
    assert found["report open question"] == {("s", "1"): ("no",), ("s", "2"): ("yes",)}
    assert set(found) == {
        "devices",
        "report quality limited",
        "report other abnormality",
        "report open question",
        "report signed unread",
    }


def test_an_attribute_of_one_stratum_is_no_subgroup_and_those_behind_it_are():
    panel = make_panel(1.0, studies=12)
    keys = list(zip(panel.source.tolist(), panel.study_id.tolist()))
    facts = {"one": dict.fromkeys(keys, ("a",)), "two": {keys[0]: ("b", "c"), keys[1]: ("b",)}}
    found = {(one.attribute, one.stratum): one for one in parts(panel, facts)}
    assert ("one", "a") not in found
    assert found["two", "c"].inside.tolist() == [True] + [False] * 11
    assert found["two", "c"].known.tolist() == [True, True] + [False] * 10


# --- the scorecard's parts -------------------------------------------------------------------------------------------
def one_class(positives: int, negatives: int) -> OneClass:
    label = np.r_[np.ones(positives, dtype=int), np.zeros(negatives, dtype=int)]
    return OneClass.of(np.linspace(0, 1, len(label)), label, np.arange(len(label)))


@pytest.mark.parametrize(
    ("positives", "negatives", "enough"), [(5, 5, True), (4, 60, False), (60, 4, False), (0, 9, False)]
)
def test_a_mean_takes_classes_with_five_of_each_kind(positives, negatives, enough):
    assert scorecard.has_enough(one_class(positives, negatives)) is enough
    names = ("Mass", "Lung Opacity", "Liquid", "abnormal", "No Finding")
    found = scorecard.means_of({name: one_class(positives, negatives) for name in names})
    assert len(found["mean"]) == (4 if enough else 0)


def test_pathologies_and_groups_have_means_of_their_own():
    words, classes = vocabulary(), {name: one_class(9, 9) for name in vocabulary().classes}
    found = scorecard.means_of(classes)
    assert [id(one) for one in found["mean_pathologies"]] == [id(classes[n]) for n in classes if n in words.pathologies]
    groups = {*words.finding_groups, *words.unions}
    assert [id(one) for one in found["mean_groups"]] == [id(classes[name]) for name in classes if name in groups]
    assert 0 < len(found["mean_groups"]) < len(found["mean"]) == 21


def test_a_figure_that_is_none_says_too_few():
    row = scorecard._row({"model": "m"}, "Mass", "auc", Interval(np.nan, np.nan, np.nan, 2, 9), 3)
    assert (row["value"], row["low"], row["high"], row["remark"]) == (None, None, None, "too few")
    row = scorecard._row({"model": "m"}, "Mass", "auc", Interval(0.5, 0.25, np.nan, 2, 9), 3)
    assert (row["value"], row["low"], row["high"], row["remark"]) == (0.5, 0.25, None, None)
    assert (row["positives"], row["studies"], row["patients"], row["model"]) == (2, 9, 3, "m")


def test_a_place_is_judged_by_all_figures_or_by_some_and_only_all_have_errors():
    panel = make_panel(1.2, studies=80)
    judged = Judged.by(panel, panel)
    some = list(scorecard._judge({"view": "set"}, judged, ("auc",)))
    assert {row["metric"] for row in some} == {"auc", "classes"}
    every = list(scorecard._judge({"view": "pool"}, judged, scorecard.METRICS))
    metrics = {row["metric"] for row in every}
    assert metrics == {*scorecard.METRICS, "classes", "ece", "ece_if_calibrated"}
    mean = {row["metric"]: row for row in every if row["class"] == "mean"}
    kept = [name for name, one in judged.classes().items() if name != "abnormal" and scorecard.has_enough(one)]
    assert mean["classes"]["value"] == len(kept) and mean["classes"]["studies"] == 80
    assert mean["classes"]["patients"] == mean["auc"]["patients"] == 40
    error, band = (
        next(row for row in every if (row["class"], row["metric"]) == ("Mass", name))
        for name in ("ece", "ece_if_calibrated")
    )
    assert error["value"] is not None and error["low"] is None and band["low"] < band["value"] < band["high"]
    empty = next(row for row in scorecard._errors({}, "x", one_class(1, 0)))
    assert empty["value"] is None and empty["remark"] == "too few"


def test_places_are_the_pool_its_sets_and_what_experts_read_together_and_by_source():
    panel = make_panel(1.2, studies=30)
    experts = {("nih_cxr14", panel.study_id[0])}
    model = scorecard._Model("m", None, "validation", Judged.by(panel, panel))
    sets = {"validation": panel.study_id[1:3], "test": panel.study_id[5:]}
    found = [(p["source"], p["view"], len(judged.panel)) for p, judged in scorecard._places(model, sets, experts)]
    assert found == [
        ("all", "pool", 30),
        ("all", "set", 2),
        ("all", "expert", 1),
        ("ccsmtl", "pool", 20),
        ("ccsmtl", "set", 2),
        ("nih_cxr14", "pool", 10),
        ("nih_cxr14", "expert", 1),
    ]
    assert [p["view"] for p, _ in scorecard._places(model, {}, set())] == ["pool"] * 3


def headline_row(model: str, metric: str, value: float | None, **place) -> dict:
    fixed = {"source": "all", "pool": "validation", "view": "pool", "class": "mean", "positives": 4, "studies": 9}
    return {**fixed, "model": model, "metric": metric, "value": value, "low": None, "high": 0.75, **place}


def test_headlines_name_rules_then_models_then_the_ensemble_of_one_pool():
    rows = [
        headline_row(model, metric, value)
        for model in ("b", "ensemble", "rule:mean", "a")
        for metric, value in (("auc", 0.5), ("f1", None), ("classes", 7.0))
    ]
    rows += [headline_row("c", "auc", 0.9, **{"class": "Mass"}), headline_row("c", "auc", 0.9, view="set")]
    found = list(scorecard._headlines(rows, "validation", "all"))
    assert [one.model for one in found] == ["rule:mean", "a", "b", "ensemble"]
    assert found[0].classes == 7 and found[0].auc.high == 0.75 and np.isnan(found[0].auc.low)
    assert np.isnan(found[0].f1.value) and (found[0].f1.positives, found[0].f1.studies) == (4, 9)
    assert list(scorecard._headlines(rows, "test", "all")) == []
    assert scorecard.shown_pool(rows) == "validation"
    assert scorecard.shown_pool([*rows, headline_row("x", "auc", 0.1, pool="test")]) == "test"


def test_subgroups_are_corrected_in_each_pool_by_itself():
    rows = [{"pool": pool, "p_value": p} for pool in ("test", "validation") for p in (0.01, 0.04, None)]
    found = scorecard._with_q(rows)
    assert [row["pool"] for row in found] == ["validation"] * 3 + ["test"] * 3
    assert [row["q_value"] for row in found] == [0.02, 0.04, None] * 2


# --- what answers without anything to go by --------------------------------------------------------------------------
def test_curves_without_both_kinds_are_empty():
    score = np.array([0.2, 0.6, 0.9])
    for label in ([0, 0, 0], [1, 1, 1], [-9, -9, -9]):
        assert [len(part) for part in curves.roc_points(score, np.array(label))] == [0, 0]
    assert [len(part) for part in curves.precision_recall_points(score, np.array([0, 0, -9]))] == [0, 0]
    assert [len(part) for part in curves.precision_recall_points(score, np.array([1, 1, 1]))] == [3, 3]


def test_a_bin_of_two_patients_has_a_width_and_one_of_one_has_none():
    score, label = np.array([0.05, 0.05, 0.95, 0.95]), np.array([0, 1, 1, 1])
    low, high = curves.reliability_interval(score, label, np.array([1, 2, 3, 3]), 2)
    assert np.isfinite([low[0], high[0]]).all() and np.isnan([low[1], high[1]]).all()


def test_sides_that_were_not_learned_say_nothing():
    grid = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    assert Sides().score(grid) == 0.0 and not Sides().is_mirrored(grid)
    assert not Sides(threshold=0.5).is_mirrored(grid), "without weights no score is of anything"


def test_studies_are_as_many_groups_as_their_numbers_say():
    found = Studies.of(np.array([0.1, 0.4, 0.9]), np.array([0, 1, 1]), np.array([0, 4, 2]))
    assert found.groups == 5 and found.by_group(np.ones(3)).tolist() == [1, 0, 1, 0, 1]
    assert Studies.of(np.zeros(0), np.zeros(0), np.zeros(0, dtype=int)).groups == 0
    assert Ranked.of(np.zeros(0), np.zeros(0)).starts.tolist() == []
    assert Ranked.of(np.full(1, 0.5), np.ones(1)).starts.tolist() == [0]


def test_a_slope_is_kept_between_a_twentieth_and_twenty():
    logits, share = np.r_[np.full(100_000, -0.1), np.full(100_000, 0.1)], np.repeat([0.0, 1.0], 100_000)
    assert fit_expected(logits, 0.15 + 0.7 * share).a == pytest.approx(np.log(0.85 / 0.15) / 0.1, rel=0.02)
    assert fit_expected(logits, 0.1 + 0.8 * share).a == 1.0, "22 would be steeper than is allowed"
    assert fit_expected(4 * np.sign(logits), 1 - share).a == 1.0, "reversed"
    flat = fit_platt(9 * np.sign(logits), np.tile([0, 1], 100_000))
    assert flat.a == 1.0, "below a twentieth nothing would be left of the ranking"
    assert fit_platt(logits, np.ones(200_000)) == Calibration() == fit_platt(np.zeros(0), np.zeros(0))
    assert Calibration()(np.array([-2.0, 0.5])).tolist() == [-2.0, 0.5]


def test_thresholds_without_a_positive_are_a_half():
    cuts = best_cuts(np.array([[0.2, 0.3], [0.6, 0.9]]), np.array([[0, 0], [1, 0]]))
    assert cuts[0] == pytest.approx(0.4) and np.isnan(cuts[1]), "half way between the kinds"
    assert filled(cuts).tolist() == pytest.approx([0.4, 0.5])
    panel = make_panel(1.0, studies=40)
    assert validation_cuts(panel)[13] == 0.5, "no study has this class"
    assert validation_cuts(panel).tolist() == filled(best_cuts(*_validation(panel))).tolist()


def _validation(panel):
    kept = panel.pool == "validation"
    return panel.probability[kept], panel.label[kept]


def test_without_a_class_to_judge_by_the_first_rule_is_taken():
    panels = [replace(one, label=np.zeros_like(one.label)) for one in (make_panel(1.0, studies=12),) * 2]
    rule, means = choose_rule(("a", "b"), panels)
    assert rule == "mean_probability" and all(np.isnan(mean) for mean in means.values())
    alone, _ = choose_rule(("a",), panels[:1])
    assert alone == "single:a"


def test_curves_that_settle_at_once_are_left_as_they_are():
    panel = make_panel(1.0, studies=30)
    fits = (Calibration(),) * panel.label.shape[1]
    assert settled(fits, "met", panel.logit, np.zeros_like(panel.label)) == fits


# --- reliability and familiarity -------------------------------------------------------------------------------------
def test_ten_neighbours_of_enough_patients_speak_and_nine_do_not():
    def asked(count):
        known = np.linspace(0.45, 0.55, count)
        return reliability.Reliability(((known, np.ones(count, dtype=np.int8), np.arange(count)),)).of(0, 0.5)

    assert asked(9) is None and asked(10).studies == 10 and asked(10).share == 1.0
    assert asked(100).studies == 100 and asked(160).studies == 100


@pytest.mark.parametrize(("value", "start"), [(0.0, 0), (0.34, 2), (0.5, 4), (0.52, 4), (1.0, 8)])
def test_the_nearest_begin_where_none_outside_is_nearer(value, start):
    ordered = np.linspace(0, 1, 11)
    found = reliability._nearest(ordered, value, 3)
    nearest = np.sort(np.abs(ordered - value))[:3]
    assert found == start and np.sort(np.abs(ordered[found : found + 3] - value)) == pytest.approx(nearest)


def test_what_was_held_is_sorted_by_probability_and_leaves_out_what_does_not_count():
    panel = make_panel(1.2, studies=24)
    panel.probability[3, 2], panel.label[3, 2] = np.nan, -9
    using = SimpleNamespace(
        ensemble=_single(), panel=lambda name: replace(panel, pool=np.full(24, "validation", dtype=object))
    )
    made = reliability._made(using)
    assert len(made.by_class) == 21
    for column, (known, label, patient) in enumerate(made.by_class):
        counts = np.isin(panel.label[:, column], (0, 1))
        assert len(known) == len(label) == len(patient) == counts.sum()
        assert (np.diff(known) >= 0).all() and label.sum() == (panel.label[:, column] == 1).sum()
        assert len(np.unique(patient)) <= 12 and patient.dtype == np.int64


def _single():
    from radia_pipeline.evaluation.ensemble import fit_ensemble

    return fit_ensemble("single:m", ("m",), [make_panel(1.2, studies=24)])


def test_files_of_another_version_are_none(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    gaussian = familiarity.fit_gaussian(rng.normal(size=(30, 4)), [np.ones(30, dtype=bool)])
    familiarity.save_gaussian(tmp_path, gaussian, {})
    path = familiarity.sides_path(tmp_path, ["a", "b"])
    familiarity.save_sides(path, Sides((0.5,), -1.0, 0.01, 0.9))
    assert familiarity.load_sides(path) == Sides((0.5,), -1.0, 0.01, 0.9)
    assert path != familiarity.sides_path(tmp_path, ["a", "c"])
    monkeypatch.setattr(familiarity, "FAMILIARITY_VERSION", familiarity.FAMILIARITY_VERSION + 1)
    assert familiarity.load_gaussian(tmp_path) is None and familiarity.load_sides(path) is None


def test_a_kind_of_twenty_five_films_has_a_centre_and_one_of_twenty_four_has_none():
    films = np.random.default_rng(1).normal(size=(80, 4))
    for count, centres in ((25, 2), (24, 1)):
        kinds = [np.arange(80) >= count, np.arange(80) < count]
        assert len(familiarity.fit_gaussian(films, kinds).means) == centres
    assert familiarity.fit_gaussian(films[:4], []).axes.shape[1] == 3, "one fewer than films"
    assert familiarity.fit_gaussian(films, []).components(films[0], 2).shape == (2,)


def test_a_group_always_falls_on_the_same_digit():
    assert _digit("patient") == _digit("patient") and 0 <= _digit("patient") < 256
    assert len({_digit(f"p{number}") for number in range(200)}) > 90


def test_rows_without_a_score_are_no_cells_of_a_panel():
    panel = make_panel(1.0, studies=6)
    panel.probability[2, 4] = np.nan
    table = rows_of(panel, "m")
    again = panel_of(table)
    assert table.num_rows == 6 * 21 - 1
    order = np.argsort([f"{s}/{i}" for s, i in zip(panel.source, panel.study_id)])
    assert np.isnan(again.probability[order.tolist().index(2), 4]) and again.label[order.tolist().index(2), 4] == -9
    assert np.array_equal(again.probability, panel.probability[order], equal_nan=True)
    assert panel_of(table.slice(0, 1)).study_id.tolist() == [panel.study_id[0]], "one row is a panel"

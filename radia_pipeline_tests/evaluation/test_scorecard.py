"""The scorecard: no figure without interval and positives, thresholds from validation, quota view apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import MissingTable
from radia_pipeline.evaluation import ensemble, metrics, release, scorecard
from radia_pipeline.evaluation.combinations import RULES
from radia_pipeline.evaluation.judged import Judged
from radia_pipeline.evaluation.judged_models import judged_model
from radia_pipeline.evaluation.panel import read_panel
from radia_pipeline_tests.evaluation.worlds import figures, key, make_lake, make_panel, on_test, put_manifest

SKILLS = {"one": 1.5, "two": 1.2}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """An ensemble that was released once, and its scorecard."""
    lake = make_lake(tmp_path_factory.mktemp("lake"), SKILLS, studies=480)
    ensemble.build_ensemble(lake, list(SKILLS))
    put_manifest(lake, make_panel(1.0, studies=480))
    panel = read_panel(lake, "one").take(np.arange(40))
    rows = [
        {
            "set_name": "validation",
            "set_version": "v",
            "source": s,
            "class": "Edema",
            "study_id": i,
            "image_id": key("image", i),
            "patient_key": p,
            "group_id": g,
        }
        for s, i, p, g in zip(panel.source, panel.study_id, panel.patient_key, panel.group_id)
    ]
    lake.write("evaluation_sets", rows)
    assert release.release(lake, release.Release("a person", "first release"), on_test(SKILLS, studies=480))
    return lake, scorecard.build_scorecard(lake)


def rows_at(lake, **place):
    return [row for row in lake.read("scorecard").to_pylist() if all(row[k] == v for k, v in place.items())]


def test_every_figure_comes_with_interval_positives_and_patients(judged):
    rows = [row for row in judged[0].read("scorecard").to_pylist() if row["value"] is not None]
    assert len(rows) > 1000
    for row in rows:
        if row["metric"] not in ("ece", "classes"):
            assert row["low"] < row["high"]
        assert row["patients"] >= 2


def test_a_class_without_positives_says_too_few(judged):
    empty = vocabulary().classes[13]
    rows = rows_at(judged[0], model="one", view="pool", source="all", **{"class": empty})
    said = {row["metric"]: (row["value"], row["remark"]) for row in rows}
    assert said["auc"] == said["sensitivity"] == (None, "too few")
    assert said["specificity"][1] is None


def test_figures_equal_the_metrics_of_the_predictions(judged):
    lake, _ = judged
    pool = read_panel(lake, "one")
    k = vocabulary().index("Edema")
    (row,) = rows_at(
        lake, model="one", source="all", pool="validation", view="pool", **{"class": "Edema", "metric": "auc"}
    )
    assert row["value"] == pytest.approx(metrics.auc(pool.probability[:, k], pool.label[:, k]))
    assert row["positives"] == int((pool.label[:, k] == 1).sum())
    assert row["studies"] == int(metrics.counted(pool.label[:, k]).sum())


def test_test_decisions_use_the_threshold_of_validation(judged):
    lake, _ = judged
    panels, k = release.released_panels(lake), vocabulary().index("Mass")
    for name, test in panels.items():
        validation = read_panel(lake, name)
        cut, _ = metrics.best_f1_threshold(validation.probability[:, k], validation.label[:, k])
        if name == "ensemble":
            cut = ensemble.load_ensemble(lake).thresholds[k]
        expected = figures(test.probability[:, k], test.label[:, k], cut)["f1"]
        place = {"model": name, "source": "all", "pool": "test", "view": "pool"}
        (row,) = rows_at(lake, **place, **{"class": "Mass", "metric": "f1"})
        assert row["value"] == pytest.approx(expected)


def test_decisions_on_validation_are_not_fitted_on_the_patients_they_judge(judged):
    """In-sample best thresholds would flatter F1: over classes the cross-fitted ones lie below."""
    lake, _ = judged
    panel = read_panel(lake, "one")
    flattered = [metrics.best_f1_threshold(panel.probability[:, k], panel.label[:, k])[1] for k in range(13)]
    place = {"model": "one", "source": "all", "pool": "validation", "view": "pool", "metric": "f1"}
    rows = {row["class"]: row["value"] for row in rows_at(lake, **place)}
    honest = [rows[name] for name in vocabulary().classes[:13]]
    assert np.mean(honest) < np.mean(flattered) - 0.005


def test_abnormal_is_the_complement_of_no_finding(judged):
    place = {"model": "one", "source": "all", "pool": "validation", "view": "pool"}
    rows = {
        name: rows_at(judged[0], **place, **{"class": name, "metric": "auc"})[0] for name in ("abnormal", "No Finding")
    }
    assert rows["abnormal"]["value"] == pytest.approx(rows["No Finding"]["value"])
    assert rows["abnormal"]["positives"] == rows["No Finding"]["studies"] - rows["No Finding"]["positives"]


def test_the_mean_leaves_out_classes_with_too_few_positives(judged):
    lake, _ = judged
    place = {"model": "one", "source": "all", "pool": "validation", "view": "pool"}
    (count,) = rows_at(lake, **place, **{"class": "mean", "metric": "classes"})
    assert count["value"] == len(vocabulary().classes) - 1


def test_the_mean_of_the_pathologies_is_of_them_and_that_of_the_groups_of_the_groups(judged):
    lake, _ = judged
    place = {"model": "one", "source": "all", "pool": "validation", "view": "pool", "metric": "auc"}
    figures = {row["class"]: row["value"] for row in rows_at(lake, **place) if row["value"] is not None}
    words = vocabulary()
    for mean, names in (
        ("mean", words.classes),
        ("mean_pathologies", words.pathologies),
        ("mean_groups", (*words.finding_groups, *words.unions)),
    ):
        assert figures[mean] == pytest.approx(np.mean([figures[name] for name in names if name in figures])), mean


def test_every_rule_that_could_have_been_chosen_is_reported_on_validation_alone(judged):
    lake, result = judged
    assert {f"rule:{rule}" for rule in RULES} < set(result.models)
    assert {"one", "two", "ensemble"} < set(result.models)
    used = set(ensemble.load_ensemble(lake).used_members)
    assert {row["model"] for row in rows_at(lake, pool="test")} == {"ensemble", *used}


def test_calibration_error_stands_beside_its_band(judged):
    place = {"model": "ensemble", "source": "all", "pool": "validation", "view": "pool", "class": "Mass"}
    rows = {row["metric"]: row for row in rows_at(judged[0], **place)}
    assert rows["ece"]["low"] is None
    assert rows["ece_if_calibrated"]["low"] < rows["ece_if_calibrated"]["high"]


def test_the_quota_view_has_no_figure_that_depends_on_prevalence(judged):
    lake, _ = judged
    rows = rows_at(lake, view="set")
    assert {row["metric"] for row in rows} == {*scorecard.SET_METRICS, "classes"}
    assert max(row["studies"] for row in rows) <= 40


def test_sources_are_judged_apart_and_together(judged):
    lake, _ = judged
    rows = rows_at(lake, model="one", pool="validation", view="pool", **{"class": "Air", "metric": "auc"})
    parts = {row["source"]: row for row in rows}
    assert parts["all"]["positives"] == parts["ccsmtl"]["positives"] + parts["nih_cxr14"]["positives"]


def test_headlines_end_with_the_ensemble(judged):
    lake, result = judged
    lines = scorecard.headlines(lake)
    assert lines == list(result.headline)
    assert lines[-1].model == "ensemble"
    assert lines[-1].auc.low < lines[-1].auc.value < lines[-1].auc.high


def test_same_predictions_give_the_same_scorecard(judged):
    lake, result = judged
    assert scorecard.build_scorecard(lake).version == result.version


def test_without_predictions_the_error_says_what_to_do(tmp_path):
    with pytest.raises(MissingTable, match="train a recipe"):
        scorecard.build_scorecard(make_lake(tmp_path, {}))


def put_reading_set(lake, waiting: int = 0) -> None:
    """Publish a set of 60 studies of weight 2 whose truth is the label of Edema; so many cells still wait."""
    panel, k = read_panel(lake, "one").take(np.arange(60)), vocabulary().index("Edema")
    fixed = {
        "set_id": "validation-1",
        "pool": "validation",
        "stratum": "rest",
        "inclusion_probability": 0.5,
        "frame_studies": 120,
        "frame_groups": 120,
        "members_sha256": "0" * 64,
        "seed": 0,
        "vocabulary_version": "1",
    }
    studies = list(zip(panel.study_id.tolist(), panel.source.tolist(), panel.group_id.tolist()))
    lake.write("reading_sets", [{**fixed, "study_id": i, "source": s, "group_id": g} for i, s, g in studies])
    lake.write(
        "label_truth",
        [
            {
                "set_id": "validation-1",
                "study_id": i,
                "class": "Edema",
                "source": s,
                "present": 0,
                "readers": 2,
                "weight": 2.0,
                "value": None if n < waiting else int(panel.label[n, k] == 1),
                "is_simulated": False,
                "rule": "waits_for_reader" if n < waiting else "agreement",
            }
            for n, (i, s, _) in enumerate(studies)
        ],
    )


@pytest.mark.parametrize("waiting", [0, 1])
def test_a_complete_reading_set_is_a_view_of_its_own(tmp_path, waiting):
    lake = make_lake(tmp_path, {"one": 1.5}, studies=480)
    put_reading_set(lake, waiting)
    scorecard.build_scorecard(lake)
    rows = {row["metric"]: row for row in rows_at(lake, view="readings")}
    if waiting:
        assert rows == {}
        return
    panel, k = read_panel(lake, "one").take(np.arange(60)), vocabulary().index("Edema")
    truth = (panel.label[:, k] == 1).astype(int)
    assert rows["auc"]["value"] == pytest.approx(metrics.auc(panel.probability[:, k], truth))
    assert rows["prevalence"]["low"] < truth.mean() == pytest.approx(rows["prevalence"]["value"])
    assert {row["class"] for row in rows.values()} == {"Edema"}


def test_decisions_on_a_set_of_validation_are_those_of_other_patients_study_by_study(tmp_path):
    """A mean of the folds' thresholds, or one of all of validation, decides otherwise."""
    lake = make_lake(tmp_path, {"one": 1.5}, studies=480)
    put_reading_set(lake)
    scorecard.build_scorecard(lake)
    model, k = judged_model(lake, "one", "validation"), vocabulary().index("Edema")
    truth = (read_panel(lake, "one").take(np.arange(60)).label[:, k] == 1).astype(int)
    calls = model.calls[:60, k]
    (row,) = rows_at(lake, view="readings", metric="sensitivity")
    assert row["value"] == pytest.approx(calls[truth == 1].mean())
    assert len(np.unique(model.tuned[:60, k])) > 1


def test_folds_without_a_positive_do_not_turn_the_ranking_of_a_small_pool_around():
    """A fold that holds the only positives is calibrated on others without: its scores came out lowest, AUC .2."""
    aucs = []
    for seed in range(6):
        panel = make_panel(1.5, seed=seed, noise_seed=seed + 50, studies=60).only(pool="validation")
        label = np.where(panel.label == -9, 0, panel.label)
        label[4:] = np.where(np.random.default_rng(seed).random(label[4:].shape) < 0.9, 0, label[4:])
        panels = [replace(panel, label=label)]
        chosen = ensemble.fit_ensemble("single:a", ("a",), panels)
        judged = Judged.ensemble_cross_fitted(chosen, panels)
        k = vocabulary().index("Fracture")
        alone = metrics.auc(panel.probability[:, k], label[:, k])
        if np.isfinite(alone):
            aucs.append((metrics.auc(judged.panel.probability[:, k], label[:, k]), alone))
    assert aucs and all(found == pytest.approx(alone) for found, alone in aucs)

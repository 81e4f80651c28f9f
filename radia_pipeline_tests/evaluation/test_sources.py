"""Trained on x tested on: sources that a model did not learn from, and sets that experts read beside weak ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radia_pipeline.cohort.manifest import build_manifest
from radia_pipeline.cohort.official import place_patients
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import gate, gate_differences
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.evaluation.champion import APPROVED, Act, Candidate, append, now, publish
from radia_pipeline.evaluation.ensemble import build_ensemble
from radia_pipeline.evaluation.panel import Panel, rows_of
from radia_pipeline.evaluation.pool_uses import uses
from radia_pipeline.evaluation.release import Release, release, release_id
from radia_pipeline.evaluation.scorecard import build_scorecard, trained_on
from radia_pipeline.labels.build import build_labels
from radia_pipeline.pages.scorecard_figures import matrix
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.sources.registry import source
from radia_pipeline.training.studies import evaluation_labels, pool_studies, read_manifest
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images
from radia_pipeline_tests.evaluation.champions import steady
from radia_pipeline_tests.evaluation.worlds import put_card
from radia_pipeline_tests.training.synthetic import tiny_recipe

PATIENTS = {"chexpert": 120, "vindr_cxr": 84, "padchest": 90}
"""CheXpert: a twelfth is its validation set, read by experts, the rest weak; VinDr: all by experts, a sixth is test;
PadChest: weak, without lists."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """A lake that follows the publishers' lists, with a model that learned from CheXpert alone and was released."""
    deliveries = tmp_path_factory.mktemp("deliveries")
    write_phantom(deliveries, seed=5, patients=PATIENTS, size_px=64)
    lake = new_lake(tmp_path_factory.mktemp("home"))
    for name in PATIENTS:
        facts = source(name).facts(source(name).locate(deliveries))
        rows = [image_row(name, f.native_image_id, f.native_patient_id, f.native_study_id) for f in facts.values()]
        put_images(lake, name, rows)
        build_labels(name, source(name).locate(deliveries), lake, KEYS, {})
    place_patients(lake, KEYS, deliveries, "respect")
    for name in PATIENTS:
        build_manifest(name, lake)
    put_card(lake, "here", {"chexpert": "1" * 64})
    lake.write("predictions", rows_of(said_of(lake, "validation"), "here"), "here")
    build_ensemble(lake, ["here"])
    release(lake, Release("a person", "to look at sources"), lambda *_: rows_of(said_of(lake, "test"), "here"))
    build_scorecard(lake)
    return lake


def said_of(lake, pool: str) -> Panel:
    """What a model might say of a pool and its held splits: their labels and noise."""
    table, _ = read_manifest(lake, None)
    numbers = {image: row for row, image in enumerate(table.column("image_id").to_pylist())}
    rng, parts = np.random.default_rng(len(pool)), []
    for is_held in (False, True):
        found = pool_studies(table, tiny_recipe(), pool, numbers, held=is_held)
        label = evaluation_labels(found)
        logit = 3.0 * (label == 1) + rng.normal(size=label.shape) - 1.5
        shape = np.full(len(found), pool, dtype=object)
        ids = (found.source, found.study_id, found.patient_key, found.group_id)
        is_it = np.full(len(found), is_held)
        parts.append(Panel(*ids, shape, found.image_counts, logit, sigmoid(logit), label, is_it))
    return Panel(*(np.concatenate([getattr(one, name) for one in parts]) for name in Panel.__dataclass_fields__))


def rows_at(lake, **place) -> list[dict]:
    return [row for row in lake.read("scorecard").to_pylist() if all(row[k] == v for k, v in place.items())]


def sources_of(lake, **place) -> dict[str, int]:
    """Return the sources of rows at a place, and the most studies behind a figure of each."""
    found: dict[str, int] = {}
    for row in rows_at(lake, **place):
        found[row["source"]] = max(found.get(row["source"], 0), row["studies"])
    return found


@pytest.mark.parametrize(
    ("pool", "name", "share", "rest"),
    [("validation", "chexpert", 12, {"all", "padchest"}), ("test", "vindr_cxr", 6, {"all", "padchest"})],
)
def test_a_split_that_experts_read_is_judged_apart_and_in_no_figure_of_its_pool(judged, pool, name, share, rest):
    assert set(sources_of(judged, model="here", pool=pool, view="held")) == {name}
    assert set(sources_of(judged, model="here", pool=pool, view="pool")) == rest
    assert sources_of(judged, model="here", pool=pool, view="expert") == {}, "PadChest's labels are weak"
    places = [(row["source"], row["excluded"]) for row in judged.read("splits").to_pylist()]
    assert places.count((name, "held")) == PATIENTS[name] // share


def test_figures_on_expert_sets_have_a_width(judged):
    rows = [row for row in rows_at(judged, view="held") if row["low"] is not None]
    assert rows and all(row["low"] < row["high"] for row in rows)


def test_the_matrix_says_what_a_model_did_not_learn_from(judged):
    assert trained_on(judged, ["here"]) == "chexpert"
    for pool, foreign in (("validation", {"padchest"}), ("test", {"padchest", "vindr_cxr, held"})):
        found = matrix(judged.read("scorecard").to_pylist(), pool)
        (row,) = [row for row in found["rows"] if row["name"] == "here"]
        assert {name for name, one in zip(found["columns"], row["cells"]) if one["is_foreign"]} == foreign


def test_what_a_model_was_trained_on_does_not_change_with_todays_manifests(judged):
    put_card(judged, "there", {"padchest": "2" * 64, "vindr_cxr": "3" * 64})
    assert trained_on(judged, ["there"]) == "padchest, vindr_cxr"
    assert trained_on(judged, ["here", "there"]) == "chexpert, padchest, vindr_cxr"
    assert trained_on(judged, ["nobody"]) is None


def test_a_model_has_learned_what_the_one_that_it_started_from_had(judged):
    put_card(judged, "tuned", {"padchest": "2" * 64}, init_from="here")
    assert trained_on(judged, ["tuned"]) == "chexpert, padchest"
    put_card(judged, "orphan", {"padchest": "2" * 64}, init_from="gone")
    assert trained_on(judged, ["orphan"]) is None


def test_rows_that_a_late_link_excludes_are_no_studies_of_a_release(judged):
    before = uses(judged)[-1].studies
    for name in ("vindr_cxr", "padchest"):
        rows = judged.read("manifest", name).to_pylist()
        out = next(row["study_id"] for row in rows if row["pool"] == "test")
        rows = [{**row, "excluded": "late_link" if row["study_id"] == out else row["excluded"]} for row in rows]
        judged.write("manifest", rows, name)
    panel = said_of(judged, "validation")
    moved = replace(panel, probability=panel.probability**2)
    judged.write("predictions", rows_of(moved, "here"), "here")
    build_ensemble(judged, ["here"])
    release(judged, Release("a person", "again"), lambda *_: rows_of(said_of(judged, "test"), "here"))
    assert uses(judged)[-1].studies == before - 2 == len(said_of(judged, "test"))


def test_the_gate_judges_held_splits_of_validation_and_of_the_released_test_pool(judged, monkeypatch):
    def verdicts() -> dict[str, gate.Verdict]:
        found = gate.judge(judged, pace=steady()).verdicts
        return {one.subject: one for one in found if one.rule == "expert_sets"}

    found = verdicts()
    assert set(found) == {"chexpert, held in validation", "vindr_cxr, held in test"}
    assert {one.outcome for one in found.values()} == {"not judged"}, "a phantom's sets are too small for 30 positives"
    assert found["vindr_cxr, held in test"].found.studies in (13, 14)  # a sixth; one is excluded above
    monkeypatch.setattr(gate_differences, "SUBGROUP_POSITIVES", 1)
    alone = verdicts()
    assert all("fixed minimum" in one.detail and one.bound == 0.5 for one in alone.values())
    kept = Candidate(
        release_id(judged),
        judged.version("ensemble"),
        {"here": "f"},
        {
            "here": judged.version("predictions", "here"),
            "ensemble": judged.version("predictions", "ensemble"),
            "test_predictions": judged.version("test_predictions"),
        },
        vocabulary().version,
    )
    act = Act(now(), APPROVED, "a person", "to look at sets", kept, "research")
    append(judged, act)
    publish(judged, act)
    same = verdicts()
    assert all(one.found.value == 0 and one.outcome == "passed" for one in same.values())
    worse = said_of(judged, "test")
    blind = np.where((worse.source == "vindr_cxr")[:, None], -worse.logit, worse.logit)
    worse = replace(worse, logit=blind, probability=sigmoid(blind))
    panel = said_of(judged, "validation")
    judged.write("predictions", rows_of(replace(panel, probability=panel.probability**1.5), "here"), "here")
    build_ensemble(judged, ["here"])
    release(judged, Release("a person", "blind at one place"), lambda *_: rows_of(worse, "here"))
    after = verdicts()
    test, validation = after["vindr_cxr, held in test"], after["chexpert, held in validation"]
    assert (test.outcome, validation.outcome) == ("refused", "passed")
    assert "surely worse" in test.detail and test.found.high < 0

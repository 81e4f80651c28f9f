"""The rule is chosen on validation only, and what is published can be applied again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import EmptyPool, MissingTable, UnknownName
from radia_pipeline.evaluation import ensemble
from radia_pipeline.evaluation.panel import aligned, panel_of, read_panel, rows_of
from radia_pipeline_tests.evaluation.worlds import figures, make_lake, make_panel

PROBABILITIES = arrays(np.float64, (3, 4, 2), elements=st.floats(0, 1))


@given(PROBABILITIES, st.permutations([0, 1, 2]))
@settings(max_examples=50, deadline=None)
def test_combinations_lie_between_minimum_and_maximum_whatever_the_order(p, order):
    names = ("a", "b", "c")
    for rule in ensemble.COMBINATIONS:
        mixed = ensemble.combine(rule, names, p)
        assert (mixed >= p.min(axis=0) - 1e-9).all()
        assert (mixed <= p.max(axis=0) + 1e-9).all()
        assert np.allclose(mixed, ensemble.combine(rule, names, p[list(order)]))


def test_an_unknown_rule_names_the_known_ones():
    with pytest.raises(UnknownName, match="mean_probability"):
        ensemble.combine("median", ("a", "b"), np.zeros((2, 1, 1)))


def test_equal_members_are_averaged_and_beat_each_alone(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5, "two": 1.5, "three": 1.5})
    result = ensemble.build_ensemble(lake, ["one", "two", "three"])
    assert result.rule in ("mean_probability", "mean_logit")
    assert result.validation_auc["mean_probability"] > result.validation_auc["single:one"]
    assert set(result.validation_auc) == set(ensemble.candidate_rules(result.members))


def test_a_useless_member_is_left_out(tmp_path):
    lake = make_lake(tmp_path, {"good": 2.5, "blind": 0.0})
    assert ensemble.build_ensemble(lake, ["good", "blind"]).rule == "single:good"


def test_the_choice_does_not_see_the_test_pool():
    panels = aligned([make_panel(1.0, noise_seed=1), make_panel(0.5, noise_seed=2)])
    validation = [panel.only(pool="validation") for panel in panels]
    spoiled = [replace(p, probability=np.where((p.pool == "test")[:, None], 0.5, p.probability)) for p in panels]
    again = [panel.only(pool="validation") for panel in spoiled]
    assert ensemble.choose_rule(("a", "b"), validation) == ensemble.choose_rule(("a", "b"), again)


def test_published_ensemble_reproduces_its_predictions(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5, "two": 1.2})
    ensemble.build_ensemble(lake, ["one", "two"])
    loaded, published = ensemble.load_ensemble(lake), read_panel(lake, "ensemble")
    members = {name: read_panel(lake, name).probability for name in ("one", "two")}
    _, probability = loaded.predict(members)
    assert np.allclose(probability, published.probability)


def test_calibrated_probabilities_have_the_prevalence_of_validation(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5}, studies=1200)
    ensemble.build_ensemble(lake, ["one"])
    pool = read_panel(lake, "ensemble").only(pool="validation")
    found = figures(pool.probability[:, 0], pool.label[:, 0])
    assert found["mean_probability"] == pytest.approx(found["prevalence"], abs=0.01)
    assert found["ece"] < 0.05


def test_a_class_without_positives_has_no_threshold_and_no_auc(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5})
    ensemble.build_ensemble(lake, ["one"])
    (row,) = [r for r in lake.read("ensemble").to_pylist() if r["class"] == vocabulary().classes[13]]
    assert row["threshold"] is None
    assert row["validation_auc"] is None
    assert row["validation_positives"] == 0


def test_building_twice_gives_the_same_version(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5, "two": 1.4})
    first = ensemble.build_ensemble(lake, ["one", "two"])
    assert ensemble.build_ensemble(lake, ["two", "one"]).version == first.version


def test_members_are_aligned_on_their_common_studies(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5, "two": 1.4})
    part = make_panel(1.0).take(np.arange(100)[::-1])
    lake.write("predictions", rows_of(part, "part"), "part")
    result = ensemble.build_ensemble(lake, ["one", "two", "part"])
    assert result.left_out_studies == 300
    assert len(read_panel(lake, "ensemble")) == 100


def test_absent_predictions_and_an_empty_validation_pool_are_named(tmp_path):
    lake = make_lake(tmp_path, {})
    with pytest.raises(MissingTable, match="predictions/nobody"):
        ensemble.build_ensemble(lake, ["nobody"])
    lake.write("predictions", rows_of(make_panel(1.0).only(pool="test"), "one"), "one")
    with pytest.raises(EmptyPool, match="validation"):
        ensemble.build_ensemble(lake, ["one"])


def test_a_panel_survives_the_table():
    panel = make_panel(1.0, studies=30)
    again = panel_of(rows_of(panel, "x"))
    order = np.argsort(np.char.add(panel.source.astype(str), panel.study_id.astype(str)))
    assert np.array_equal(again.label, panel.label[order])
    assert np.array_equal(again.logit, panel.logit[order])

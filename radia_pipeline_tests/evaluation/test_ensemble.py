"""The rule is chosen on validation only, and what is published can be applied again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from radia_pipeline.contracts.tables import conform
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import ContractViolation, EmptyPool, MissingTable, UnknownName
from radia_pipeline.evaluation import coherence, ensemble, metrics
from radia_pipeline.evaluation.combinations import RULES
from radia_pipeline.evaluation.ensemble import Combination
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.panel import aligned, panel_of, read_panel, rows_of
from radia_pipeline_tests.evaluation.worlds import figures, make_lake, make_panel

PROBABILITIES = arrays(np.float64, (3, 4, 2), elements=st.floats(0, 1))


LABEL = np.array([[0, 1], [1, 0], [0, 1], [1, 0]])


def combined(rule: str, members: tuple[str, ...], p: np.ndarray, label: np.ndarray = LABEL) -> np.ndarray:
    """What a rule that was fitted on a pool says of it."""
    return Combination.fitted(rule, members, p, label)(dict(zip(members, p)))


@given(PROBABILITIES, st.permutations([0, 1, 2]))
@settings(max_examples=50, deadline=None)
def test_rules_without_parameters_lie_between_minimum_and_maximum_whatever_the_order(p, order):
    names = ("a", "b", "c")
    for rule in (name for name, rule in RULES.items() if rule.fit is None):
        mixed = combined(rule, names, p)
        assert (mixed >= p.min(axis=0) - 1e-9).all()
        assert (mixed <= p.max(axis=0) + 1e-9).all()
        assert np.allclose(mixed, combined(rule, names, p[list(order)]))


@given(PROBABILITIES)
@settings(max_examples=50, deadline=None)
def test_every_rule_gives_shares_and_agrees_with_members_that_agree(p):
    names = ("a", "b", "c")
    for rule in RULES:
        assert ((combined(rule, names, p) >= 0) & (combined(rule, names, p) <= 1)).all()
    alike = np.stack([p[0]] * 3)
    for rule in ("mean_probability", "mean_logit", "geometric_mean", "median", "minimum", "maximum", "greedy"):
        assert np.allclose(combined(rule, names, alike), p[0], atol=1e-9)


def test_greedy_takes_the_good_member_and_stacking_trusts_it():
    good, bad = (make_panel(skill, noise_seed=n, studies=800) for n, skill in enumerate((2.5, 0.0), start=1))
    p = np.stack([good.probability, bad.probability])
    greedy = Combination.fitted("greedy", ("good", "bad"), p, good.label)
    assert greedy.parameters[0, 0] >= 0.9
    stacked = Combination.fitted("stacked_logistic", ("good", "bad"), p, good.label)
    assert (stacked.parameters[:13, 1] > 4 * np.abs(stacked.parameters[:13, 2])).all()


def test_ranks_of_new_studies_are_those_among_validation():
    panel = make_panel(1.0)
    one = Combination.fitted("rank_mean", ("a", "b"), np.stack([panel.probability] * 2), panel.label)
    middle = np.nanmedian(panel.probability, axis=0)[None]
    assert np.allclose(one({"a": middle, "b": middle}), 0.5, atol=0.01)


def test_an_unknown_rule_names_the_known_ones():
    with pytest.raises(UnknownName, match="mean_probability"):
        combined("mode", ("a", "b"), np.zeros((2, 4, 2)))


def test_equal_members_are_averaged_and_beat_each_alone(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5, "two": 1.5, "three": 1.5}, studies=3000)
    result = ensemble.build_ensemble(lake, ["one", "two", "three"])
    assert not result.rule.startswith("single:")
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
    """Of classes alone in the vocabulary: coherence moves the others where labels contradict it, as made-up ones do."""
    lake = make_lake(tmp_path, {"one": 1.5}, studies=2400)
    ensemble.build_ensemble(lake, ["one"])
    pool, k = read_panel(lake, "ensemble"), vocabulary().index("Fracture")
    found = figures(pool.probability[:, k], pool.label[:, k])
    assert found["mean_probability"] == pytest.approx(found["prevalence"], abs=0.01)
    assert found["ece"] < 0.05


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_every_way_to_coherence_leaves_no_class_above_its_parents(seed):
    values = np.random.default_rng(seed).normal(size=(40, len(vocabulary().classes)))
    for way in coherence.WAYS:
        out = coherence.WAYS[way](values)
        assert coherence.violations(out) == 0
        assert np.allclose(coherence.WAYS[way](out), out)


def test_published_probabilities_are_coherent_on_any_pool(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5, "two": 1.0})
    ensemble.build_ensemble(lake, ["one", "two"])
    assert coherence.violations(read_panel(lake, "one").probability) > 100
    assert coherence.violations(read_panel(lake, "ensemble").probability) == 0
    for seed in range(3):
        p = np.random.default_rng(seed).random((500, len(vocabulary().classes)))
        assert coherence.violations(ensemble.load_ensemble(lake).predict({"one": p, "two": p})[1]) == 0


def test_an_ensemble_of_one_good_and_one_useless_member_is_not_worse_than_the_good_one(tmp_path):
    good, bad = (make_panel(skill, noise_seed=n, studies=1600) for n, skill in enumerate((2.0, 0.0), start=1))
    held = good.pool == "validation"
    panels = [panel.take(held) for panel in (good, bad)]
    rule, _ = ensemble.choose_rule(("good", "bad"), panels)
    fitted = ensemble.fit_ensemble(rule, ("good", "bad"), panels)
    outside = {"good": good.probability[~held], "bad": bad.probability[~held]}
    label, kept = good.label[~held], [k for k in range(20) if k != 13]
    means = [
        np.mean([metrics.auc(score[:, k], label[:, k]) for k in kept])
        for score in (fitted.combination(outside), outside["good"])
    ]
    assert means[0] > means[1] - 0.005


def test_an_ensemble_of_an_earlier_release_is_read_and_made_coherent(tmp_path):
    lake = make_lake(tmp_path, {})
    old = {
        "rule": "mean_logit",
        "members": ["a", "b"],
        "threshold": 0.4,
        "calibration_a": 0.9,
        "calibration_b": -0.1,
        "validation_auc": None,
        "validation_positives": 5,
    }
    table = pa.Table.from_pylist([{"class": name, **old} for name in vocabulary().classes])
    lake.path("ensemble").parent.mkdir(parents=True)
    pq.write_table(table, lake.path("ensemble"))
    p = np.random.default_rng(0).random((200, len(vocabulary().classes)))
    assert coherence.violations(ensemble.load_ensemble(lake).predict({"a": p, "b": p[::-1]})[1]) == 0


def test_a_class_without_positives_has_no_threshold_and_no_auc(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5})
    ensemble.build_ensemble(lake, ["one"])
    (row,) = [r for r in lake.read("ensemble").to_pylist() if r["class"] == vocabulary().classes[13]]
    assert row["threshold"] is None
    assert row["validation_auc"] is None
    assert row["validation_positives"] == 0


def test_the_cheapest_rule_is_taken_where_nothing_can_be_told_apart(monkeypatch):
    panels = [make_panel(skill, noise_seed=number).only(pool="validation") for number, skill in enumerate((1.2, 1.0))]
    rule, means = ensemble.choose_rule(("a", "b"), panels)
    monkeypatch.setattr(ensemble, "paired_difference", lambda *_: Interval(*[float("nan")] * 3, 0, 0))
    assert ensemble.choose_rule(("a", "b"), panels) == (max(("single:a", "single:b"), key=means.get), means)
    assert rule in means


def test_building_twice_gives_the_same_version(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5, "two": 1.4})
    first = ensemble.build_ensemble(lake, ["one", "two"])
    assert ensemble.build_ensemble(lake, ["two", "one"]).version == first.version


def test_members_are_aligned_on_their_common_studies(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5, "two": 1.4})
    part = make_panel(1.0).only(pool="validation").take(np.arange(100)[::-1])
    lake.write("predictions", rows_of(part, "part"), "part")
    result = ensemble.build_ensemble(lake, ["one", "two", "part"])
    assert result.left_out_studies == 100
    assert len(read_panel(lake, "ensemble")) == 100


def test_absent_predictions_and_an_empty_validation_pool_are_named(tmp_path):
    lake = make_lake(tmp_path, {})
    with pytest.raises(MissingTable, match="predictions/nobody"):
        ensemble.build_ensemble(lake, ["nobody"])
    lake.path("predictions", "one").parent.mkdir(parents=True)
    pq.write_table(
        conform("predictions", rows_of(make_panel(1.0).only(pool="test"), "one")), lake.path("predictions", "one")
    )
    with pytest.raises(EmptyPool, match="validation"):
        ensemble.build_ensemble(lake, ["one"])


def test_test_studies_are_refused_by_the_table_and_not_read_from_an_earlier_release(tmp_path):
    lake, panel = make_lake(tmp_path, {}), make_panel(1.0)
    with pytest.raises(ContractViolation, match="pool"):
        lake.write("predictions", rows_of(panel, "one"), "one")
    lake.path("predictions", "one").parent.mkdir(parents=True)
    pq.write_table(conform("predictions", rows_of(panel, "one")), lake.path("predictions", "one"))
    assert set(read_panel(lake, "one").pool) == {"validation"}


def test_a_panel_survives_the_table():
    panel = make_panel(1.0, studies=30)
    again = panel_of(rows_of(panel, "x"))
    order = np.argsort(np.char.add(panel.source.astype(str), panel.study_id.astype(str)))
    assert np.array_equal(again.label, panel.label[order])
    assert np.array_equal(again.logit, panel.logit[order])

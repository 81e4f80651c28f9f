"""Each rule of the gate on cases made by hand: what it says, of what, by which numbers, at its bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import gate, gate_differences, gate_words
from radia_pipeline.evaluation.calibration import logit, sigmoid
from radia_pipeline.evaluation.decisions import FALSE_ALARM, MISSED, confusions, worst
from radia_pipeline.evaluation.gate_case import Case, Side, TruthOfReadings, Verdict, signed
from radia_pipeline.evaluation.gate_rules import RULES
from radia_pipeline.evaluation.intervals import Interval
from radia_pipeline.evaluation.judged import ABNORMAL, Judged, judged_classes, with_abnormal
from radia_pipeline.evaluation.subgroups import Part
from radia_pipeline_tests.evaluation.champions import flipped, panel_of_skill
from radia_pipeline_tests.evaluation.worlds import make_panel

MASS = vocabulary().index("Mass")


def judged(skill=1.6, noise=1, spoil=None, studies=420) -> Judged:
    """A model on all of its studies, by one threshold."""
    panel = with_abnormal(panel_of_skill(skill, noise, spoil, studies))
    cuts = np.full(panel.probability.shape, 0.2)
    return Judged(panel, panel.probability, cuts, cuts)


@pytest.fixture(scope="module")
def good() -> Judged:
    return judged()


def case_of(mine: Judged, theirs: Judged | None = None, **changes) -> Case:
    beside = Side(theirs, 10.0) if theirs is not None else None
    return Case(Side(mine, 10.0), beside, {}, {}, TruthOfReadings(), True, **changes)


def verdicts(rule: str, case: Case) -> list[Verdict]:
    return list(RULES[rule](case))


def test_numbers_have_their_sign():
    assert [signed(value) for value in (-0.0104, 0.0, 0.25)] == ["−0.010", "+0.000", "+0.250"]


def test_what_was_released_is_told_with_its_studies_and_what_was_not_is_refused(good):
    panel = good.panel
    one = verdicts("release", replace(case_of(good), published={"test": panel}))[0]
    assert (one.outcome, one.found.value, one.found.studies, one.found.positives) == ("passed", 420, 420, 0)
    (none,) = verdicts("release", replace(case_of(good), is_released=False, published={"validation": panel}))
    assert (none.outcome, none.found.studies) == ("refused", 0) and "has not been released" in none.detail


def test_a_single_cell_above_its_parent_is_refused_and_each_pool_is_told(good):
    k, parent = vocabulary().index("Edema"), vocabulary().index(vocabulary().parents("Edema")[0])
    level = panel_of_skill(1.6, 1, studies=60)
    level = replace(level, probability=np.full(level.probability.shape, 0.5))
    above = level.probability.copy()
    above[7, k] = 0.6
    case = replace(case_of(good), published={"validation": level, "test": replace(level, probability=above)})
    first, second = verdicts("coherence", case)
    assert (first.subject, first.outcome, first.found.value, first.bound) == ("validation", "passed", 0, 0)
    assert (first.found.studies, first.found.positives, first.patients) == (60, 0, 30)
    assert "no class stands above" in first.detail and parent != k
    assert (second.subject, second.outcome, second.found.value) == ("test", "refused", 1)
    assert second.detail.startswith("1 probabilities stand above")


@pytest.mark.parametrize(
    ("rate", "champion", "outcome", "value"),
    [
        (8.0, 10.0, "passed", 0.8),
        (7.99, 10.0, "refused", 0.799),
        (30.0, 10.0, "passed", 3.0),
        (1 / 15, None, "passed", 1 / 15),
        (0.066, None, "refused", 0.066),
    ],
)
def test_pace_beside_the_champions_or_the_radiologists(rate, champion, outcome, value, good):
    mine, theirs = Side(good, rate), Side(good, champion) if champion else None
    (one,) = verdicts("speed", replace(case_of(good), challenger=mine, champion=theirs))
    assert (one.outcome, one.challenger, one.champion) == (outcome, rate, champion)
    assert one.found.value == pytest.approx(value) and (one.found.positives, one.found.studies) == (0, 0)
    assert one.bound == (0.8 if champion else pytest.approx(4 / 60)), "15 seconds an image, or four fifths"


def test_truth_says_what_was_read_and_what_is_missing(good):
    def said(**facts):
        return verdicts("truth", replace(case_of(good), truth=TruthOfReadings(**facts)))[0]

    read = {"complete": "set-1", "studies": 40, "cells": 90, "classes": 2, "positives": 33}
    one = said(**read)
    assert (one.outcome, one.subject, one.bound) == ("passed", "set-1", 1.0)
    assert (one.found.value, one.found.positives, one.found.studies) == (2, 33, 40)
    assert one.detail == "90 cells of 40 studies were read to their end; 2 classes have figures"
    few = said(**{**read, "classes": 0})
    assert few.outcome == "refused" and "too few positives" in few.detail
    waiting = said(open_sets=3)
    assert (waiting.outcome, waiting.subject) == ("refused", "none") and waiting.detail.startswith("3 reading sets")
    assert said().detail.startswith("no reading set") and said().found.studies == 0
    assert said(**read, ignored=4).detail.endswith("; 4 readings of simulated readers do not count in this lake")


@pytest.mark.parametrize(
    ("simulated", "demo", "outcome", "words"),
    [
        (False, False, "passed", "people read it"),
        (True, True, "passed", "fit for a demonstration only"),
        (True, False, "refused", "nobody's truth"),
        (False, True, "passed", "people read it"),
    ],
)
def test_readers_are_people_but_in_a_demonstration(simulated, demo, outcome, words, good):
    truth = TruthOfReadings("set-1", 40, is_simulated=simulated, is_demo=demo)
    (one,) = verdicts("readers", replace(case_of(good), truth=truth))
    assert (one.outcome, one.found.value, one.found.positives, one.found.studies) == (outcome, simulated, 0, 40)
    assert words in one.detail and one.bound == 0.0
    (none,) = verdicts("readers", case_of(good))
    assert (none.outcome, none.found.positives, none.found.studies) == ("not judged", 0, 0)


def test_a_first_champion_is_held_against_poor_discrimination_and_against_calling_everything(good):
    (auc,), (f1,) = verdicts("mean_auc", case_of(good)), verdicts("mean_f1", case_of(good))
    assert (auc.outcome, auc.bound, auc.champion) == ("passed", 0.7, None) and auc.challenger == auc.found.value
    assert auc.patients == 210 and auc.found.studies == 420
    classes = gate_differences.judged_classes(good)
    shares = [(good.panel.label[:, judged_classes().index(name)] == 1).mean() for name in classes]
    assert f1.bound == pytest.approx(np.mean([2 * share / (1 + share) for share in shares]))
    (poor,) = verdicts("mean_auc", case_of(judged(0.25, 2)))
    assert poor.outcome == "refused" and poor.found.low <= 0.7 and "must be above 0.700" in poor.detail


def test_without_a_class_that_can_be_judged_a_mean_is_refused(good):
    few = good.take(np.arange(3))
    (one,) = verdicts("mean_auc", case_of(few))
    assert one.outcome == "refused" and "no class has 5 positive and negative" in one.detail
    assert np.isnan(one.found.value) and one.patients == 2


def test_normal_or_not_enters_no_mean_and_a_class_needs_five_of_each_kind(good):
    names = list(gate_differences.judged_classes(good))
    assert ABNORMAL not in names and "Mass" in names
    label = good.panel.label.copy()
    positives = np.flatnonzero(label[:, MASS] == 1)

    def kept(count):
        fewer = label.copy()
        fewer[positives[count:], MASS] = 0
        return "Mass" in gate_differences.judged_classes(replace(good, panel=replace(good.panel, label=fewer)))

    assert kept(5) and not kept(4)


def test_the_same_answers_differ_by_nothing_and_pass(good):
    case = case_of(good, judged())
    assert gate_differences.answers_alike(case)
    (one,) = verdicts("mean_auc", case)
    assert (one.found.value, one.found.low, one.found.high) == (0.0, 0.0, 0.0)
    assert one.outcome == "passed" and one.detail == gate_differences.NO_DIFFERENCE
    assert not gate_differences.answers_alike(case_of(good))
    moved = replace(good, tuned=good.tuned + 0.1)
    assert not gate_differences.answers_alike(case_of(good, moved)), "it decides otherwise"
    other = replace(good, panel=replace(good.panel, logit=good.panel.logit + 1))
    assert not gate_differences.answers_alike(case_of(good, other)), "it ranks otherwise"


def test_a_worse_one_is_refused_beside_the_champion_and_a_better_one_passes(good):
    bad = judged(1.6, 2, flipped)
    (one,) = verdicts("mean_auc", case_of(bad, good))
    assert one.outcome == "refused" and one.found.high < 0 and one.challenger < 0.5 < one.champion
    assert one.bound == -0.01 and one.studies_needed is None and one.detail.startswith("surely worse; lower end")
    (other,) = verdicts("mean_auc", case_of(good, bad))
    assert other.outcome == "passed" and other.detail.startswith("lower end of the difference +")


def part(good: Judged, mask: np.ndarray) -> Part:
    return Part("sex", "F", mask, np.ones(len(good.panel), dtype=bool))


def test_a_subgroup_is_judged_by_classes_with_thirty_of_each_kind_three_at_least(good):
    whole = np.ones(len(good.panel), dtype=bool)
    one = gate_differences._part(case_of(good), "subgroups", part(good, whole), whole)
    assert (one.subject, one.outcome, one.bound, one.champion) == ("sex: F", "passed", 0.5, None)
    names = gate_differences.judged_classes(good, 30)
    counted = [int((good.panel.label[:, judged_classes().index(name)] == 1).sum()) for name in names]
    assert min(counted) >= 30 and one.found.positives == sum(counted) and one.found.studies == 420
    few = np.arange(len(good.panel)) < 60
    none = gate_differences._part(case_of(good), "subgroups", part(good, few), few)
    assert none.outcome == "not judged" and none.patients == 30 and none.found.studies == 60
    assert none.detail.startswith("not judged: classes with 30 positive and negative studies: ")
    guessing = judged(1.6, 2, flipped)
    assert gate_differences._part(case_of(guessing), "subgroups", part(good, whole), whole).outcome == "refused"
    beside = gate_differences._part(case_of(guessing, good), "subgroups", part(good, whole), whole)
    assert beside.outcome == "refused" and beside.bound == -0.03 and beside.detail.startswith("surely worse")
    assert beside.challenger < beside.champion and beside.found.positives == sum(counted)
    same = gate_differences._part(case_of(good, judged()), "subgroups", part(good, whole), whole)
    assert same.outcome == "passed" and same.detail == gate_differences.NO_DIFFERENCE


def test_every_stratum_is_a_verdict_of_its_own(good):
    keys = list(zip(good.panel.source.tolist(), good.panel.study_id.tolist()))
    facts = {"sex": {key: ("F" if number % 2 else "M",) for number, key in enumerate(keys)}}
    subjects = [one.subject for one in verdicts("subgroups", replace(case_of(good), facts=facts))]
    assert subjects[:4] == ["source: ccsmtl", "source: nih_cxr14", "sex: F", "sex: M"]
    assert len(subjects) == 4 + len(vocabulary().pathologies)


def test_a_slope_that_holds_one_passes_and_the_sure_and_the_unsure_are_told_apart(good):
    def outcomes(factor):
        case = case_of(replace(good, probability=sigmoid(factor * logit(good.probability))))
        return {one.subject: one for one in verdicts("calibration", case)}

    sure, unsure, rest = outcomes(3.0), outcomes(0.3), outcomes(1.0)
    assert ABNORMAL not in rest and len(rest) == 21
    assert sure["Mass"].outcome == unsure["Mass"].outcome == "refused"
    assert sure["Mass"].detail.startswith("too sure") and unsure["Mass"].detail.startswith("not sure enough")
    assert rest["Mass"].outcome == "passed" and rest["Mass"].detail.startswith("holds 1; shift of the log odds ")
    assert rest["Mass"].bound == 1.0 and rest["Mass"].challenger == rest["Mass"].found.value
    few = {one.subject: one for one in verdicts("calibration", case_of(good.take(np.arange(40))))}["Mass"]
    assert few.outcome == "not judged" and np.isnan(few.found.value) and few.found.studies == 40


def test_what_experts_read_is_refused_where_surely_worse_in_each_pool_and_split(good):
    bad, held = judged(1.6, 2, flipped), replace(good, panel=replace(good.panel, is_held=np.ones(420, dtype=bool)))
    worse = replace(bad, panel=replace(bad.panel, is_held=np.ones(420, dtype=bool)))
    plain = case_of(bad, good)
    assert verdicts("expert_sets", plain) == [], "nobody read any of them"
    case = replace(plain, test=(worse, held), held={"validation": (held, held), "test": ()})
    found = {one.subject: one for one in verdicts("expert_sets", case)}
    pools, sources = ("test pool", "held in validation"), ("ccsmtl", "nih_cxr14")
    assert set(found) == {f"{source}, {name}" for source in sources for name in pools}
    assert found["ccsmtl, test pool"].outcome == "refused" and "surely worse" in found["ccsmtl, test pool"].detail
    same = found["ccsmtl, held in validation"]
    assert same.outcome == "passed" and "not surely worse" in same.detail
    assert same.bound == 0.0 and same.studies_needed is None
    alone = {one.subject: one for one in verdicts("expert_sets", replace(plain, test=(worse,)))}
    assert {one.outcome for one in alone.values()} == {"not judged"}
    assert all("its scores of these studies are not kept" in one.detail for one in alone.values())
    first = {one.subject: one for one in verdicts("expert_sets", replace(case_of(bad), test=(held,)))}
    assert {one.outcome for one in first.values()} == {"passed"}, "a first champion has nobody beside it"
    few = held.take(np.arange(30))
    (*_, last) = verdicts("expert_sets", replace(plain, test=(few,)))
    assert last.outcome == "not judged" and last.detail.startswith("not judged: classes with")


def test_a_verdict_is_a_row_without_what_it_has_not():
    one = Verdict("speed", "ensemble", "passed", "m", "d", Interval(0.9, np.nan, np.nan, 3, 7), 0.8, 9.0, None, 4)
    row = gate._row(one)
    assert row == {
        "rule": "speed",
        "subject": "ensemble",
        "outcome": "passed",
        "measure": "m",
        "detail": "d",
        "value": 0.9,
        "bound": 0.8,
        "challenger_value": 9.0,
        "positives": 3,
        "studies": 7,
        "patients": 4,
    }
    apart = gate._row(replace(one, found=Interval(0.1, -0.2, 0.3, 3, 7), studies_needed=900))
    assert (apart["low"], apart["high"], apart["studies_needed"]) == (-0.2, 0.3, 900)
    same = gate._row(replace(one, found=Interval(0.0, 0.0, 0.0, 3, 7)))
    assert "low" not in same and "high" not in same and same["value"] == 0.0
    assert set(gate_words.WORDS) == set(RULES)
    bare = Verdict("r", "s", "o", "m", "d")
    assert (bare.found.positives, bare.found.studies, bare.patients) == (0, 0, 0)


# --- decisions -------------------------------------------------------------------------------------------------------
def by_hand(cells) -> Judged:
    """Six studies; ``cells``: (study, class, label, probability), everything else a sure negative."""
    panel = make_panel(1.0, studies=6)
    shape = panel.label.shape
    panel = replace(panel, label=np.zeros(shape, dtype=np.int8), probability=np.full(shape, 0.01))
    for study, name, label, probability in cells:
        panel.label[study, vocabulary().index(name)] = label
        panel.probability[study, vocabulary().index(name)] = probability
    panel = with_abnormal(panel)
    cuts = np.full(panel.probability.shape, 0.4)
    return Judged(panel, panel.probability, cuts, cuts)


CELLS = [
    (0, "Mass", 1, 0.4),
    (1, "Mass", 1, 0.39),
    (2, "Mass", 0, 0.9),
    (3, "Mass", -9, 0.9),
    (4, "Mass", 1, np.nan),
    (1, "Nodule", 1, 0.001),
    (2, "Edema", 0, 0.41),
    (5, "Edema", 0, 0.5),
    (0, "Pneumonia", 1, 0.2),
]


def test_studies_are_counted_by_label_and_call_at_the_threshold():
    found = {one.name: one for one in confusions(by_hand(CELLS))}
    assert vars(found["Mass"]) == {"name": "Mass", "hits": 1, "misses": 1, "false_alarms": 1, "rejections": 1}
    edema = found["Edema"]
    assert (edema.hits, edema.misses, edema.false_alarms, edema.rejections) == (0, 0, 2, 4)
    assert list(found) == list(judged_classes())


def test_the_surest_errors_come_in_turn_each_study_once_misses_first():
    judged_cells = by_hand(CELLS)
    ids = judged_cells.panel.study_id.tolist()
    found = worst(judged_cells)
    assert [(ids.index(one.study_id), one.name, one.kind) for one in found] == [
        (1, "Nodule", MISSED),
        (0, "Pneumonia", MISSED),
        (2, "Mass", FALSE_ALARM),
        (5, "Edema", FALSE_ALARM),
    ]
    assert [one.threshold for one in found] == [0.4] * 4 and found[2].probability == 0.9
    assert [ids.index(one.study_id) for one in worst(judged_cells, 2)] == [1, 2], "the surest of each kind"
    assert worst(judged_cells, 0) == [] and worst(by_hand([])) == []

"""Champion's page, comparison, and what the scorecard's page says of calls, changes and the model: all from tables."""

from __future__ import annotations

import pytest

from radia_pipeline.contracts.pools import TEST
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import RadiaError
from radia_pipeline.evaluation import gate, scorecard
from radia_pipeline.evaluation.comparing import MEAN, compare, keep_note
from radia_pipeline.evaluation.decisions import MISSED, confusions, judged_ensemble, worst
from radia_pipeline.evaluation.release import release_id
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.comparison import original
from radia_pipeline.pages.evaluation import CHAMPION, COMPARISON, SCORECARD, write_evaluation_pages
from radia_pipeline.usecases import promotion
from radia_pipeline_tests.evaluation.champions import (
    approval,
    make_released,
    new_world,
    panel_of_skill,
    steady,
    worse_at_nih,
)
from radia_pipeline_tests.pages.outline import assert_stands_alone, outline

PAGES = (SCORECARD, CHAMPION, COMPARISON)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake with a champion and a challenger that the gate refuses for a subgroup."""
    lake = new_world(tmp_path_factory.mktemp("lake"))
    gate.judge(lake, pace=steady())
    promotion.approve(lake, approval())
    make_released(lake, {"second": panel_of_skill(2.4, 2, worse_at_nih)})
    gate.judge(lake, pace=steady())
    with pytest.raises(RadiaError):
        promotion.approve(lake, approval())
    scorecard.build_scorecard(lake)
    keep_note(lake, compare(lake, "second", "first"), "better but for one source", "C. Engineer")
    write_evaluation_pages(lake)
    return lake


def text_of(lake: Lake, page: str) -> str:
    return " ".join(" ".join(outline((lake.root / page).read_text(encoding="utf-8")).text).split())


@pytest.mark.parametrize("page", PAGES)
def test_each_page_stands_alone(lake, page):
    assert_stands_alone((lake.root / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_lake_gives_pages_that_say_so(tmp_path, page):
    write_evaluation_pages(Lake.open(tmp_path))
    assert "yet" in text_of(Lake.open(tmp_path), page) or page == COMPARISON


def test_the_champion_s_page_tells_history_verdicts_and_the_ledger(lake):
    said = text_of(lake, CHAMPION)
    for row in lake.read("gate_verdicts").to_pylist():
        assert row["detail"] in said
    for words in ("approved", "refused", "A. Radiologist", "validated by readings of the hospital", release_id(lake)):
        assert words in said
    assert "Figures of the test pool were shown for 2 released ensembles." in said
    assert "by A. Radiologist: “the readings were looked at together”" in said
    assert "A rollback puts back the ensemble as it stands" in said
    (mean,) = [row for row in compare(lake, "second", "first").rows if (row.name, row.figure) == (MEAN, "auc")]
    assert "second − first" in said and "C. Engineer better but for one source" in said
    assert f"AUC {mean.difference.value:.3f} (" in said


def test_the_scorecard_says_what_answers_what_changed_and_what_the_model_is(lake):
    said = text_of(lake, SCORECARD)
    assert "What answers in this lake is the champion" in said and "What changed since the champion" in said
    assert "first alone → second alone" in said and "first → second" in said
    assert "Model card" in said and "research, not for diagnosis" in said and "approved by A. Radiologist" in said


def test_calls_are_counted_as_the_scorecard_decides(lake):
    judged = judged_ensemble(lake, TEST)
    rows = {
        (row["class"], row["metric"]): row["value"]
        for row in lake.read("scorecard").to_pylist()
        if (row["model"], row["pool"], row["view"], row["source"]) == ("ensemble", "test", "pool", "all")
    }
    for one in confusions(judged):
        assert one.hits / (one.hits + one.misses) == pytest.approx(rows[one.name, "sensitivity"])
        assert one.rejections / (one.rejections + one.false_alarms) == pytest.approx(rows[one.name, "specificity"])


def test_the_surest_wrong_calls_are_wrong_and_each_study_stands_once(lake):
    judged = judged_ensemble(lake, TEST)
    found = worst(judged, most=8)
    place = {study: row for row, study in enumerate(judged.panel.study_id.tolist())}
    assert len({one.study_id for one in found}) == len(found) == 8
    for one in found:
        label = judged.panel.label[place[one.study_id], vocabulary().index(one.name)]
        assert (label == 1) == (one.kind == MISSED) == (one.probability < one.threshold)
    assert "surest wrong calls" in text_of(lake, SCORECARD).lower() and found[0].study_id[:12] in text_of(
        lake, SCORECARD
    )


def test_the_comparison_holds_the_printed_figures_and_marks_other_data(lake):
    said = text_of(lake, COMPARISON)
    for name in (*original()["validation"]["rows"], *original()["across"]["rows"], *original()["readers"]["rows"]):
        assert name in vocabulary().classes and name in said
    for words in ("DeepAUC", "0.930", "0.615", "ensemble by minimum", "other data", "all sources of this lake"):
        assert words in said
    rows = {
        row["class"]: row
        for row in lake.read("scorecard").to_pylist()
        if (row["model"], row["source"], row["pool"], row["view"], row["metric"])
        == ("ensemble", "ccsmtl", "test", "pool", "auc")
    }
    assert f"{rows['Mass']['positives']:,} / {rows['Mass']['studies']:,}" in said

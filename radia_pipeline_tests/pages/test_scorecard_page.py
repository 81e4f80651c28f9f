"""The scorecard's page: its figures are the table's, it stands alone, it tells how often the test pool was used."""

from __future__ import annotations

import re

import pytest

from radia_pipeline.evaluation import ensemble, scorecard
from radia_pipeline.evaluation.release import Release, release
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.scorecard import write_scorecard_page
from radia_pipeline_tests.evaluation.worlds import make_lake, make_panel, on_test, put_manifest
from radia_pipeline_tests.pages.outline import assert_stands_alone, outline

SKILLS = {"one": 1.5, "two": 1.2}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    lake = make_lake(tmp_path_factory.mktemp("lake"), SKILLS, studies=320)
    put_manifest(lake, make_panel(1.0, studies=320))
    ensemble.build_ensemble(lake, list(SKILLS))
    release(lake, Release("A. <b>Person</b>", "first release"), on_test(SKILLS, studies=320))
    scorecard.build_scorecard(lake)
    return lake, write_scorecard_page(lake, lake.root / "scorecard.html").read_text(encoding="utf-8")


def test_the_page_stands_alone(page):
    assert_stands_alone(page[1])


def test_its_figures_are_those_of_the_table(page):
    lake, text = page
    (best,) = [line for line in scorecard.headlines(lake) if line.model == "ensemble"]
    assert best.pool == "test"
    assert f"{best.auc.value:.2f}" in text and f"{best.auc.low:.2f}–{best.auc.high:.2f}" in text
    assert "too few" in text and "rule" not in [line.model for line in scorecard.headlines(lake, pool="test")]


def test_it_tells_who_looked_at_the_test_pool_and_escapes_it(page):
    assert "Figures of the test pool were shown for 1 released ensemble." in page[1]
    assert "A. &lt;b&gt;Person&lt;/b&gt;" in page[1] and "first release" in page[1]


def test_every_section_has_its_heading_and_no_figure_is_certain(page):
    said = outline(page[1]).text
    for words in ("Class by class", "How the rule was chosen", "Subgroups", "Trained on, tested on", "P4"):
        assert words in said
    rows = [row for row in page[0].read("scorecard").to_pylist() if row["low"] is not None]
    assert rows and all(row["low"] < row["high"] for row in rows)


def test_no_interval_is_shown_as_if_it_had_no_width(page):
    """Both ends at 1.00 would be one: digits are added until they differ."""
    shown = re.findall(r"(\d\.\d+)–(\d\.\d+)", " ".join(outline(page[1]).text))
    assert len(shown) > 200
    assert [ends for ends in shown if ends[0] == ends[1]] == []


def test_an_empty_lake_gives_a_page_that_says_so(tmp_path):
    text = write_scorecard_page(Lake.open(tmp_path), tmp_path / "s.html").read_text(encoding="utf-8")
    assert "No scorecard has been made yet." in outline(text).text
    assert "The test pool has not been used." in text

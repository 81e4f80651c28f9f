"""The run's report: self-contained, honest, well formed, at every stage of a run."""

from __future__ import annotations

import pytest

from radia_pipeline import __version__
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import ensemble, scorecard
from radia_pipeline.evaluation.release import Release, release
from radia_pipeline.lake.lake import Lake
from radia_pipeline.localisation.controls import NAMES, PRIOR
from radia_pipeline.pages import run_report_figures as figures
from radia_pipeline.pages.run_report import write_html_report
from radia_pipeline.pages.run_report_curves import class_panels
from radia_pipeline_tests.evaluation.worlds import make_lake, make_panel, on_test, put_manifest
from radia_pipeline_tests.pages.outline import assert_stands_alone, outline

TRUTH = {"boxes_of": "pseudo_boxes", "pool": "test", "value": 0.31, "low": 0.2, "high": 0.4, "boxes": 90, "images": 50}
SCORE = {
    "model": "detector",
    "against": "annotations",
    "level": "class",
    "class": "mean",
    "metric": "map@0.3",
    "value": 0.5,
    "low": 0.4,
    "high": 0.6,
    "boxes": 30,
    "images": 16,
}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("lake")
    lake = make_lake(root, {"one": 1.5, "two": 1.2}, studies=320)
    ensemble.build_ensemble(lake, ["one", "two"])
    scorecard.build_scorecard(lake)
    lake.write("detector_scorecard", [{**SCORE, "model": NAMES[PRIOR], "value": 0.05, "low": 0.0, "high": 0.2}, SCORE])
    control = {**TRUTH, "boxes_of": "random", "value": 0.02, "low": 0.0, "high": 0.05}
    extra = {
        "truth": [TRUTH, control],
        "failed": {"detector": "<b>too few boxes</b>"},
        "duration_s": 90.0,
        "delivered_path": "/secret/path.dcm",
    }
    return lake, write_html_report(lake, root / "report.html", extra).read_text(encoding="utf-8")


def test_the_page_stands_alone(page):
    assert_stands_alone(page[1])


def test_figures_on_the_page_are_those_of_the_scorecard(page):
    lake, text = page
    (row,) = [h for h in scorecard.headlines(lake) if h.model == "ensemble"]
    assert f"{row.auc.value:.2f}" in text
    assert f"{row.auc.low:.2f}–{row.auc.high:.2f}" in text
    assert "mAP@.3, pseudo boxes" in text
    assert "0.20–0.40" in text


def test_the_head_says_what_the_page_was_made_from(page):
    said = outline(page[1]).text
    for version in (__version__, vocabulary().version, *(page[0].version(t)[:12] for t in ("ensemble", "scorecard"))):
        assert version in said


def test_every_class_with_both_kinds_has_its_three_curves_with_their_figures(page):
    lake, text = page
    panels = class_panels(lake)
    assert len(panels) == len(vocabulary().classes) - 1  # one class has no positive study
    rows = figures.indexed(figures.scorecard_rows(lake), source="all", pool="validation", view="pool", model="ensemble")
    for panel in panels:
        ap = rows["ensemble", panel["name"], "ap"]
        assert panel["ap"] == f"AP {ap['value']:.2f} ({ap['low']:.2f}–{ap['high']:.2f})"
        for kind in ("roc", "precision_recall", "reliability"):
            assert panel[kind].inline() in text
            assert "no figures" not in panel[kind].body


def test_controls_stand_last_and_quiet_by_key_and_by_words(page):
    detector = figures.detector(page[0])
    assert [(row["model"], row["is_control"]) for row in detector] == [("detector", False), (NAMES[PRIOR], True)]
    truth = figures.truth([TRUTH, {**TRUTH, "boxes_of": PRIOR}])
    assert [(row["name"], row["is_control"]) for row in truth] == [("pseudo_boxes", False), (NAMES[PRIOR], True)]


def test_no_unknown_extra_is_shown(page):
    assert "secret" not in page[1]


def test_what_failed_is_said_and_escaped(page):
    assert "Not everything ran." in page[1]
    assert "&lt;b&gt;too few boxes&lt;/b&gt;" in page[1]


def test_the_page_is_written_where_the_ensemble_changed_after_its_release(tmp_path):
    lake = make_lake(tmp_path, {"one": 1.5, "two": 1.2}, studies=160)
    put_manifest(lake, make_panel(1.0, studies=160))
    ensemble.build_ensemble(lake, ["one", "two"])
    release(lake, Release("A. Person", "first"), on_test({"one": 1.5, "two": 1.2}, studies=160))
    scorecard.build_scorecard(lake)
    assert "test" in {row["pool"] for row in lake.read("scorecard").to_pylist()}
    ensemble.build_ensemble(lake, ["two"])
    assert class_panels(lake) == []


def test_an_empty_lake_gives_a_page_that_says_so(tmp_path):
    text = write_html_report(Lake.open(tmp_path), tmp_path / "r.html").read_text(encoding="utf-8")
    outline(text)
    assert "No scorecard has been made yet." in text
    assert "No source has been ingested yet." in text


def test_the_same_lake_gives_the_same_page(page, tmp_path):
    first, second = (write_html_report(page[0], tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second

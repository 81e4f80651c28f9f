"""The report's readings: figures of a complete set, readers by number beside the curve, simulated ones named so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import ensemble, scorecard
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.evaluation.release import Release, release
from radia_pipeline.lake.keys import DEMO_KEY, Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.run_report import write_html_report
from radia_pipeline.pages.run_report_readings import read_sets_shown
from radia_pipeline.readings.membership import sha256_of
from radia_pipeline.readings.store import Store
from radia_pipeline.readings.truth import build_truth
from radia_pipeline_tests.evaluation.worlds import copy_of, make_lake, make_panel, on_test, put_manifest
from radia_pipeline_tests.pages.outline import assert_stands_alone, outline
from radia_pipeline_tests.readings.worlds import append_at_once, reading

ASKED = ("Mass", "Edema", "Fracture")
READERS = {"dr-aa": 0.05, "dr-bb": 0.1, "dr-cc": 0.3}
STUDIES = 90
POOL, SET = "test", "test-1"
SKILLS = {"one": 1.5, "two": 1.2}


def put_set(lake: Lake) -> None:
    """Close a set of studies, a third of which was drawn from many."""
    panel = make_panel(1.0, studies=240).only(pool=POOL).take(np.arange(STUDIES))
    rows = [
        {
            "set_id": SET,
            "study_id": i,
            "source": s,
            "group_id": i,
            "pool": POOL,
            "frame_studies": 900,
            "stratum": "Mass" if n % 3 else "rest",
            "inclusion_probability": 0.5 if n % 3 else 0.1,
            "frame_groups": 900,
            "seed": 0,
            "vocabulary_version": vocabulary().version,
        }
        for n, (i, s) in enumerate(zip(panel.study_id.tolist(), panel.source.tolist()))
    ]
    sha256 = sha256_of(rows)
    Store(lake).close_set(SET, sha256)
    lake.write("reading_sets", [{**row, "members_sha256": sha256} for row in rows])


def put_readings(lake: Lake, origin: str) -> None:
    """Have three readers read the set, who are wrong at times, and an adjudicator, who is not."""
    panel, generator, words = make_panel(1.0, studies=240).only(pool=POOL), np.random.default_rng(0), vocabulary()
    given = []
    for row in range(STUDIES):
        truth = {name: int(panel.label[row, words.index(name)] == 1) for name in ASKED}
        fixed = {"study_id": panel.study_id[row], "source": panel.source[row], "set_id": SET, "origin": origin}
        for reader, wrong in READERS.items():
            said = {name: value ^ int(generator.random() < wrong) for name, value in truth.items()}
            given.append(reading(said, reader=reader, **fixed))
        given.append(reading(truth, reader="dr-dd", phase="adjudication", role="adjudicator", **fixed))
    append_at_once(lake, given)
    build_truth(lake)


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Lake:
    lake = make_lake(tmp_path_factory.mktemp("released") / "lake", SKILLS, studies=240)
    put_manifest(lake, make_panel(1.0, studies=240))
    ensemble.build_ensemble(lake, [*SKILLS])
    release(lake, Release("a person", "first release"), on_test(SKILLS, studies=240))
    return lake


def made(released: Lake, folder: Path, origin: str, *, is_demo: bool) -> tuple[Lake, str]:
    lake = copy_of(released, folder)
    if is_demo:
        Pseudonymizer(DEMO_KEY).bind(lake)
    put_set(lake)
    put_readings(lake, origin)
    scorecard.build_scorecard(lake)
    return lake, write_html_report(lake, folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(released, tmp_path_factory) -> tuple[Lake, str]:
    return made(released, tmp_path_factory.mktemp("page") / "lake", "person", is_demo=False)


def test_figures_are_the_scorecards_and_readers_bear_numbers(page):
    lake, text = page
    assert_stands_alone(text)
    (shown,) = read_sets_shown(lake)
    assert [row["name"] for row in shown["classes"]] == [name for name in vocabulary().classes if name in ASKED]
    rows = {
        (row["class"], row["metric"]): row
        for row in lake.read("scorecard").to_pylist()
        if (row["model"], row["view"]) == (ENSEMBLE, "readings")
    }
    for row in shown["classes"]:
        found = rows[row["name"], "auc"]
        assert row["auc"]["interval"] == f"{found['low']:.2f}–{found['high']:.2f}" and found["low"] < found["high"]
        assert row["below"].endswith("of 3")
    assert "reader 3: sensitivity" in text and "readers below the curve" in outline(text).text
    assert not any(reader in text for reader in (*READERS, "dr-dd"))
    assert "simulated readers" not in text


def test_simulated_readers_are_named_so_and_are_nothing_outside_a_demo(released, tmp_path):
    _, text = made(released, tmp_path / "demo", "simulated", is_demo=True)
    assert "simulated readers" in text and "No set of studies has been read to its end by radiologists." in text
    lake, text = made(released, tmp_path / "real", "simulated", is_demo=False)
    assert read_sets_shown(lake) == [] and "No reading set has been read to its end." in text
    assert not any(row["view"] == "readings" for row in lake.read("scorecard").to_pylist())


def test_a_store_that_is_damaged_is_said_and_the_page_is_written(page, tmp_path):
    lake, _ = page
    whole = lake.readings_path.read_bytes()
    try:
        lake.readings_path.write_bytes(whole.replace(b'"Mass":1', b'"Mass":0', 1))
        (shown,) = read_sets_shown(lake)
        assert "damaged" in shown["problem"] and shown["classes"] == []
        assert "is damaged" in write_html_report(lake, tmp_path / "r.html").read_text(encoding="utf-8")
    finally:
        lake.readings_path.write_bytes(whole)


def test_a_set_of_the_test_pool_waits_for_a_release(page):
    """The test pool is scored once, for a release: until then its set has no figures, and the page says what to do."""
    lake = page[0]
    scores = lake.read("test_predictions")
    lake.write("test_predictions", scores.slice(0, 0))
    (shown,) = read_sets_shown(lake)
    lake.write("test_predictions", scores)
    assert shown["classes"] == [] and "--release" in shown["problem"]


def test_what_a_class_was_judged_by_is_data(page):
    """A judgement is plain: what the command prints as JSON and the page draws is the same."""
    (shown,) = read_sets_shown(page[0])
    assert dataclasses.is_dataclass(shown["panels"][0]["roc"]) and "reader 1" in shown["panels"][0]["roc"].inline()

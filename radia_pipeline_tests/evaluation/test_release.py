"""The test pool is scored once for a release; the ledger tells who looked, how often, and cannot be rewritten."""

from __future__ import annotations

import json

import pytest

from radia_pipeline.errors import BadInput, DamagedFile, EmptyPool, MissingTable
from radia_pipeline.evaluation import ensemble, scorecard
from radia_pipeline.evaluation.pool_uses import note_use, uses
from radia_pipeline.evaluation.release import Release, release, release_id, released_panels
from radia_pipeline_tests.evaluation.worlds import copy_of, make_lake, make_panel, on_test, put_manifest

SKILLS = {"one": 1.5, "two": 1.2, "three": 0.8}
GIVEN = Release("A. Person", "before the first use")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    lake = make_lake(tmp_path_factory.mktemp("made") / "lake", SKILLS, studies=160)
    put_manifest(lake, make_panel(1.0, studies=160))
    ensemble.build_ensemble(lake, ["one", "two"])
    return lake


@pytest.fixture
def lake(made, tmp_path):
    return copy_of(made, tmp_path / "lake")


def test_a_release_scores_the_used_members_once_and_leaves_a_line_before(lake):
    scorer = on_test(SKILLS, studies=160)
    assert uses(lake) == [] and released_panels(lake) == {}
    assert release(lake, GIVEN, scorer)
    (use,) = uses(lake)
    assert (use.who, use.why, use.studies) == ("A. Person", "before the first use", 80)
    assert release_id(lake) in use.name and use.shows_figures
    assert set(released_panels(lake)) == {"ensemble", *ensemble.load_ensemble(lake).used_members}
    asked = list(scorer.asked)
    assert not release(lake, GIVEN, scorer)
    assert scorer.asked == asked and len(uses(lake)) == 1


def test_the_line_is_there_although_scoring_fails(lake):
    def broken(lake, recipe):
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        release(lake, GIVEN, broken)
    assert len(uses(lake)) == 1 and released_panels(lake) == {}
    assert release(lake, GIVEN, on_test(SKILLS, studies=160))
    assert len(uses(lake)) == 1, "the same release, tried again"


@pytest.mark.slow
def test_a_model_tuned_on_test_is_visible(lake):
    """Somebody tries one ensemble after the other and looks at test each time: the card counts the looks."""
    for members in (["one"], ["two"], ["three"], ["one", "two", "three"]):
        ensemble.build_ensemble(lake, members)
        release(lake, Release("T. Uner", "another try"), on_test(SKILLS, studies=160))
    found = scorecard.build_scorecard(lake)
    seen = {use.name for use in uses(lake)}
    assert found.test_releases == len(seen) >= 3
    assert found.test_uses == found.test_releases


def test_a_new_ensemble_has_no_figures_on_test_until_it_is_released(lake):
    release(lake, GIVEN, on_test(SKILLS, studies=160))
    ensemble.build_ensemble(lake, ["three"])
    scorecard.build_scorecard(lake)
    assert {row["pool"] for row in lake.read("scorecard").to_pylist()} == {"validation"}


def test_another_use_is_counted_apart_and_shows_no_figure(lake):
    note_use(lake, "reading set", "test-1", 40)
    (use,) = uses(lake)
    assert not use.shows_figures
    found = scorecard.build_scorecard(lake)
    assert (found.test_releases, found.test_uses) == (0, 1)


def test_a_line_that_was_changed_is_named(lake):
    for number in range(3):
        note_use(lake, "release", f"ensemble {number}", 10, who="x", why="y")
    path = lake.ledger_path.with_name("test_pool.jsonl")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1].replace("ensemble 1", "ensemble 9"), lines[2]]) + "\n")
    with pytest.raises(DamagedFile, match="line 2"):
        uses(lake)


def test_lines_of_an_earlier_release_are_read(lake):
    note_use(lake, "reading set", "a", 5)
    record = json.loads(lake.ledger_path.with_name("test_pool.jsonl").read_text())
    assert {"at", "purpose", "name", "studies"} <= set(record)


@pytest.mark.parametrize(("who", "why"), [("", "x"), ("x", "  ")])
def test_a_release_without_name_or_reason_is_refused(who, why):
    with pytest.raises(BadInput, match="a name and a reason"):
        Release(who, why)


def test_what_is_absent_is_named_before_a_line_is_written(tmp_path):
    lake = make_lake(tmp_path, SKILLS, studies=160)
    with pytest.raises(MissingTable, match="no ensemble"):
        scorecard.build_scorecard(lake, GIVEN)
    ensemble.build_ensemble(lake, ["one"])
    put_manifest(lake, make_panel(1.0, studies=160).only(pool="validation"))
    with pytest.raises(EmptyPool, match="test pool"):
        release(lake, GIVEN, on_test(SKILLS))
    assert uses(lake) == []

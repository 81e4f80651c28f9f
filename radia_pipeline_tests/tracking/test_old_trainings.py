"""Old trainings go from MLflow's history; champions, newest models and what is cited stay, on both databases."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator

import pytest

from radia_pipeline.defs.move_history import set_database
from radia_pipeline.lake.lake import Lake
from radia_pipeline.tracking.artifacts import place_of
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.collect import collect
from radia_pipeline.tracking.models import RegisteredVersion, log_model, name_champions, version_by_alias
from radia_pipeline.tracking.provenance import TAG_FINGERPRINT
from radia_pipeline_tests.tracking.cluster import PASSWORD, running

DAY_S = 86_400.0
TAGS = {"radia.recipe_hash": "abc", "radia.manifest_version": "m1", "radia.vocabulary_version": "1"}


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    with running() as found:
        yield found


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def tracker(request, tmp_path, monkeypatch) -> Tracker:
    lake = Lake.open(tmp_path / "lake")
    if request.param == "postgres":
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        set_database(lake, request.getfixturevalue("cluster").make(f"trainings{time.monotonic_ns()}"))
    return Tracker(lake)


def trained(tracker: Tracker, folder, recipe: str, fingerprint: str) -> RegisteredVersion:
    run = tracker.start_or_resume(f"{recipe} {fingerprint}", {**TAGS, TAG_FINGERPRINT: fingerprint})
    run.log_metrics({"loss": 0.5}, 1)
    (folder / "card.json").write_text("{}")
    run.log_artifact(folder / "card.json")
    version = log_model(run, folder, recipe)
    run.finish()
    return version


def test_what_nothing_needs_goes_with_its_files_and_the_rest_stays(tracker, tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"w" * 5000)
    made = {name: trained(tracker, tmp_path, "linear", name) for name in ("f1", "f2", "f3", "f4", "f5")}
    name_champions(tracker, {"linear": "f2"}, "research")
    name_champions(tracker, {"linear": "f3"}, "validated")
    trial = tracker.start_or_resume("a trial", TAGS)
    trial.fail("Stopped")
    works = tracker.start_or_resume("works", TAGS, pid=os.getpid())
    later = time.time() + 200 * DAY_S
    assert collect(tracker, {"f4"}, keep_days=180).deleted == 0
    counted = collect(tracker, {"f4"}, keep_days=180, now_s=later, dry_run=True)
    assert len(tracker.runs()) == 7
    found = collect(tracker, {"f4"}, keep_days=180, now_s=later)
    assert (found.runs, found.deleted, found.needed) == (7, 2, 4) == (counted.runs, counted.deleted, counted.needed)
    assert found.freed_bytes > 5000
    left = {run.run_id for run in tracker.runs()}
    assert left == {*(made[name].run_id for name in ("f2", "f3", "f4", "f5")), works.run_id}
    assert not place_of(made["f1"].artifacts, tracker.uri).exists()
    for name in ("f2", "f3", "f4", "f5"):
        assert (place_of(made[name].artifacts, tracker.uri) / "weights.safetensors").stat().st_size == 5000
        assert [one.path for one in tracker.client.list_artifacts(made[name].run_id)] == ["card.json"]
    versions = tracker.client.search_model_versions("name = 'linear'")
    assert {str(one.version) for one in versions} == {"2", "3", "4", "5"}
    assert version_by_alias(tracker, "linear", "champion").run_id == made["f3"].run_id
    assert collect(tracker, {"f4"}, keep_days=180, now_s=later).deleted == 0
    again = tracker.start_or_resume("linear f1", {**TAGS, TAG_FINGERPRINT: "f1"})
    assert again.run_id != made["f1"].run_id
    again.finish()


def test_a_collection_that_was_cut_off_is_ended_by_the_next(tracker, tmp_path, monkeypatch):
    (tmp_path / "weights.safetensors").write_bytes(b"w" * 5000)
    made = [trained(tracker, tmp_path, "linear", name) for name in ("f1", "f2", "f3")]
    later = time.time() + 200 * DAY_S
    from radia_pipeline.tracking import collect as module

    def cut(*_) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_erase", cut)
        with pytest.raises(KeyboardInterrupt):
            collect(tracker, (), keep_days=180, now_s=later)
    assert collect(tracker, (), keep_days=180, now_s=later).freed_bytes > 10_000
    assert [run.run_id for run in tracker.runs()] == [made[2].run_id]
    assert not any(place_of(one.artifacts, tracker.uri).exists() for one in made[:2])


def test_what_a_person_deleted_may_be_put_back_for_as_long(tracker, tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"w")
    version = trained(tracker, tmp_path, "linear", "f1")
    tracker.client.delete_run(version.run_id)
    collect(tracker, (), keep_days=180)
    tracker.client.restore_run(version.run_id)
    tracker.client.delete_run(version.run_id)
    collect(tracker, (), keep_days=180, now_s=time.time() + 200 * DAY_S)
    with pytest.raises(Exception, match=version.run_id):
        tracker.client.restore_run(version.run_id)


def test_of_a_deleted_run_only_its_number_is_left_in_the_database(tracker, tmp_path):
    """MLflow keeps the number of a version that is gone, so that no other model ever bears it."""
    if not tracker.uri.startswith("sqlite"):
        pytest.skip("the rows are counted in SQLite's file")
    (tmp_path / "weights.safetensors").write_bytes(b"w")
    version = trained(tracker, tmp_path, "linear", "f1")
    trained(tracker, tmp_path, "linear", "f2")
    collect(tracker, (), keep_days=180, now_s=time.time() + 200 * DAY_S)
    path = tracker.uri.removeprefix("sqlite:///").partition("?")[0]
    with sqlite3.connect(path) as database:
        left = [line for line in database.iterdump() if version.run_id in line or version.model_id in line]
    assert all("model_versions" in line and "Deleted_Internal" in line for line in left), left

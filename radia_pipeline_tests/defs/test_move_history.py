"""Histories of a lake in Postgres: moved there whole, locked over all processes, and without a password anywhere."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import event
from sqlalchemy.pool import Pool

from radia_pipeline.cli.settings import settings
from radia_pipeline.defs.move_history import set_database
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.webserver import require_open
from radia_pipeline.errors import BadInput, LakeLocked, LakeUnwritable
from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes import children
from radia_pipeline.tracking import database
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.reaper import reap
from radia_pipeline.usecases import backup, backup_restore
from radia_pipeline_tests.tracking.cluster import PASSWORD, Cluster, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

AT_ONCE = 20


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running() as found:
        yield found


@pytest.fixture(autouse=True)
def _password(monkeypatch) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)


@dg.asset
def grown():
    """Something with metadata."""
    return dg.MaterializeResult(metadata={"rows": 7})


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.open(tmp_path / "lake")


def with_history(lake: Lake) -> tuple[str, str]:
    """Let a lake have a run, a failed one and a training; returns the ids of the first and the last."""
    with instance_of(lake) as instance:
        run = dg.materialize([grown], instance=instance).run_id
        dg.materialize([grown], instance=instance)
    training = Tracker(lake).start_or_resume("linear", {"radia.recipe": "linear"})
    training.log_params({"depth": 3})
    training.log_metrics({"auc": 0.75}, 1)
    (lake.root / "card.json").write_text("{}")
    training.log_artifact(lake.root / "card.json")
    training.finish()
    return run, training.run_id


def test_a_history_moves_whole_and_goes_on_there(lake, cluster):
    run, training = with_history(lake)
    said = CliRunner().invoke(settings, ["set", "database", cluster.make("moved"), "--lake", str(lake.root)])
    assert said.exit_code == 0, said.output
    assert "2 runs and 1 trainings came along" in said.output
    with instance_of(lake) as instance:
        assert "Postgres" in type(instance.run_storage).__name__
        assert instance.get_run_by_id(run).is_success
        latest = instance.get_latest_materialization_event(dg.AssetKey("grown"))
        assert latest.asset_materialization.metadata["rows"].value == 7
        record = instance.get_run_record_by_id(run)
        assert record.end_time >= record.start_time > 0
        third = dg.materialize([grown], instance=instance).run_id
        assert instance.get_runs_count() == 3 and third not in (run, training)
    tracker = Tracker(lake)
    found = tracker.runs()[0]
    assert (found.run_id, found.params["depth"], found.metrics["auc"]) == (training, "3", 0.75)
    assert [one.path for one in tracker.client.list_artifacts(training)] == ["card.json"]
    assert tracker.start_or_resume("linear", {"radia.recipe": "linear"}).run_id == training
    assert (lake.history_dir / "mlflow_artifacts").is_dir()


def test_what_stands_in_a_database_already_is_not_mixed_with_another_history(lake, cluster, tmp_path):
    with_history(lake)
    address = cluster.make("taken")
    set_database(lake, address)
    other = Lake.open(tmp_path / "other")
    with_history(other)
    with pytest.raises(BadInput, match="holds a history"):
        set_database(other, address)
    assert database.set_for(other.root) is None
    assert set_database(other, cluster.make("fresh"), leaves_history=True)["left"]
    with instance_of(other) as instance:
        assert instance.get_runs_count() == 0
    set_database(other, None)
    with instance_of(other) as instance:
        assert instance.get_runs_count() == 2


def test_no_file_and_no_word_holds_the_password(lake, cluster, tmp_path, monkeypatch):
    with_history(lake)
    address = database.checked(cluster.make("secret"))
    set_database(lake, address)
    with instance_of(lake) as instance:
        dg.materialize([grown], instance=instance)
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert PASSWORD.encode() not in path.read_bytes(), path
    shown = CliRunner().invoke(settings, ["--lake", str(lake.root)]).output
    assert "127.0.0.1" in shown and PASSWORD not in shown
    check = ["check", "--lake", str(lake.root)]
    assert CliRunner().invoke(settings, check).exit_code == 0
    monkeypatch.setenv("PGPASSWORD", "another")
    wrong = CliRunner().invoke(settings, check)
    assert wrong.exit_code == 1 and "database" in wrong.output and "another" not in wrong.output
    with pytest.raises(LakeUnwritable):
        database.answers(address)


def test_of_twenty_starts_of_one_training_one_runs_and_the_others_hear_of_it(lake, cluster):
    set_database(lake, cluster.make("twenty"))
    command = children.module("radia_pipeline_tests.tracking.starting", lake.root, "linear", AT_ONCE)
    done = subprocess.run(command, env=children.environment(), stdout=subprocess.PIPE, text=True, check=True)
    said = done.stdout.split()
    runs = Tracker(lake).runs()
    assert [run.run_id for run in runs] == [one for one in said if one != "AlreadyRunning"]
    assert said.count("AlreadyRunning") == AT_ONCE - 1
    assert reap(Tracker(lake)).reaped == (runs[0].run_id,)


def test_the_lock_is_over_processes_and_free_when_its_holder_is_gone(cluster):
    address = database.checked(cluster.make("locked"))
    with database.exclusively(address, "one", wait_s=5):
        with pytest.raises(LakeLocked), database.exclusively(address, "one", wait_s=0.3):
            pass
        with database.exclusively(address, "another", wait_s=0.3):
            pass
    with database.exclusively(address, "one", wait_s=0.3):
        pass


def test_the_page_goes_on_after_the_database_was_killed(lake, cluster):
    run, _ = with_history(lake)
    set_database(lake, cluster.make("killed"))
    event.listen(Pool, "checkout", require_open)
    try:
        with instance_of(lake) as instance:
            instance.optimize_for_webserver(15_000, 3_600, 20)
            assert instance.get_run_by_id(run).is_success and instance.all_logs(run)
            cluster.kill()
            cluster.start()
            assert instance.get_run_by_id(run).is_success and instance.all_logs(run)
            assert instance.all_instigator_state() == []
    finally:
        event.remove(Pool, "checkout", require_open)


def test_settings_of_a_lake_on_postgres_are_what_dagster_reads(lake, cluster):
    set_database(lake, cluster.make("read"))
    text = (lake.history_dir / "dagster" / "dagster.yaml").read_text()
    assert "search_path%3Ddagster" in yaml.safe_load(text)["storage"]["postgres"]["postgres_url"]


def test_a_history_comes_back_from_a_backup_in_another_database_and_goes_on(lake, cluster, tmp_path):
    run, training = with_history(lake)
    set_database(lake, cluster.make("before_backup"))
    with instance_of(lake) as instance:
        logs = {one.run_id: instance.all_logs(one.run_id) for one in instance.get_runs()}
        made = instance.get_latest_materialization_event(dg.AssetKey("grown"))
    found = Tracker(lake).runs()[0]
    facts = (found.params, found.metrics, found.tags, found.status)
    backup.create(lake, tmp_path / "backup")
    for folder in (lake.root, lake.history_dir):
        shutil.rmtree(folder)
    backup_restore.restore(
        tmp_path / "backup", tmp_path / "other" / "lake", server=database.checked(cluster.make("after_backup"))
    )
    back = Lake.open(tmp_path / "other" / "lake", create=False)
    assert "after_backup" in database.set_for(back.root)
    with instance_of(back) as instance:
        assert "Postgres" in type(instance.run_storage).__name__
        assert {one.run_id: instance.all_logs(one.run_id) for one in instance.get_runs()} == logs
        assert instance.get_latest_materialization_event(dg.AssetKey("grown")) == made
        assert dg.materialize([grown], instance=instance).run_id not in logs
        assert instance.get_runs_count() == len(logs) + 1 and instance.get_run_by_id(run).is_success
    tracker = Tracker(back)
    again = tracker.runs()[0]
    assert (again.run_id, again.params, again.metrics, again.tags, again.status) == (training, *facts)
    assert [one.path for one in tracker.client.list_artifacts(training)] == ["card.json"]
    assert tracker.start_or_resume("another", {"radia.recipe": "another"}).run_id != training

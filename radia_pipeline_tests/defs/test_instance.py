"""Dagster's history of a lake names no place: it moves and is copied with the lake, and older ones follow once."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import psutil
import pytest
import yaml
from dagster._core.launcher.base import WorkerStatus
from dagster._daemon.monitoring.concurrency import execute_concurrency_slots_iteration

from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.instance import _BEFORE, dagster_home, is_edited
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.training import POOL, POOL_CHOICES
from radia_pipeline.errors import BadInput
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import CHOICES, change_settings
from radia_pipeline.processes import children
from radia_pipeline.tracking.database import checked
from radia_pipeline.tracking.provenance import TAG_HOST, process_tags
from radia_pipeline_tests.defs.opened import wait_for

OLD = """\
storage:
  sqlite:
    base_dir: {base}/storage
local_artifact_storage:
  module: dagster.core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: {base}/artifacts
compute_logs:
  module: dagster.core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config:
    base_dir: {base}/compute_logs
"""
"""Where the first releases kept things, by whole addresses."""


@dg.op
def speak() -> int:
    sys.stdout.write("said by the step\n")
    return 1


@dg.job
def spoken():
    speak()


def run_one(instance: dg.DagsterInstance) -> str:
    result = spoken.execute_in_process(instance=instance)
    assert result.success
    return result.run_id


def bytes_of(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def old(tmp_path, monkeypatch) -> tuple[Lake, str]:
    """A lake whose history an earlier release began, with a run."""
    lake = Lake.open(tmp_path / "lake")
    home = lake.history_dir / "dagster"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(OLD.format(base=home.as_posix()) + yaml.safe_dump(_BEFORE))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return lake, run_one(instance)


def test_a_history_of_an_earlier_release_is_found_whole_in_a_copy_which_leaves_the_old_one_alone(old, tmp_path):
    lake, run_id = old
    there = tmp_path / "à côté" / "lac bleu"
    shutil.copytree(lake.root, there)
    shutil.copytree(lake.history_dir, there.with_name("lac bleu.history"))
    before = bytes_of(lake.history_dir)
    copy = Lake.open(there)
    with instance_of(copy) as instance:
        assert [run.run_id for run in instance.get_runs()] == [run_id]
        logs = instance.all_logs(run_id)
        assert logs
        second = run_one(instance)
    with instance_of(copy) as instance:
        assert {run.run_id for run in instance.get_runs()} == {run_id, second}
    assert bytes_of(lake.history_dir) == before
    home = dagster_home(copy)
    assert str(tmp_path) not in (home / "dagster.yaml").read_text()
    assert not list((home / "compute_logs").glob("*"))
    assert (home / "history" / "runs.db").is_file()


def test_an_opened_history_is_moved_once_and_then_left_as_it_is(old):
    lake, run_id = old
    for _ in range(2):
        with instance_of(lake) as instance:
            assert [run.run_id for run in instance.get_runs()] == [run_id]
    assert not (lake.history_dir / "dagster" / "storage" / "history" / "runs.db").exists()


def test_settings_that_a_person_changed_stay_and_others_follow_the_lake(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    path = dagster_home(lake) / "dagster.yaml"
    assert yaml.safe_load(path.read_text())["concurrency"]["runs"]["max_concurrent_runs"] == 2
    change_settings(lake.root, most_runs=5, pool_limit=3)
    dagster_home(lake)
    concurrency = yaml.safe_load(path.read_text())["concurrency"]
    assert concurrency["runs"]["max_concurrent_runs"] == 5 and concurrency["pools"]["default_limit"] == 3
    mine = path.read_text().replace("max_concurrent_runs: 5", "max_concurrent_runs: 3")
    path.write_text(mine)
    change_settings(lake.root, most_runs=7)
    dagster_home(lake)
    assert path.read_text() == mine and is_edited(lake)


def test_a_lake_on_postgres_has_eight_runs_at_once_and_no_password_in_any_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "a secret that no file may hold")
    lake = Lake.open(tmp_path / "lake")
    change_settings(lake.root, database=checked("postgresql://radia@db.example:5433/radia"))
    found = yaml.safe_load((dagster_home(lake) / "dagster.yaml").read_text())
    assert found["storage"]["postgres"]["postgres_url"].startswith("postgresql+psycopg2://radia@db.example:5433/radia?")
    assert "search_path%3Ddagster" in found["storage"]["postgres"]["postgres_url"]
    assert found["concurrency"]["runs"]["max_concurrent_runs"] == 8
    assert not [name for name, content in bytes_of(tmp_path).items() if b"a secret" in content]


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://radia:hush@db/radia",
        "postgresql://db/radia?password=hush",
        "mysql://radia@db/radia",
        "radia",
        "postgresql://radia@db",
        "postgresql://radia@db/radia?options=-csearch_path%3Dpublic",
    ],
)
def test_an_address_with_a_password_or_of_another_kind_is_refused_and_not_shown(address):
    with pytest.raises(BadInput) as refused:
        checked(address)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(("choice", "pool"), [("on", "gpu"), ("off", None)])
def test_trainings_wait_for_each_other_where_it_is_set_with_or_without_a_gpu(tmp_path, choice, pool):
    assert set(POOL_CHOICES) == set(CHOICES["training_pool"])
    lake = Lake.open(tmp_path / "lake")
    change_settings(lake.root, recipes=("smoke_linear",), training_pool=choice)
    graph = build_defs(lake_root=lake.root).resolve_asset_graph()
    for path in (["classifiers", "smoke_linear"], ["detector"]):
        assert graph.get(dg.AssetKey(path)).pools == ({pool} if pool else set())


def test_a_training_waits_for_the_slot_and_a_dead_ones_slot_is_freed(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    change_settings(lake.root, training_pool="on", pool_limit=1)
    with instance_of(lake) as instance:
        first, second = (instance.create_run_for_job(spoken) for _ in range(2))
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default(POOL)
        assert storage.claim_concurrency_slot(POOL, first.run_id, "train").is_claimed
        assert not storage.claim_concurrency_slot(POOL, second.run_id, "train").is_claimed
        instance.report_run_failed(first)
        monitoring = SimpleNamespace(instance=instance)
        deadline = time.monotonic() + 30
        while storage.get_concurrency_info(POOL).claimed_slots and time.monotonic() < deadline:
            list(execute_concurrency_slots_iteration(monitoring, logging.getLogger(__name__)))
            time.sleep(1)
        assert not storage.get_concurrency_info(POOL).claimed_slots
        assert storage.claim_concurrency_slot(POOL, second.run_id, "train").is_claimed


def test_a_run_whose_process_is_gone_is_ended_and_what_it_left_too(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    worker = children.start([sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '600'])"])
    left = wait_for(lambda: psutil.Process(worker.pid).children(), 60, "it has a process of its own")[0]
    tags = process_tags(worker.pid)
    with instance_of(lake) as instance:
        run = instance.create_run_for_job(spoken, tags=tags, status=dg.DagsterRunStatus.STARTED)
        assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
        worker.kill()
        worker.wait()
        assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.FAILED
        wait_for(lambda: not left.is_running() or left.status() == psutil.STATUS_ZOMBIE, 10, "a killed process ends")
        elsewhere = instance.create_run_for_job(spoken, tags={**tags, TAG_HOST: "another-machine"})
        assert instance.run_launcher.check_run_worker_health(elsewhere).status == WorkerStatus.RUNNING
        assert not instance.run_launcher.terminate(elsewhere.run_id)

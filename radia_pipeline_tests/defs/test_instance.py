"""Dagster's history of a lake names no place: it moves and is copied with the lake, and older ones follow once."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import dagster as dg
import pytest

from radia_pipeline.defs.instance import SETTINGS, dagster_home
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.lake.lake import Lake

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
    (home / "dagster.yaml").write_text(SETTINGS.format(storage=OLD.format(base=home.as_posix())))
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

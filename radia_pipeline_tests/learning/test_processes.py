"""Trainings in processes of their own: events, errors, stopping, orphans, sweeps that go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from radia_pipeline.errors import BadRecipe, RunFailed
from radia_pipeline.learning.launch import train_in_processes, visible_gpus
from radia_pipeline.learning.lifecycle import PARENT_VARIABLE
from radia_pipeline.learning.recipes import parse_recipe
from radia_pipeline.learning.sweeps import sweep
from radia_pipeline_tests.learning.synthetic import tiny_recipe, write_lake

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def lake(tmp_path):
    return write_lake(tmp_path / "lake", patients=40)


def recipe_file(folder: Path, **sections) -> Path:
    recipe = tiny_recipe(name="process", **sections)
    path = folder / "process.yaml"
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    return path


def test_a_child_trains_and_its_events_arrive(lake, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    events = []
    path = recipe_file(tmp_path, training={"max_epochs": 1})
    result = train_in_processes(path, lake, processes=1, on_event=events.append, threads=1)
    assert (result.model_dir / "model.safetensors").exists()
    assert [event["event"] for event in events][-1] == "done"
    bad = recipe_file(tmp_path, training={"batch_size": 9999})
    with pytest.raises(BadRecipe, match="batch_size is 9999"):
        train_in_processes(bad, lake, processes=1)


@pytest.mark.slow
def test_torchrun_trains_in_two_processes_as_in_one(lake, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    events = []
    path = recipe_file(tmp_path, training={"max_epochs": 1}, model={"freeze_batch_norm": True})
    two = train_in_processes(path, lake, processes=2, on_event=events.append, threads=1)
    assert next(event for event in events if event["event"] == "start")["processes"] == 2
    one = train_in_processes(path, lake, processes=1, force=True, threads=1)
    assert one.fingerprint == two.fingerprint
    assert one.metrics["loss"] == pytest.approx(two.metrics["loss"], abs=1e-4)


def start_endless(lake, tmp_path, **environment) -> subprocess.Popen:
    path = recipe_file(tmp_path, training={"max_epochs": 5000}, stopping={"patience": 5000})
    command = [sys.executable, "-m", "radia_pipeline.learning.run", "--recipe", str(path), "--lake", str(lake.root)]
    child = subprocess.Popen(
        [*command, "--threads", "1"],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in child.stdout:
        if '"epoch"' in line:
            return child
    raise AssertionError("the child ended before its first epoch")


def test_sigterm_leaves_a_checkpoint_within_30_seconds(lake, tmp_path):
    child = start_endless(lake, tmp_path)
    begun = time.monotonic()
    child.send_signal(signal.SIGTERM)
    out = child.communicate(timeout=30)[0]
    assert time.monotonic() - begun < 30
    assert child.returncode == 1
    assert '"stopped"' in out
    assert "continues from its checkpoint" in out
    assert list(lake.models_dir.glob("process/*/checkpoints/last.safetensors"))


def test_a_child_does_not_outlive_the_process_it_was_started_for(lake, tmp_path):
    starter = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    child = start_endless(lake, tmp_path, **{PARENT_VARIABLE: str(starter.pid)})
    starter.kill()
    starter.wait()
    out = child.communicate(timeout=30)[0]
    assert child.returncode == 1
    assert "parent died" in out


def test_a_child_that_dies_without_a_word_is_a_failed_run(lake, monkeypatch):
    from radia_pipeline.learning import launch

    monkeypatch.setattr(launch, "_launcher", lambda _count: [sys.executable, "-c", "import os; os._exit(9)"])
    with pytest.raises(RunFailed, match="code 9"):
        train_in_processes("demo_linear", lake, processes=1)


def test_gpus_are_counted_without_torch(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert visible_gpus() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == 0


def test_a_sweep_goes_on_where_it_stood(lake):
    content = tiny_recipe(name="swept", training={"max_epochs": 1}).model_dump(mode="json")
    content["sweep"] = {
        "optimizer.lr": {"low": 1e-4, "high": 1e-2, "log": True},
        "model.head": {"choices": ["linear", "pcam"]},
    }
    recipe = parse_recipe(content)
    trials = []
    first = sweep(recipe, lake, trials=1, on_trial=trials.append)
    second = sweep(recipe, lake, trials=3, on_trial=trials.append)
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert (first.trials, second.trials) == (1, 3)
    assert second.best_metric == max(trial.metric for trial in trials)
    assert all(1e-4 <= trial.options["optimizer.lr"] <= 1e-2 for trial in trials)
    with pytest.raises(BadRecipe, match="declares no ranges"):
        sweep(tiny_recipe(name="no_ranges"), lake, trials=1)

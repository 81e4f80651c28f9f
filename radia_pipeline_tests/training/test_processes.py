"""Trainings in processes of their own: events, errors, stopping, orphans."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import psutil
import pytest
import torch
import yaml

from radia_pipeline.errors import BadRecipe, RunFailed
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.processes.parents import named
from radia_pipeline.training.checkpoints import load_tensors
from radia_pipeline.training.inference import predict_manifest
from radia_pipeline.training.launch import Processes, train_in_processes, visible_gpus
from radia_pipeline.training.recipes import load_recipe
from radia_pipeline.usecases.model_export import export_model
from radia_pipeline_tests.forked import TRAINS
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

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
    result = train_in_processes(path, lake, on_event=events.append, processes=Processes(1, threads=1))
    assert (result.model_dir / "model.safetensors").exists()
    assert [event["event"] for event in events][-1] == "done"
    bad = recipe_file(tmp_path, training={"batch_size": 9999})
    with pytest.raises(BadRecipe, match="batch_size is 9999"):
        train_in_processes(bad, lake, processes=Processes(1))


@pytest.mark.slow
def test_a_thousand_images_under_torchrun_equal_one_process(tmp_path, monkeypatch):
    """Through validation, predictions and export: weights, figures, probabilities, and what leaves the house."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    lake, events, found = write_lake(tmp_path / "lake", patients=750), [], []
    assert lake.read("manifest").num_rows == 1000
    pictures = np.random.default_rng(0).normal(size=(4, 2, 1, 32, 32)).astype(np.float32)
    frozen = {"freeze_batch_norm": True, "kwargs": {"block_config": [1, 1], "growth_rate": 4}}
    path = recipe_file(tmp_path, training={"max_epochs": 1, "precision": "fp64"}, model=frozen)
    for count in (2, 1):
        result = train_in_processes(
            path, lake, on_event=events.append, force=count == 1, processes=Processes(count, threads=1)
        )
        predict_manifest(lake, "process")
        weights = load_tensors(result.model_dir / "model.safetensors")[0]
        exported = export_model(lake, "process", "onnx", tmp_path / f"exported_{count}")
        session = onnxruntime.InferenceSession(exported.path / "model.onnx", providers=["CPUExecutionProvider"])
        answers = session.run(None, {"images": pictures, "present": np.ones((4, 2), dtype=bool)})[0]
        found.append((result, weights, lake.read("predictions", "process").column("logit").to_numpy(), answers))
    assert [event["processes"] for event in events if event["event"] == "start"] == [2, 1]
    (two, theirs, scores, sent), (one, ours, expected, sent_by_one) = found
    assert one.fingerprint == two.fingerprint
    assert max(float((theirs[name] - ours[name]).abs().max()) for name in ours) < 1e-6
    assert abs(scores - expected).max() < 1e-6
    assert abs(sent - sent_by_one).max() < 1e-6
    assert two.metrics["auc"] == pytest.approx(one.metrics["auc"], abs=1e-9)
    assert two.metrics["loss"] == pytest.approx(one.metrics["loss"], abs=1e-6)


@pytest.mark.slow
def test_torchrun_is_stopped_with_a_checkpoint_and_leaves_nothing(lake, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    stop, children, begun = StopRequest(), [], []
    others = set(psutil.Process().children(recursive=True))  # decoders that earlier tests keep warm

    def listen(event: dict) -> None:
        if event["event"] == "epoch" and not begun:
            children.extend(set(psutil.Process().children(recursive=True)) - others)
            begun.append(time.monotonic())
            stop.set("test")

    path = recipe_file(tmp_path, training={"max_epochs": 5000}, stopping={"patience": 5000})
    with pytest.raises(RunFailed, match="stopped"):
        train_in_processes(path, lake, on_event=listen, processes=Processes(2, threads=1, stop=stop))
    assert time.monotonic() - begun[0] < 30
    assert len(children) >= 3, "torchrun and its two workers were seen"
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert list(lake.models_dir.glob("process/*/checkpoints/last.safetensors"))


@pytest.mark.slow
def test_torchrun_does_not_outlive_a_killed_caller(lake, tmp_path):
    path = recipe_file(tmp_path, training={"max_epochs": 5000}, stopping={"patience": 5000})
    code = (
        "import sys\nfrom pathlib import Path\nfrom radia_pipeline.lake.lake import Lake\n"
        "from radia_pipeline.training.launch import Processes, train_in_processes\n"
        "train_in_processes(sys.argv[1], Lake.open(Path(sys.argv[2])), processes=Processes(2, threads=1),"
        " on_event=lambda event: print(event['event'], flush=True))\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(lake.root)],
        cwd=REPOSITORY,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    next(line for line in caller.stdout if line.strip() == "epoch")
    children = psutil.Process(caller.pid).children(recursive=True)
    caller.kill()
    caller.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert len(children) >= 3
    assert not [child for child in alive if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def start_endless(lake, tmp_path, **environment) -> subprocess.Popen:
    path = recipe_file(tmp_path, training={"max_epochs": 5000}, stopping={"patience": 5000})
    command = [sys.executable, "-m", "radia_pipeline.training.run", "--recipe", str(path), "--lake", str(lake.root)]
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


KILLER = """
import os, random, signal, sys, threading, time
from pathlib import Path
import torch
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training import checkpoints
from radia_pipeline.training.recipes import load_recipe
from radia_pipeline.training.trainer import Runtime, train

recipe, lake, where = load_recipe(sys.argv[1]), Lake.open(Path(sys.argv[2])), sys.argv[3]
wanted = random.Random(int(sys.argv[4])).randint(2, 5)
save, saves = checkpoints.save_file, []

def torn(tensors, path, metadata):
    saves.append(path)
    if where == "checkpoint" and len(saves) == wanted:
        whole = Path(str(path) + ".whole")
        save(tensors, whole, metadata)
        Path(path).write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return save(tensors, path, metadata)

def listen(event):
    if where == "step" and event["event"] == "step" and event["step"] == wanted:
        os.kill(os.getpid(), signal.SIGKILL)

checkpoints.save_file = torn
torch.set_num_threads(int(sys.argv[5]))
train(recipe, lake, on_event=listen, runtime=Runtime(workers=1, log_every_s=0.0, checkpoint_every_s=0.0))
"""


@pytest.mark.parametrize("where", ["step", "checkpoint"])
def test_killed_and_resumed_equals_uninterrupted_bitwise(where, lake, tmp_path, fork):
    """SIGKILL, at a random step or with half a checkpoint on the disk."""
    from radia_pipeline.training.checkpoints import load_tensors
    from radia_pipeline.training.trainer import Runtime, train

    sections = {"training": {"max_epochs": 2, "ema": 0.9}, "model": {"dropout": 0.2}}
    path, seed = recipe_file(tmp_path, **sections), str(random.randrange(1000))
    threads = str(torch.get_num_threads())  # another number of threads adds in another order
    words = ["-c", KILLER, path, lake.root, where, seed, threads]
    killed = fork.run(words, cwd=REPOSITORY, env=os.environ, loads=TRAINS)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-500:]
    events = []
    resumed = train(load_recipe(path), lake, on_event=events.append, runtime=Runtime(workers=1))
    whole = train(tiny_recipe(name="whole", **sections), lake, runtime=Runtime(workers=1))
    assert next(event for event in events if event["event"] == "start")["resumed_at_step"] > 0, f"seed {seed}"
    tensors = [load_tensors(found.model_dir / "model.safetensors")[0] for found in (resumed, whole)]
    assert all((tensors[0][name] == tensors[1][name]).all() for name in tensors[1]), f"seed {seed}"


def test_a_child_does_not_outlive_the_process_it_was_started_for(lake, tmp_path):
    starter = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    child = start_endless(lake, tmp_path, **named(starter.pid))
    starter.kill()
    starter.wait()
    out = child.communicate(timeout=30)[0]
    assert child.returncode == 1
    assert "parent died" in out


def test_a_child_that_dies_without_a_word_is_a_failed_run(lake, monkeypatch):
    from radia_pipeline.training import launch

    monkeypatch.setattr(launch, "_launcher", lambda *_: [sys.executable, "-c", "import os; os._exit(9)"])
    with pytest.raises(RunFailed, match="code 9"):
        train_in_processes("demo_linear", lake, processes=Processes(1))


def test_gpus_are_counted_without_torch(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert visible_gpus() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == 0

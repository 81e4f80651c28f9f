"""Training is repeatable, resumable, exclusive, and says clearly what it lacks."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection import store, train
from radia_pipeline.detection.inference import SCHEMA, detect
from radia_pipeline.detection.launch import launch_detector
from radia_pipeline.detection.objective import DetectionTask
from radia_pipeline.detection.prior import Prior
from radia_pipeline.detection.train import train_detector
from radia_pipeline.errors import AlreadyRunning, DamagedFile, EmptyPool, NotTrained, RunFailed, TrainingDiverged
from radia_pipeline.training.launch import Processes
from radia_pipeline.training.model_store import read_weights
from radia_pipeline.training.outcome import Runtime
from radia_pipeline_tests.detection.worlds import HEIGHT, SOURCE, WIDTH, make_world, small_config
from radia_pipeline_tests.forked import TRAINS

REPOSITORY = Path(__file__).resolve().parents[2]


def equal_weights(first, second) -> bool:
    a, b = read_weights(first), read_weights(second)
    return set(a) == set(b) and all((a[name] == b[name]).all() for name in a)


def test_training_tells_what_it_does(trained):
    kinds = [event["event"] for event in trained.events]
    assert kinds[0] == "start"
    assert kinds[-1] == "done"
    assert kinds.count("epoch") == 2
    epochs = [event for event in trained.events if event["event"] == "epoch"]
    assert all(0 <= event["ap30"] <= 1 and event["train_loss"] > 0 for event in epochs)
    assert trained.result.start_recipe == "toy"
    assert set(trained.result.classes) == {"Cardiomegaly", "Pleural Effusion", "Mass"}


def test_events_name_no_image(trained):
    ids = set(trained.world.truth)
    assert not any(one in str(event) for event in trained.events for one in ids)


def test_finished_training_is_reported_not_repeated(trained):
    events = []
    again = train_detector(trained.world.lake, small_config(), on_event=events.append)
    assert again.reused
    assert again.model_dir == trained.result.model_dir
    assert [event["event"] for event in events] == ["done"]


def test_same_seed_gives_the_same_weights_and_another_seed_others(trained, tmp_path):
    lake = trained.world.lake
    first = train_detector(lake, small_config(), run_dir=tmp_path / "a")
    assert equal_weights(first.model_dir, trained.result.model_dir)
    other = train_detector(lake, small_config(seed=1), run_dir=tmp_path / "b")
    assert not equal_weights(first.model_dir, other.model_dir)


def stopped_at(step: int) -> tuple[Runtime, Callable[[dict], None]]:
    """A runtime that is asked to stop after a step, and the listener that asks."""
    runtime = Runtime(log_every_s=0.0)

    def listen(event: dict) -> None:
        if event["event"] == "step" and event["step"] == step:
            runtime.stop.set("test")

    return runtime, listen


@pytest.mark.parametrize("step", [1, 4])
def test_stopped_at_any_step_ends_with_the_same_weights(step, trained, tmp_path):
    runtime, listen = stopped_at(step)
    with pytest.raises(RunFailed, match="continues from its checkpoint"):
        train_detector(trained.world.lake, small_config(), run_dir=tmp_path, on_event=listen, runtime=runtime)
    events = []
    resumed = train_detector(trained.world.lake, small_config(), run_dir=tmp_path, on_event=events.append)
    assert next(event for event in events if event["event"] == "start")["resumed_at_step"] == step
    assert equal_weights(resumed.model_dir, trained.result.model_dir)
    assert [line["ap30"] for line in resumed.history] == [line["ap30"] for line in trained.result.history]


KILLER = """
import os, random, signal, sys
from pathlib import Path
import torch
from radia_pipeline.detection.recipes import load_config
from radia_pipeline.detection.train import train_detector
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training import checkpoints
from radia_pipeline.training.outcome import Runtime

config, lake, where = load_config(sys.argv[1]), Lake.open(Path(sys.argv[2])), sys.argv[3]
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
torch.set_num_threads(1)
runtime = Runtime(workers=1, log_every_s=0.0, checkpoint_every_s=0.0)
train_detector(lake, config, run_dir=Path(sys.argv[5]), on_event=listen, runtime=runtime)
"""


@pytest.mark.parametrize("where", ["step", "checkpoint"])
def test_killed_and_resumed_equals_uninterrupted_bitwise(where, trained, tmp_path, fork):
    """SIGKILL, at a random step or with half a checkpoint on the disk; averaged weights too."""
    seed = str(random.randrange(1000))
    config, path = small_config(training={"ema": 0.9, "max_epochs": 2, "batch_size": 8}), tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(config.as_dict()))
    lake, runtime = trained.world.lake, Runtime(workers=1)
    words = ["-c", KILLER, path, lake.root, where, seed, tmp_path / "killed"]
    killed = fork.run(words, cwd=REPOSITORY, env=os.environ, loads=TRAINS)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-500:]
    events = []
    resumed = train_detector(lake, config, run_dir=tmp_path / "killed", on_event=events.append, runtime=runtime)
    whole = train_detector(lake, config, run_dir=tmp_path / "whole", runtime=runtime)
    assert next(event for event in events if event["event"] == "start")["resumed_at_step"] > 0, f"seed {seed}"
    assert equal_weights(resumed.model_dir, whole.model_dir), f"seed {seed}"


def test_two_processes_under_torchrun_equal_one(trained, tmp_path, monkeypatch):
    """Weights, and the figure by which epochs are compared: an odd number of images is shared and gathered."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    config = small_config(name="both", training={"precision": "fp64", "max_epochs": 1, "batch_size": 8})
    events: list[dict] = []
    lake = trained.world.lake
    two = launch_detector(lake, config, on_event=events.append, processes=Processes(2, threads=1))
    one = train_detector(lake, config, run_dir=tmp_path, runtime=Runtime(workers=1))
    assert next(event for event in events if event["event"] == "start")["processes"] == 2
    ours, theirs = read_weights(one.model_dir), read_weights(two.model_dir)
    assert max(float((theirs[name] - ours[name]).abs().max()) for name in ours) < 1e-6
    assert two.history[0]["ap30"] == pytest.approx(one.history[0]["ap30"], abs=1e-9)


def test_a_bad_step_is_skipped_and_many_end_the_training_with_keyed_ids(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(DetectionTask, "forward", lambda self, outputs, batch, total: outputs[0].sum() * float("nan"))
    config = small_config(training={"max_bad_steps": 2, "max_epochs": 2, "batch_size": 8})
    events = []
    with pytest.raises(TrainingDiverged, match="2 steps running"):
        train_detector(trained.world.lake, config, run_dir=tmp_path, on_event=events.append)
    bad = [event for event in events if event["event"] == "bad_step"]
    assert len(bad) == 2
    assert bad[0]["images"][0] in trained.world.truth


def test_picture_of_a_batch_lies_in_the_previews(trained):
    event = next(event for event in trained.events if event["event"] == "picture")
    path = trained.world.lake.root / event["path"]
    assert path.is_relative_to(trained.world.lake.previews_dir)
    assert cv2.imread(str(path)).shape[2] == 3


def test_damaged_checkpoint_is_said_and_the_training_begins_anew(trained, tmp_path):
    path, events = tmp_path / "checkpoints" / "last.safetensors", []
    path.parent.mkdir()
    path.write_bytes(b"\x00" * 100)
    result = train_detector(trained.world.lake, small_config(), run_dir=tmp_path, on_event=events.append)
    assert "begins anew" in next(event for event in events if event["event"] == "warning")["message"]
    assert equal_weights(result.model_dir, trained.result.model_dir)


def test_second_training_of_the_same_detector_is_refused_at_once(trained):
    with trained.world.lake.lock("training.detector.small"), pytest.raises(AlreadyRunning):
        train_detector(trained.world.lake, small_config())


def test_detected_boxes_lie_on_their_images(trained):
    images = trained.world.lake.read("manifest")
    found = detect(trained.world.lake, images, model_dir=trained.result.model_dir)
    assert found.schema == SCHEMA
    right = np.add(found["x_px"], found["width_px"])
    bottom = np.add(found["y_px"], found["height_px"])
    assert found.num_rows > 0
    assert min(found["x_px"].to_pylist()) >= 0
    assert right.max() <= WIDTH + 1e-6
    assert bottom.max() <= HEIGHT + 1e-6
    assert set(found["image_id"].to_pylist()) <= set(images["image_id"].to_pylist())


def test_with_the_ensemble_at_hand_thresholds_are_others_and_what_it_forbids_is_not_shown(
    trained, tmp_path, monkeypatch
):
    lake, words = trained.world.lake, vocabulary()
    images = lake.read("manifest")
    studies, random = images["study_id"].to_pylist(), np.random.default_rng(0)
    said = random.uniform(0, 0.2, (len(studies), len(words.classes)))
    said[::3, words.index(words.no_finding)] = 0.9
    prior = Prior(dict(zip(studies, said)), np.full(len(words.classes), 0.4))
    monkeypatch.setattr(train, "validation_prior", lambda _lake: prior)
    result = train_detector(lake, small_config(), run_dir=tmp_path)
    assert equal_weights(result.model_dir, trained.result.model_dir)
    spec, before = store.read_spec(result.model_dir), store.read_spec(trained.result.model_dir)
    assert spec.thresholds == before.thresholds
    assert before.ensemble_thresholds == ()
    assert len(spec.ensemble_thresholds) == len(spec.classes)
    assert min(np.subtract(spec.thresholds, spec.ensemble_thresholds)) >= 0
    assert spec.ensemble_thresholds != spec.thresholds
    shown = detect(lake, images, model_dir=result.model_dir, prior=prior, shown=True)
    possible = dict(zip(images["image_id"].to_pylist(), prior.possible(studies, spec.classes)))
    assert shown.num_rows > 0
    for image, name in zip(shown["image_id"].to_pylist(), shown["class"].to_pylist()):
        assert possible[image][spec.classes.index(name)]


def test_detection_does_not_depend_on_the_batch(trained):
    rows = trained.world.lake.read("manifest").slice(0, 5)
    together = detect(trained.world.lake, rows, model_dir=trained.result.model_dir).to_pylist()
    alone = [
        row
        for index in range(5)
        for row in detect(trained.world.lake, rows.slice(index, 1), model_dir=trained.result.model_dir).to_pylist()
    ]
    assert len(together) == len(alone)
    assert np.allclose([row["x_px"] for row in together], [row["x_px"] for row in alone], atol=1e-2)


def test_missing_stored_image_is_named_by_its_key(trained):
    row = {**trained.world.lake.read("manifest").slice(0, 1).to_pylist()[0], "path": "pixels/nowhere.png"}
    with pytest.raises(DamagedFile, match=row["image_id"]):
        detect(trained.world.lake, [row], model_dir=trained.result.model_dir)


def test_train_pool_without_boxes_says_so(tmp_path):
    world = make_world(tmp_path / "lake", images=6)
    world.lake.write("pseudo_boxes", [], SOURCE)
    with pytest.raises(EmptyPool):
        train_detector(world.lake, small_config())


def test_lake_without_a_classifier_says_so(tmp_path):
    world = make_world(tmp_path / "lake", images=6)
    with pytest.raises(NotTrained):
        train_detector(world.lake, small_config(recipe=None))


def test_detector_that_was_never_trained_says_so(tmp_path):
    world = make_world(tmp_path / "lake", images=2)
    with pytest.raises(NotTrained):
        store.latest_detector(world.lake)


@pytest.mark.slow
def test_detector_learns_to_point(tmp_path):
    """On drawn findings a minute of training finds nearly all of them: mean AP at IoU .3 above .8."""
    world = make_world(tmp_path / "lake", images=240)
    config = small_config(epochs=12, size_px=128, fpn_channels=64, max_images=200, max_validation_images=60)
    assert train_detector(world.lake, config).best_metric > 0.8

"""Training is repeatable, resumable, exclusive, and says clearly what it lacks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from radia_pipeline.detection import store
from radia_pipeline.detection.inference import SCHEMA, detect
from radia_pipeline.detection.train import train_detector
from radia_pipeline.errors import AlreadyRunning, DamagedFile, EmptyPool, NotTrained
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.training.model_store import read_weights
from radia_pipeline_tests.detection.worlds import HEIGHT, SOURCE, WIDTH, make_world, small_config


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
    lake, config = trained.world.lake, small_config()
    first = train_detector(lake, config, run_dir=tmp_path / "a")
    assert equal_weights(first.model_dir, trained.result.model_dir)
    other = train_detector(lake, dataclasses.replace(config, seed=1), run_dir=tmp_path / "b")
    assert not equal_weights(first.model_dir, other.model_dir)


def test_stopped_training_ends_with_the_same_weights(trained, tmp_path):
    stop, events = StopRequest(), []

    def after_first_epoch(event):
        events.append(event)
        if event["event"] == "epoch":
            stop.set("test")

    halted = train_detector(trained.world.lake, small_config(), run_dir=tmp_path, on_event=after_first_epoch, stop=stop)
    assert halted.stopped
    assert halted.epochs == 1
    resumed = train_detector(trained.world.lake, small_config(), run_dir=tmp_path)
    assert not resumed.stopped
    assert equal_weights(resumed.model_dir, trained.result.model_dir)


def test_damaged_checkpoint_is_refused(trained, tmp_path):
    path = tmp_path / "checkpoints" / "last.safetensors"
    path.parent.mkdir()
    path.write_bytes(b"\x00" * 100)
    with pytest.raises(DamagedFile):
        train_detector(trained.world.lake, small_config(), run_dir=tmp_path)


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

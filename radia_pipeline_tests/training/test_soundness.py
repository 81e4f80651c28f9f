"""What a training left behind is looked at before it is used; what is damaged is said and made again, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from radia_pipeline.errors import RunFailed
from radia_pipeline.processes.lifecycle import StopRequest
from radia_pipeline.training.checkpoints import load_tensors, save_tensors
from radia_pipeline.training.model_folders import is_again
from radia_pipeline.training.standing import is_stopped_again
from radia_pipeline.training.trainer import Runtime, train
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

RECIPE = tiny_recipe(name="sound", training={"max_epochs": 2})


@pytest.fixture
def lake(tmp_path):
    return write_lake(tmp_path / "lake", patients=40)


def stopped(lake, step: int = 1, **options) -> list[dict]:
    """Train until a step and stop there; returns the events."""
    runtime, events = Runtime(workers=1, log_every_s=0.0, stop=StopRequest()), []

    def listen(event: dict) -> None:
        events.append(event)
        if event["event"] == "step" and event["step"] >= step:
            runtime.stop.set("test")

    with pytest.raises(RunFailed):
        train(RECIPE, lake, on_event=listen, runtime=runtime, **options)
    return events


def said(events: list[dict]) -> str:
    return " ".join(event["message"] for event in events if event["event"] == "warning")


def resumed_at(events: list[dict]) -> int:
    return next(event["resumed_at_step"] for event in events if event["event"] == "start")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def foreign(path: Path) -> None:
    tensors, metadata = load_tensors(path)
    save_tensors(path, tensors, {**metadata, "fingerprint": "0" * 16})


@pytest.mark.parametrize(
    ("name", "harm", "words"),
    [
        ("model.safetensors", cut, "broken"),
        ("model.safetensors", foreign, "belongs to another training"),
        ("model.json", cut, "cannot be read"),
        ("metrics.jsonl", Path.unlink, "metrics.jsonl is gone"),
        ("metrics.jsonl", lambda path: path.write_text(path.read_text().splitlines(True)[0]), "tells of 1 of 2 epochs"),
    ],
)
def test_a_damaged_model_is_never_reported_as_finished(lake, name, harm, words):
    first, events = train(RECIPE, lake), []
    weights = {name: tensor.clone() for name, tensor in load_tensors(first.model_dir / "model.safetensors")[0].items()}
    harm(first.model_dir / name)
    second = train(RECIPE, lake, on_event=events.append)
    assert words in said(events)
    assert resumed_at(events) == first.steps, "its checkpoint holds all of it"
    assert (second.reused, second.history == first.history) == (False, True)
    found = load_tensors(first.model_dir / "model.safetensors")[0]
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())
    assert train(RECIPE, lake).reused


@pytest.mark.parametrize(("name", "harm"), [("last", cut), ("last", foreign), ("best", cut), ("best", Path.unlink)])
def test_a_checkpoint_that_cannot_be_taken_up_is_said_and_the_training_begins_anew(lake, name, harm):
    steps = next(event["steps_per_epoch"] for event in stopped(lake) if event["event"] == "start")
    stopped(lake, step=steps + 1)
    (folder,) = (lake.models_dir / "sound").glob("*/checkpoints")
    harm(folder / f"{name}.safetensors")
    events = []
    train(RECIPE, lake, on_event=events.append)
    assert "the training begins anew" in said(events)
    assert resumed_at(events) == 0


def test_a_forced_training_that_was_stopped_goes_on_whether_forced_or_not(lake):
    first = train(RECIPE, lake)
    for forced in (True, False):
        stopped(lake, step=2, force=True)
        assert is_again(first.model_dir) and is_stopped_again(lake, RECIPE)
        events = []
        second = train(RECIPE, lake, force=forced, on_event=events.append)
        assert (resumed_at(events), second.reused) == (2, False)
        assert not is_stopped_again(lake, RECIPE)
    assert second.history == first.history
    assert train(RECIPE, lake).reused

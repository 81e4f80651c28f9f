"""One small world and one trained detector for the whole folder."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from radia_pipeline.detection.train import DetectorResult, train_detector
from radia_pipeline_tests.detection.worlds import World, make_world, small_config


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Small tensors gain nothing from threads, and waiting threads cost a busy machine dearly."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Trained:
    """A world whose detector has been trained, with the trainer's result and events."""

    world: World
    result: DetectorResult
    events: list[dict]


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Trained:
    """Two epochs on a few dozen images: enough for shapes and files, not for skill."""
    world, events = make_world(tmp_path_factory.mktemp("detection") / "lake"), []
    result = train_detector(world.lake, small_config(), on_event=events.append)
    return Trained(world, result, events)

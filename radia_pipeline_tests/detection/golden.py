"""The numbers that detectors of the declared version come to; ``golden.json`` has them on record.

``python -m radia_pipeline_tests.detection.golden`` brings the record up to date (see ``records``). A detector computes
in float32: what a processor's instruction sets leave of a training of a few steps was measured as less than 1e-4.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection import data
from radia_pipeline.detection.config import NAMELESS, DetectorConfig
from radia_pipeline.detection.decode import decode, positions
from radia_pipeline.detection.identity import DETECTOR_VERSION
from radia_pipeline.detection.loss import ImageTarget, Matcher, Targets, detection_loss
from radia_pipeline.detection.recipes import parse_config
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.detection.train import DetectorResult, train_detector
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.composed import Augmenter
from radia_pipeline.training.identity import TRAINING_VERSION
from radia_pipeline.training.model_store import read_weights
from radia_pipeline.training.outcome import Runtime
from radia_pipeline_tests.detection.worlds import SOURCE, make_world, small_config, toy_recipe
from radia_pipeline_tests.records import Record

VERSION = f"{DETECTOR_VERSION}.{TRAINING_VERSION}"
"""Classifiers' numbers reach a detector too: inputs, rates, the backbone."""
SIZE, CLASSES = 64, 3
CONFIG = parse_config({"input": {"size_px": SIZE}})
RECORD = Record(
    file=Path(__file__).with_name("golden.json"),
    version="DETECTOR_VERSION",
    declared_in="radia_pipeline/detection/identity.py",
    door="python -m radia_pipeline_tests.detection.golden",
    exact={"defaults": 0.0, "choice": 0.0, "boxes": 1e-9, "loss": 1e-5, "pixels": 1e-4, "training": 1e-3},
)


def targets() -> list[ImageTarget]:
    """Two images: three boxes of which two overlap, one class not known; and none."""
    boxes = np.array([[4.0, 4.0, 60.0, 60.0], [24.0, 24.0, 40.0, 40.0], [8.0, 9.0, 20.0, 23.0]])
    label, weight = np.array([0, 1, 2]), np.array([0.5, 1.0, 2.0], np.float32)
    none = np.zeros(0, dtype=int)
    return [
        ImageTarget(boxes, label, weight, np.array([True, True, False])),
        ImageTarget(boxes[:0], none, weight[:0], np.ones(CLASSES, dtype=bool)),
    ]


def raw_outputs() -> list[np.ndarray]:
    """Logits (2, L, K), distances (2, L, 4), centre-ness (2, L, 1) of a network that was never trained."""
    places, random = len(positions(SIZE, CONFIG.head.strides)[0]), np.random.Generator(np.random.Philox(1))
    logits, distances, centreness = (random.normal(size=(2, places, width)) for width in (CLASSES, 4, 1))
    return [part.astype(np.float32) for part in (logits, np.abs(distances), centreness)]


def loss() -> dict[str, Any]:
    """The three losses and how strongly each output is pulled."""
    outputs = [torch.from_numpy(part).requires_grad_() for part in raw_outputs()]
    head = CONFIG.head
    matcher = Matcher(SIZE, head.strides, head.center_radius, head.range_factor)
    found = detection_loss(tuple(outputs), Targets.of(targets(), matcher), matcher)
    sum(found.values()).backward()
    return {
        **{name: float(value.detach()) for name, value in found.items()},
        "pull": [float(output.grad.norm()) for output in outputs],
    }


def boxes() -> dict[str, Any]:
    """What the decoder reads from untrained outputs."""
    classes = vocabulary().pathologies[:CLASSES]
    spec = DetectorSpec.of(CONFIG, toy_recipe().model_dump(), classes, {})
    found = decode([part[:1] for part in raw_outputs()], spec, spec.score_threshold)
    return {"corners": found.corners.tolist(), "score": found.score.tolist(), "label": found.label.tolist()}


def pixels() -> dict[str, Any]:
    """One image and its boxes after augmentation: sums over the picture's quarters, corners of what is left."""
    along = np.arange(SIZE, dtype=np.float64)
    image = (0.5 + 0.25 * np.sin(along / 9) + 0.25 * np.cos(along[:, None] / 7)).astype(np.float32)
    augmenter = Augmenter(CONFIG.augmentation, kept_share=data.KEPT_SHARE)
    moved, target = data.augment(image, targets()[0], augmenter, np.random.Generator(np.random.Philox(2)), None)
    half = SIZE // 2
    quarters = [float(moved[y : y + half, x : x + half].sum(dtype=np.float64)) for y in (0, half) for x in (0, half)]
    return {"quarters": quarters, "boxes": target.boxes.tolist(), "known": target.known.tolist()}


def choice(lake: Lake) -> list[str]:
    """Which images of the training pool are learned from, in order."""
    config = small_config()
    images, found = data.read_images(lake, (SOURCE,), ("train",)), data.read_boxes(lake, (SOURCE,))
    entries = data.pool_entries(images, found, tuple(sorted(set(found.label))), config)
    return [entry.image_id for entry in data.choose_entries(entries, config)]


def training(result: DetectorResult, steps: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a training of ``small_config`` came to; ``steps``: its events."""
    weights = read_weights(result.model_dir)
    lengths = {
        part: sum(float(w.double().norm()) for name, w in weights.items() if name.startswith(part))
        for part in ("net.", "fpn.", "classify.", "regress.")
    }
    rates = [event["lr"] for event in steps if event["event"] == "step"][:1]
    return {"train_loss": [line["train_loss"] for line in result.history], "weights": lengths, "first_rate": rates}


def defaults() -> dict[str, Any]:
    """Every option that can change the result, with its default."""
    return dict(_flat(DetectorConfig().model_dump(mode="json", exclude=set(NAMELESS))))


def _flat(content: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def measure() -> dict[str, Any]:
    """Compute everything, a training among it, and return what the record should say."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        world, events = make_world(Path(folder) / "lake"), []
        result = train_detector(world.lake, small_config(), on_event=events.append, runtime=Runtime(device="cpu"))
        trained, chosen = training(result, events), choice(world.lake)
    return {
        "version": VERSION,
        "defaults": defaults(),
        "choice": {"train": chosen},
        "boxes": {"untrained": boxes()},
        "loss": {"untrained": loss()},
        "pixels": {"one": pixels()},
        "training": {"small": trained},
    }


if __name__ == "__main__":
    sys.exit(RECORD.update(measure()))

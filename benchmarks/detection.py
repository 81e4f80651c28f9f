"""What the detector costs: per-image time in torch and in ONNX Runtime, one step of training, decoding.

Runs on images of noise with a network of the demo's shape, one thread; prints ratios measured in one run and writes
them to ``benchmarks/results/detection.json``. Not here: how good its boxes are (table
``detector_scorecard``).
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.decode import raw_to_boxes
from radia_pipeline.detection.loss import ImageTarget, Matcher, Targets
from radia_pipeline.detection.model import Detector
from radia_pipeline.detection.objective import LOSSES
from radia_pipeline.detection.onnx_model import OnnxDetector
from radia_pipeline.detection.recipes import load_config
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.evaluation.onnx_export import write_onnx
from radia_pipeline.training.recipes import load_recipe

REPEATS, BATCH = 12, 16


def cpu_ms(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median CPU milliseconds of a call in this process; other processes do not disturb it."""
    work()
    taken = []
    for _ in range(repeats):
        before = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - before))
    return float(np.median(taken))


def demo_detector() -> Detector:
    """The network of the demo's detector, with random weights."""
    config, recipe = load_config("small"), load_recipe("demo_linear")
    return Detector(DetectorSpec.of(config, recipe.model_dump(), vocabulary().pathologies, {}))


def training_step(detector: Detector) -> Callable[[], None]:
    """Forward, loss and backward of one batch with two boxes per image."""
    config, size, classes = load_config("small"), detector.spec.size_px, len(detector.spec.classes)
    head, loss = config.head, LOSSES[detector.spec.head]
    matcher = Matcher(size, head.strides, head.center_radius, head.range_factor)
    images = torch.randn(BATCH, 1, size, size).to(memory_format=torch.channels_last)
    boxes = np.array([[20.0, 30.0, 60.0, 90.0], [80.0, 60.0, 110.0, 80.0]])
    target = ImageTarget(boxes, np.array([0, 3]), np.ones(2, np.float32), np.ones(classes, bool))

    def step() -> None:
        detector.train().zero_grad(set_to_none=True)
        sum(loss(detector(images), Targets.of([target] * BATCH, matcher), matcher).values()).backward()

    return step


def main() -> None:
    """Measure, print, keep."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    detector = demo_detector()
    size = detector.spec.size_px
    one = torch.randn(1, 1, size, size)
    with torch.no_grad():
        detector.eval()
        raw = [output.numpy() for output in detector(one)]
        in_torch = cpu_ms(lambda: detector(one))
    with tempfile.TemporaryDirectory() as folder:
        before = time.process_time()
        write_onnx(detector, detector.spec.input_section, detector.spec.outputs, Path(folder) / "model.onnx")
        export_s = time.process_time() - before
        onnx = OnnxDetector(Path(folder) / "model.onnx", detector.spec, threads=1)
        in_onnx = cpu_ms(lambda: onnx.raw(one.numpy()))
    decoding = cpu_ms(lambda: raw_to_boxes(raw, detector.spec, [("", 320, 320)]))
    step = cpu_ms(training_step(detector), repeats=4)
    result = {
        "size_px": size,
        "weights": sum(weight.numel() for weight in detector.parameters()),
        "torch_ms_per_image": round(in_torch, 1),
        "onnx_ms_per_image": round(in_onnx, 1),
        "torch_over_onnx": round(in_torch / in_onnx, 2),
        "decoding_ms_per_image": round(decoding, 2),
        "training_ms_per_image": round(step / BATCH, 1),
        "training_over_inference": round(step / BATCH / in_torch, 2),
        "export_cpu_s": round(export_s, 1),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    path = Path(__file__).parent / "results" / "detection.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

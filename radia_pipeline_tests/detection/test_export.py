"""What leaves the house: the ONNX file says what torch says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from radia_pipeline.detection import export as export_module
from radia_pipeline.detection.decode import raw_to_boxes
from radia_pipeline.detection.export import TOLERANCE, export_onnx
from radia_pipeline.detection.inference import TorchDetector, detect, opened
from radia_pipeline.detection.onnx_model import ONNX_FILE, OnnxDetector
from radia_pipeline.detection.store import load_detector
from radia_pipeline.detection.train import train_detector
from radia_pipeline.errors import BadInput, NotTrained, RunFailed
from radia_pipeline.training.inputs import prepare
from radia_pipeline_tests.detection.worlds import small_config


@pytest.fixture(scope="module")
def exported(trained):
    """The trained detector, exported by training again with the option set: its weights are reused."""
    events = []
    result = train_detector(trained.world.lake, small_config(export_onnx=True), on_event=events.append)
    assert result.reused
    return result.model_dir, events


@pytest.mark.slow
def test_trained_detector_comes_with_its_onnx_file(exported):
    folder, events = exported
    assert (folder / ONNX_FILE).exists()
    assert [event["event"] for event in events] == ["exported", "done"]
    assert events[0]["max_difference"] <= TOLERANCE


@pytest.mark.slow
def test_onnx_finds_the_same_boxes_as_torch(trained, exported):
    torch_detector, onnx_detector = load_detector(exported[0]), OnnxDetector.load(exported[0])
    compared = 0
    for path in sorted(trained.world.lake.pixels_dir.rglob("*.png"))[:4]:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        tensor = torch.from_numpy(prepare(image, torch_detector.spec.input_section))[None]
        with torch.no_grad():
            raw = [output.numpy() for output in torch_detector(tensor)]
        ours = raw_to_boxes(raw, torch_detector.spec, [("", *image.shape)])
        theirs = onnx_detector.detect_array(image)
        assert ours.label.tolist() == theirs.label.tolist()
        assert np.allclose(ours.corners, theirs.corners, atol=0.05)
        compared += len(ours)
    assert compared > 0


@pytest.mark.slow
def test_what_was_exported_is_what_looks_and_finds_what_torch_finds(trained, exported, tmp_path):
    rows, folder = trained.world.lake.read("manifest").slice(0, 6), exported[0]
    plain = Path(shutil.copytree(folder, tmp_path / "plain", ignore=shutil.ignore_patterns(ONNX_FILE)))
    assert isinstance(opened(folder), OnnxDetector)
    assert isinstance(opened(plain), TorchDetector)
    mine, theirs = (detect(trained.world.lake, rows, model_dir=one) for one in (folder, plain))
    assert mine["class"].to_pylist() == theirs["class"].to_pylist()
    assert mine.num_rows
    for name in ("x_px", "y_px", "width_px", "height_px", "score"):
        assert np.allclose(mine[name], theirs[name], atol=0.05)


@pytest.mark.slow
def test_an_empty_batch_is_refused_in_words(exported):
    detector, size = OnnxDetector.load(exported[0]), small_config().input.size_px
    for images in (np.zeros((0, 1, size, size), np.float32), np.zeros((1, 1, size, size)), np.zeros((1, size, size))):
        with pytest.raises(BadInput, match="A batch of shape"):
            detector.raw(images)


def test_onnx_detector_needs_no_torch():
    code = "import sys, radia_pipeline.detection.onnx_model; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_export_that_differs_is_refused_and_leaves_no_file(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(export_module, "write_onnx", lambda *asked: asked[-1].write_bytes(b"x"))
    monkeypatch.setattr(export_module, "largest_difference", lambda *_: 1.0)
    with pytest.raises(RunFailed, match="differs"):
        export_onnx(trained.result.model_dir, tmp_path)
    assert not list(tmp_path.iterdir())


def test_folder_without_an_export_says_so(tmp_path):
    with pytest.raises(NotTrained):
        OnnxDetector.load(tmp_path)

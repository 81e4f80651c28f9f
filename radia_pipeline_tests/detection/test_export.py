"""What leaves the house: the ONNX file says what torch says; boxes in other tools' formats are the same boxes."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection import export as export_module
from radia_pipeline.detection.export import TOLERANCE, export_onnx
from radia_pipeline.detection.export_boxes import FORMATS, export_boxes
from radia_pipeline.detection.inference import detect_array
from radia_pipeline.detection.onnx_model import ONNX_FILE, OnnxDetector
from radia_pipeline.detection.store import load_detector
from radia_pipeline.detection.train import train_detector
from radia_pipeline.errors import BadTable, NotTrained, RunFailed, UnknownName
from radia_pipeline_tests.detection.worlds import SOURCE, small_config


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
        ours, theirs = detect_array(torch_detector, image), onnx_detector.detect_array(image)
        assert ours.label.tolist() == theirs.label.tolist()
        assert np.allclose(ours.corners, theirs.corners, atol=0.05)
        compared += len(ours)
    assert compared > 0


def test_onnx_detector_needs_no_torch():
    code = "import sys, radia_pipeline.detection.onnx_model; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_export_that_differs_is_refused_and_leaves_no_file(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(export_module, "_write", lambda detector, path: path.write_bytes(b"x"))
    monkeypatch.setattr(export_module, "largest_difference", lambda *_: 1.0)
    with pytest.raises(RunFailed, match="differs"):
        export_onnx(trained.result.model_dir, tmp_path)
    assert not list(tmp_path.iterdir())


def test_folder_without_an_export_says_so(tmp_path):
    with pytest.raises(NotTrained):
        OnnxDetector.load(tmp_path)


@pytest.fixture(scope="module")
def tables(trained):
    lake = trained.world.lake
    return lake.read("pseudo_boxes", SOURCE), lake.read("manifest", SOURCE)


def test_coco_holds_every_box_in_pixels(tables, tmp_path):
    boxes, images = tables
    result = export_boxes(boxes, images, tmp_path, "coco")
    content = json.loads(result.path.read_text())
    assert (result.boxes, result.images) == (boxes.num_rows, images.num_rows)
    names = {one["id"]: one["name"] for one in content["categories"]}
    paths = {one["id"]: one["file_name"] for one in content["images"]}
    found = {(paths[a["image_id"]], names[a["category_id"]], *np.round(a["bbox"], 4)) for a in content["annotations"]}
    path_of = dict(zip(images["image_id"].to_pylist(), images["path"].to_pylist()))
    expected = {
        (path_of[r["image_id"]], r["class"], *np.round([r["x_px"], r["y_px"], r["width_px"], r["height_px"]], 4))
        for r in boxes.to_pylist()
    }
    assert found == expected


def test_yolo_is_centre_and_size_as_shares(tables, tmp_path):
    boxes, images = tables
    result = export_boxes(boxes, images, tmp_path, "yolo")
    names = yaml.safe_load(result.path.read_text())["names"]
    row, size = boxes.slice(0, 1).to_pylist()[0], {r["image_id"]: r for r in images.to_pylist()}
    lines = (tmp_path / "labels" / f"{row['image_id']}.txt").read_text().splitlines()
    number, x, y, width, _, score = map(float, lines[0].split())
    wide, high = size[row["image_id"]]["width_px"], size[row["image_id"]]["height_px"]
    assert names[int(number)] == row["class"]
    assert x * wide - width * wide / 2 == pytest.approx(row["x_px"], abs=1e-2)
    assert y * high == pytest.approx(row["y_px"] + row["height_px"] / 2, abs=1e-2)
    assert score == pytest.approx(row["score"], abs=1e-5)
    assert len(list((tmp_path / "labels").iterdir())) == images.num_rows


def test_label_studio_is_in_percent(tables, tmp_path):
    boxes, images = tables
    tasks = json.loads(export_boxes(boxes, images, tmp_path, "label_studio").path.read_text())
    results = [one for task in tasks for one in task["predictions"][0]["result"]]
    assert len(results) == boxes.num_rows
    assert all(0 <= one["value"]["x"] <= 100 and one["value"]["width"] <= 100 for one in results)
    assert {one["value"]["rectanglelabels"][0] for one in results} <= set(vocabulary().classes)


@pytest.mark.parametrize("form", FORMATS)
def test_exported_files_name_keyed_ids_only(tables, tmp_path, form):
    boxes, images = tables
    export_boxes(boxes, images, tmp_path, form)
    text = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(patient in text for patient in images["patient_key"].to_pylist())


def test_unknown_format_and_stray_boxes_are_refused(tables, tmp_path):
    boxes, images = tables
    with pytest.raises(UnknownName, match="coco"):
        export_boxes(boxes, images, tmp_path, "voc")
    with pytest.raises(BadTable):
        export_boxes(boxes, images.slice(0, 1), tmp_path, "coco")

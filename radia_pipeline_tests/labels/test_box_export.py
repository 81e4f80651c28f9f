"""Boxes in other tools' formats are the same boxes; their images stand with path and pool, and no patient is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from radia_pipeline.cli.main import main
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable, MissingTable, UnknownName
from radia_pipeline.labels.box_export import export_boxes, export_table
from radia_pipeline.labels.box_files.formats import FORMATS
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.detection.worlds import SOURCE, make_world


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return make_world(tmp_path_factory.mktemp("boxes") / "lake", images=20).lake


@pytest.fixture(scope="module")
def tables(lake):
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
    tasks = json.loads(export_boxes(boxes, images, tmp_path, "labelstudio").path.read_text())
    results = [one for task in tasks for one in task["predictions"][0]["result"]]
    assert len(results) == boxes.num_rows
    assert all(0 <= one["value"]["x"] <= 100 and one["value"]["width"] <= 100 for one in results)
    assert {one["value"]["rectanglelabels"][0] for one in results} <= set(vocabulary().classes)


@pytest.mark.parametrize("form", list(FORMATS))
def test_exported_files_name_keyed_ids_only(tables, tmp_path, form):
    boxes, images = tables
    export_boxes(boxes, images, tmp_path, form)
    text = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(patient in text for patient in images["patient_key"].to_pylist())


def test_unknown_format_and_stray_boxes_are_refused(tables, tmp_path):
    boxes, images = tables
    with pytest.raises(UnknownName, match="coco"):
        export_boxes(boxes, images, tmp_path, "paint")
    with pytest.raises(BadTable):
        export_boxes(boxes, images.slice(0, 1), tmp_path, "coco")


def test_pseudo_boxes_come_with_every_image_and_its_pool(lake, tmp_path):
    result = export_table(lake, "pseudo_boxes", "coco", tmp_path)
    images = lake.read("manifest")
    content = json.loads(result.path.read_text())
    assert {one["file_name"]: one["pool"] for one in content["images"]} == dict(
        zip(images["path"].to_pylist(), images["pool"].to_pylist())
    )
    assert result.boxes == lake.read("pseudo_boxes").num_rows


def test_radiologists_boxes_come_without_images_that_nobody_looked_at(lake, tmp_path):
    drawn = lake.read("box_annotations", SOURCE)
    result = export_table(lake, "box_annotations", "labelstudio", tmp_path, sources=[SOURCE])
    tasks = json.loads(result.path.read_text())
    assert {task["data"]["image_id"] for task in tasks} == set(drawn["image_id"].to_pylist())
    assert result.images < lake.read("manifest").num_rows
    assert result.boxes == drawn.num_rows


def test_an_image_that_a_late_link_excludes_stays_out_with_its_boxes(tmp_path):
    lake = make_world(tmp_path / "lake", images=6).lake
    rows, boxes = lake.read("manifest", SOURCE).to_pylist(), lake.read("pseudo_boxes", SOURCE).to_pylist()
    gone = boxes[0]["image_id"]
    for row in rows:
        row["excluded"] = "late_link" if row["image_id"] == gone else None
    lake.write("manifest", rows, SOURCE)
    result = export_table(lake, "pseudo_boxes", "yolo", tmp_path / "out")
    assert gone not in yaml.safe_load(result.path.read_text())["images"]
    assert result.boxes == sum(box["image_id"] != gone for box in boxes) < len(boxes)


def test_unknown_tables_and_absent_boxes_are_clear_errors(tmp_path):
    with pytest.raises(UnknownName, match="pseudo_boxes, box_annotations"):
        export_table(Lake.open(tmp_path), "images", "coco", tmp_path)
    with pytest.raises(MissingTable, match="pseudo_boxes"):
        export_table(Lake.open(tmp_path), "pseudo_boxes", "coco", tmp_path)


def test_the_command_writes_what_the_function_writes(lake, tmp_path, capsys):
    words = ["boxes", "export", "--to", "yolo", "--out", str(tmp_path), "--lake", str(lake.root)]
    assert main([*words, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {"path": str(tmp_path / "data.yaml"), "images": 20, "boxes": lake.read("pseudo_boxes").num_rows}

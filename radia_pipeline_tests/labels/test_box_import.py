"""Boxes go to other tools and come back as they were; what cannot be taken is refused and counted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.errors import BadInput, BadTable, UnknownName
from radia_pipeline.labels.box_annotations import build_boxes
from radia_pipeline.labels.box_export import export_table
from radia_pipeline.labels.box_files.formats import FORMATS
from radia_pipeline.labels.box_import import import_boxes
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.detection.worlds import HEIGHT, SOURCE, WIDTH, make_world

EDGES = ("x_px", "y_px", "width_px", "height_px")


@pytest.fixture
def lake(tmp_path) -> Lake:
    """A lake of 8 images with pseudo boxes of awkward numbers, its images in ``images``, and no radiologist's box."""
    lake, rng = make_world(tmp_path / "lake", images=8).lake, np.random.default_rng(0)
    images = [
        {
            **{name: row[name] for name in ("source", "image_id", "study_id", "patient_key", "path", "view")},
            "pixel_sha256": "0" * 64,
            "file_sha256": "0" * 64,
            "delivered_path": "x",
            "view_origin": "table",
            "width_px": WIDTH,
            "height_px": HEIGHT,
            "original_width_px": WIDTH,
            "original_height_px": HEIGHT,
            "bits_stored": 16,
            "flags": [],
        }
        for row in lake.read("manifest", SOURCE).to_pylist()
    ]
    lake.write("images", images, SOURCE)
    boxes = lake.read("pseudo_boxes", SOURCE).to_pylist()
    for row in boxes:
        row["x_px"], row["y_px"] = (float(v) for v in rng.uniform(0, 40, 2))
        row["width_px"], row["height_px"] = (float(v) for v in rng.uniform(1, 100, 2))
    lake.write("pseudo_boxes", boxes, SOURCE)
    lake.write("box_annotations", [], SOURCE)
    return lake


def boxes_of(lake: Lake, table: str) -> list[tuple]:
    rows = lake.read(table, SOURCE).to_pylist()
    return sorted((row["image_id"], row["class"], *(row[name] for name in EDGES)) for row in rows)


@pytest.mark.parametrize("form", list(FORMATS))
def test_what_goes_out_comes_back_exactly_and_twice_is_once(lake, tmp_path, form):
    went = boxes_of(lake, "pseudo_boxes")
    path = export_table(lake, "pseudo_boxes", form, tmp_path / "out").path
    result = import_boxes(lake, form, path, reader="r1")
    assert (result.boxes, result.images, result.refused) == (len(went), 8, {})
    came = boxes_of(lake, "box_annotations")
    assert [one[:2] for one in came] == [one[:2] for one in went]
    assert np.allclose([one[2:] for one in came], [one[2:] for one in went], rtol=0, atol=1e-9)
    rows = lake.read("box_annotations", SOURCE).to_pylist()
    assert {(row["origin"], row["reader"]) for row in rows} == {("import", "r1")}
    again = import_boxes(lake, form, path, reader="r1")
    assert (again.boxes, again.replaced) == (len(went), len(went))
    assert boxes_of(lake, "box_annotations") == came
    other = import_boxes(lake, form, path, reader="r2")
    assert (other.boxes, other.already_there) == (0, len(went))


def test_a_later_file_of_the_reader_replaces_what_it_said_of_its_images_alone(lake, tmp_path):
    path = export_table(lake, "pseudo_boxes", "coco", tmp_path / "out").path
    import_boxes(lake, "coco", path)
    content = json.loads(path.read_text())
    first = content["annotations"][0]["image_id"]
    content["images"] = [one for one in content["images"] if one["id"] == first]
    content["annotations"] = []
    (tmp_path / "mended.json").write_text(json.dumps(content))
    result = import_boxes(lake, "coco", tmp_path / "mended.json")
    gone = content["images"][0]["file_name"].split("/")[-1].removesuffix(".png")
    left = [one for one in boxes_of(lake, "pseudo_boxes") if one[0] != gone]
    assert boxes_of(lake, "box_annotations") == left
    assert result.replaced == len(boxes_of(lake, "pseudo_boxes")) - len(left) > 0


def test_a_file_of_another_resolution_is_scaled(lake, tmp_path):
    path = export_table(lake, "pseudo_boxes", "voc", tmp_path / "out").path
    file = next(one for one in sorted(path.glob("*.xml")) if "<object>" in one.read_text())
    text = file.read_text().replace(f"<width>{WIDTH}<", f"<width>{2 * WIDTH}<")
    file.write_text(text.replace(f"<height>{HEIGHT}<", f"<height>{2 * HEIGHT}<"))
    import_boxes(lake, "voc", path)
    came = [one[2:] for one in boxes_of(lake, "box_annotations") if one[0] == file.stem]
    went = [one[2:] for one in boxes_of(lake, "pseudo_boxes") if one[0] == file.stem]
    assert np.allclose(2 * np.array(came), went)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bbox": [1, 1, 0, 5]}, "degenerate"),
        ({"bbox": [9, 9, -5, 5]}, "flipped"),
        ({"bbox": [WIDTH - 4, 1, 5.6, 5]}, "outside"),
        ({"bbox": [-3, 1, 5, 5]}, "outside"),
        ({"bbox": [float("nan"), 1, 5, 5]}, "degenerate"),
        ({"category_id": 999}, "unknown_class"),
    ],
)
def test_boxes_that_are_none_are_refused_with_counts(lake, tmp_path, change, reason):
    path = export_table(lake, "pseudo_boxes", "coco", tmp_path / "out").path
    content = json.loads(path.read_text())
    content["annotations"][0].update(change)
    path.write_text(json.dumps(content))
    result = import_boxes(lake, "coco", path)
    assert result.refused == {reason: 1}
    assert result.boxes == len(content["annotations"]) - 1


def test_strange_images_and_turned_boxes_are_refused_with_counts(lake, tmp_path):
    path = export_table(lake, "pseudo_boxes", "labelstudio", tmp_path / "out").path
    tasks = json.loads(path.read_text())
    boxed = [task for task in tasks if task["predictions"][0]["result"]]
    boxed[0]["data"]["image_id"] = "f" * 32
    strange = len(boxed[0]["predictions"][0]["result"])
    boxed[1]["predictions"][0]["result"][0]["value"]["rotation"] = 12
    path.write_text(json.dumps(tasks))
    assert import_boxes(lake, "labelstudio", path).refused == {"unknown_image": strange, "turned": 1}


def test_people_in_label_studio_overrule_the_predictions_they_were_shown(lake, tmp_path):
    path = export_table(lake, "pseudo_boxes", "labelstudio", tmp_path / "out").path
    tasks = json.loads(path.read_text())
    for task in tasks:
        task["annotations"] = [{"result": [], "was_cancelled": False}]
    path.write_text(json.dumps(tasks))
    assert import_boxes(lake, "labelstudio", path).boxes == 0


def test_imported_boxes_stay_when_the_sources_own_are_read_anew(lake, tmp_path):
    import_boxes(lake, "coco", export_table(lake, "pseudo_boxes", "coco", tmp_path / "out").path)
    before = boxes_of(lake, "box_annotations")
    result = build_boxes(SOURCE, None, lake, Pseudonymizer(b"a key for tests only"))
    assert result.imported == len(before) > 0
    assert boxes_of(lake, "box_annotations") == before


@pytest.mark.parametrize("form", list(FORMATS))
def test_a_file_that_is_not_of_the_format_is_a_clear_error(lake, tmp_path, form):
    for content in ("{}", "[1]", "not even that"):
        folder = tmp_path / form
        for name in ("boxes.coco.json", "data.yaml", "tasks.json", "labels/a.txt", "Annotations/a.xml"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        with pytest.raises(BadTable):
            import_boxes(lake, form, folder)
    with pytest.raises(BadTable):
        import_boxes(lake, form, tmp_path / "nowhere")


def test_entities_in_xml_are_refused(lake, tmp_path):
    (tmp_path / "a.xml").write_text('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>')
    with pytest.raises(BadTable, match="entities"):
        import_boxes(lake, "voc", tmp_path)


def test_unknown_formats_and_names_of_people_are_refused(lake, tmp_path):
    with pytest.raises(UnknownName, match="voc"):
        import_boxes(lake, "paint", tmp_path)
    with pytest.raises(BadInput, match="code"):
        import_boxes(lake, "coco", tmp_path, reader="Dr X, room 4")


def test_the_command_says_what_was_taken_and_refused(lake, tmp_path, capsys):
    path = export_table(lake, "pseudo_boxes", "yolo", tmp_path / "out").path
    assert main(["boxes", "import", str(path), "--from", "yolo", "--lake", str(lake.root), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["boxes"] == lake.read("pseudo_boxes").num_rows
    assert shown["refused"] == {}
    assert list(shown["sources"]) == [SOURCE]

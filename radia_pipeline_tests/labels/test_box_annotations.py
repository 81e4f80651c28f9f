"""Boxes in stored pixels: the source's own frame, the image's edge, and boxes that have no image."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pytest

from radia_pipeline.errors import ContractViolation
from radia_pipeline.labels.box_annotations import build_boxes
from radia_pipeline.sources.base import BOX_SCHEMA, Delivered
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images
from radia_pipeline_tests.sources.given import GivenSource


@dataclass
class Boxes(GivenSource):
    rows: list[tuple]
    name: str = "nih_cxr14"
    box_frame_px: tuple[int, int] | None = None
    box_origin: str | None = "nih"

    def boxes(self, root) -> Delivered:
        rows = [(image, image, name, *numbers, "R1") for image, name, *numbers in self.rows]
        return Delivered(
            pa.table([pa.array(column) for column in zip(*rows)], schema=BOX_SCHEMA), {"unknown_label_tokens": 2}
        )


@pytest.fixture
def lake(tmp_path):
    lake = new_lake(tmp_path)
    sizes = {"width_px": 500, "height_px": 400, "original_width_px": 1000, "original_height_px": 1600}
    put_images(lake, "nih_cxr14", [image_row("nih_cxr14", "a", "p", **sizes)])
    return lake


@pytest.mark.parametrize(
    ("frame", "expected"), [(None, (50.0, 50.0, 100.0, 25.0)), ((2000, 800), (25.0, 100.0, 50.0, 50.0))]
)
def test_boxes_are_scaled_from_the_frame_they_were_drawn_in(lake, tmp_path, frame, expected):
    result = build_boxes(Boxes([("a", "Mass", 100, 200, 200, 100)], box_frame_px=frame), tmp_path, lake, KEYS)
    row = lake.read("box_annotations", "nih_cxr14").to_pylist()[0]
    assert (row["x_px"], row["y_px"], row["width_px"], row["height_px"]) == expected
    assert (result.boxes, result.images, result.problems) == (1, 1, {"unknown_label_tokens": 2})


def test_boxes_are_cut_at_the_edge_and_those_without_image_or_overlap_are_counted(lake, tmp_path):
    rows = [("a", "Mass", -100, 0, 300, 100), ("a", "Mass", 1000, 0, 10, 10), ("b", "Mass", 0, 0, 10, 10)]
    result = build_boxes(Boxes(rows), tmp_path, lake, KEYS)
    table = lake.read("box_annotations", "nih_cxr14").to_pylist()
    assert [(row["x_px"], row["width_px"], row["box_index"]) for row in table] == [(0.0, 100.0, 0)]
    assert (result.boxes_without_image, result.problems["boxes_outside_image"]) == (1, 1)


def test_the_order_of_boxes_does_not_matter(lake, tmp_path):
    rows = [("a", "Mass", 1, 2, 3, 4), ("a", "Mass", 1, 2, 30, 4), ("a", "Edema", 1, 2, 3, 4)]
    first = build_boxes(Boxes(rows), tmp_path, lake, KEYS).version
    assert build_boxes(Boxes(rows[::-1]), tmp_path, lake, KEYS).version == first


def test_a_source_without_boxes_publishes_an_empty_table(lake, tmp_path):
    (tmp_path / "dicom").mkdir()
    assert build_boxes("ccsmtl", tmp_path, lake, KEYS).boxes == 0
    assert lake.read("box_annotations", "ccsmtl").num_rows == 0


def test_a_source_that_does_not_say_whose_its_boxes_are_is_refused(lake, tmp_path):
    source = Boxes([("a", "Mass", 1, 2, 30, 40)], box_origin=None)
    with pytest.raises(ContractViolation, match="origin"):
        build_boxes(source, tmp_path, lake, KEYS)

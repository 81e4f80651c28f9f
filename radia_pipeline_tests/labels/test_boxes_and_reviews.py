"""Boxes cut at an image's edge, boxes of readers and of imports, and verdicts laid over what was said."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.box_annotations import IMPORTED, build_boxes, in_stored_pixels, numbered
from radia_pipeline.labels.origins import ORIGIN_CODE
from radia_pipeline.labels.readings import put_on_top
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, put_images
from radia_pipeline_tests.labels.test_box_annotations import Boxes, lake  # noqa: F401  # a fixture

IMAGE = {"width_px": 100, "height_px": 80}


def box(x: float, y: float, width: float, height: float) -> dict[str, float]:
    return {"x_px": x, "y_px": y, "width_px": width, "height_px": height}


@pytest.mark.parametrize(
    ("given", "scales", "expected"),
    [
        (box(10, 20, 30, 40), (1.0, 1.0), box(10, 20, 30, 40)),
        (box(10, 20, 30, 40), (0.5, 0.25), box(5, 5, 15, 10)),
        (box(-10, -5, 30, 40), (1.0, 1.0), box(0, 0, 20, 35)),
        (box(90, 70, 30, 40), (1.0, 1.0), box(90, 70, 10, 10)),
        (box(0, 0, 100, 80), (1.0, 1.0), box(0, 0, 100, 80)),
        (box(10, 10, 0.5, 0.5), (1.0, 1.0), box(10, 10, 0.5, 0.5)),
        (box(10, 10, 0.49, 5), (1.0, 1.0), None),
        (box(10, 10, 5, 0.49), (1.0, 1.0), None),
        (box(10, 10, 1, 1), (0.5, 0.5), box(5, 5, 0.5, 0.5)),
        (box(99.6, 10, 5, 5), (1.0, 1.0), None),
        (box(10, 79.6, 5, 5), (1.0, 1.0), None),
        (box(-5, 10, 5.2, 5), (1.0, 1.0), None),
        (box(200, 10, 5, 5), (1.0, 1.0), None),
    ],
)
def test_a_box_is_scaled_and_cut_and_half_a_pixel_is_the_least(given, scales, expected):
    found = in_stored_pixels(given, *scales, IMAGE)
    assert found == (expected and pytest.approx(expected))


def test_boxes_are_numbered_from_zero_in_each_image():
    rows = [{"image_id": name, "box_index": 9} for name in ("a", "b", "a", "a", "b")]
    assert [row["box_index"] for row in numbered(rows)] == [0, 0, 1, 2, 1]


def read_box(image: str, name: str = "Nodule", **changes: object) -> dict:
    return {"image_id": KEYS.image_id("nih_cxr14", image), "class": name, "reader": "R2", **box(5, 5, 9, 9), **changes}


def test_boxes_of_readers_follow_the_sources_and_wrong_ones_are_counted(lake):  # noqa: F811
    wrong = [read_box("unknown"), read_box("a", "no class"), read_box("a", x_px=5_000.0)]
    boxes = [("a", "Nodule", 100.0, 200.0, 200.0, 100.0)]
    source = Boxes(rows=boxes)
    result = build_boxes(source, lake.root, lake, KEYS, [read_box("a"), *wrong, read_box("a", "Mass")])
    assert (result.boxes, result.images, result.imported) == (3, 1, 0)
    assert result.problems["read_boxes_left_out"] == 3
    rows = lake.read("box_annotations", "nih_cxr14").to_pylist()
    assert [(row["box_index"], row["class"], row["origin"]) for row in rows] == [
        (0, "Nodule", "nih"),
        (1, "Nodule", "review"),
        (2, "Mass", "review"),
    ]
    assert {row["study_id"] for row in rows} == set(lake.read("images", "nih_cxr14")["study_id"].to_pylist())


def test_imported_boxes_stay_as_long_as_their_image(lake):  # noqa: F811
    put_images(lake, "nih_cxr14", [image_row("nih_cxr14", name, "p", width_px=500, height_px=400) for name in "ab"])
    build_boxes(Boxes(rows=[]), None, lake, KEYS, [read_box("a"), read_box("b"), read_box("a", "Mass")])
    rows = lake.read("box_annotations", "nih_cxr14").to_pylist()
    for row in rows:
        row["origin"] = IMPORTED if row["box_index"] == 0 else row["origin"]
    lake.write("box_annotations", rows, "nih_cxr14")
    kept = build_boxes(Boxes(rows=[]), None, lake, KEYS)
    assert (kept.boxes, kept.imported, kept.problems) == (2, 2, {}), "what a reader drew comes from the readings"
    put_images(lake, "nih_cxr14", [image_row("nih_cxr14", "b", "p", width_px=500, height_px=400)])
    left = build_boxes(Boxes(rows=[]), None, lake, KEYS)
    assert (left.boxes, left.imported) == (1, 1)
    assert left.problems == {"imported_boxes_without_image": 1}


def test_verdicts_are_laid_over_what_was_said():
    words = vocabulary()
    normal, edema, mass = (words.index(name) for name in (words.no_finding, "Edema", "Mass"))
    said = np.full((3, len(words.classes)), -128, dtype=np.int8)
    said[:, normal] = 1
    before = said.copy()
    base, problems = np.zeros_like(said), Counter()
    assert put_on_top(["a", "b", "c"], said, base, {}, problems) == 0
    assert (said == before).all()
    reviewed = {
        ("a", "Edema"): 1,
        ("b", "Edema"): 0,
        ("b", "Mass"): 0,
        ("c", "Mass"): -1,
        ("c", words.no_finding): 1,
        ("x", "Edema"): 1,
        ("a", "No Class"): 1,
    }
    assert put_on_top(["a", "b", "c"], said, base, reviewed, problems) == 5
    assert problems == {"reviews_without_study": 2}
    assert said[:, edema].tolist()[:2] == [1, 0]
    assert said[1:, mass].tolist() == [0, -1]
    assert said[:, normal].tolist() == [0, 1, 1], "a finding ends a No Finding that nobody has reviewed"
    code = ORIGIN_CODE["review"]
    cells = ((0, edema), (0, normal), (1, normal), (2, mass))
    assert [bool(base[cell] == code) for cell in cells] == [True, True, False, True]
    uncertain = np.full((1, len(words.classes)), -128, dtype=np.int8)
    uncertain[0, normal] = 1
    put_on_top(["a"], uncertain, np.zeros_like(uncertain), {("a", "Edema"): -1}, Counter())
    assert uncertain[0, normal] == 0
    alone = np.full((1, len(words.classes)), -128, dtype=np.int8)
    put_on_top(["a"], alone, np.zeros_like(alone), {("a", words.no_finding): 1}, Counter())
    assert alone[0, normal] == 1

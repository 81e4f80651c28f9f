"""A lake crosses a migration of the vocabulary: in a copy of the checkout whose vocabulary a maintainer has changed."""

from __future__ import annotations

import json

import pytest

from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.labels.migration import migrate_lake
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images, put_labels
from radia_pipeline_tests.labels.checkouts import Checkout

STUDIES = {
    "s1": ("p1", {"Nodule": 1, "Lung Lesion": 1, "Mass": 0, "Hernia": 0, "Pneumonia": 0}),
    "s2": ("p2", {"Nodule": 0, "Mass": 0, "Hernia": 1}),
    "s3": ("p3", {"No Finding": 1, "Nodule": 0, "Mass": 0, "Hernia": 0}),
}
READ = """
import json, sys
from radia_pipeline.lake.lake import Lake
lake = Lake.open(sys.argv[1])
rows = lake.read("labels", sys.argv[2]).to_pylist()
has_boxes = lake.exists("box_annotations", "nih_cxr14")
boxes = lake.read("box_annotations", "nih_cxr14")["class"].to_pylist() if has_boxes else []
print(json.dumps([lake.vocabulary_version, lake.exists("evaluation_sets"), boxes,
                  [[row["study_id"], row["class"], row["said"], row["value"], row["origin"]] for row in rows]]))
"""


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Return a lake with labels and pools of two sources and boxes of one, in the installed vocabulary."""
    made = new_lake(tmp_path)
    for source in ("nih_cxr14", "chexpert"):
        put_images(made, source, [image_row(source, name, person) for name, (person, _) in STUDIES.items()])
        put_labels(made, source, STUDIES)
    build_splits(made)
    made.write("evaluation_sets", [])
    box = {
        "source": "nih_cxr14",
        "study_id": KEYS.study_id("nih_cxr14", "s1"),
        "x_px": 0.0,
        "y_px": 0.0,
        "image_id": KEYS.image_id("nih_cxr14", "s1"),
        "width_px": 9.0,
        "height_px": 9.0,
        "reader": "nih",
        "origin": "nih",
    }
    boxes = [{**box, "class": name, "box_index": index} for index, name in enumerate(["Nodule", "Hernia", "Pneumonia"])]
    made.write("box_annotations", boxes, "nih_cxr14")
    return made


def read(checkout: Checkout, lake: Lake, source: str = "nih_cxr14") -> tuple[dict, list]:
    """Return (study, class) → (said, value, origin) and the boxes' classes; the lake must speak version 2."""
    version, has_sets, boxes, rows = json.loads(checkout.run("-c", READ, str(lake.root), source))
    assert (version, has_sets) == ("2.0.0", False)
    name_of = {KEYS.study_id(source, name): name for name in STUDIES}
    return {(name_of[study], name): tuple(rest) for study, name, *rest in rows}, boxes


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def test_merged_classes_carry_their_findings_over_and_a_retired_one_goes(lake, checkout):
    splits = lake.version("splits")
    steps = [{"merge": ["Nodule", "Mass"], "into": "Lung Lesion"}, {"retire": "Hernia"}]
    checkout.change({"Nodule", "Mass", "Hernia"}, [], steps, nih_cxr14=["Lung Lesion"])
    result = checkout.migrate(lake)
    assert result["applied"] == ["the-change"]
    assert result["migrated"] == ["box_annotations/nih_cxr14", "labels/chexpert", "labels/nih_cxr14"]
    assert result["rebuild"] == ["evaluation_sets/all"]
    assert result["rows_of_retired_classes"] == 1
    labels, boxes = read(checkout, lake)
    assert len(labels) == 3 * 18
    assert labels["s1", "Lung Lesion"] == (1, 1, "table")
    assert labels["s1", "Lung Opacity"] == (None, 1, "closure")
    assert labels["s2", "Lung Lesion"] == (None, None, "none")  # nothing said of it but that its parts are absent
    assert labels["s3", "Lung Lesion"] == (None, 0, "no_finding")
    assert not {name for _, name in labels} & {"Nodule", "Mass", "Hernia"}
    assert boxes == ["Lung Lesion", "Pneumonia"]
    assert lake.version("splits") == splits


def test_an_added_class_is_unknown_or_its_labels_are_made_again(lake, checkout):
    new = {"name": "Fibrosis", "kind": "pathology", "parents": ["Lung Opacity"], "french": "fibrose"}
    checkout.change(set(), [new], [{"add": "Fibrosis"}], nih_cxr14=["Fibrosis"])
    version = lake.version("labels", "nih_cxr14")
    result = checkout.migrate(lake)
    assert result["migrated"] == ["labels/chexpert"]  # which does not label the class
    assert result["rebuild"] == ["box_annotations/nih_cxr14", "evaluation_sets/all", "labels/nih_cxr14"]
    labels, _ = read(checkout, lake, "chexpert")
    assert len(labels) == 3 * 22
    assert labels["s1", "Fibrosis"] == (None, None, "none")
    assert lake.read_version("labels", "nih_cxr14", version).num_rows == 63  # the version stays


def test_a_lake_that_speaks_the_installed_version_is_left_alone(lake):
    before = lake.versions("labels")
    assert migrate_lake(lake).applied == ()
    assert lake.versions("labels") == before

"""Held splits and values that nobody said, from labels to the manifest, the sets and what evaluation compares with."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.cohort.evaluation_sets import build_evaluation_sets
from radia_pipeline.cohort.manifest import build_manifest
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.build import build_labels
from radia_pipeline.training.studies import evaluation_labels as compared
from radia_pipeline.training.studies import judged_cells, pool_studies, read_manifest
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images
from radia_pipeline_tests.labels.test_build import Table
from radia_pipeline_tests.training.synthetic import tiny_recipe

SAID = [
    ("s1", "p1", "Pneumonia", 1, None),
    ("s1", "p1", "Consolidation", 0, None),
    ("s1", "p1", "Edema", 0, None),
    ("s2", "p2", "Mass", 0, None),
    ("s2", "p2", "Mass", 1, "expert"),
    ("s2", "p2", "Fracture", 0, "expert"),
    ("s2", "p2", "Edema", 1, None),
    ("s2", "p2", "Nodule", 1, None),
    ("s2", "p2", "Nodule", 0, "expert"),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = new_lake(tmp_path_factory.mktemp("held"))
    put_images(lake, "nih_cxr14", [image_row("nih_cxr14", f"{n}.png", f"p{n}", f"s{n}") for n in (1, 2)])
    result = build_labels(Table(SAID), lake.root, lake, KEYS, {})
    assert result.cells["contradiction"] == 1
    build_splits(lake, held={KEYS.patient_key("nih_cxr14", "p2"): "test"})
    build_manifest("nih_cxr14", lake)
    return lake


def row(lake, study: str) -> dict:
    wanted = KEYS.study_id("nih_cxr14", study)
    return next(row for row in lake.read("manifest").to_pylist() if row["study_id"] == wanted)


def test_the_manifest_says_what_holds_by_closure_alone_and_what_radiologists_said(lake):
    first, second = row(lake, "s1"), row(lake, "s2")
    assert (first["Consolidation"], first["excluded"], first["expert"]) == (1, None, "")
    assert first["by_closure"] == "Consolidation; Lung Opacity; Opacity"
    assert (second["pool"], second["excluded"], second["fold"]) == ("test", "held", None)
    assert (second["Mass"], second["Nodule"]) == (1, 0)  # a radiologist's word replaces the table's
    assert second["expert"] == "Nodule; Mass; Fracture"


def test_a_contradiction_is_counted_by_its_origin(lake):
    rows = lake.read("labels", "nih_cxr14").to_pylist()
    found = [(one["class"], one["said"], one["value"]) for one in rows if one["origin"] == "contradiction"]
    assert found == [("Consolidation", 0, 1)]


def test_a_held_split_is_a_set_of_its_own_with_what_radiologists_said(lake):
    result = build_evaluation_sets(lake)
    rows = [one for one in lake.read("evaluation_sets").to_pylist() if one["set_name"].startswith("held")]
    assert {(one["set_name"], one["class"]) for one in rows} == {
        ("held_test", "Mass"),
        ("held_test", "Fracture"),
        ("held_test", "Nodule"),
    }
    assert result.members["held_test/nih_cxr14"] == 3
    assert result.members["held_validation/nih_cxr14"] == 0
    assert KEYS.study_id("nih_cxr14", "s2") not in {
        one["study_id"] for one in lake.read("evaluation_sets").to_pylist() if one["set_name"] == "test"
    }


def test_pools_leave_held_studies_out_and_evaluation_leaves_closure_out(lake):
    manifest, _ = read_manifest(lake, None)
    rows = {name: place for place, name in enumerate(manifest.column("image_id").to_pylist())}
    first = row(lake, "s1")
    alone = pool_studies(manifest, tiny_recipe(), first["pool"], rows)
    assert alone.study_id.tolist() == [first["study_id"]]
    held = pool_studies(manifest, tiny_recipe(), "test", rows, held=True)
    assert held.study_id.tolist() == [row(lake, "s2")["study_id"]]
    names = vocabulary().classes
    pool, apart = (dict(zip(names, compared(one)[0].tolist())) for one in (alone, held))
    assert (pool["Pneumonia"], pool["Consolidation"], pool["Edema"], pool["Hernia"]) == (1, MISSING, 0, 0)
    assert {name: value for name, value in apart.items() if value != MISSING} == {"Nodule": 0, "Mass": 1, "Fracture": 0}


def test_unions_of_what_experts_said_are_judged_with_them():
    names = list(vocabulary().classes)
    expert = np.isin(names, ["Pleural Effusion", "Edema"])[None]
    nothing = np.zeros_like(expert)
    found = judged_cells("chexpert", nothing, expert, np.array([True]))
    assert {name for name, is_it in zip(names, found[0]) if is_it} == {"Pleural Effusion", "Edema", "Liquid"}
    assert judged_cells("vindr_cxr", nothing, nothing, np.array([True])).sum() > 10  # all of it is radiologists' word

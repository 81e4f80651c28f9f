"""Labels of studies: tables, reviews, closure, origins, and what does not fit together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.build import build_labels, combine
from radia_pipeline.labels.table import positions, read_labels
from radia_pipeline.readings.in_force import labels_in_force
from radia_pipeline.readings.store import Store
from radia_pipeline.sources.base import LABEL_SCHEMA, Delivered
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images
from radia_pipeline_tests.readings.worlds import reading
from radia_pipeline_tests.sources.given import GivenSource


@dataclass
class Table(GivenSource):
    """A source whose label table is given: (study, patient, class, said[, origin])."""

    rows: list[tuple]
    name: str = "nih_cxr14"
    problems: dict = field(default_factory=dict)

    def labels(self, root: Path) -> Delivered:
        columns = list(zip(*((*row[:4], row[4] if len(row) > 4 else None) for row in self.rows)))
        return Delivered(pa.table([pa.array(column) for column in columns], schema=LABEL_SCHEMA), self.problems)


def cells(lake, source: str = "nih_cxr14") -> dict[tuple[str, str], tuple]:
    table = lake.read("labels", source).to_pylist()
    return {(row["study_id"], row["class"]): (row["said"], row["value"], row["origin"]) for row in table}


def study(name: str) -> str:
    return KEYS.study_id("nih_cxr14", name)


@pytest.fixture
def lake(tmp_path):
    lake = new_lake(tmp_path)
    put_images(lake, "nih_cxr14", [image_row("nih_cxr14", f"{name}.png", "p", name) for name in ("s1", "s2", "s3")])
    return lake


def test_values_and_origins(lake, tmp_path):
    rows = [("s1", "p", "Mass", 1), ("s1", "p", "Edema", 0), ("s2", "p", "No Finding", 1), ("s2", "p", "Mass", 0)]
    result = build_labels(Table(rows), tmp_path, lake, KEYS, {})
    found = cells(lake)
    assert found[study("s1"), "Mass"] == (1, 1, "table")
    assert found[study("s1"), "Lung Lesion"] == (None, 1, "closure")
    assert found[study("s1"), "Opacity"] == (None, 1, "closure")
    assert found[study("s1"), "Hernia"] == (None, None, "none")
    assert found[study("s2"), "Hernia"] == (None, 0, "no_finding")
    assert found[study("s2"), "Fracture"] == (None, None, "none")
    assert found[study("s2"), "Air"] == (None, 0, "no_finding")
    assert found[study("s3"), "Mass"] == (None, None, "none")
    assert len(found) == 3 * 21
    assert (result.studies, result.labelled, result.unlabelled, result.images_without_label) == (3, 2, 1, 1)


def test_a_study_without_image_and_a_wrong_patient_are_counted(lake, tmp_path):
    result = build_labels(Table([("s1", "another", "Mass", 1), ("s9", "p", "Mass", 1)]), tmp_path, lake, KEYS, {})
    assert (result.studies_without_image, result.patient_mismatches, result.studies) == (1, 1, 4)
    table = lake.read("labels", "nih_cxr14").to_pylist()
    patients = {row["patient_key"] for row in table if row["study_id"] == study("s1")}
    assert patients == {KEYS.patient_key("nih_cxr14", "p")}


def test_reviews_lie_on_top_and_withdrawn_ones_do_not(lake, tmp_path):
    source = Table([("s1", "p", "No Finding", 1), ("s1", "p", "Mass", 0), ("s2", "p", "Mass", 1)])

    store = Store(lake)

    def say(name: str, label: str, value: int) -> int:
        return store.append(reading({label: value}, study_id=study(name), phase="queue")).sequence

    say("s1", "Pneumothorax", 1)
    store.undo(say("s2", "Mass", 0), "r1")
    say("s2", "Hernia", -1)
    say("s7", "Hernia", 1)
    result = build_labels(source, tmp_path, lake, KEYS, labels_in_force(lake))
    found = cells(lake)
    assert found[study("s1"), "Pneumothorax"] == (1, 1, "review")
    assert found[study("s1"), "No Finding"] == (0, 0, "review")
    assert found[study("s2"), "Mass"] == (1, 1, "table")
    assert found[study("s2"), "Hernia"] == (-1, -1, "review")
    assert (result.reviewed_cells, result.problems["reviews_without_study"]) == (2, 1)


def test_order_of_rows_does_not_change_the_version(lake, tmp_path):
    rows = [("s1", "p", "Mass", 1), ("s2", "p", "Edema", 1), ("s3", "p", "No Finding", 1)]
    first = build_labels(Table(rows), tmp_path, lake, KEYS, {}).version
    assert build_labels(Table(rows[::-1]), tmp_path, lake, KEYS, {}).version == first


def test_repeated_cells_combine_to_the_strongest_and_findings_end_no_finding():
    words = vocabulary()
    mass, normal = words.index("Mass"), words.index(words.no_finding)
    rows = np.array([0, 0, 0, 1, 1, 2, 2])
    columns = np.array([mass, mass, normal, normal, normal, mass, mass])
    values = np.array([0, -1, 1, 1, 0, MISSING, 0], dtype=np.int8)
    problems = Counter()
    combined = combine(rows, columns, values, 3, problems)
    assert (combined[0, mass], combined[0, normal]) == (-1, 0)
    assert combined[1, normal] == 0
    assert combined[2, mass] == 0
    assert problems["normal_with_findings"] == 1


def test_labels_read_back_as_written(lake, tmp_path):
    build_labels(Table([("s1", "p", "Mass", 1), ("s2", "p", "Mass", -1)]), tmp_path, lake, KEYS, {})
    labels = read_labels(lake, "nih_cxr14")
    column = vocabulary().index("Lung Lesion")
    rows = labels.rows_of(pa.array([study("s2"), study("s1"), "0" * 32]))
    assert labels.values[rows[:2], column].tolist() == [-1, 1]
    assert rows[2] == -1
    assert positions(pa.array(["b", None, "a"]), pa.array(["a", "b"])).tolist() == [1, -1, 0]

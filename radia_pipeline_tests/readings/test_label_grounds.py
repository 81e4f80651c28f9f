"""What a label rests on: the mention that decided, silence, a stated normality, a table; the rest is not doubted."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.contracts.label_values import resolve
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import base_origins, origins
from radia_pipeline.labels.table import long_table
from radia_pipeline.readings.label_grounds import CONTRADICTED, GROUNDS, asked_classes, grounds_of
from radia_pipeline.readings.review_queue import build_review_queue
from radia_pipeline_tests.cohort.lakes import KEYS, new_lake
from radia_pipeline_tests.readings.queues import put_report_world

SENTENCE = "Nodule du lobe supérieur droit."
NODULE = vocabulary().index("Nodule")


def grounds_named(folder, source: str, said: dict[str, dict[str, int]]):
    """Return the grounds of studies of a source whose labels follow from what is said; no report."""
    lake, names = new_lake(folder), list(said)
    values = np.full((len(names), len(vocabulary().classes)), -9, dtype=np.int8)
    for row, name in enumerate(names):
        for label, value in said[name].items():
            values[row, vocabulary().index(label)] = value
    value = resolve(values, source_sheet(source).labelled)
    origin = origins(values, value, base_origins(source, values.shape))
    ids = [KEYS.study_id(source, name) for name in names]
    patients = pa.array([KEYS.patient_key(source, name) for name in names])
    lake.write("labels", long_table(source, pa.array(ids), patients, values, value, origin), source)
    return grounds_of(lake, source, ids)


def ground(found, row: int, name: str) -> tuple[str, int] | None:
    column = vocabulary().index(name)
    return (GROUNDS[found.kind[row, column]], found.label[row, column]) if found.is_open[row, column] else None


def test_a_table_says_normality_fills_and_a_raised_parent_is_not_asked(tmp_path):
    found = grounds_named(
        tmp_path, "chexpert", {"a": {"Edema": 1}, "b": {"No Finding": 1}, "c": {"Edema": -1}, "d": {}}
    )
    assert ground(found, 0, "Edema") == ("table", 1)
    assert ground(found, 0, "Lung Opacity") is None  # raised by Edema
    assert ground(found, 0, "Pneumothorax") == ("not_mentioned", 0)
    assert ground(found, 1, "Pneumothorax") == ("no_finding", 0)
    assert ground(found, 0, "Hernia") is None  # not labelled by the source
    assert ground(found, 2, "Edema") is None  # uncertain: nothing to contradict
    assert not found.is_open[3].any()  # nobody labelled the study
    asked = [vocabulary().index(name) for name in asked_classes()]
    assert not np.delete(found.is_open, asked, axis=1).any()


def test_a_class_that_has_positives_by_closure_only_says_nothing(tmp_path):
    """NIH labels nodules and no lesions: with them every curve of Lung Lesion would say "always"."""
    found = grounds_named(tmp_path, "nih_cxr14", {"a": {"Nodule": 1}, "b": {"Nodule": 0}})
    assert found.label[:, NODULE].tolist() == [1, 0]
    assert set(found.label[:, vocabulary().index("Lung Lesion")].tolist()) == {-9}


def test_a_radiologists_labels_are_not_doubted(tmp_path):
    assert source_sheet("vindr_cxr").label_origin == "expert"
    said = {"a": {"Edema": 1, "Pneumothorax": 0}, "b": {"No Finding": 1}}
    assert not grounds_named(tmp_path, "vindr_cxr", said).is_open.any()


def test_the_strongest_mention_decides_and_a_contradiction_is_a_ground_of_its_own(tmp_path):
    lake = put_report_world(tmp_path, SENTENCE)
    ids = [KEYS.study_id("ccsmtl", f"r{row:04d}") for row in (0, 3, 4, 1)]
    found = grounds_of(lake, "ccsmtl", ids)
    names = [found.names[place] for place in found.name[:, NODULE]]
    assert names[0] == f"ccsmtl affirmed nodule {CONTRADICTED}"
    assert names[1:3] == ["ccsmtl affirmed nodule", "ccsmtl negated pas de"]
    assert found.mention_index[found.mention[:3, NODULE]].tolist() == [0, 0, 0]
    assert [ground(found, row, "Nodule") for row in (0, 1, 2)] == [("mention", 1), ("mention", 1), ("mention", 0)]
    assert ground(found, 3, "Nodule") == ("not_mentioned", 0)


def test_the_sentence_is_shown_to_who_asks_and_stands_in_no_list(tmp_path, capsys):
    lake = put_report_world(tmp_path, SENTENCE)
    build_review_queue(lake)
    out = tmp_path / "cells.csv"
    command = ["review", "queue", "--lake", str(lake.root), "--label", "present"]
    assert main([*command, "--json"]) == 0
    silent = json.loads(capsys.readouterr().out)["cells"]
    assert silent and not any("sentence" in row for row in silent)
    assert {row["rule_id"] for row in silent} == {"affirmed"}
    assert main([*command, "--sentences"]) == 0
    assert SENTENCE in capsys.readouterr().out
    assert main([*command, "--sentences", "--out", str(out)]) == 0
    assert SENTENCE not in out.read_text() and "label" not in out.read_text().splitlines()[0]


@pytest.mark.parametrize("name", asked_classes())
def test_classes_that_can_be_asked_are_said_by_somebody(name):
    assert vocabulary().entry(name).kind in ("pathology", "finding_group")

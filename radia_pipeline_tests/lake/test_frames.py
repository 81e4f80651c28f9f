"""The lake's outer door: frames hold what the tables hold, of one type each, whatever is null or absent."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from radia_pipeline.contracts.tables import contract, empty
from radia_pipeline.errors import MissingTable, UnknownName
from radia_pipeline.lake.lake import Lake

LEADING = "007" + "0" * 29


def label(source: str, number: int, value: int | None) -> dict:
    return {
        "source": source,
        "study_id": f"{number:032d}",
        "patient_key": LEADING,
        "class": "Edema",
        "said": value,
        "value": value,
        "origin": "table" if value is not None else "none",
    }


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def labels(lake) -> Lake:
    lake.write(
        "labels", [label("nih_cxr14", 1, 1), label("nih_cxr14", 2, None), label("nih_cxr14", 10, -1)], "nih_cxr14"
    )
    lake.write("labels", [label("padchest", 3, 0)], "padchest")
    return lake


def test_ids_keep_their_leading_zeros_and_nulls_make_no_floats(labels):
    frame = labels.frame("labels", "nih_cxr14")
    assert frame["patient_key"].tolist() == [LEADING] * 3
    assert frame["value"].dtype == pd.Int8Dtype()
    assert [None if value is pd.NA else value for value in frame["value"]] == [1, None, -1]
    assert pd.merge(frame, frame, on="study_id").shape[0] == 3


def test_without_a_partition_all_sources_stand_one_after_the_other(labels):
    frame = labels.frame("labels")
    assert frame["source"].tolist() == ["nih_cxr14"] * 3 + ["padchest"]
    assert frame.index.tolist() == [0, 1, 2, 3]
    assert frame["value"].dtype == pd.Int8Dtype()


@pytest.mark.parametrize("table", ["labels", "images", "manifest", "scorecard", "image_links", "box_annotations"])
def test_an_empty_table_has_its_columns_and_their_types(lake, table):
    partition = "nih_cxr14" if contract(table).partitioned else "all"
    lake.write(table, empty(table), partition)
    frame = lake.frame(table, partition)
    assert list(frame) == list(contract(table).open_columns)
    assert len(frame) == 0
    kinds = {
        "string": "str",
        "int8": "Int8",
        "int16": "Int16",
        "int32": "Int32",
        "int64": "Int64",
        "bool": "boolean",
        "float": "float32",
        "double": "float64",
    }
    told = {name: kinds.get(str(contract(table).columns[name].type), "object") for name in frame}
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == told


def test_restricted_columns_come_only_when_they_are_named(lake):
    text = {"report_text": "Pas de masse.", "text_sha256": "0" * 64, "text_count": 1}
    lake.write("reports", [{"source": "ccsmtl", "study_id": "1" * 32, "patient_key": "2" * 32, **text}], "ccsmtl")
    assert "report_text" not in lake.frame("reports")
    assert lake.frame("reports", columns=["study_id", "report_text"])["report_text"].tolist() == ["Pas de masse."]


def test_what_was_never_made_is_missing_and_what_no_contract_knows_is_unknown(lake):
    with pytest.raises(MissingTable):
        lake.frame("labels")
    with pytest.raises(UnknownName):
        lake.frame("mars")


def test_pandas_is_imported_only_at_the_door():
    code = "import sys, radia_pipeline.lake.lake; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

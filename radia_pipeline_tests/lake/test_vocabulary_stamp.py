"""Tables say which vocabulary their classes are of, and are not read under another."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import VocabularyMismatch
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.cohort.lakes import new_lake, one_image_per_patient, put_labels


def stamp(lake: Lake, table: str, version: bytes) -> None:
    """Let a published table claim another version, as one copied from another lake does."""
    path = lake.path(table, "nih_cxr14")
    rows = pq.read_table(path, partitioning=None)
    pq.write_table(rows.replace_schema_metadata({**rows.schema.metadata, b"radia.vocabulary": version}), path)


@pytest.fixture
def lake(tmp_path) -> Lake:
    made = new_lake(tmp_path)
    one_image_per_patient(made, "nih_cxr14", ["p1"])
    put_labels(made, "nih_cxr14", {"s1": ("p1", {"Edema": 1})})
    return made


def test_a_table_with_classes_is_refused_under_another_vocabulary_and_written_anew(lake):
    rows = lake.read("labels", "nih_cxr14")
    assert pq.read_schema(lake.path("labels", "nih_cxr14")).metadata[b"radia.vocabulary"].decode() == (
        vocabulary().version
    )
    stamp(lake, "labels", b"0.9.0")
    with pytest.raises(VocabularyMismatch, match=r"table labels speaks vocabulary 0\.9\.0"):
        lake.read("labels", "nih_cxr14")
    assert lake.write("labels", rows, "nih_cxr14").changed
    assert lake.read("labels", "nih_cxr14").equals(rows)


def test_a_table_without_classes_is_the_same_under_every_vocabulary(lake):
    stamp(lake, "images", b"0.9.0")
    assert lake.read("images", "nih_cxr14").num_rows == 1


def test_a_withdrawn_table_is_gone_and_its_version_stays(lake):
    version = lake.version("labels", "nih_cxr14")
    lake.withdraw("labels", "nih_cxr14")
    assert not lake.exists("labels", "nih_cxr14")
    assert lake.read_version("labels", "nih_cxr14", version).num_rows == 21
    assert [record.version for record in lake.history("labels", "nih_cxr14")] == [version]

"""A published file without a column of its contract, as another release may have made it: an error that says so.

Every column of every contract is left out of a file in turn, and the file is read in each way there is.
"""

from __future__ import annotations

import pyarrow as pa
import pytest

from radia_pipeline.contracts.tables import conform, contract, contract_names
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable
from radia_pipeline.lake.lake import WHOLE, Lake
from radia_pipeline.lake.publishing import publish
from radia_pipeline.lake.row_hash import rows_sha256
from radia_pipeline.lake.rows import TableRows
from radia_pipeline.lake.table_file import HASH_CHARACTERS


def publish_without(lake: Lake, table: str, name: str, partition: str = WHOLE) -> None:
    """Publish one row of nulls without a column, as no release of today would."""
    columns = [column for column in contract(table).columns.values() if column.name != name]
    rows = TableRows(pa.table({column.name: pa.nulls(1, column.type) for column in columns}))
    publish(lake.place(table, partition), rows_sha256(rows)[:HASH_CHARACTERS], rows, vocabulary().version)


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.open(tmp_path / "lake")


@pytest.mark.parametrize("table", contract_names())
def test_each_column_may_be_absent_or_is_named_by_an_error(lake, table):
    for number, (name, column) in enumerate(contract(table).columns.items()):
        place = f"p{number}"
        publish_without(lake, table, name, place)
        reads = {
            "whole": lambda place=place: lake.read(table, place),
            "by name": lambda name=name, place=place: lake.read(table, place, [name]),
            "in parts": lambda name=name, place=place: pa.concat_tables(lake.batches(table, place, [name], 10)),
        }
        for way, read in reads.items():
            if column.is_required:
                with pytest.raises(BadTable, match=rf"lacks .*\b{name}\b"):
                    read()
            else:
                assert read().column(name).to_pylist() == [None], (way, name)
        with pytest.raises(BadTable, match=name):
            lake.read(table, place, filters=[(name, "=", None)])


@pytest.mark.parametrize("table", contract_names())
def test_rows_without_a_required_column_are_not_published(table):
    columns = contract(table).columns
    for name in (column.name for column in columns.values() if column.is_required):
        with pytest.raises(BadTable, match=f"lacks the column {name}"):
            conform(table, [{other: None for other in columns if other != name}])


def test_a_column_of_no_contract_is_an_error_that_names_those_there_are(lake):
    publish_without(lake, "splits", "reason")
    for read in (
        lambda: lake.read("splits", columns=["fold", "colour"]),
        lambda: list(lake.batches("splits", WHOLE, ["colour"], 10)),
        lambda: lake.read("splits", filters=[("colour", "=", 1)]),
    ):
        with pytest.raises(BadTable, match=r"no column colour.*patient_key"):
            read()

"""The logical hash of rows: that of Arrow's own stream of them, for every kind of column, however they are laid out.

The stream is written here by Arrow as a whole; published versions are named by these hashes, so that none may move.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from radia_pipeline.lake import row_hash
from radia_pipeline.lake.row_hash import table_sha256


def expected(table: pa.Table) -> str:
    """Return what the hash is by its definition: the schema's words, then Arrow's stream of one batch."""
    schema = table.schema.remove_metadata()
    whole = table.replace_schema_metadata(None).take(pa.array(np.arange(table.num_rows))).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(whole)
    return hashlib.sha256(str(schema).encode() + sink.getvalue().to_pybytes()).hexdigest()


COLUMNS = {
    "numbers": pa.array([1, None, 3, 4, 5, 6, 7, 8, 9, 10, 11], pa.int16()),
    "full": pa.array(range(11), pa.int64()),
    "bytes": pa.array([*range(10), None], pa.int8()),
    "shares": pa.array([0.5] * 10 + [None], pa.float32()),
    "truths": pa.array([True, None, False, True, True, False, True, True, True, None, True]),
    "texts": pa.array(["a", "", None, "œdème", *"defghij"]),
    "no texts": pa.array([""] * 11),
    "binary": pa.array([b"\0\1"] * 11),
    "lists": pa.array([["a", "b"], None, [], ["c"], *[["d", None, "e"]] * 7], pa.list_(pa.string())),
    "lists of numbers": pa.array([[1, 2], [], [3], *[[4]] * 8], pa.list_(pa.int32())),
    "records": pa.array([{"x": 1, "y": "a"}, None, *[{"x": None, "y": "b"}] * 9]),
    "lists of records": pa.array([[{"x": 1.5, "y": [1]}], None, *[[{"x": None, "y": []}] * 2] * 9]),
    "stamps": pa.array([0] * 11, pa.timestamp("us")),
    "nothing": pa.nulls(11),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_each_kind_of_column_is_hashed_as_arrow_streams_it(name):
    table = pa.table({name: COLUMNS[name]})
    assert table_sha256(table) == expected(table)


@pytest.mark.parametrize("name", COLUMNS)
def test_slices_and_chunks_change_nothing(name):
    column = COLUMNS[name]
    for whole in (pa.table({name: column.slice(1, 9)}), pa.table({name: column.slice(3)})):
        said = expected(whole)
        assert table_sha256(whole) == said
        cut = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 0), whole.slice(1, 4), whole.slice(5)])
        assert table_sha256(cut) == said


def test_several_columns_are_hashed_in_their_order():
    known = {name: column for name, column in COLUMNS.items() if name != "nothing"}
    table = pa.table(known)
    assert table_sha256(table) == expected(table)
    backwards = table.select(list(reversed(known)))
    assert table_sha256(backwards) == expected(backwards) != table_sha256(table)
    assert table_sha256(table.replace_schema_metadata({"a": "b"})) == table_sha256(table)


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 16, 17])
def test_any_number_of_rows(rows):
    table = pa.table({"n": list(range(rows)), "t": [bool(at % 3) for at in range(rows)], "s": ["x"] * rows})
    assert table_sha256(table) == expected(table)


def test_text_beyond_thirty_two_bits_is_hashed_whole(monkeypatch):
    table = pa.table({"s": ["abcd", "e"]})
    seen = []
    whole = row_hash._hash_whole
    monkeypatch.setattr(row_hash, "_hash_whole", lambda *given: (seen.append(1), whole(*given))[1])
    for most, times in ((5, 0), (4, 1)):
        monkeypatch.setattr(row_hash, "_MOST_TEXT", most)
        seen.clear()
        assert table_sha256(table) == expected(table)
        assert len(seen) == times

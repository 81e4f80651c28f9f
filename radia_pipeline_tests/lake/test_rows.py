"""Rows that are never in memory at once: their hash, their writing, what is refused of them."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import ContractViolation
from radia_pipeline.labels import table as labels_table
from radia_pipeline.labels.origins import ORIGIN_CODE
from radia_pipeline.labels.table import LongRows, long_table, read_matrices
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.row_hash import rows_sha256, table_sha256
from radia_pipeline.lake.rows import TableRows
from radia_pipeline.lake.table_file import HASH_CHARACTERS, TableFile

BOX = pa.struct([("class", pa.string()), ("x_px", pa.float64())])
VALUES = {
    pa.string(): st.text("aé0", max_size=5),
    pa.int8(): st.integers(-128, 127),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float32(): st.sampled_from([0.0, -1.5, float("nan")]),
    pa.bool_(): st.booleans(),
    pa.null(): st.none(),
    pa.large_string(): st.text("aé", max_size=3),
    pa.map_(pa.string(), pa.int8()): st.lists(st.tuples(st.text("ab", max_size=2), st.integers(0, 9)), max_size=2),
    pa.list_(pa.string()): st.lists(st.none() | st.text("ab", max_size=3), max_size=3),
    pa.list_(BOX): st.lists(
        st.none() | st.fixed_dictionaries({"class": st.none() | st.text("ab", max_size=2), "x_px": st.floats()}),
        max_size=2,
    ),
}


def hashed_whole(table: pa.Table) -> str:
    """Return the hash as the first releases made it: of one Arrow stream in memory."""
    rebuilt = table.combine_chunks().take(pa.array(np.arange(table.num_rows, dtype=np.int64))).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rebuilt.schema) as writer:
        writer.write_table(rebuilt)
    return hashlib.sha256(str(table.schema).encode() + bytes(sink.getvalue())).hexdigest()


@st.composite
def tables(draw) -> pa.Table:
    """Draw a table of some kinds of columns, with nulls or without, in chunks."""
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
    count, arrays, fields = draw(st.sampled_from([0, 1, 7, 8, 9, 30, 65])), [], []
    for number, kind in enumerate(kinds):
        nullable = draw(st.booleans()) or pa.types.is_null(kind)
        values = st.none() | VALUES[kind] if nullable else VALUES[kind]
        arrays.append(pa.array(draw(st.lists(values, min_size=count, max_size=count)), kind))
        fields.append(pa.field(f"c{number}", kind, nullable=nullable))
    table = pa.table(arrays, schema=pa.schema(fields))
    cut = draw(st.integers(0, count))
    return pa.concat_tables([table.slice(0, cut), table.slice(cut)])


@settings(deadline=None, max_examples=150)
@given(tables(), st.integers(1, 20))
def test_the_hash_of_parts_is_that_of_one_stream_of_all(table, rows_of_a_part):
    assert rows_sha256(TableRows(table, rows_of_a_part)) == hashed_whole(table)


def label_rows(studies: int, seed: int = 0) -> tuple:
    """Return what ``long_table`` takes: invented labels of so many studies, in no order."""
    rng, shape = np.random.default_rng(seed), (studies, len(vocabulary().classes))
    ids = pa.array([hashlib.sha256(b"%d" % number).hexdigest()[:32] for number in range(studies)])
    said = rng.choice(np.array([-9, -1, 0, 1], dtype=np.int8), shape)
    origin = np.where(said == -9, ORIGIN_CODE["none"], ORIGIN_CODE["table"]).astype(np.int8)
    return "nih_cxr14", ids, ids, said, said, origin


def test_labels_are_written_and_read_in_parts_as_they_were_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(labels_table, "ROWS_OF_A_PART", 64)
    monkeypatch.setattr(labels_table, "_ROWS_READ", 50)  # 21 rows a study: most parts begin within one
    lake, given_rows = Lake.open(tmp_path / "lake"), label_rows(40)
    written = lake.write_rows("labels", LongRows(*given_rows), "nih_cxr14")
    assert len(list(LongRows(*given_rows).parts())) > 10
    whole = long_table(*given_rows)
    assert written.version == hashed_whole(whole)[:HASH_CHARACTERS]
    assert lake.read("labels", "nih_cxr14").equals(whole)
    assert not lake.write(
        "labels", whole.take(pa.array(np.random.default_rng(1).permutation(len(whole)))), "nih_cxr14"
    ).changed
    studies, (said, origin) = read_matrices(lake, "nih_cxr14", ["said", "origin"])
    order = np.argsort(np.array(given_rows[1].to_pylist()))
    assert studies.to_pylist() == given_rows[1].take(pa.array(order)).to_pylist()
    assert (said == given_rows[3][order]).all()
    assert (origin == given_rows[5][order]).all()


def test_a_files_rows_have_the_version_of_the_table(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    written = lake.write_rows("labels", TableRows(long_table(*label_rows(30)), 100), "nih_cxr14")
    with TableFile(lake.path("labels", "nih_cxr14")) as file:
        assert file.rows_version() == written.version == table_sha256(long_table(*label_rows(30)))[:HASH_CHARACTERS]


class Parts:
    """Rows as the parts that are given."""

    def __init__(self, *parts: pa.Table) -> None:
        self._parts, self.schema, self.num_rows = parts, parts[0].schema, sum(map(len, parts))

    def parts(self, columns=None):
        """Yield the parts."""
        return iter(self._parts if columns is None else [part.select(columns) for part in self._parts])


@pytest.mark.parametrize(
    ("places", "rule"),
    [
        ([(0, 30), (30, 60)], None),
        ([(30, 60), (0, 30)], "order"),
        ([(0, 30), (29, 60)], "unique"),
        ([(0, 20), (20, 20), (19, 60)], "unique"),
    ],
)
def test_parts_in_another_order_and_a_key_on_both_sides_of_a_cut_are_refused(tmp_path, places, rule):
    lake, whole = Lake.open(tmp_path / "lake"), long_table(*label_rows(5))
    rows = Parts(*(whole.slice(start, end - start) for start, end in places))
    if rule is None:
        assert lake.write_rows("labels", rows, "nih_cxr14").rows == 60
        return
    with pytest.raises(ContractViolation, match=f"study_id, class: {rule} broken by 1 rows"):
        lake.write_rows("labels", rows, "nih_cxr14")
    assert not lake.exists("labels", "nih_cxr14")


def test_what_many_parts_break_is_counted_together(tmp_path):
    whole = long_table(*label_rows(40))
    at = whole.schema.get_field_index("origin")
    broken = whole.set_column(at, whole.schema.field(at), pa.array(["none"] * len(whole)))
    stated = len(whole) - whole["value"].null_count
    with pytest.raises(ContractViolation, match=f"null_has_no_origin broken by {stated} rows"):
        Lake.open(tmp_path / "lake").write_rows("labels", TableRows(broken, 100), "nih_cxr14")

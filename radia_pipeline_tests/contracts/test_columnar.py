"""Checks on Arrow's buffers at their bounds: characters, lengths, slices, and orders of several columns."""

from __future__ import annotations

import pyarrow as pa
import pytest

from radia_pipeline.contracts import columnar
from radia_pipeline.contracts.columnar import fixed_shape, has_fixed_shape, is_strictly_ordered

HEX, DIGITS = "0-9a-f", "0-9"


@pytest.mark.parametrize(
    ("pattern", "shape"),
    [
        ("^[0-9a-f]{32}$", (HEX, 32)), ("^[0-9]{8}$", (DIGITS, 8)), ("^[0-9]{8}", None), ("[0-9]{8}$", None),
        ("^[0-9A-F]{8}$", None), ("^[0-9]{8,9}$", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_which_patterns_are_of_a_fixed_shape(pattern, shape):
    assert fixed_shape(pattern) == shape


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("letter", ["/", "0", "9", ":", "`", "a", "f", "g", "A", "~", "\0"])
def test_every_character_is_judged_at_every_place(letter, place):
    text = "11"[:place] + letter + "11"[place:]
    values = pa.chunked_array([["123", text, "456"]])
    assert has_fixed_shape(values, (DIGITS, 3)) is (letter in "09")
    assert has_fixed_shape(values, (HEX, 3)) is (letter in "09af")


@pytest.mark.parametrize(("values", "fits"), [
    (["123", "456"], True), (["123", None, "456"], True), ([None], True), ([], True), (["123", "45"], False),
    (["123", "4567"], False), (["12", "4567"], False), (["456", ""], False),
])  # fmt: skip
def test_every_value_that_is_not_null_has_its_length(values, fits):
    assert has_fixed_shape(pa.chunked_array([pa.array(values, pa.string())]), (DIGITS, 3)) is fits


def test_slices_and_chunks_are_judged_by_what_is_in_them():
    array = pa.array(["xxx", "123", "456", "yyy"])
    assert has_fixed_shape(pa.chunked_array([array.slice(1, 2)]), (DIGITS, 3))
    assert not has_fixed_shape(pa.chunked_array([array.slice(1, 3)]), (DIGITS, 3))
    assert not has_fixed_shape(pa.chunked_array([array.slice(0, 2)]), (DIGITS, 3))
    assert not has_fixed_shape(pa.chunked_array([["123"], ["12x"]]), (DIGITS, 3))


def test_a_wrong_character_is_found_in_any_block(monkeypatch):
    monkeypatch.setattr(columnar, "_BLOCK_BYTES", 4)
    for place in range(6):
        values = ["123"] * 6
        values[place] = "12x"
        assert not has_fixed_shape(pa.chunked_array([values]), (DIGITS, 3)), place
    assert has_fixed_shape(pa.chunked_array([["123"] * 6]), (DIGITS, 3))


@pytest.mark.parametrize(
    ("rows", "is_ordered"),
    [
        ([], True), ([("a", 1)], True), ([("a", 1), ("a", 2)], True), ([("a", 1), ("a", 1)], False),
        ([("a", 2), ("a", 1)], False), ([("a", 9), ("b", 1), ("b", 2)], True), ([("b", 1), ("a", 2)], False),
        ([("a", 1), ("b", 1), ("b", 1)], False), ([("a", 1), (None, 2)], False), ([("a", None), ("b", 2)], False),
        ([("a", 1), ("a", 2), ("a", 1)], False),
    ],
)  # fmt: skip
def test_keys_are_strictly_ordered_by_all_their_columns(rows, is_ordered):
    data = pa.table({
        "name": pa.array([one for one, _ in rows], pa.string()), "number": pa.array([two for _, two in rows], pa.int8())
    })  # fmt: skip
    assert is_strictly_ordered(data, ("name", "number")) is is_ordered


def test_a_third_column_decides_where_two_are_equal():
    data = {"a": [1, 1, 1], "b": [1, 1, 2], "c": [1, 2, 1]}
    assert is_strictly_ordered(pa.table(data), ("a", "b", "c"))
    assert not is_strictly_ordered(pa.table(data | {"c": [2, 1, 3]}), ("a", "b", "c"))
    assert not is_strictly_ordered(pa.table(data), ("a", "b"))
    assert is_strictly_ordered(pa.table(data | {"b": [1, 2, 3], "c": [3, 2, 1]}), ("a", "b", "c"))

"""Rows that come a part at a time are checked as a whole is; and a source's sheet says what its file says."""

from __future__ import annotations

import pyarrow as pa
import pytest

from radia_pipeline.contracts.checks import MAX_KEYED_ROWS, check, check_parts
from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.contracts.sheets import known_sources, source_sheet
from radia_pipeline.contracts.tables import conform


def part(*keys: int, value: int = 1) -> pa.Table:
    """Return label rows of studies in the order given."""
    rows = [
        {"source": "nih_cxr14", "study_id": f"{key:032x}", "patient_key": "0" * 32, "class": "Edema", "said": 1,
         "value": value, "origin": "table"} for key in keys
    ]  # fmt: skip
    return conform("labels", rows)


def said(*parts: pa.Table) -> list[tuple[str, int, int]]:
    return [(one.rule, one.count, len(one.rows)) for one in check_parts("labels", parts)]


def test_parts_in_order_break_nothing():
    assert said(part(1, 2), part(3), part(), part(4, 5)) == []
    assert said() == []
    assert said(part()) == []
    assert check("labels", pa.concat_tables([part(1, 2), part(3)])) == []


def test_a_key_that_comes_again_in_the_next_part_is_named():
    (found,) = check_parts("labels", [part(1, 2), part(2, 3)])
    assert (found.rule, found.count) == ("unique", 1)
    assert found.rows == (f"{2:032x}/Edema",)
    assert said(part(1, 2), part(), part(2, 3)) == [("unique", 1, 1)], "an empty part between changes nothing"
    assert said(part(1, 1)) == [("unique", 1, 1)]


def test_rows_in_another_order_than_the_keys_are_refused():
    assert said(part(2, 1)) == [("order", 1, 0)]
    assert said(part(3, 4), part(1, 2)) == [("order", 1, 0)]
    assert check("labels", part(2, 1)) == [], "a whole table may lie in any order"


def test_violations_of_parts_are_added_up_and_five_rows_are_shown():
    found = check_parts("labels", [part(1, 2, 3, value=7), part(4, 5, 6, 7, value=7), part(8)])
    broken = [one for one in found if one.rule == "valid_values"]
    assert [(one.column, one.count, len(one.rows)) for one in broken] == [("value", 7, MAX_KEYED_ROWS)]
    assert broken[0].rows[3] == f"{4:032x}/Edema"


@pytest.mark.parametrize("source", known_sources())
def test_a_sheet_says_what_its_file_says(source):
    raw, sheet = read_yaml(contracts_root() / "sources" / f"{source}.yaml"), source_sheet(source)
    for name in ("source", "title", "licence", "citation", "label_origin"):
        assert getattr(sheet, name) == raw[name]
    for name in ("label_map", "columns", "tree", "asked_labels", "identifiers", "held_splits"):
        assert getattr(sheet, name) == (raw.get(name) or {}), name
    for name in ("labels", "other_tokens", "unlabelled_tokens", "open_tokens"):
        assert list(getattr(sheet, name)) == list(raw.get(name) or []), name
    assert sheet.mixed_studies == (raw.get("mixed_studies") or 0)
    assert list(sheet.known_defects) == [str(one) for one in raw.get("known_defects") or []]
    assert sheet.deidentification == (raw.get("deidentification") or "")
    assert set(sheet.labels) <= sheet.labelled
    assert sheet.is_read_from_reports is (raw["label_origin"] == "rules")

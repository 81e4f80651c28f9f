"""Contracts: every file parses, tables conform, and every kind of rule catches a planted violation."""

from __future__ import annotations

import re

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.contracts.checks import check, require_parts, rules_of
from radia_pipeline.contracts.columnar import fixed_shape, has_fixed_shape, is_strictly_ordered
from radia_pipeline.contracts.location import read_yaml
from radia_pipeline.contracts.tables import arrow_type, conform, contract, contract_names, empty, parse_contract
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable, ContractViolation, UnknownName
from radia_pipeline_tests.contracts.plantings import plantings, valid_table

ID = "0123456789abcdef" * 2


def label_row(**changes):
    row = {"source": "nih_cxr14", "study_id": ID, "patient_key": ID, "class": "Edema", "said": 1, "value": 1}
    return {**row, "origin": "table", **changes}


@pytest.mark.parametrize("name", contract_names())
def test_every_contract_has_a_key_and_describes_each_column(name):
    terms = contract(name)
    assert terms.key
    assert all(column.description and column.classification for column in terms.columns.values())
    assert check(name, empty(name)) == []


def test_the_manifest_has_one_column_for_each_class():
    assert set(vocabulary().classes) <= set(contract("manifest").columns)
    assert str(contract("manifest").schema.field("Hernia").type) == "int8"


@pytest.mark.parametrize("table", [name for name in contract_names() if "class" in contract(name).columns])
def test_valid_classes_are_the_vocabulary(table):
    valid = contract(table).columns["class"].valid_values
    assert valid is None or set(valid) == set(vocabulary().classes)


def test_rows_become_the_schema_whatever_they_came_as():
    rows = [label_row()]
    expected = conform("labels", rows)
    assert expected.schema == contract("labels").schema
    assert conform("labels", pd.DataFrame(rows)) == expected
    assert conform("labels", pa.Table.from_pylist(rows)) == expected


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{**label_row(), "colour": "red"}], "unknown columns colour"),
        ([{"source": "nih_cxr14"}], "lacks the column study_id"),
        (pa.table({**{k: [v] for k, v in label_row().items()}, "said": ["yes"]}), "came as string"),
        (pa.table({**{k: [v] for k, v in label_row().items()}, "said": [0.5]}), "came as double"),
        (7, "came as int"),
    ],
)
def test_what_does_not_fit_is_refused(rows, words):
    with pytest.raises(BadTable, match=words):
        conform("labels", rows)


@pytest.mark.parametrize(
    ("table", "change", "rule"),
    [
        ("labels", {"study_id": None}, "required"),
        ("labels", {"class": "Covid"}, "valid_values"),
        ("labels", {"study_id": "Jeanne"}, "pattern"),
        ("labels", {"value": None}, "null_has_no_origin"),
        ("labels", {"said": 3}, "valid_values"),
    ],
)
def test_a_planted_violation_is_caught(table, change, rule):
    data = pa.Table.from_pylist(
        [label_row(**change)], schema=pa.schema([f.with_nullable(True) for f in contract(table).schema])
    )
    assert rule in {violation.rule for violation in check(table, data)}


@pytest.mark.parametrize(("score", "rule"), [(-0.1, "minimum"), (1.5, "maximum"), (float("nan"), "finite")])
def test_numbers_outside_their_range_are_caught(score, rule):
    box = {
        "source": "nih_cxr14",
        "image_id": ID,
        "study_id": ID,
        "box_index": 0,
        "class": "Mass",
        "x_px": 1.0,
        "y_px": 1.0,
    }
    box |= {"width_px": 5.0, "height_px": 5.0, "score": score, "method": "pcam", "model": "m"}
    assert rule in {violation.rule for violation in check("pseudo_boxes", conform("pseudo_boxes", [box]))}


def test_a_repeated_key_is_caught_and_a_refusal_names_table_rule_count_and_row():
    data = conform("labels", [label_row(), label_row()])
    with pytest.raises(ContractViolation, match=rf"labels.*unique broken by 1 rows \(rows {ID}/Edema\)"):
        require_parts("labels", [data])


def test_every_rule_has_a_name_and_a_column():
    assert {rule.name for rule in rules_of(contract("images"))} >= {"required", "pattern", "valid_values", "minimum"}


def test_types_are_parsed_and_unknown_ones_named():
    assert arrow_type("list<struct<class:string,x_px:float64>>").value_type.num_fields == 2
    with pytest.raises(BadTable, match="decimal"):
        arrow_type("decimal")


def test_unknown_table_and_broken_contract_are_named():
    with pytest.raises(UnknownName, match="manifest"):
        contract("manifests")
    with pytest.raises(BadTable, match="lacks the field"):
        parse_contract({"id": "x"}, "x")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=6))
def test_order_proves_uniqueness_and_nothing_else_does(pairs):
    data = pa.table(
        {"a": pa.array([a for a, _ in pairs], pa.string()), "b": pa.array([b for _, b in pairs], pa.string())}
    )
    assert is_strictly_ordered(data, ("a", "b")) == (pairs == sorted(set(pairs)))


@given(
    st.lists(st.none() | st.text("0a9fg/:Z`é", max_size=5), max_size=5),
    st.integers(0, 2),
    st.sampled_from(["0-9a-f", "0-9"]),
)
def test_values_of_a_fixed_shape_are_recognised_as_the_pattern_does(texts, start, characters):
    values = pa.chunked_array([pa.array(texts, pa.string()).slice(min(start, len(texts)))])
    expected = all(re.fullmatch(f"[{characters}]{{4}}", text) for text in texts[start:] if text is not None)
    assert has_fixed_shape(values, (characters, 4)) == expected


@pytest.mark.parametrize("character", [chr(code) for code in range(128)])
def test_every_character_is_judged_as_the_pattern_does(character):
    values = pa.chunked_array([pa.array([character])])
    for characters in ("0-9a-f", "0-9"):
        assert has_fixed_shape(values, (characters, 1)) == bool(re.fullmatch(f"[{characters}]", character))


def test_only_plain_patterns_are_taken_for_a_fixed_shape():
    assert fixed_shape("^[0-9a-f]{32}$") == ("0-9a-f", 32)
    assert fixed_shape("^[0-9]{8}$") == ("0-9", 8)
    assert fixed_shape("^[0-9]{8}") is None
    assert fixed_shape(None) is None


@pytest.mark.parametrize("name", contract_names())
def test_a_planted_violation_of_each_rule_of_each_contract_is_caught(name):
    terms = contract(name)
    data = valid_table(terms, 9)
    assert check(name, data) == []
    for column, rule, planted in plantings(terms, data):
        found = {(violation.column, violation.rule): violation for violation in check(name, planted)}
        assert (column, rule) in found, f"{column}.{rule} was missed"
        assert found[column, rule].count == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id: x\nschema: [\n  - {name: a\n", r"broken\.yaml is not valid YAML, line \d"),
        ("- a\n", "does not hold a mapping"),
    ],
)
def test_a_file_that_does_not_parse_is_named_with_its_line(tmp_path, text, words):
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadTable, match=words):
        read_yaml(path)


def test_a_contract_with_a_rule_that_nobody_knows_is_refused():
    column = {"name": "a", "physicalType": "string", "description": "a", "classification": "public"}
    content = {"id": "x", "version": "1.0.0", "domain": "d", "description": {"purpose": "p"}}
    quality = [{"type": "library", "mustBe": 0}]
    with pytest.raises(BadTable, match="Contract x lacks the field 'metric'"):
        parse_contract({**content, "schema": [{"properties": [{**column, "quality": quality}]}]}, "x")
    with pytest.raises(BadTable, match="Unknown physical type 'text'"):
        parse_contract({**content, "schema": [{"properties": [{**column, "physicalType": "text"}]}]}, "x")

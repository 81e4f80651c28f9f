"""Lineage in contracts: every named source column exists, and keys are inherited by name."""

from __future__ import annotations

import pytest

from radia_pipeline.contracts.lineage import column_sources
from radia_pipeline.contracts.tables import contract, contract_names
from radia_pipeline.contracts.vocabulary import vocabulary


@pytest.mark.parametrize("name", contract_names())
def test_every_source_column_that_a_contract_names_exists(name):
    for column in contract(name).columns.values():
        for table, source in column.made_from:
            assert source in contract(table).columns, f"{name}.{column.name} names {table}.{source}"


def test_the_manifest_says_where_each_of_its_columns_comes_from():
    upstream = ("images", "labels", "report_attributes", "box_annotations", "splits")
    sources = column_sources(contract("manifest"), upstream)
    assert set(sources) == set(contract("manifest").columns)
    assert all(("labels", "value") in sources[name] for name in vocabulary().classes)
    assert sources["pool"] == (("splits", "pool"),)
    assert sources["image_id"] == (("images", "image_id"),)


def test_only_tables_that_are_read_are_named():
    assert "boxes" not in column_sources(contract("manifest"), ("images", "labels", "splits"))
    assert column_sources(contract("images"), ()) == {}

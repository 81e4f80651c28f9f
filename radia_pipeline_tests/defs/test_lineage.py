"""Every asset's column lineage names assets that it depends on and columns that they have."""

from __future__ import annotations

from radia_pipeline.contracts.tables import contract
from radia_pipeline.defs import cohort, labels
from radia_pipeline.defs.lineage import lineage_metadata


def test_lineage_of_the_manifest_and_of_predictions():
    found = lineage_metadata("manifest", ("images", "labels", "splits"))["dagster/column_lineage"].deps_by_column
    assert [(dep.asset_key.to_user_string(), dep.column_name) for dep in found["pool"]] == [("splits", "pool")]
    assert lineage_metadata("images", ()) == {}


def test_every_named_source_is_an_upstream_asset():
    for assets in (*cohort.ASSETS, *labels.ASSETS):
        for spec in getattr(assets, "specs", [assets]):
            upstream = {dep.asset_key for dep in spec.deps}
            for column in contract(spec.key.path[-1]).columns.values():
                for table, _ in column.made_from:
                    assert any(key.path[0] == table for key in upstream), f"{spec.key}: {column.name} names {table}"

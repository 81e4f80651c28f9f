"""Column lineage as Dagster shows it, from the contracts."""

from __future__ import annotations

import dagster as dg

from radia_pipeline.contracts.lineage import column_sources
from radia_pipeline.contracts.tables import contract, contract_names


def lineage_metadata(table: str, deps: tuple) -> dict[str, dg.TableColumnLineage]:
    """Return the metadata entry of a materialization; nothing where no column is made from an upstream table.

    ``deps``: asset keys or names; those that are no tables (models) have no columns. The table of a key such as
    ``predictions/<recipe>`` is its first part.
    """
    keys: dict[str, dg.AssetKey] = {}
    for dep in deps:
        key = dep if isinstance(dep, dg.AssetKey) else dg.AssetKey(dep)
        keys.update({part: key for part in key.path if part in contract_names()})
    found = {
        column: [dg.TableColumnDep(asset_key=keys[source], column_name=name) for source, name in sources]
        for column, sources in column_sources(contract(table), keys).items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(deps_by_column=found)} if found else {}

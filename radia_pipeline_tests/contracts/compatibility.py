"""Which changes of a contract break its readers, and whether the version says so (semantic versioning).

What was promised is kept in ``promises.json``, which ``make generated`` brings up to date.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radia_pipeline.contracts.tables import Contract


def promise(terms: Contract) -> dict[str, Any]:
    """Return what readers and writers of a table rely on, as plain data that can be kept and compared."""
    columns = {
        column.name: {
            "type": str(column.type),
            "required": column.is_required,
            "valid": sorted(map(str, column.valid_values)) if column.valid_values is not None else None,
        }
        for column in terms.columns.values()
    }
    return {"version": terms.version, "key": list(terms.key), "partitioned": terms.partitioned, "columns": columns}


def breaking_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return, in words, every change by which a reader of ``old`` could fail on ``new``; both are promises."""
    found = []
    if old["key"] != new["key"]:
        found.append(f"key {old['key']} became {new['key']}")
    if old["partitioned"] != new["partitioned"]:
        found.append("partitioning changed")
    for name, before in old["columns"].items():
        after = new["columns"].get(name)
        if after is None:
            found.append(f"column {name} is gone")
            continue
        if before["type"] != after["type"]:
            found.append(f"column {name} was {before['type']} and is {after['type']}")
        if before["required"] and not after["required"]:
            found.append(f"column {name} may be null now")
        if before["valid"] is not None and not set(after["valid"] or [None]) <= set(before["valid"]):
            found.append(f"column {name} has new values")
    return found


def is_announced(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tell whether the version's first number rose, as a breaking change asks for."""
    return int(new["version"].split(".")[0]) > int(old["version"].split(".")[0])

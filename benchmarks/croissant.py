"""Exported manifests against MLCommons' own reader of Croissant: errors, warnings, and whether every row is read.

mlcroissant brings three dozen packages that nothing else here needs, so it has an environment of its own:
``uv venv /tmp/croissant && uv pip install --python /tmp/croissant/bin/python mlcroissant pyarrow``, then
``/tmp/croissant/bin/python benchmarks/croissant.py FOLDER…`` with folders that ``radia manifest export`` wrote. Imports
nothing of this project. Exit code 1 where a folder does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.metadata import version
from pathlib import Path

import mlcroissant

RESULT = Path(__file__).parent / "results" / "croissant.json"


def check(folder: Path) -> dict:
    """Return what mlcroissant finds in one export: errors, warnings, rows read and fields of the first."""
    try:
        dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    except mlcroissant.ValidationError as error:
        return {"errors": [str(error)]}
    issues = dataset.metadata.ctx.issues
    found = {"errors": sorted(issues.errors), "warnings": sorted(issues.warnings), "rows": {}, "fields": {}}
    for records in dataset.metadata.record_sets:
        rows = list(dataset.records(records.id))
        found["rows"][records.id] = len(rows)
        found["fields"][records.id] = len(rows[0]) if rows else 0
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    result = {"mlcroissant": version("mlcroissant")}
    for folder in parser.parse_args().folders:
        kind = next(path.name for path in sorted(folder.iterdir()) if path.name != "croissant.json")
        result[kind] = check(folder)
        print(kind, json.dumps(result[kind]), flush=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return int(any(found["errors"] for found in result.values() if isinstance(found, dict)))


if __name__ == "__main__":
    sys.exit(main())

"""Where the files of ``data_contracts/`` lie: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from radia_pipeline.errors import BadTable


@cache
def contracts_root() -> Path:
    """Return the folder ``data_contracts/``."""
    package = Path(__file__).resolve().parents[1]
    for candidate in (package.parent / "data_contracts", package / "_data_contracts"):
        if candidate.is_dir():
            return candidate
    raise BadTable(
        "No data_contracts folder beside or inside the radia_pipeline package",
        do="reinstall the package, or run from a complete checkout",
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping; a file that does not parse is named with its line."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise BadTable(f"{path.name} is not valid YAML{where}", do="mend the file at that line") from None
    if not isinstance(content, dict):
        raise BadTable(f"{path.name} does not hold a mapping", accepted="a YAML mapping at its top level")
    return content

"""The files of the repository that are made from others, and how: ``make generated`` writes them, a test compares them.

A line belongs here for every file that nobody may edit by hand. Numbers that a training must reach again do not: they
change only where a person wants them to.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from radia_pipeline.contracts.class_lists import follow_vocabulary
from radia_pipeline.contracts.tables import contract, contract_names
from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.instance import AT_THE_ROOT, settings_text
from radia_pipeline.defs.partitions import DAYS
from radia_pipeline.detection.recipes import json_schema as detector_schema
from radia_pipeline.errors import ContractViolation
from radia_pipeline.lake.settings import Settings
from radia_pipeline.monitoring.protocol import json_schema as protocol_schema
from radia_pipeline.training.fold_members import fold_members
from radia_pipeline.training.recipes import json_schema
from radia_pipeline_tests import further_page, governance_page, graph_picture, house_picture, recipe_page
from radia_pipeline_tests.contracts.compatibility import breaking_changes, is_announced, promise
from radia_pipeline_tests.reports.readings import readings

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ("demo_linear", "demo_pcam")
PARTED = "smoke_linear"
"""Recipes of the graph that is drawn and kept, one of them by its folds; the graph of another lake has others."""
PROMISES = "radia_pipeline_tests/contracts/promises.json"


@functools.cache
def definitions():
    """Return the graph of a lake that does not exist yet."""
    with tempfile.TemporaryDirectory() as nowhere:
        return build_defs(lake_root=Path(nowhere) / "lake", recipes=(*RECIPES, *fold_members(PARTED)))


def graph() -> str:
    """Return one line an asset: key, group, partitions, what it is made from."""
    assets = definitions().resolve_asset_graph()
    lines = []
    for key in sorted(assets.get_all_asset_keys()):
        node = assets.get(key)
        split = "whole" if node.partitions_def is None else "by day" if node.partitions_def == DAYS else "by source"
        parents = ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys)) or "-"
        lines.append(f"{key.to_user_string():24} {node.group_name:13} {split:10} {parents}")
    return "\n".join(lines) + "\n"


def promises() -> str:
    """Return what the contracts promise today.

    Raises ContractViolation where that breaks a kept promise and the version does not say so: a breaking change is
    announced first, then written down.
    """
    now = {name: promise(contract(name)) for name in contract_names()}
    for name, old in json.loads((ROOT / PROMISES).read_text(encoding="utf-8")).items():
        broken = breaking_changes(old, now[name]) if name in now else ["the table is gone"]
        if broken and (name not in now or not is_announced(old, now[name])):
            raise ContractViolation(f"{name}: {'; '.join(broken)}", do="raise the contract's major version first")
    return json.dumps(now, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


FILES: dict[str, Callable[[], str]] = {
    "dagster.yaml": lambda: settings_text(Settings(), AT_THE_ROOT),
    "data_contracts/drift_protocol.schema.json": lambda: json.dumps(protocol_schema(), indent=1, sort_keys=True) + "\n",
    "docs/architecture.svg": house_picture.draw,
    "docs/augmentations.md": further_page.page,
    "docs/governance/what_is_stored.md": governance_page.page,
    "docs/graph.svg": lambda: graph_picture.draw(definitions()),
    "docs/recipe_options.md": recipe_page.page,
    PROMISES: promises,
    "radia_pipeline/detection/detectors/detector.schema.json": lambda: (
        json.dumps(detector_schema(), indent=1, sort_keys=True) + "\n"
    ),
    "radia_pipeline/training/recipes/recipe.schema.json": lambda: (
        json.dumps(json_schema(), indent=1, sort_keys=True) + "\n"
    ),
    "radia_pipeline_tests/defs/graph.txt": graph,
    "radia_pipeline_tests/reports/readings.json": readings,
}
"""Path from the repository's root -> its text. The class lists of ``data_contracts/`` come on top: they are edited in
place, since the rest of a contract is written by people."""


def write(root: Path = ROOT) -> list[str]:
    """Rewrite every file under ``root`` that is not as it should be; returns their names."""
    changed = [f"data_contracts/{name}.yaml" for name in follow_vocabulary(root / "data_contracts")]
    for name, text in FILES.items():
        path, wanted = root / name, text()
        if not path.exists() or path.read_text(encoding="utf-8") != wanted:
            path.write_text(wanted, encoding="utf-8")
            changed.append(name)
    return changed


if __name__ == "__main__":
    sys.stdout.write("".join(f"rewritten: {name}\n" for name in write()) or "every generated file is as it should be\n")

"""A copy of the checkout in which a maintainer changes the vocabulary, with processes that run in it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

import radia_pipeline
from radia_pipeline.contracts.location import contracts_root
from radia_pipeline.lake.lake import Lake


class Checkout:
    """A copy of package and contracts, and Python processes that run in it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        package = Path(radia_pipeline.__file__).parent
        shutil.copytree(package, folder / "radia_pipeline", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        shutil.copytree(contracts_root(), folder / "data_contracts")

    def change(self, drop: set[str], add: list[dict], steps: list[dict], **sheets: dict) -> None:
        """Write a migration as a maintainer does, and let the tool bring the contracts in line."""
        self._edit(
            "vocabulary.yaml",
            lambda words: words.update(
                version="2.0.0",
                classes=[one for one in words["classes"] if one["name"] not in drop] + add,
                migrations=[{"name": "the-change", "from": "1.0.0", "to": "2.0.0", "reason": "a test", "steps": steps}],
            ),
        )
        for path in (self.root / "data_contracts" / "sources").glob("*.yaml"):
            self._edit(f"sources/{path.name}", lambda sheet: self._follow(sheet, drop, sheets))
        self.run("-m", "radia_pipeline.cli.main", "vocabulary", "contracts")

    def _edit(self, name: str, change) -> None:
        path = self.root / "data_contracts" / name
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")

    @staticmethod
    def _follow(sheet: dict, drop: set[str], sheets: dict) -> None:
        if "labels" in sheet:
            sheet["labels"] = [name for name in sheet["labels"] if name not in drop] + sheets.get(sheet["source"], [])
            sheet["labels"] = list(dict.fromkeys(sheet["labels"]))

    def run(self, *arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-W", "ignore", *arguments]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def migrate(self, lake: Lake, *options: str) -> dict:
        refusal = self.run("-m", "radia_pipeline.cli.main", "tables", "show", "--lake", str(lake.root), code=2)
        assert "the-change" in refusal and "radia vocabulary migrate" in refusal
        words = ["vocabulary", "migrate", "--json", "--lake", str(lake.root), *options]
        return json.loads(self.run("-m", "radia_pipeline.cli.main", *words))

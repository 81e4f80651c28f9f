"""One small demo with a trained ensemble for the tests that retrain: made once, copied by each."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radia_pipeline.defs.run import execute_graph
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.phantom.write import write_phantom

RECIPE = "smoke_linear"
_PARTS = {"lake": "", "lake.history": ".history", "deliveries": ".sources"}


@pytest.fixture(scope="session")
def trained_demo(tmp_path_factory) -> Path:
    """Return a folder with deliveries of sixty invented patients and a lake whose ensemble was judged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADIA_PSEUDONYM_KEY", "a key that only this test uses")
        patch.setenv("OMP_NUM_THREADS", "1")
        root = tmp_path_factory.mktemp("trained")
        write_phantom(root / "deliveries", seed=3, patients={"ccsmtl": 60}, size_px=64, workers=1)
        lake = Lake.open(root / "lake")
        change_settings(lake.root, sources_root=str(root / "deliveries"), recipes=(RECIPE,), ocr="off")
        execute_graph(lake, ["ccsmtl"], "scorecard")
        return root


def demo_copy(trained: Path, lake_root: Path) -> Lake:
    """Copy it to a lake of one's own, history and deliveries beside it."""
    for name, suffix in _PARTS.items():
        shutil.copytree(trained / name, lake_root.with_name(lake_root.name + suffix))
    change_settings(lake_root, sources_root=str(lake_root.with_name(lake_root.name + ".sources").absolute()))
    return Lake.open(lake_root, create=False)

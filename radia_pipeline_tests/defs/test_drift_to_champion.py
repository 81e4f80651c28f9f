"""The guide from drift to a champion and back, run in its order on a small demo.

The gate's rules on figures need hundreds of patients and are run by the champion's guide; the others are asked here.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.evaluation import gate, pace
from radia_pipeline.evaluation.champion import history
from radia_pipeline.evaluation.in_use import champion_of
from radia_pipeline.lake.lake import Lake
from radia_pipeline.usecases.retraining import retrainings
from radia_pipeline_tests.defs.conftest import demo_copy
from radia_pipeline_tests.test_documentation import ROOT, commands

GUIDE = ROOT / "docs" / "drift_to_champion.md"
ASKED = ("release", "coherence", "speed", "truth", "readers")
CODES = {"radia champion check": {1}, "radia drift report": {0, 1}}
"""Exit codes of commands that say no: nobody has read the test pool; drift waits for an answer, or not."""


def run(command: str) -> int:
    return main(shlex.split(command)[1:])


@pytest.fixture
def lake(trained_demo, tmp_path, monkeypatch) -> Lake:
    """Return a demo of one's own, where the guide finds it, which may retrain at once."""
    monkeypatch.setenv("RADIA_PSEUDONYM_KEY", "a key that only this test uses")
    monkeypatch.setenv("RADIA_LAKE", ".radia/demo")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".radia").mkdir()
    lake = demo_copy(trained_demo, tmp_path / ".radia" / "demo")
    monkeypatch.setattr(gate, "RULES", {name: gate.RULES[name] for name in ASKED})
    monkeypatch.setattr(pace, "images_per_second", lambda sides: (10.0, 10.0)[: len(sides)])
    return lake


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_guide_leads_from_drift_to_a_champion_and_back(lake, capsys):
    told: list[tuple[str, str]] = []
    for command in commands(GUIDE)[1:]:
        code = run(command)
        told.append((command, capsys.readouterr().out))
        assert code in CODES.get(command, {0}), (command, code, told[-1])
    said = dict(told)
    assert "grey" in said["radia drift show"], "the darker machine is found by what films look like"
    assert [act.kind for act in history(lake)] == ["approved", "approved", "rolled back"]
    first, second = (act.candidate.release for act in history(lake)[:2])
    assert first != second and champion_of(lake).release == first
    (retraining,) = retrainings(lake)
    assert retraining.ended_s and retraining.changes[0]["new"] > 0
    assert _shadowed(lake) > 0, "champion and challenger both looked at the last delivery"
    assert "The challenger in the shadow" in (lake.root / "drift.html").read_text(encoding="utf-8")
    assert run("radia champion show --json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["answers"]["release"] == first


def _shadowed(lake: Lake) -> int:
    return lake.read("shadow_scores", "ccsmtl").num_rows


def test_a_lake_that_is_no_demo_keeps_its_clock(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RADIA_PSEUDONYM_KEY", "a key that only this test uses")
    Lake.open(tmp_path / "lake")
    assert run(f"radia demo --rehearse --lake {tmp_path / 'lake'}") == 2
    assert "no demo" in capsys.readouterr().err and not list(Path(tmp_path / "lake").glob("_ingest/*"))

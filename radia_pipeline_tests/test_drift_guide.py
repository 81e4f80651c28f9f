"""The guide of drift, run in its order: a report with an alarm, an answer, everything answered, a new reference."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.monitoring.acknowledgements import acts
from radia_pipeline.monitoring.report import build_report
from radia_pipeline.monitoring.windows import monday
from radia_pipeline_tests.monitoring.worlds import REFERENCE_WEEKS, SOURCE, Story, make
from radia_pipeline_tests.test_documentation import ROOT, commands

GUIDE = ROOT / "docs" / "drift.md"
REPORT, SHOW, ONE, ALL, FREEZE, SAMPLE = range(6)
"""The guide's commands in their order."""
WEEKS = REFERENCE_WEEKS + 8


def run(command: str) -> int:
    return main(shlex.split(command)[1:])


def younger_and_darker(rng, film) -> None:
    film["patient_age_years"] = float(np.clip(film["patient_age_years"] - 30, 1, 90))
    film["image"] = np.clip(film["image"], 0, 1) ** 1.6


@pytest.fixture
def lake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RADIA_LAKE", raising=False)
    start = monday(datetime.now(UTC).date()) - timedelta(days=7 * WEEKS)
    story = Story(change=younger_and_darker, since=REFERENCE_WEEKS + 2, start=start)
    lake = make(tmp_path / ".radia" / "lake", WEEKS, story)
    build_report(lake, start + timedelta(days=7 * REFERENCE_WEEKS))
    return lake


def lake_month(lake) -> str:
    """Return a month in which something arrived."""
    return lake.read("deliveries", SOURCE)["first_seen"][0].as_py()[:7]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_guide_does_what_it_says(lake, capsys):
    said = commands(GUIDE)
    assert run(said[REPORT]) == 1 and run(said[SHOW]) == 0
    told = capsys.readouterr().out
    assert "patient_age_years" in told and "mean_grey" in told
    page = (lake.root / "drift.html").read_text(encoding="utf-8")
    assert "age of patients" in page and "grey levels" in page and "blind to concept shift" in page
    assert not any(key in page for key in lake.read("images", SOURCE, ["patient_key"])["patient_key"].to_pylist())
    assert run(said[ONE]) == 0 and run("radia drift show --json") == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    waiting = {one["stream"] for one in found["waiting"]}
    assert [one["stream"] for one in found["answered"]] == ["patient_age_years"] and "mean_grey" in waiting
    assert run(said[ALL]) == 0 and run(said[ALL]) == 2, "what is answered does not wait any more"
    before = lake.version("drift_reference")
    assert run(said[FREEZE]) == 0 and lake.version("drift_reference") != before
    assert [act.kind for act in acts(lake)] == ["acknowledged", "acknowledged", "reference frozen"]
    assert run(said[REPORT]) == 0, "what moved is usual now"
    month = said[SAMPLE].replace("--month 2026-05", f"--month {lake_month(lake)}")
    assert run(month) == 1, "nobody was placed in a pool yet"
    assert "the new ward is here to stay" in (lake.root / "drift.html").read_text(encoding="utf-8")

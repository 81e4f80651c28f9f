"""A retraining takes the recipes that answer, today's data and the way up to the gate; nobody is promoted by it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.defs.backfill import backfill
from radia_pipeline.defs.retraining import as_text, retrain
from radia_pipeline.defs.run import execute_graph
from radia_pipeline.errors import RunFailed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.usecases.retraining import retrainings
from radia_pipeline_tests.defs.conftest import RECIPE, demo_copy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def lake(trained_demo, tmp_path_factory) -> Lake:
    """Return a small lake with a trained ensemble, to whose source a second delivery has come since."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("RADIA_PSEUDONYM_KEY", "a key that only this test uses")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    root = tmp_path_factory.mktemp("retraining")
    lake = demo_copy(trained_demo, root / "lake")
    deliver_more(root / "lake.sources" / "ccsmtl", root / "more")
    execute_graph(lake, ["ccsmtl"], "deliveries")
    backfill(lake, "stale", groups=("labels", "cohort"))
    yield lake
    monkeypatch.undo()


def deliver_more(there: Path, aside: Path) -> None:
    """Let films and reports of other patients arrive."""
    write_phantom(aside, seed=41, patients={"ccsmtl": 10}, size_px=64, workers=1)
    shutil.copytree(aside / "ccsmtl" / "dicom", there / "dicom" / "more")
    with (aside / "ccsmtl" / "reports.csv").open(encoding="utf-8", newline="") as source:
        _, *rows = csv.reader(source)
    with (there / "reports.csv").open("a", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows(rows)


def test_a_retraining_is_planned_made_once_and_waits_for_a_person(lake, capsys, monkeypatch):
    assert main(["retrain", "--dry-run", "--lake", str(lake.root)]) == 0
    planned = capsys.readouterr().out
    assert RECIPE in planned and " new, 0 gone" in planned and "Not now" not in planned
    assert retrainings(lake) == []
    before = lake.version("predictions", RECIPE)

    monkeypatch.setattr("radia_pipeline.defs.retraining._judge", stopped)
    with pytest.raises(RunFailed, match="stopped"):
        retrain(lake, "a test")
    (begun,) = retrainings(lake)
    assert begun.ended_s is None and begun.why == "a test"
    monkeypatch.undo()

    told = retrain(lake, "the same again")  # goes on: nothing that stands is trained again
    assert told["continues"] == begun.identity == told["id"]
    (ended,) = retrainings(lake)
    assert ended.ended_s and ended.why == "a test" and ended.changes[0]["new"] > 0
    assert ended.before.keys() <= ended.after.keys() and lake.version("predictions", RECIPE) != before
    assert "Nothing that answers was changed" in as_text(told)
    assert not lake.exists("champion") and told["gate"]["challenger"]
    page = (lake.root / "retraining.html").read_text(encoding="utf-8")
    assert "Figures before and after" in page and begun.identity in page

    again = retrain(lake, "at once")
    assert not again["is_begun"] and "nothing has changed" in again["against"][0]
    assert any("must lie between" in why for why in again["against"])
    assert main(["retrain", "--lake", str(lake.root)]) == 1
    assert main(["retrain", "--if-due", "--lake", str(lake.root)]) == 0


def stopped(lake: Lake) -> dict:
    raise RunFailed("stopped before the gate")

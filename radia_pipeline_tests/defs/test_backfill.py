"""A backfill makes what is stale, or what failed, in the graph's order, and nothing that came out as before."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.defs.backfill import as_text, backfill
from radia_pipeline.defs.history import failed_runs
from radia_pipeline.defs.run import execute_graph
from radia_pipeline.errors import AlreadyRunning, UnknownName
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.phantom.write import write_phantom

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

REPORT_TABLES = {"report_mentions", "report_attributes", "unread_sentences"}


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    """Return a lake whose graph was made up to the manifest from one small delivery."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("RADIA_PSEUDONYM_KEY", "a key that only this test uses")
    root = tmp_path_factory.mktemp("backfill")
    write_phantom(root / "deliveries", seed=5, patients={"ccsmtl": 4}, size_px=64, workers=1)
    lake = Lake.open(root / "lake")
    change_settings(lake.root, sources_root=str(root / "deliveries"), recipes=("smoke_linear",), ocr="off")
    execute_graph(lake, ["ccsmtl"], "manifest")
    yield lake
    monkeypatch.undo()


def reports_of(lake: Lake) -> Path:
    return lake.root.parent / "deliveries" / "ccsmtl" / "reports.csv"


def due(lake: Lake, what: str = "stale", **more) -> dict[str, dict]:
    told, _ = backfill(lake, what, is_dry=True, groups=("ingest", "labels", "cohort"), **more)
    return {row["asset"]: row for row in told["due"]}


def add_report(lake: Lake, text: str) -> None:
    """Let one more report of a study that has one arrive, and ingest it."""
    with reports_of(lake).open(encoding="utf-8", newline="") as source:
        rows = [*csv.reader(source)]
    with reports_of(lake).open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows([*rows, [*rows[1][:2], text]])
    execute_graph(lake, ["ccsmtl"], "reports")


def test_what_reports_change_is_due_downstream_and_is_made_once(lake):
    assert REPORT_TABLES.isdisjoint(due(lake))
    add_report(lake, "Fracture de la sixième côte gauche.")
    found = due(lake)
    assert found["report_mentions"]["why"] == "changed: reports" and not found["report_mentions"]["follows"]
    assert found["labels"]["why"] == "changed: reports" and found["manifest"]["follows"]
    assert found["report_mentions"]["cost_s"] > 0
    names = list(found)
    assert names.index("report_mentions") < names.index("labels") < names.index("manifest")
    told, text = backfill(lake, "stale", groups=("labels", "cohort"))
    assert told["failed"] == {} and told["made"] >= 2 and "By the last runs" in text
    assert REPORT_TABLES.isdisjoint(due(lake)) and "labels" not in due(lake)


def test_what_comes_out_as_before_makes_nothing_after_it(lake):
    backfill(lake, "stale", groups=("ingest", "labels", "cohort"))
    before = lake.version("manifest", "ccsmtl")
    add_report(lake, "Comparé à l'examen antérieur.")
    told, _ = backfill(lake, "stale", groups=("labels", "cohort"))
    assert lake.version("manifest", "ccsmtl") == before
    assert told["made"] == 1  # mentions and labels of the source; pools and manifest stand


def test_what_failed_is_made_again_and_nothing_else(lake, capsys):
    assert failed_runs(lake) == []
    content = reports_of(lake).read_bytes()
    reports_of(lake).write_bytes(b"nothing,of,the,kind\n")
    with pytest.raises(Exception, match="report"):
        execute_graph(lake, ["ccsmtl"], "reports")
    assert [one["what"] for one in failed_runs(lake)] == ["reports of ccsmtl"]
    reports_of(lake).write_bytes(content)
    assert set(due(lake, "failed")) == {"reports"}
    assert main(["backfill", "--failed", "--lake", str(lake.root)]) == 0
    assert "1 run done, 0 failed" in capsys.readouterr().out
    assert due(lake, "failed") == {}


def test_trainings_are_left_out_unless_they_are_named_and_nothing_is_due_that_nobody_can_make(lake):
    told, text = backfill(lake, "stale", is_dry=True)
    assert "training" in told["left_out"] and "--group training" in text
    assert not any(row["asset"].startswith(("classifiers", "predictions")) for row in told["due"])
    told, _ = backfill(lake, "stale", is_dry=True, groups=("training", "evaluation"))
    assert [row["asset"] for row in told["due"]][:2] == ["classifiers/smoke_linear", "predictions/smoke_linear"]
    with pytest.raises(UnknownName, match="labels"):
        backfill(lake, "stale", groups=("label",))


def test_one_works_on_a_lake_at_a_time(lake):
    with lake.lock("work"), pytest.raises(AlreadyRunning):
        backfill(lake, "stale", groups=("cohort", "evaluation", "review", "training"))


def test_nothing_due_is_said_in_a_word(capsys):
    assert as_text({"due": [], "what": "failed", "left_out": []}) == "Nothing has failed."
    assert main(["backfill"]) == 2
    assert "--stale or --failed" in capsys.readouterr().err

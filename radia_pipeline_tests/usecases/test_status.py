"""The steward's status: what came by the lake's clock, what was refused, what answers, what waits for a person."""

from __future__ import annotations

import datetime as dt

from radia_pipeline.cli.main import main
from radia_pipeline.evaluation import gate
from radia_pipeline.evaluation.ensemble import build_ensemble
from radia_pipeline.evaluation.gate import unjudged
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.pages.status import write_status_page
from radia_pipeline.usecases.promotion import approve
from radia_pipeline.usecases.status import as_text, status, waiting
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.dicom.test_deliveries import Hospital
from radia_pipeline_tests.evaluation.champions import (
    approval,
    make_released,
    panel_of_skill,
    put_model,
    read_set,
    steady,
)
from radia_pipeline_tests.evaluation.worlds import put_manifest

DAY_S = 86_400.0


def seen_s(hospital: Hospital) -> float:
    return dt.datetime.fromisoformat(hospital.rows()[-1]["first_seen"]).timestamp()


def test_it_says_what_came_what_was_refused_and_who_is_silent(tmp_path):
    hospital = Hospital(tmp_path)
    hospital.puts(1, 2)
    hospital.files.put("cut.dcm", files.clean_file(4)[:-500])
    hospital.visits()
    hospital.reports(1)
    hospital.visits()
    now_s = seen_s(hospital) + 3 * DAY_S
    text = as_text(status(hospital.lake, now_s))
    (row,) = status(hospital.lake, now_s)["sources"]
    assert (row["lately_files"], row["lately_refused"], row["lately_late_reports"]) == (3, 1, 1)
    assert "3 days ago" in text and "truncated 1" in text and "Nothing answers yet" in text
    assert "What waits for a person\n  Nothing." in text
    late_s = seen_s(hospital) + 40 * DAY_S
    (row,) = status(hospital.lake, late_s)["sources"]
    assert row["is_silent"] and row["lately_files"] == 0
    assert "has delivered nothing for 40 days" in as_text(status(hospital.lake, late_s))
    change_settings(hospital.lake.root, expected_days={})
    assert waiting(hospital.lake, late_s) == []


def test_the_page_says_the_same_and_holds_no_key(tmp_path):
    hospital = Hospital(tmp_path)
    hospital.puts(1)
    hospital.visits()
    page = write_status_page(hospital.lake, seen_s(hospital) + 20 * DAY_S).read_text(encoding="utf-8")
    assert "ccsmtl has delivered nothing for 20 days" in page and "What waits for a person" in page
    for row in hospital.lake.read("images", "ccsmtl", ["patient_key", "study_id", "image_id"]).to_pylist():
        assert not any(key in page for key in row.values())


def test_the_command_writes_the_page_of_a_lake_without_history(tmp_path, capsys):
    hospital = Hospital(tmp_path)
    assert main(["status", "--lake", str(hospital.lake.root)]) == 0
    assert "none since the lake keeps a clock" in capsys.readouterr().out
    assert (hospital.lake.root / "status.html").exists()


def test_a_challenger_waits_for_a_release_then_for_the_gate_then_for_an_approval(tmp_path):
    lake, panel = Lake.open(tmp_path / "lake"), panel_of_skill(1.2, 1)
    put_manifest(lake, panel)
    put_model(lake, "first", panel)
    build_ensemble(lake, ["first"])

    def waits() -> list[str]:
        return [one.key.partition(":")[0] for one in waiting(lake, 0.0)]

    assert waits() == ["release"] and unjudged(lake) is None
    make_released(lake, {"first": panel})
    read_set(lake, panel)
    assert waits() == ["gate"] and unjudged(lake) == gate.basis_of(lake)
    assert gate.judge(lake, pace=steady()).refused == ()
    assert waits() == ["approve"] and unjudged(lake) is None
    approve(lake, approval())
    assert waits() == [] and unjudged(lake) is None
    assert "Since 20" in as_text(status(lake, 0.0))


def test_drift_reports_that_are_not_made_any_more_are_a_silence_too(tmp_path):
    lake, day = Lake.open(tmp_path / "lake"), dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
    assert waiting(lake, day.timestamp()) == []
    lake.write("drift_report", [], "2026-05-04")
    assert waiting(lake, day.timestamp() + 7 * DAY_S) == []
    (one,) = waiting(lake, day.timestamp() + 8 * DAY_S)
    assert "No drift report was made for 8 days" in one.what and "drift_daily" in one.do

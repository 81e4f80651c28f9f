"""Ten days in fast motion: each day's report is made once, each notice is sent once, whoever asks how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from radia_pipeline.defs.build import build_defs
from radia_pipeline.dicom import arrivals
from radia_pipeline.lake.settings import change_settings
from radia_pipeline_tests.defs.test_automation import Moved
from radia_pipeline_tests.dicom.test_deliveries import Hospital

START, DAYS, LAST_WITH_FILMS, EXPECTED_DAYS = datetime(2025, 3, 1, 20, 0, tzinfo=UTC), 10, 5, 3.0


class Days:
    """A hospital that delivers a film a day and then falls silent, and a daemon that asks twice each evening."""

    def __init__(self, root: Path, monkeypatch) -> None:
        self.hospital, self.instance, self.told = Hospital(root), dg.DagsterInstance.ephemeral(), []
        self.lake, self.now, self.asked = self.hospital.lake, START, []
        change_settings(self.lake.root, expected_days={"ccsmtl": EXPECTED_DAYS}, ocr="off")
        monkeypatch.setattr(arrivals, "time", SimpleNamespace(time=lambda: self.now.timestamp()))
        monkeypatch.setattr("radia_pipeline.usecases.notices.sender", lambda env: self.told.append)

    def pass_one(self, number: int) -> None:
        """Let a film arrive, the evening's report be asked for twice and made once, and people be told."""
        self.now = START + timedelta(days=number - 1)
        if number <= LAST_WITH_FILMS:
            self.hospital.puts(number)
            self.hospital.reports(number)
            self.hospital.visits()
        radia = Moved(lake_root=str(self.lake.root), moment_s=self.now.timestamp())
        definitions = build_defs(lake_root=self.lake.root, recipes=("smoke_linear",), resources={"radia": radia})
        repository = definitions.get_repository_def()
        for _ in range(2):
            context = dg.build_schedule_context(repository_def=repository, scheduled_execution_time=self.now)
            (one,) = repository.get_schedule_def("drift_daily").evaluate_tick(context).run_requests
            if one.run_key not in self.asked:  # as the daemon keeps it
                job = definitions.resolve_job_def("monitoring")
                assert job.execute_in_process(instance=self.instance, partition_key=one.partition_key).success
            self.asked.append(one.run_key)
            asking = dg.build_sensor_context(instance=self.instance, resources={"radia": radia})
            repository.get_sensor_def("notices").evaluate_tick(asking)


@pytest.fixture
def days(tmp_path, monkeypatch) -> Days:
    return Days(tmp_path, monkeypatch)


def test_ten_days_make_ten_reports_and_tell_each_thing_once(days):
    for number in range(1, DAYS + 1):
        days.pass_one(number)
    wanted = [(START + timedelta(days=number)).date().isoformat() for number in range(DAYS)]
    for table in ("drift_report", "drift_examples", "drift_performance"):
        assert days.lake.partitions(table) == wanted
        assert len(days.instance.get_materialized_partitions(dg.AssetKey(table))) == DAYS
    assert (days.lake.root / "drift.html").exists() and (days.lake.root / "status.html").exists()
    assert len(days.lake.read("deliveries", "ccsmtl")) == LAST_WITH_FILMS
    keys = [one.key for one in days.told]
    assert len(keys) == len(set(keys)) and sum(key.startswith("silent:ccsmtl") for key in keys) == 1
    assert len(set(days.asked)) == DAYS and len(days.asked) == 2 * DAYS

"""What runs by itself: each sensor, asked twice, starts nothing twice; what costs is off in a new lake."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from radia_pipeline.defs.automated import AUTOMATED
from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.switches import as_text, known
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.monitoring.actions import Demand
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline_tests.dicom.test_deliveries import Hospital

FREE = {"notices", "freshness_daily", "upkeep_schedule"}
"""What is on in a new lake: it costs nothing."""


@functools.cache
def repository() -> dg.RepositoryDefinition:
    return build_defs(recipes=("smoke_linear",)).get_repository_def()


class Moved(Radia):
    """A lake at another moment."""

    moment_s: float

    def now_s(self) -> float:
        return self.moment_s


class World:
    """A lake, its instance, and a clock that a test moves."""

    def __init__(self, root: Path) -> None:
        self.deliveries = root / "deliveries"
        self.lake = Lake.open(root / "lake")
        self.instance = dg.DagsterInstance.ephemeral()
        self.now_s, self.cursors = 1e9, {}
        change_settings(self.lake.root, sources_root=str(self.deliveries), quiet_s=100.0, ocr="off")

    @property
    def radia(self) -> Radia:
        return Moved(lake_root=str(self.lake.root), moment_s=self.now_s)

    def ask(self, name: str, *, after_s: float = 60.0):
        """Let time pass and ask a sensor as the daemon does, with the cursor that it left."""
        self.now_s += after_s
        context = dg.build_sensor_context(
            instance=self.instance,
            repository_def=repository(),
            cursor=self.cursors.get(name),
            sensor_name=name,
            resources={"radia": self.radia},
        )
        data = repository().get_sensor_def(name).evaluate_tick(context)
        self.cursors[name] = data.cursor
        return data


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def test_a_delivery_that_arrives_file_by_file_starts_one_run_of_its_source_once(world):
    write_phantom(world.deliveries, seed=5, patients={"ccsmtl": 2, "nih_cxr14": 2}, size_px=64, workers=1)
    started = []
    late = sorted((world.deliveries / "ccsmtl" / "dicom").rglob("*.dcm"))
    contents = {path: path.read_bytes() for path in late}
    for path in late:
        path.unlink()
    for path, content in contents.items():
        path.write_bytes(content)
        started += world.ask("new_deliveries", after_s=30).run_requests
    for _ in range(6):
        started += world.ask("new_deliveries", after_s=60).run_requests
    assert sorted(one.partition_key for one in started) == ["ccsmtl", "nih_cxr14"]
    assert len({one.run_key for one in started}) == 2


def test_a_tick_that_was_lost_before_its_cursor_was_kept_asks_for_the_same_run(world):
    write_phantom(world.deliveries, seed=5, patients={"ccsmtl": 2}, size_px=64, workers=1)
    world.ask("new_deliveries")
    kept = dict(world.cursors)
    first = world.ask("new_deliveries", after_s=200).run_requests
    world.cursors = kept
    second = world.ask("new_deliveries", after_s=60).run_requests
    assert [one.run_key for one in first] == [one.run_key for one in second] and len(first) == 1


def test_a_source_that_is_being_ingested_waits(world):
    write_phantom(world.deliveries, seed=5, patients={"ccsmtl": 2}, size_px=64, workers=1)
    job = build_defs(lake_root=world.lake.root, recipes=("smoke_linear",)).resolve_job_def("ingest")
    world.ask("new_deliveries")
    run = world.instance.create_run_for_job(
        job, tags={"dagster/partition": "ccsmtl"}, status=dg.DagsterRunStatus.STARTED
    )
    assert world.ask("new_deliveries", after_s=200).run_requests == []
    world.instance.report_run_canceled(run)
    assert len(world.ask("new_deliveries").run_requests) == 1


def test_readings_start_one_run_when_nobody_reads_any_more(world):
    assert "Nobody has read" in world.ask("new_readings").skip_message
    world.lake.readings_path.parent.mkdir()
    for number in range(3):
        with world.lake.readings_path.open("a") as store:
            store.write(f"{number}\n")
        assert world.ask("new_readings").run_requests == []
    assert len(world.ask("new_readings", after_s=200).run_requests) == 1
    assert world.ask("new_readings").run_requests == []


def test_a_challenger_is_put_to_the_gate_by_what_it_is(world, monkeypatch):
    assert world.ask("new_challenger").run_requests == []
    monkeypatch.setattr("radia_pipeline.evaluation.gate.unjudged", lambda lake: "b" * 32)
    keys = [one.run_key for _ in range(2) for one in world.ask("new_challenger").run_requests]
    assert keys == [f"gate:{'b' * 32}"] * 2  # Dagster starts one run for a key


def test_drift_starts_a_retraining_once_for_a_set_of_alarms_and_a_ticket_does_not(world, monkeypatch):
    def report(**action_of: str) -> None:
        rows = tuple({"source": "ccsmtl", "stream": name, "action": action} for name, action in action_of.items())
        monkeypatch.setattr("radia_pipeline.monitoring.actions.demanded", lambda lake: Demand("2026-11-30", "", rows))

    assert "no drift report" in world.ask("drift_retraining").skip_message
    report(prevalence="ticket")
    assert world.ask("drift_retraining").run_requests == []
    report(prevalence="ticket", entropy="freeze")
    keys = [world.ask("drift_retraining").run_requests[0].run_key for _ in range(2)]
    report(prevalence="rollback", entropy="freeze")
    (other,) = world.ask("drift_retraining").run_requests
    assert keys[0] == keys[1] != other.run_key
    assert other.run_config["ops"]["retrain_if_due"]["config"]["why"] == "drift, report of 2026-11-30"


def test_the_daily_schedule_asks_for_the_report_of_its_day_once():
    schedule = repository().get_schedule_def("drift_daily")
    context = dg.build_schedule_context(
        repository_def=repository(), scheduled_execution_time=datetime(2026, 11, 30, 23, 45, tzinfo=UTC)
    )
    (one,) = schedule.evaluate_tick(context).run_requests
    assert (one.partition_key, one.run_key) == ("2026-11-30", "drift:2026-11-30")


def test_a_failed_run_is_told_once_in_our_own_words(world, monkeypatch):
    told = []
    monkeypatch.setattr("radia_pipeline.usecases.notices.sender", lambda env: told.append)
    job = build_defs(lake_root=world.lake.root, recipes=("smoke_linear",)).resolve_job_def("ingest")
    for _ in range(2):
        job.execute_in_process(instance=world.instance, partition_key="ccsmtl", raise_on_error=False)
    assert "2 notices sent" in world.ask("notices").skip_message
    assert "Nobody" in world.ask("notices").skip_message
    assert {one.subject for one in told} == {"RadIA: ingest of ccsmtl failed"}
    assert all("Source ccsmtl is absent" in one.text for one in told)


def test_a_silent_source_is_a_warning_and_is_told_once(world, tmp_path, monkeypatch):
    hospital = Hospital(tmp_path / "hospital")
    hospital.lake = world.lake
    hospital.puts(1)
    hospital.visits()
    told = []
    monkeypatch.setattr("radia_pipeline.usecases.notices.sender", lambda env: told.append)

    def is_fresh() -> bool:
        more = {"radia": world.radia}
        definitions = build_defs(lake_root=world.lake.root, recipes=("smoke_linear",), resources=more)
        result = definitions.resolve_job_def("freshness").execute_in_process(instance=world.instance)
        return all(one.passed for one in result.get_asset_check_evaluations())

    world.now_s = hospital_seen_s(hospital) + 13 * 86_400
    assert is_fresh() and "Nobody" in world.ask("notices").skip_message
    world.now_s += 2 * 86_400
    assert not is_fresh()
    for _ in range(2):
        world.ask("notices")
    assert [one.key.rpartition(":")[0].rpartition("T")[0][:13] for one in told] == ["silent:ccsmtl"]


def hospital_seen_s(hospital: Hospital) -> float:
    return datetime.fromisoformat(hospital.rows()[0]["first_seen"]).timestamp()


def test_labels_follow_their_reports_once_and_together(world):
    write_phantom(world.deliveries, seed=5, patients={"ccsmtl": 3}, size_px=64, workers=1)
    definitions = build_defs(lake_root=world.lake.root, recipes=("smoke_linear",))
    job, cursor, asked = definitions.resolve_implicit_global_asset_job_def(), None, []
    tables = ("report_mentions", "labels", "box_annotations")
    ingested, followed = ("images", "quarantine", "duplicates", "reports"), ("report_attributes", "unread_sentences")
    for step in (ingested, (*tables, *followed), ()):
        found = dg.evaluate_automation_conditions(definitions, world.instance, cursor=cursor)
        cursor = found.cursor
        asked.append({name: found.get_num_requested(dg.AssetKey(name)) for name in tables})
        if step:
            keys = [dg.AssetKey(name) for name in step]
            assert job.execute_in_process(instance=world.instance, asset_selection=keys, partition_key="ccsmtl").success
    assert asked == [dict.fromkeys(tables, count) for count in (0, 1, 0)]


def test_what_costs_is_off_in_a_new_lake_and_everything_is_described(world):
    found = known(build_defs(lake_root=world.lake.root, recipes=("smoke_linear",)))
    assert {one.name for one in found} == set(AUTOMATED)
    assert {one.name for one in found if one.is_on_by_default} == FREE
    assert all(one.costs == "nothing" for one in found if one.is_on_by_default)
    assert all(one.name in as_text(found) for one in found)
    docs = (Path(__file__).resolve().parents[2] / "docs" / "automation.md").read_text(encoding="utf-8")
    assert [one.name for one in found if f"| `{one.name}` | {one.when} | {one.does} | {one.costs} |" not in docs] == []


def test_a_nightly_schedule_makes_what_is_stale_in_its_groups():
    definitions = build_defs(recipes=("smoke_linear",))
    repository = definitions.get_repository_def()
    asked = {
        one.name: one.evaluate_tick(dg.build_schedule_context()).run_requests[0].run_config
        for one in repository.schedule_defs
        if one.name in ("manifests_nightly", "evaluation_weekly")
    }
    groups = {name: config["ops"]["make_stale"]["config"]["groups"] for name, config in asked.items()}
    assert groups == {"manifests_nightly": ["labels", "review", "cohort"], "evaluation_weekly": ["evaluation"]}
    assert json.dumps(asked)

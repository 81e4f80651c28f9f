"""Old runs go, what is newest stays: nothing becomes stale, nothing is forgotten that failed, on both databases."""

import time
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, ROOT_RUN_ID_TAG

from radia_pipeline.defs import partitions
from radia_pipeline.defs.move_history import set_database
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.retention import collect_events, collect_runs
from radia_pipeline.defs.stale import FAILED, STALE, due
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.tracking.cluster import PASSWORD, running

DAY_S = 86_400.0
SOURCES = ("ccsmtl", "chexpert", "vindr_cxr")
PARTS = partitions.SOURCES
ROUNDS = 2


class World:
    """What the assets below come out as. ``fails``: the source that does."""

    version, fails = 0, ""


@dg.asset(partitions_def=PARTS, group_name="ingest", code_version="1")
def films(context: dg.AssetExecutionContext):
    context.log.info("a line that tells how it went")
    if context.partition_key == World.fails:
        raise ValueError("away")
    return dg.MaterializeResult(metadata={"rows": 7}, data_version=dg.DataVersion(str(World.version)))


@dg.asset(deps=[films], partitions_def=PARTS, group_name="labels", code_version="1")
def said(context: dg.AssetExecutionContext):
    return dg.MaterializeResult(data_version=dg.DataVersion(f"said {World.version}"))


@dg.asset(deps=[said], group_name="cohort", code_version="1")
def pools():
    return dg.MaterializeResult(data_version=dg.DataVersion("the same"))


@dg.asset_check(asset=films, blocking=True)
def has_rows():
    return dg.AssetCheckResult(passed=True)


DEFINITIONS = dg.Definitions(assets=[films, said, pools], asset_checks=[has_rows])


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    with running() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgres"])
def lake(request, tmp_path, monkeypatch) -> Lake:
    lake = Lake.open(tmp_path / "lake")
    if request.param == "postgres":
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        name = f"kept{time.monotonic_ns()}"
        set_database(lake, request.getfixturevalue("cluster").make(name))
    return lake


def live(instance: dg.DagsterInstance) -> None:
    """Materialize everything several times; in the end one source is stale below, and one failed."""
    World.version, World.fails = 0, ""
    for _ in range(ROUNDS):
        World.version += 1
        for source in SOURCES:
            make(instance, ["films", "said"], source)
        make(instance, ["pools"])
    World.version += 1
    make(instance, ["films"], "chexpert")
    World.fails = "vindr_cxr"
    make(instance, ["films"], "vindr_cxr")


def make(instance, names: list[str], partition: str | None = None, tags: dict | None = None) -> str:
    job = DEFINITIONS.resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey(name) for name in names]
    run = job.execute_in_process(
        instance=instance, asset_selection=keys, partition_key=partition, raise_on_error=False, tags=tags
    )
    return run.run_id


def state(instance: dg.DagsterInstance) -> dict:
    """Return what must be the same before and after."""
    found: dict = {what: due(DEFINITIONS, instance, SOURCES, what) for what in (STALE, FAILED)}
    for key in DEFINITIONS.resolve_asset_graph().materializable_asset_keys:
        made = {}
        for partition in SOURCES if key.path != ["pools"] else (None,):
            wanted = dg.AssetRecordsFilter(key, asset_partitions=[partition]) if partition else key
            one = instance.fetch_materializations(wanted, limit=1).records[0]
            made[partition] = (one.storage_id, one.asset_materialization.tags, one.run_id)
        found[key] = made, instance.get_materialized_partitions(key), instance.get_latest_materialization_event(key)
    return found


def test_what_is_newest_stays_and_nothing_becomes_stale(lake):
    with instance_of(lake) as instance:
        live(instance)
        before = state(instance)
        assert before[STALE] and before[FAILED]
        runs = {record.dagster_run.run_id for record in instance.get_run_records()}
        counted = collect_runs(instance, keep_days=90, dry_run=True, now_s=time.time() + 100 * DAY_S)
        assert len(instance.get_run_records()) == len(runs)
        found = collect_runs(instance, keep_days=90, now_s=time.time() + 100 * DAY_S)
        assert (found.runs, found.deleted, found.needed) == (counted.runs, counted.deleted, counted.needed)
        assert found.deleted >= ROUNDS and found.events > found.deleted
    with instance_of(lake) as instance:
        assert state(instance) == before
        left = {record.dagster_run.run_id for record in instance.get_run_records()}
        assert len(left) == found.needed and left < runs
        for gone in runs - left:
            assert instance.get_run_by_id(gone) is None and not instance.all_logs(gone)
        assert {made for part in before.values() if isinstance(part, tuple) for *_, made in part[0].values()} <= left
        again = collect_runs(instance, keep_days=90, now_s=time.time() + 100 * DAY_S)
        assert again.deleted == 0
        new = make(instance, ["films"], "ccsmtl")
        newest = instance.fetch_materializations(dg.AssetKey("films"), limit=1).records[0]
        assert newest.run_id == new and newest.storage_id > max(
            stored for stored, _, _ in before[dg.AssetKey("films")][0].values()
        )


def test_young_runs_and_those_that_work_stay(lake):
    with instance_of(lake) as instance:
        live(instance)
        runs = instance.get_runs_count()
        assert collect_runs(instance, keep_days=90).deleted == 0
        working = instance.create_run_for_job(DEFINITIONS.resolve_implicit_global_asset_job_def()).run_id
        collect_runs(instance, keep_days=90, now_s=time.time() + 100 * DAY_S)
        assert instance.get_run_by_id(working) is not None
        assert instance.get_runs_count() < runs


def test_a_run_stays_from_which_one_that_stays_was_begun_again(lake):
    with instance_of(lake) as instance:
        World.fails = "ccsmtl"
        first = make(instance, ["films"], "ccsmtl")
        second = make(instance, ["films"], "ccsmtl", {PARENT_RUN_ID_TAG: first, ROOT_RUN_ID_TAG: first})
        World.fails = ""
        third = make(instance, ["films"], "ccsmtl", {PARENT_RUN_ID_TAG: second, ROOT_RUN_ID_TAG: first})
        make(instance, ["films"], "chexpert")
        collect_runs(instance, keep_days=90, now_s=time.time() + 100 * DAY_S)
        assert all(instance.get_run_by_id(run) is not None for run in (first, second, third))


def test_of_old_runs_what_came_of_them_stays(lake):
    with instance_of(lake) as instance:
        live(instance)
        before = state(instance)
        records = instance.get_run_records()
        whole = {one.dagster_run.run_id: instance.all_logs(one.dagster_run.run_id) for one in records}
        found = collect_events(instance, keep_days=30, now_s=time.time() + 40 * DAY_S)
        assert found.events > len(records)
        assert state(instance) == before
        for run, events in whole.items():
            left = instance.all_logs(run)
            kinds = {one.dagster_event.event_type_value for one in left if one.is_dagster_event}
            assert 0 < len(left) < len(events)
            assert all(one.is_dagster_event for one in left)
            assert {"STEP_START", "PIPELINE_START"} <= kinds and "ENGINE_EVENT" not in kinds
            assert instance.get_run_step_stats(run)[0].start_time
        assert collect_events(instance, keep_days=30, now_s=time.time() + 40 * DAY_S).events == 0
        assert collect_events(instance, keep_days=30).events == 0


def test_old_ticks_go_but_for_the_newest_of_each(lake):
    with instance_of(lake) as instance:
        now_s = time.time()
        for name in ("looks", "follows"):
            for day in reversed(range(50)):
                told = (f"{name} origin", name, InstigatorType.SENSOR, TickStatus.SKIPPED, now_s - day * DAY_S - 60)
                instance.create_tick(TickData(*told, selector_id=name))
        assert collect_events(instance, keep_days=30).ticks == 2 * 20
        collect_events(instance, keep_days=30, now_s=now_s + 400 * DAY_S)
        assert [len(instance.get_ticks(f"{name} origin", name)) for name in ("looks", "follows")] == [1, 1]

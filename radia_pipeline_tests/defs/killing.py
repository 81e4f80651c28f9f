"""Killing, one after the other, what works in an open lake, and what must hold a minute later.

A window launches a delivery or a training for each of its victims, kills it while that works, and lets what is left
come to its end. What must hold afterwards stands in ``faults``.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import psutil
from dagster import DagsterRunStatus, RunsFilter

from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.training import POOL
from radia_pipeline.defs.ui import CODE_SERVER, DAEMON, DAGSTER, MLFLOW
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.provenance import TAG_PID, owner_lives
from radia_pipeline.training import recipes
from radia_pipeline.training.recipes import OWN
from radia_pipeline_tests.defs.opened import Opened, opened, wait_for
from radia_pipeline_tests.training.synthetic import write_lake

HOLDS_WITHIN_S = 60.0
RECIPE, LIKE = "killed", "demo_linear"
"""A recipe of the lake's own, which is another one in each window, so that something is trained; and its pattern."""
SOURCES = ("ccsmtl", "nih_cxr14")
FILMS = ("images", "quarantine", "duplicates")
"""What one step reads of a delivery; each further step of a run would be one more process that loads the graph."""
ALL_SOURCES = ("ccsmtl", "chexpert", "mimic_cxr", "nih_cxr14", "padchest", "vindr_cxr")
WORKER, STEP, TRAINER, DATABASE = "run worker", "step", "trainer", "database"
FIRST = (STEP, WORKER, TRAINER, MLFLOW)
"""Victims of a window in which runs die."""
SECOND = (CODE_SERVER, DAEMON, DAGSTER, DATABASE)
"""Victims of a window in which runs go on; a lake on SQLite has no database that could be killed."""
IN_PROGRESS = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]


@dataclass
class Ward:
    """An open lake whose processes are killed. ``kill_database``: kills and starts the server again, if there is one.

    ``rows``: what each source's ``images`` must hold in the end.
    """

    pages: Opened
    rows: dict[str, int]
    kill_database: Callable[[], None] | None = None
    lost: list[str] = field(default_factory=list)
    windows: int = 0

    def work(self, name: str) -> str:
        """Launch what a victim works for: a training for the trainer and MLflow, else a delivery; returns the run."""
        self.windows += 1
        if name not in (TRAINER, MLFLOW):
            return self.pages.launch_together(*FILMS, partition=SOURCES[self.windows % len(SOURCES)])
        write_recipe(self.pages.lake, self.windows)
        return self.pages.launch("classifiers", RECIPE)

    def victims(self) -> dict[str, Callable[[], bool]]:
        """Return how each victim is killed; each says whether it was there."""
        servers = {name: lambda name=name: _kill([self.pages.process(name)]) for name in self.pages.services()}
        found = {
            **servers, WORKER: lambda: _kill(self.workers()), STEP: lambda: _kill(self.steps()),
            TRAINER: lambda: _kill(self.pages.processes("radia_pipeline.defs.training_process")),
        }  # fmt: skip
        if self.kill_database is not None:
            found[DATABASE] = lambda: self.kill_database() is None
        return found

    def workers(self) -> list[psutil.Process]:
        """Return the processes of runs."""
        return self.pages.processes("radia_pipeline.defs.run_worker")

    def steps(self) -> list[psutil.Process]:
        """Return the processes of steps: what Dagster's executor has spawned beneath a run's worker."""
        found = []
        for worker in self.workers():
            with contextlib.suppress(psutil.Error):
                found += [one for one in worker.children() if "spawn_main" in " ".join(one.cmdline())]
        return found


def _kill(found: list[psutil.Process]) -> bool:
    """Kill the first process; returns whether there was one."""
    for process in found[:1]:
        with contextlib.suppress(psutil.Error):
            process.kill()
            return True
    return False


def faults(ward: Ward) -> list[str]:
    """Return what does not hold, in words: runs, steps, slots and trainings whose process is gone, tables that are
    lost or doubled."""
    lake = ward.pages.lake
    found = []
    with instance_of(lake) as instance:
        going = instance.get_runs(RunsFilter(statuses=IN_PROGRESS))
        found += [f"run {run.status.value}" for run in going if TAG_PID in run.tags and owner_lives(run.tags) is False]
        ids = {run.run_id for run in going}
        slots = instance.event_log_storage.get_concurrency_info(POOL).claimed_slots
        found += ["slot held" for slot in slots if slot.run_id not in ids]
        workers = {int(run.tags[TAG_PID]) for run in going if TAG_PID in run.tags}
        for source in SOURCES:
            made = instance.fetch_materializations(
                dg.AssetRecordsFilter(dg.AssetKey("images"), asset_partitions=[source]), limit=1000
            ).records
            rows = lake.read("images", source).num_rows if source in lake.partitions("images") else 0
            if made and rows != ward.rows[source]:
                found.append(f"images of {source}: {rows} rows, {ward.rows[source]} wanted")
    found += [f"orphan {what}" for what in orphans(ward, workers)]
    running = Tracker(lake).runs(status="RUNNING")
    return found + ["training RUNNING" for run in running if owner_lives(run.tags) is False]


def orphans(ward: Ward, workers: set[int]) -> Iterator[str]:
    """Yield what works for a run, while no run in progress has it in its group."""
    for word in ("radia_pipeline.defs.run_worker", "radia_pipeline.defs.training_process", "spawn_main"):
        for process in ward.pages.processes(word):
            with contextlib.suppress(psutil.Error, ProcessLookupError):
                if process.status() == psutil.STATUS_ZOMBIE or time.time() - process.create_time() < HOLDS_WITHIN_S:
                    continue
                family = {process.pid, *(one.pid for one in process.parents())}
                if not family & workers:
                    yield word.rpartition(".")[2]


def window(ward: Ward, victims: tuple[str, ...], patience_s: float) -> Iterator[tuple[str, dict[str, object]]]:
    """Kill each victim once while the lake works; yields for each whether it was killed, what did not hold a minute
    later, and in how many seconds everything held. Runs of one victim may go on while the next is killed."""
    ways = ward.victims()
    for name in filter(ways.get, victims):
        ward.work(name)
        if name in (TRAINER, MLFLOW):
            wait_for(lambda: ward.pages.processes("radia_pipeline.defs.training_process"), patience_s, "a training")
        else:
            wait_for(ward.steps, patience_s, "a step")
        was_there, begun = ways[name](), time.monotonic()
        left = faults_until_none(ward, HOLDS_WITHIN_S)
        yield name, {"killed": was_there, "left": left, "held_after_s": round(time.monotonic() - begun, 1)}
        wait_for(ward.pages.are_ready, patience_s, f"every server is back after {name} was killed")
    wait_for(lambda: not in_progress(ward), patience_s, "every run has ended")


def faults_until_none(ward: Ward, within_s: float) -> list[str]:
    """Return what does not hold after so long, as soon as everything holds an empty list; a database that is away is
    asked again."""
    deadline, found = time.monotonic() + within_s, ["not asked"]
    time.sleep(2.0)
    while found and time.monotonic() < deadline:
        try:
            found = faults(ward)
        except Exception as error:
            found = [f"cannot be asked ({type(error).__name__})"]
        if found:
            time.sleep(2.0)
    return found


def in_progress(ward: Ward) -> int:
    """Return how many runs wait or work."""
    with instance_of(ward.pages.lake) as instance:
        return instance.get_runs_count(RunsFilter(statuses=[*IN_PROGRESS, DagsterRunStatus.QUEUED]))


def whole(ward: Ward, patience_s: float) -> list[str]:
    """Return what is lost or doubled once every delivery was asked for again and all has ended."""
    for source, status in read_all(ward.pages, patience_s).items():
        if status != "SUCCESS":
            ward.lost.append(f"images of {source}: {status}")
    lake = ward.pages.lake
    for source, rows in ward.rows.items():
        table = lake.read("images", source)
        if table.num_rows != rows or len(set(table.column("image_id").to_pylist())) != rows:
            ward.lost.append(f"images of {source}: {table.num_rows} rows, {rows} wanted")
    return ward.lost + faults_until_none(ward, HOLDS_WITHIN_S)


def read_all(pages: Opened, patience_s: float) -> dict[str, str]:
    """Read every delivery, all at once; returns how each run ended."""
    runs = {source: pages.launch_together(*FILMS, partition=source) for source in SOURCES}
    for run in runs.values():
        wait_for(lambda run=run: pages.status(run) in ("SUCCESS", "FAILURE"), patience_s, "a delivery is read")
    return {source: pages.status(run) for source, run in runs.items()}


def write_recipe(lake: Lake, seed: int) -> None:
    """Let the lake's own recipe be another one."""
    text = (Path(recipes.__file__).parent / "recipes" / f"{LIKE}.yaml").read_text(encoding="utf-8")
    place = lake.root / OWN / f"{RECIPE}.yaml"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text.replace("seed: 1}", f"seed: {seed + 100}}}"), encoding="utf-8")


def make_lake(root: Path, *, patients: int, trained: int) -> Lake:
    """Return a lake with a delivery of every source, ``patients`` in those that are read again and again, and a
    manifest of ``trained`` patients to learn from."""
    deliveries = root / "deliveries"
    wanted = dict.fromkeys(ALL_SOURCES, 2) | dict.fromkeys(SOURCES, patients)
    write_phantom(deliveries, seed=4, patients=wanted, size_px=96, workers=1)
    lake = write_lake(root / "lake", patients=trained)
    write_recipe(lake, 0)
    change_settings(
        lake.root, sources_root=str(deliveries), recipes=("smoke_linear",), ocr="off", training_pool="on", pool_limit=1
    )
    return lake


@contextlib.contextmanager
def warded(
    lake: Lake, env: Mapping[str, str] | None = None, kill_database: Callable[[], None] | None = None,
    patience_s: float = 900.0,
) -> Iterator[Ward]:  # fmt: skip
    """Open a lake, read its deliveries once undisturbed, so that it is known what they hold, and yield it."""
    with opened(lake, "--without", "review", env=env) as pages:
        assert set(read_all(pages, patience_s).values()) == {"SUCCESS"}
        yield Ward(pages, {source: lake.read("images", source).num_rows for source in SOURCES}, kill_database)

"""Killing, one after the other, what works in an open lake, and what must hold a minute later.

Two windows of kills. Each launches a training or deliveries whose files are to be read anew, kills every victim of it
a drawn moment after that which it works for has begun, and lets what is left come to its end. What must hold
afterwards stands in ``faults``.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psutil
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.training import POOL
from radia_pipeline.defs.ui import CODE_SERVER, DAEMON, DAGSTER, MLFLOW
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings, read_settings
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.sources.registry import locate, source
from radia_pipeline.tracking.client import Tracker
from radia_pipeline.tracking.provenance import TAG_PID, owner_lives
from radia_pipeline.training import recipes
from radia_pipeline.training.recipes import OWN
from radia_pipeline.usecases.retract import ingest_and_withdraw
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
FIRST = (WORKER, MLFLOW, TRAINER)
"""Victims of a window with a delivery and a training, both of which die."""
SECOND = (CODE_SERVER, DAEMON, DAGSTER, STEP, DATABASE)
"""Victims of a window with two deliveries, of which one goes on whatever dies but the database; a lake on SQLite has
none that could be killed."""
IN_PROGRESS = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]
OVER = ("SUCCESS", "FAILURE", "CANCELED")
MOST_PAUSE_S, MOST_TRIES = 2.0, 5
Counts = dict[tuple[str, str], int]
"""(table, partition) -> rows."""


@dataclass
class Ward:
    """An open lake whose processes are killed. ``kill_database``: kills and starts the server again, if there is one.

    ``rows``: what the tables of ``SOURCES`` must hold whenever they are asked. ``chance``: when victims are killed.
    """

    pages: Opened
    instance: DagsterInstance
    tracker: Tracker
    rows: Counts
    patience_s: float
    kill_database: Callable[[], None] | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    trained: int = 0

    def deliver(self, name: str) -> str:
        """Launch the reading of a delivery, every file of which is to be read anew; returns the run."""
        for path in locate(name, Path(read_settings(self.pages.lake.root).sources_root or "")).rglob("*"):
            os.utime(path)
        return self._launched(lambda: self.pages.launch_together(*FILMS, partition=name))

    def train(self) -> str:
        """Launch a training that was not there before; returns the run."""
        self.trained += 1
        write_recipe(self.pages.lake, self.trained)
        return self._launched(lambda: self.pages.launch("classifiers", RECIPE))

    def _launched(self, launch: Callable[[], str]) -> str:
        """Launch as soon as the page answers; whatever it answers but a run is a fault."""

        def launched() -> str:
            try:
                return launch()
            except HTTPError as error:
                raise AssertionError("Dagster's page does not launch a run") from error

        return wait_for(launched, self.patience_s, "Dagster's page answers")

    def victims(self, works_for: Mapping[str, str]) -> dict[str, Callable[[], bool]]:
        """Return how each victim is killed, ``works_for``: victim -> run; each says whether it was there and its run
        went on."""
        ways = {name: lambda name=name: _kill([self.pages.process(name)]) for name in self.pages.services()}
        ways |= {
            WORKER: lambda: _kill(self.workers(works_for[WORKER])),
            STEP: lambda: _kill(self.steps(works_for[STEP])),
        }
        ways[TRAINER] = lambda: _kill(self.pages.processes("radia_pipeline.defs.training_process"))
        if self.kill_database is not None:
            ways[DATABASE] = lambda: self.kill_database() is None
        return {name: lambda name=name: self.goes_on(works_for[name]) and ways[name]() for name in ways}

    def run(self, run: str) -> DagsterRun:
        """Return a run as its history has it."""
        found = self.instance.get_run_by_id(run)
        assert found is not None, f"run {run} is lost"
        return found

    def goes_on(self, run: str) -> bool:
        """Whether a run works."""
        return self.run(run).status in IN_PROGRESS

    def has_ended(self, run: str) -> bool:
        """Whether a run has come to an end, whichever."""
        return self.run(run).status.value in OVER

    def is_at_work(self, name: str, run: str) -> bool:
        """Whether a run has come to where a victim of this name works for it."""
        if name in (TRAINER, MLFLOW):
            return bool(self.tracker.runs(status="RUNNING"))
        wanted = DagsterEventType.RUN_START if name in (CODE_SERVER, DAEMON, DAGSTER) else DagsterEventType.STEP_START
        return bool(self.instance.all_logs(run, of_type=wanted))

    def workers(self, run: str) -> list[psutil.Process]:
        """Return the process of a run."""
        with contextlib.suppress(psutil.Error):
            return [psutil.Process(int(self.run(run).tags[TAG_PID]))]
        return []

    def steps(self, run: str) -> list[psutil.Process]:
        """Return the process of a run's step: what Dagster's executor has spawned beneath its worker."""
        with contextlib.suppress(psutil.Error):
            return [
                one
                for worker in self.workers(run)
                for one in worker.children()
                if "spawn_main" in " ".join(one.cmdline())
            ]
        return []


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
    going = ward.instance.get_runs(RunsFilter(statuses=IN_PROGRESS))
    slots = ward.instance.event_log_storage.get_concurrency_info(POOL).claimed_slots
    found = [f"run {run.status.value}" for run in going if TAG_PID in run.tags and owner_lives(run.tags) is False]
    ids = {run.run_id for run in going}
    found += ["slot held" for slot in slots if slot.run_id not in ids]
    found += [
        f"orphan {what}" for what in orphans(ward, {int(run.tags[TAG_PID]) for run in going if TAG_PID in run.tags})
    ]
    found += ["training RUNNING" for run in ward.tracker.runs(status="RUNNING") if owner_lives(run.tags) is False]
    return found + lost_or_doubled(ward)


def counted(lake: Lake) -> Counts:
    """Return how many rows each table of ``SOURCES`` holds."""
    return {
        (table, name): lake.read(table, name).num_rows
        for table in FILMS
        for name in SOURCES
        if name in lake.partitions(table)
    }


def lost_or_doubled(ward: Ward) -> list[str]:
    """Return which tables hold other rows than they did, or an image twice."""
    found = counted(ward.pages.lake)
    wrong = [
        f"{'/'.join(one)}: {found.get(one)} rows, {rows} wanted"
        for one, rows in ward.rows.items()
        if found.get(one) != rows
    ]
    for name in SOURCES:
        ids = ward.pages.lake.read("images", name).column("image_id").to_pylist()
        wrong += [f"images/{name}: {len(ids) - len(set(ids))} twice"] * (len(set(ids)) != len(ids))
    return wrong


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


def window(ward: Ward, victims: tuple[str, ...]) -> dict[str, Any]:
    """Kill each victim once while what it works for goes on.

    Returns ``killed``: the victims; ``left``: what did not hold a minute after the last of them; ``held_after_s``: in
    how many seconds all held; ``ended``: victim -> how the run ended that it worked for.
    """
    victims = tuple(name for name in victims if name != DATABASE or ward.kill_database is not None)
    works_for = begun(ward, victims)
    for number, name in enumerate(victims):
        kill(ward, name, works_for, victims[number:])
    since_s = time.monotonic()
    left = faults_until_none(ward, HOLDS_WITHIN_S)
    held_after_s = round(time.monotonic() - since_s, 1)
    wait_for(lambda: all(map(ward.has_ended, works_for.values())), ward.patience_s, "every run has ended")
    wait_for(ward.pages.are_ready, ward.patience_s, "every server is back")
    ended = {name: ward.run(run).status.value for name, run in works_for.items()}
    return {"killed": list(victims), "left": left, "held_after_s": held_after_s, "ended": ended}


def begun(ward: Ward, victims: tuple[str, ...]) -> dict[str, str]:
    """Launch what the victims of a window work for; returns victim -> run."""
    if TRAINER in victims:
        delivery, other = ward.deliver(SOURCES[0]), ward.train()
    else:
        delivery, other = ward.deliver(SOURCES[0]), ward.deliver(SOURCES[1])
    return {name: other if name in (TRAINER, MLFLOW, STEP) else delivery for name in victims}


def kill(ward: Ward, name: str, works_for: dict[str, str], left: tuple[str, ...]) -> None:
    """Kill a victim a drawn moment after its work has begun; what it and others that are ``left`` work for is launched
    again where that has ended before."""
    for _ in range(MOST_TRIES):
        run = works_for[name]
        wait_for(lambda run=run: ward.is_at_work(name, run) or ward.has_ended(run), ward.patience_s, f"{name} works")
        time.sleep(ward.chance.uniform(0.0, MOST_PAUSE_S))
        if ward.victims(works_for)[name]():
            return
        again = ward.train() if name in (TRAINER, MLFLOW) else ward.deliver(SOURCES[name == STEP])
        works_for |= {one: again for one in left if works_for[one] == run}
    raise AssertionError(f"{name} was never at work when it was to be killed")


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


def whole(ward: Ward) -> list[str]:
    """Return what is lost or doubled once every delivery was asked for again and all has ended."""
    runs = {name: ward.deliver(name) for name in SOURCES}
    wait_for(lambda: all(map(ward.has_ended, runs.values())), ward.patience_s, "every delivery is read")
    ended = {name: ward.run(run).status.value for name, run in runs.items()}
    wrong = [f"{name}: {how}" for name, how in ended.items() if how != "SUCCESS"]
    return wrong + faults_until_none(ward, HOLDS_WITHIN_S)


def write_recipe(lake: Lake, seed: int) -> None:
    """Let the lake's own recipe be another one."""
    text = (Path(recipes.__file__).parent / "recipes" / f"{LIKE}.yaml").read_text(encoding="utf-8")
    place = lake.root / OWN / f"{RECIPE}.yaml"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text.replace("seed: 1}", f"seed: {seed + 100}}}"), encoding="utf-8")


def make_lake(root: Path, *, patients: int, trained: int, others: int = 0, **settings: Any) -> Lake:
    """Return a lake with deliveries, of ``patients`` of each of ``SOURCES``, read once, and of ``others`` of the other
    ones, and with a manifest of ``trained`` patients to learn from."""
    deliveries = root / "deliveries"
    wanted = dict.fromkeys(ALL_SOURCES if others else (), others) | dict.fromkeys(SOURCES, patients)
    write_phantom(deliveries, seed=4, patients=wanted, size_px=96, workers=1)
    lake = write_lake(root / "lake", patients=trained)
    write_recipe(lake, 0)
    change_settings(
        lake.root,
        sources_root=str(deliveries),
        recipes=("smoke_linear",),
        ocr="off",
        training_pool="on",
        pool_limit=1,
        **settings,
    )
    keys = Pseudonymizer.from_environment(lake)
    for name in SOURCES:
        ingest_and_withdraw(source(name), locate(name, deliveries), lake, keys, ocr="off")
    return lake


@contextlib.contextmanager
def warded(
    lake: Lake,
    *words: str,
    env: Mapping[str, str] | None = None,
    kill_database: Callable[[], None] | None = None,
    patience_s: float = 900.0,
) -> Iterator[Ward]:
    """Open a lake that knows what its tables hold, and yield it; ``words``: further options of ``radia ui``."""
    rows = counted(lake)
    assert rows["images", SOURCES[0]] and rows["images", SOURCES[1]]
    with opened(lake, *words, env=env) as pages, instance_of(lake) as instance:
        yield Ward(pages, instance, Tracker(lake), rows, patience_s, kill_database)

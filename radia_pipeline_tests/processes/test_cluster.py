"""Two nodes of Ray do what the local pool does, also when one is killed, late, slow or of another version."""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np
import psutil
import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.defs.ingest import ingest_images as asset_of_images
from radia_pipeline.defs.resources import POOL_TAG, Radia
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.errors import BadInput, RunFailed
from radia_pipeline.lake.keys import DEMO_KEY, Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.processes import children
from radia_pipeline.processes import cluster as rays
from radia_pipeline.processes.frames import Frame
from radia_pipeline.processes.items import map_items
from radia_pipeline.processes.pool import CRASHED, Lost, Work
from radia_pipeline.processes.where import Where
from radia_pipeline.reports.extract import extract_mentions
from radia_pipeline.reports.ingest import ingest_reports
from radia_pipeline.sources.registry import source
from radia_pipeline.usecases.looking import Asked, looked_at
from radia_pipeline_tests.processes import work as tasks
from radia_pipeline_tests.processes.clusters import ROOT, LocalCluster, local_cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not installed"),
]
ACT = Work(f"{tasks.__name__}:act", seconds=900.0)
TABLES = ("images", "quarantine", "duplicates", "report_mentions", "report_attributes")
KEYS = Pseudonymizer(DEMO_KEY)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> LocalCluster:
    """Return the one cluster of these tests: its head works, and a second node."""
    with local_cluster(tmp_path_factory.mktemp("ray") / "left_out", processors=1) as cluster:
        cluster.add()
        yield cluster


@pytest.fixture(autouse=True)
def small_portions(monkeypatch):
    monkeypatch.setattr(rays, "PORTION", 6)


@pytest.fixture(scope="module")
def delivery(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("delivered")
    write_phantom(root, patients={"ccsmtl": 8}, size_px=96, workers=1)
    return source("ccsmtl").locate(root)


def made(folder: Path, delivery: Path, address: str, tell=lambda _: None) -> dict[str, str]:
    """Return the data versions of what a pool makes of a delivery."""
    lake, adapter = Lake.open(folder), source("ccsmtl")
    KEYS.bind(lake)
    result = ingest_images(adapter, delivery, lake, KEYS, ocr="off", workers=2, pool_address=address, tell=tell)
    assert result.examined == result.found == result.ingested + result.quarantined + result.duplicates
    ingest_reports(adapter, delivery, lake, KEYS)
    extract_mentions("ccsmtl", lake, pool_address=address, tell=tell)
    return {name: lake.version(name, "ccsmtl") for name in TABLES}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory, delivery) -> dict[str, str]:
    return made(tmp_path_factory.mktemp("local") / "lake", delivery, "local")


def answered(where: Where, bodies, work: Work = ACT, **options) -> dict:
    """Return what came of each task, each counted once."""
    found = list(map_items(work, map(Frame, bodies), workers=1, where=where, **options))
    numbers = [number for number, _ in found]
    assert sorted(numbers) == sorted(set(numbers))
    return {number: answer.body if isinstance(answer, Frame) else answer for number, answer in found}


def test_two_nodes_make_the_local_tables(two, tmp_path, delivery, wanted):
    told = []
    assert made(tmp_path / "lake", delivery, two.address, told.append) == wanted
    assert any(line.startswith("Portions worked by node: 127.0.0.") for line in told)
    assert not list((tmp_path / "lake" / "pixels").glob(".seen-by-nodes-*"))


def test_films_of_a_prediction_are_looked_at_on_nodes_as_here(two, delivery):
    paths = sorted(path for path in (delivery / "dicom").rglob("*") if path.is_file())
    asked = [Asked(str(path), "ccsmtl", False, False, (64,), wants_picture=True, salt="0" * 32) for path in paths]
    told = []
    there = list(looked_at(asked, workers=2, reads_text=False, where=Where(two.address, tell=told.append)))
    here = list(looked_at(asked, workers=2, reads_text=False))
    assert len(here) == len(paths) and any(one.picture is not None for one in here)
    for found, wanted in zip(there, here, strict=True):
        for name, value in vars(wanted).items():
            assert _is_same(getattr(found, name), value), name
    assert any(line.startswith("Portions worked by node: 127.0.0.") for line in told)


def _is_same(one, other) -> bool:
    if isinstance(other, tuple) and any(isinstance(part, np.ndarray) for part in other):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return np.array_equal(one, other) if isinstance(other, np.ndarray) else one == other


def test_a_tag_of_a_run_in_dagster_chooses_the_cluster_and_its_log_names_the_nodes(two, tmp_path, delivery, wanted):
    lake = Lake.open(tmp_path / "lake")
    change_settings(lake.root, sources_root=str(delivery.parent), ocr="off")
    with dg.instance_for_test() as instance:
        done = dg.materialize(
            [asset_of_images],
            partition_key="ccsmtl",
            instance=instance,
            tags={POOL_TAG: two.address},
            resources={"radia": Radia(lake_root=str(lake.root))},
        )
        logged = [record.user_message for record in instance.all_logs(done.run_id)]
    assert done.success
    assert {name: lake.version(name, "ccsmtl") for name in TABLES[:3]} == {name: wanted[name] for name in TABLES[:3]}
    assert any(line.startswith("Portions worked by node: 127.0.0.") for line in logged)


def test_a_killed_node_loses_and_doubles_nothing(two, tmp_path, delivery, wanted):
    node, told = two.add(), []
    lake, adapter = Lake.open(tmp_path / "lake"), source("ccsmtl")
    KEYS.bind(lake)

    def kill_in_the_middle(done: int, total: int) -> None:
        nonlocal node
        if node is not None and done > total // 3:
            two.kill(node)
            node = None

    result = ingest_images(
        adapter,
        delivery,
        lake,
        KEYS,
        ocr="off",
        pool_address=two.address,
        on_progress=kill_in_the_middle,
        tell=told.append,
    )
    assert node is None and result.examined == result.found
    assert {name: lake.version(name, "ccsmtl") for name in TABLES[:3]} == {name: wanted[name] for name in TABLES[:3]}


def test_a_late_node_gets_its_part_and_what_a_killed_one_had_is_done_by_others(two):
    told, is_enough = [], False

    def bodies():
        for number in itertools.count():
            if is_enough:
                return
            yield Frame(["nap", number])

    found = map_items(ACT, bodies(), workers=1, where=Where(two.address, tell=told.append))
    numbers = [next(found)[0]]
    late = two.add()
    while sum("works with" in line for line in told) < 3:
        numbers.append(next(found)[0])
    two.kill(late)
    while not any("is lost" in line for line in told):
        numbers.append(next(found)[0])
    is_enough = True
    numbers += [number for number, _ in found]
    assert sorted(numbers) == list(range(len(numbers))), "nothing is lost, nothing is doubled"


def test_a_slow_node_is_overtaken_at_the_end(two):
    slow = two.add(SECONDS_A_TASK="3600")
    try:
        bodies = [["linger", number] for number in range(60)]
        assert answered(Where(two.address), bodies) == dict(enumerate(range(60)))
    finally:
        two.kill(slow)


def test_a_consumer_that_wants_order_is_not_run_away_from(two):
    drawn = []

    def endless():
        while True:
            drawn.append(["echo", len(drawn)])
            yield Frame(drawn[-1])

    found = map_items(ACT, endless(), workers=1, window=8, where=Where(two.address))
    for _ in range(30):
        next(found)
    found.close()
    assert len(drawn) <= 30 + 4 * 2 * 4


def test_a_crash_stays_with_its_task_and_workers_know_nothing_of_the_cluster(two, monkeypatch):
    found = answered(Where(two.address), [["echo", 0], ["crash", None], ["variables", None]])
    assert (found[0], found[1]) == (0, Lost(CRASHED))
    assert not [name for name in found[2] if name.startswith(("RAY_", "RADIA_PSEUDONYM"))]


def test_a_node_of_another_version_is_refused(two, tmp_path):
    for name in ("radia_pipeline", "radia_pipeline_tests", "data_contracts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "radia_pipeline" / "errors.py").open("a") as file:
        file.write("# another\n")
    told = []
    other = two.add(PYTHONPATH=str(tmp_path))
    try:
        found = map_items(
            ACT, (Frame(["nap", n]) for n in range(10**9)), workers=1, where=Where(two.address, tell=told.append)
        )
        while not any("is refused" in line for line in told):
            next(found)
        found.close()
        assert any("another version of radia-pipeline" in line for line in told)
        problems = [one.problems for one in rays.examine(Where(two.address))]
        assert sorted(map(bool, problems)) == [False, False, True]
    finally:
        two.kill(other)


def test_nodes_with_another_key_or_without_the_data_are_refused_and_named(two, tmp_path, capsys):
    with pytest.raises(RunFailed, match="another pseudonym key"):
        answered(Where(two.address, key="0" * 64), [["echo", 0]])
    lake = Lake.open(tmp_path / "lake")
    KEYS.bind(lake)
    asked = ["cluster", "check", "--pool", two.address, "--lake", str(lake.root), "--json"]
    assert main(asked) == 0
    nodes = json.loads(capsys.readouterr().out.splitlines()[-1])["nodes"]
    assert [one["problems"] for one in nodes] == [[], []]
    (lake.root / "key_fingerprint.txt").write_text("1" * 64)
    assert main(asked) == 1
    assert "RADIA_PSEUDONYM_KEY" in capsys.readouterr().out


def test_no_cluster_is_used_without_a_token(two, monkeypatch, tmp_path):
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(BadInput, match="no token"):
        answered(Where(two.address), [["echo", 0]])


def test_a_work_that_cannot_be_prepared_fails_the_run(two):
    broken = replace(ACT, warm_up=f"{tasks.__name__}:fail_to_warm_up")
    with pytest.raises(RunFailed):
        answered(Where(two.address), [["echo", 0]], broken)


CANCELLED = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts behind itself ignore it
from radia_pipeline.processes import cluster
from radia_pipeline.processes.frames import Frame
from radia_pipeline.processes.items import map_items
from radia_pipeline.processes.where import Where
from radia_pipeline.processes.pool import Work
cluster.PORTION = 2
if __name__ == "__main__":
    work = Work("radia_pipeline_tests.processes.work:act", seconds=7200.0)
    tasks = (Frame(["touch and linger", [sys.argv[2], 3600]]) for _ in range(20))
    for _ in map_items(work, tasks, workers=1, where=Where(sys.argv[1])):
        pass
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_cancelled_run_ends_its_tasks_on_the_nodes(two, tmp_path, how):
    script, marks = tmp_path / "run.py", tmp_path / "marks"
    script.write_text(CANCELLED)
    marks.mkdir()
    run = children.start([sys.executable, "-W", "ignore", str(script), two.address, str(marks)])
    try:
        _until(lambda: len(list(marks.iterdir())) >= 2, 180)
        workers = [psutil.Process(int(mark.name)) for mark in marks.iterdir()]
        run.send_signal(how)
        _until(lambda: not any(map(_lives, workers)), 120)  # a busy machine; a quiet one takes seconds
    finally:
        children.end(run, grace_s=0)


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _until(holds, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)

"""In a running Dagster: a delivery copied file by file, while the code server is loaded anew, starts one run, once."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
from pathlib import Path

import pytest

from radia_pipeline.defs.switches import switch, switches
from radia_pipeline.defs.ui import dagster_command, environment, free_port, serving
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline_tests.defs.test_stopping_in_dagster import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SENSOR = "new_deliveries"
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "radia_pipeline") { __typename } }"""
RUNS = """{ runsOrError { ... on Runs { results { jobName status tags { key value } } } } }"""
TICKS = """query ($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) { ... on Sensor { sensorState {
  status ticks(limit: 200) { status } } } } }"""
SELECTOR = {"repositoryLocationName": "radia_pipeline", "repositoryName": "__repository__", "sensorName": SENSOR}
OVER = {"SUCCESS", "FAILURE", "CANCELED"}
QUIET_S, LOOK_S, GAP_S = 20.0, 2.0, 1.0


def until(found, wait_s: float = 300.0):
    """Ask until there is an answer; servers on a busy machine need their time."""
    ends = time.monotonic() + wait_s
    while time.monotonic() < ends:
        if answer := found():
            return answer
        time.sleep(0.5)
    raise AssertionError("not within the time")


def copy_one_by_one(source: Path, target: Path, server: Server) -> int:
    """Copy a delivery as a slow share does, never resting for the quiet time; the code server is loaded anew midway."""
    files = sorted(path for path in source.rglob("*") if path.is_file())
    for number, path in enumerate(files):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
        if number == len(files) // 2:
            threading.Thread(target=reload, args=(server,), daemon=True).start()
        time.sleep(GAP_S)
    return len([path for path in files if path.suffix == ".dcm"])


def reload(server: Server) -> None:
    """Load the code server anew; on a busy machine the answer may not be awaited."""
    with contextlib.suppress(OSError):
        server.ask(RELOAD)


def test_a_slow_copy_starts_one_run_once_and_a_reload_loses_no_tick(tmp_path, monkeypatch):
    monkeypatch.setenv("RADIA_PSEUDONYM_KEY", "a key that only this test uses")
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    write_phantom(tmp_path / "aside", seed=5, patients={"ccsmtl": 4}, size_px=64, workers=1)
    lake, deliveries = Lake.open(tmp_path / "lake"), tmp_path / "deliveries"
    deliveries.mkdir()
    change_settings(
        lake.root, sources_root=str(deliveries), recipes=("smoke_linear",), ocr="off", quiet_s=QUIET_S,
        look_every_s=LOOK_S,
    )  # fmt: skip
    switch(lake, SENSOR, True)
    assert {one.name: one.is_on for one in switches(lake)}[SENSOR]
    port, log = free_port(), tmp_path / "dagster.log"
    with serving(dagster_command(lake, port), environment(lake), log):
        server = Server(port)
        until(server.is_ready)
        until(lambda: server.ask(TICKS, sensor=SELECTOR)["sensorOrError"]["sensorState"]["ticks"])
        films = copy_one_by_one(tmp_path / "aside", deliveries, server)
        until(lambda: {run["status"] for run in runs(server)} & OVER)
        seen = len(ticks(server))
        until(lambda: len(ticks(server)) >= seen + 3)  # it looks on, and finds nothing new
        (only,) = runs(server)
    assert only["status"] == "SUCCESS" and only["tags"]["dagster/partition"] == "ccsmtl"
    assert only["tags"]["radia/why"] == "new delivery"
    (delivery,) = lake.read("deliveries", "ccsmtl").to_pylist()
    assert delivery["files"] == films and delivery["reports"] > 0
    assert (lake.root / "status.html").exists()
    switch(lake, SENSOR, False)
    assert not {one.name: one.is_on for one in switches(lake)}[SENSOR]


def runs(server: Server) -> list[dict]:
    """Return the runs of the job that ingests."""
    found = server.ask(RUNS)["runsOrError"]["results"]
    return [
        {**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}}
        for run in found
        if run["jobName"] == "ingest"
    ]


def ticks(server: Server) -> list[dict]:
    """Return the sensor's ticks so far."""
    return server.ask(TICKS, sensor=SELECTOR)["sensorOrError"]["sensorState"]["ticks"]

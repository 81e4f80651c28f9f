"""In a running Dagster: a delivery copied file by file, while the code server is loaded anew, must start one run, once.

By hand: ``python benchmarks/slow_copy.py`` copies for two minutes. Exit status 1 where it
does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from radia_pipeline.defs.switches import switch
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline_tests.defs.opened import Opened, opened

SENSOR = "new_deliveries"
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "radia_pipeline") { __typename } }"""
RUNS = """{ runsOrError { ... on Runs { results { jobName status tags { key value } } } } }"""
TICKS = """query ($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) { ... on Sensor { sensorState {
  status ticks(limit: 200) { status } } } } }"""
SELECTOR = {"repositoryLocationName": "radia_pipeline", "repositoryName": "__repository__", "sensorName": SENSOR}
OVER = {"SUCCESS", "FAILURE", "CANCELED"}
LOOK_S = 2.0


def until(found, wait_s: float = 300.0):
    """Ask until there is an answer; servers on a busy machine need their time."""
    ends = time.monotonic() + wait_s
    while time.monotonic() < ends:
        if answer := found():
            return answer
        time.sleep(0.5)
    raise AssertionError("not within the time")


def copy_one_by_one(source: Path, target: Path, server: Opened, copy_s: float) -> int:
    """Copy a delivery as a slow share does, the code server loaded anew midway; returns how many image files it has."""
    files = sorted((path for path in source.rglob("*") if path.is_file()), key=lambda path: path.parent != source)
    for number, path in enumerate(files):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
        if number == len(files) // 2:
            threading.Thread(target=reload, args=(server,), daemon=True).start()
        time.sleep(copy_s / len(files))
    return sum("dicom" in path.relative_to(source).parts for path in files)


def reload(server: Opened) -> None:
    """Load the code server anew; on a busy machine the answer may not be awaited."""
    with contextlib.suppress(OSError):
        server.ask(RELOAD)


def run(folder: Path, copy_s: float, quiet_s: float) -> dict:
    """Serve a lake, copy a delivery in ``copy_s`` seconds, and return what was started and what came in."""
    write_phantom(folder / "aside", seed=5, patients={"ccsmtl": 4}, size_px=64, workers=1)
    lake, deliveries = Lake.open(folder / "lake"), folder / "deliveries"
    deliveries.mkdir()
    change_settings(
        lake.root,
        sources_root=str(deliveries),
        recipes=("smoke_linear",),
        ocr="off",
        quiet_s=quiet_s,
        look_every_s=LOOK_S,
    )
    switch(lake, SENSOR, True)
    with opened(lake, "--without", "mlflow", "--without", "review") as server:
        until(lambda: ticks(server))
        files = copy_one_by_one(folder / "aside" / "ccsmtl", deliveries / "ccsmtl", server, copy_s)
        until(lambda: {run["status"] for run in runs(server)} & OVER)
        seen = len(ticks(server))
        until(lambda: len(ticks(server)) >= seen + 3)  # it looks on, and must find nothing new
        started = runs(server)
    (delivery,) = lake.read("deliveries", "ccsmtl").to_pylist()
    return {
        "files": files,
        "copied_in_s": copy_s,
        "quiet_s": quiet_s,
        "runs": [one["status"] for one in started],
        "why": [one["tags"].get("radia/why") for one in started],
        "delivery_files": delivery["files"],
        "reports": delivery["reports"],
    }


def runs(server: Opened) -> list[dict]:
    """Return the runs of the job that ingests."""
    found = server.ask(RUNS)["runsOrError"]["results"]
    return [
        {**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}}
        for run in found
        if run["jobName"] == "ingest"
    ]


def ticks(server: Opened) -> list[dict]:
    """Return the sensor's ticks so far."""
    return server.ask(TICKS, sensor=SELECTOR)["sensorOrError"]["sensorState"]["ticks"]


def main() -> int:
    """Run it and print what came of it; 0 where one run was started, once, and all files are in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copy-s", type=float, default=120.0, help="how long the copy takes")
    parser.add_argument("--quiet-s", type=float, default=20.0, help="the lake's quiet time")
    options = parser.parse_args()
    os.environ.setdefault("RADIA_PSEUDONYM_KEY", "a key that only this benchmark uses")
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), options.copy_s, options.quiet_s)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if found["runs"] == ["SUCCESS"] and found["files"] == found["delivery_files"] else 1


if __name__ == "__main__":
    sys.exit(main())

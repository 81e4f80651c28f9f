"""Days in fast motion in a running Dagster: daemon, code server, run queue and SQLite as a hospital has them.

A source delivers week by week, changes, and falls silent; a report of each of the last days is asked for at once, the
code server is loaded anew meanwhile, and a test server takes the notices. What must come of it stands in ``play``.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np

from radia_pipeline.defs.drift import REPORT
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.monitoring.report import build_report
from radia_pipeline.monitoring.windows import monday
from radia_pipeline.servers.web import HOST
from radia_pipeline.usecases.notices import WEBHOOK
from radia_pipeline.usecases.status import occasions
from radia_pipeline_tests.defs.opened import Opened, opened, wait_for
from radia_pipeline_tests.monitoring.worlds import REFERENCE_WEEKS, SOURCE, Film, Story, make

WEEKS, EXPECTED_DAYS, WITHIN_S = REFERENCE_WEEKS + 6, 5.0, 1800.0
BACKFILL = """mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATE = """query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"""
RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "radia_pipeline") { __typename } }"""
OVER = ("COMPLETED_SUCCESS", "COMPLETED_FAILED", "COMPLETED", "FAILED", "CANCELED")


def older(rng: np.random.Generator, film: Film) -> None:
    """Let patients be much older from some week on."""
    film["patient_age_years"] = float(np.clip(film["patient_age_years"] + 25, 1, 90))


def changing_lake(root: Path, today: date) -> Lake:
    """Return a lake whose source changed four weeks ago and has said nothing for one, with a frozen reference."""
    start = monday(today) - timedelta(days=7 * WEEKS)
    story = Story(older, REFERENCE_WEEKS + 2, WEEKS - 1, start)
    lake = make(root, WEEKS, story)
    build_report(lake, start + timedelta(days=7 * REFERENCE_WEEKS))
    for table in REPORT:
        for day in lake.partitions(table):
            lake.withdraw(table, day)
    change_settings(lake.root, recipes=("smoke_linear",), ocr="off", expected_days={SOURCE: EXPECTED_DAYS})
    return lake


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Take notices; yields the address and what came so far."""
    came: list[dict[str, str]] = []

    class Taker(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer((HOST, 0), Taker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_port}/", came
    finally:
        server.shutdown()


def play(folder: Path, count: int) -> dict[str, Any]:
    """Ask a running Dagster for the reports of the last ``count`` days; return what came of it and who was told."""
    today = datetime.now(UTC).date()
    lake, days = changing_lake(folder / "lake", today), [today - timedelta(days=n) for n in range(count)][::-1]
    with listening() as (address, came):
        words = ("--without", "mlflow", "--without", "review")
        with opened(lake, *words, env={WEBHOOK: address}) as server:
            begun = time.monotonic()
            asked = launch(server, [day.isoformat() for day in days])
            wait_for(lambda: len(lake.partitions("drift_report")) > count // 3, WITHIN_S, "a third of the reports")
            with contextlib.suppress(OSError):
                server.ask(RELOAD)
            state = wait_for(lambda: ended(server, asked), WITHIN_S, "the reports are made")
            took_s = time.monotonic() - begun
            wait_for(lambda: wanted_keys(lake) <= told_keys(lake), WITHIN_S, "people are told what waits for them")
    with instance_of(lake) as instance:
        made = {
            table: Counter(
                one.partition_key for one in instance.fetch_materializations(dg.AssetKey(table), 5000).records
            )
            for table in REPORT
        }
    wanted = {day.isoformat() for day in days}
    return {
        "days": count,
        "state": state,
        "minutes": round(took_s / 60, 1),
        "tables": {table: sorted(wanted ^ set(lake.partitions(table))) for table in REPORT},
        "made_twice": {
            table: sorted(day for day, times in found.items() if times > 1) for table, found in made.items()
        },
        "never_made": {table: sorted(wanted - set(found)) for table, found in made.items()},
        "page": (lake.root / "drift.html").exists(),
        "notices": len(came),
        "told_of": sorted({key.split(":")[0] for key in told_keys(lake)}),
        "told_twice": [text for text, times in Counter(one["text"] for one in came).items() if times > 1],
    }


def is_as_promised(found: dict[str, Any]) -> bool:
    """Tell whether every table and notice is there, and nothing twice."""
    lists = [*found["tables"].values(), *found["made_twice"].values(), *found["never_made"].values()]
    is_told = {"drift", "silent"} <= set(found["told_of"]) and not found["told_twice"]
    return found["state"] in OVER[:3:2] and found["page"] and not any(lists) and is_told


def launch(server: Opened, days: list[str]) -> str:
    """Ask for the reports as the page's backfill does; returns its id."""
    params = {"assetSelection": [{"path": [table]} for table in REPORT], "partitionNames": days, "tags": []}
    answer = server.ask(BACKFILL, params=params)["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer
    return answer["backfillId"]


def ended(server: Opened, backfill: str) -> str | None:
    """Return how a backfill ended, None while it goes on; a code server that is loaded anew may not answer."""
    with contextlib.suppress(OSError):
        status = server.ask(STATE, id=backfill)["partitionBackfillOrError"].get("status")
        return status if status in OVER else None
    return None


def wanted_keys(lake: Lake) -> set[str]:
    """Return the occasions of which somebody should know by now."""
    return {one.key for one in occasions(lake, time.time())}


def told_keys(lake: Lake) -> set[str]:
    """Return the occasions of which somebody was told."""
    path = lake.root / "notices.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {json.loads(line)["key"] for line in lines}

"""``radia ui`` as a steward meets it: both pages answer, a run is started from the page, and everything ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from websockets.sync.client import connect

from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.phantom.write import write_phantom

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ADDRESS = re.compile(r"(Dagster|MLflow)\s+(http://127\.0\.0\.1:\d+)")
LAUNCH = """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
ASSETS = "{ assetNodes { assetKey { path } opNames jobNames hasMaterializePermission } }"
PATIENCE_S = 240


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return (process, lake, {page: address}) of a lake on which nothing has run yet; ends the servers."""
    root = tmp_path_factory.mktemp("steward")
    write_phantom(root / "deliveries", seed=2, patients={"ccsmtl": 4, "nih_cxr14": 6}, size_px=96, workers=1)
    lake = Lake.open(root / "lake")
    change_settings(
        lake.root, sources_root=str(root / "deliveries"), recipes=("smoke_linear",), detector="smoke", ocr="off"
    )
    environment = {**os.environ, "RADIA_PSEUDONYM_KEY": "a key that only this test uses"}
    command = [sys.executable, "-W", "ignore", "-m", "radia_pipeline.cli.main", "ui", "--lake", str(lake.root)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=root)
    said = [process.stderr.readline() for _ in range(4)]
    addresses = dict(ADDRESS.search(line).groups() for line in said if ADDRESS.search(line))
    yield process, lake, addresses
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def ask(address: str, query: str, **variables) -> dict:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def until(found, wait_s: float = PATIENCE_S):
    """Call ``found`` until it returns something; servers need seconds to come up."""
    ends = time.monotonic() + wait_s
    while time.monotonic() < ends:
        try:
            if result := found():
                return result
        except OSError:
            pass
        time.sleep(1.0)
    raise AssertionError("not within the time")


def test_both_pages_answer_and_show_the_graph(pages):
    _, _, addresses = pages
    assert set(addresses) == {"Dagster", "MLflow"}
    nodes = until(lambda: ask(addresses["Dagster"], ASSETS)["assetNodes"])
    keys = {"/".join(node["assetKey"]["path"]) for node in nodes}
    assert {"images", "labels", "splits", "classifiers/smoke_linear", "detector"} <= keys
    assert until(lambda: urllib.request.urlopen(addresses["MLflow"], timeout=10).status) == 200


def test_a_run_started_from_the_page_materializes_its_partition(pages):
    _, lake, addresses = pages
    until(lambda: ask(addresses["Dagster"], ASSETS)["assetNodes"])
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "radia_pipeline",
        "jobName": "ingest",
    }
    tags = [{"key": "dagster/partition", "value": "nih_cxr14"}]
    params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}, "runConfigData": {}}
    launched = ask(addresses["Dagster"], LAUNCH, params=params)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched

    def ended() -> str | None:
        status = ask(addresses["Dagster"], STATUS, id=launched["run"]["runId"])["runOrError"]["status"]
        return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

    assert until(ended) == "SUCCESS"
    assert lake.read("images", "nih_cxr14").num_rows > 0


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed (Debian: apt install chromium)")
def test_a_browser_shows_the_assets(pages, tmp_path):
    _, _, addresses = pages
    until(lambda: ask(addresses["Dagster"], ASSETS)["assetNodes"])
    groups = ("ingest", "labels", "cohort", "training", "evaluation", "localisation", "detection")
    with page_text(f"{addresses['Dagster']}/asset-groups", tmp_path) as read:
        assert until(lambda: all(group in read() for group in groups))


@contextlib.contextmanager
def page_text(address: str, folder: Path):
    """Open a page in Chromium; gives a function that returns the text that stands on it now."""
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--remote-debugging-port=0", f"--user-data-dir={folder}", address,
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as browser:
        try:
            port = until(lambda: (folder / "DevToolsActivePort").read_text().split()[0])
            tabs = until(lambda: json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10)))
            target = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
            with connect(target, max_size=None) as socket:
                yield lambda: evaluate(socket, "document.body.innerText")
        finally:
            browser.terminate()


def evaluate(socket, expression: str) -> str:
    request = {"id": 1, "method": "Runtime.evaluate", "params": {"expression": expression}}
    socket.send(json.dumps(request))
    return json.loads(socket.recv(timeout=30))["result"]["result"].get("value", "")


def test_one_signal_of_a_service_manager_ends_every_process(pages):
    process, _, _ = pages
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive

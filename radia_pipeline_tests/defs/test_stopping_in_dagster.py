"""A training in a real Dagster, over its GraphQL: stopped as from the UI, its run worker killed, taken up again."""

from __future__ import annotations

import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from radia_pipeline.defs.ui import HOST, dagster_command, environment, free_port, serving
from radia_pipeline.lake.settings import change_settings
from radia_pipeline_tests.training.synthetic import write_lake

RECIPE = "demo_linear"
STOP_WITHIN_S = 30.0
"""What the documentation promises."""
ORPHAN_WITHIN_S = 20.0
LAUNCH = """mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
STOP = """mutation ($id: String!) { terminateRun(runId: $id, terminatePolicy: SAFE_TERMINATE) { __typename } }"""
STATUS = """query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"""
LOGS = """query ($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
  ... on MessageEvent { message } } } } }"""
SELECTOR = {
    "repositoryLocationName": "radia_pipeline", "repositoryName": "__repository__", "pipelineName": "__ASSET_JOB",
    "assetSelection": [{"path": ["classifiers", RECIPE]}], "assetCheckSelection": [],
}  # fmt: skip


class Server:
    """The GraphQL side of a running Dagster."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}/graphql"

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of an answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def is_ready(self) -> bool:
        """Whether the code location is loaded."""
        try:
            found = self.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }")
        except (urllib.error.URLError, OSError):
            return False
        return bool(found["repositoriesOrError"].get("nodes"))

    def launch(self) -> str:
        """Materialize the classifier as the UI does; returns the run's id."""
        answer = self.ask(LAUNCH, params={"selector": SELECTOR, "runConfigData": {}, "mode": "default"})
        return answer["launchPipelineExecution"]["run"]["runId"]

    def messages(self, run: str) -> list[str]:
        """Return what a run's log says so far."""
        return [event.get("message", "") for event in self.ask(LOGS, id=run)["logsForRun"]["events"]]

    def status(self, run: str) -> str:
        """Return a run's status."""
        return self.ask(STATUS, id=run)["runOrError"]["status"]


def wait_for(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """Return what the condition gives once it holds."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.25)
    raise AssertionError(f"not within {within_s} s: {what}")


def trainer_of(lake) -> psutil.Process | None:
    """Return the training process of this lake."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "radia_pipeline.defs.training_process" in command and str(lake.root) in command:
            return process
    return None


def seconds_until_gone(processes: list[psutil.Process], within_s: float) -> float:
    begun = time.monotonic()
    _, alive = psutil.wait_procs(processes, timeout=within_s)
    alive = [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert not alive, f"still there: {alive}"
    return time.monotonic() - begun


@pytest.mark.slow
def test_stopped_from_the_ui_taken_up_again_and_its_run_worker_killed(tmp_path):
    lake = write_lake(tmp_path / "lake", patients=1500)
    change_settings(lake.root, recipes=(RECIPE,))
    port = free_port()
    with serving(dagster_command(lake, port), environment(lake), tmp_path / "dagster.log"):
        server = Server(port)
        wait_for(server.is_ready, 120, "Dagster is ready")
        run = server.launch()
        wait_for(lambda: any("step 1 of" in text or "epoch 1" in text for text in server.messages(run)), 180, "a step")

        trainer = trainer_of(lake)
        step = trainer.parent()
        begun = time.monotonic()
        server.ask(STOP, id=run)
        seconds_until_gone([trainer, *trainer.children(recursive=True), step], STOP_WITHIN_S)
        stopped_s = time.monotonic() - begun
        assert list(lake.models_dir.glob(f"{RECIPE}/*/checkpoints/last.safetensors"))
        wait_for(lambda: server.status(run) == "CANCELED", 30, "the run is canceled")

        again = server.launch()
        goes_on = "training goes on after step"
        wait_for(lambda: any(goes_on in text for text in server.messages(again)), 180, goes_on)
        trainer = trainer_of(lake)
        step = trainer.parent()
        worker = step.parent()
        assert "multiprocessing" in " ".join(worker.cmdline()), "the step has a process of its own"
        worker.kill()
        orphaned_s = seconds_until_gone([trainer, step], ORPHAN_WITHIN_S)
    logging.getLogger(__name__).info("stopped after %.1f s, orphan gone after %.1f s", stopped_s, orphaned_s)

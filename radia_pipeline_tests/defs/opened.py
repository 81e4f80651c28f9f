"""A lake whose pages are open, as ``radia ui`` opens them: their addresses, their processes, and Dagster's GraphQL."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psutil

from radia_pipeline.defs.ui import card_of
from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes import children
from radia_pipeline.servers.guard import TOKEN_PARAMETER
from radia_pipeline.servers.supervisor import START_VARIABLE, read_card

OPEN_WITHIN_S, ANSWERS_WITHIN_S, LOOK_EVERY_S = 900.0, 400.0, 0.5
LAUNCH = """mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on InvalidSubsetError { message } } }"""
STOP = """mutation ($id: String!) { terminateRun(runId: $id, terminatePolicy: SAFE_TERMINATE) { __typename } }"""
STATUS = """query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"""
LOGS = """query ($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
  ... on MessageEvent { message } } } } }"""
REPOSITORIES = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"


def wait_for(condition: Callable[[], Any], within_s: float, what: str) -> Any:
    """Return what the condition gives once it holds; a server that does not answer yet is waited for."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        time.sleep(LOOK_EVERY_S)
    raise AssertionError(f"not within {within_s} s: {what}")


class Opened:
    """The running servers of a lake and the process that keeps them."""

    def __init__(self, lake: Lake, keeper: subprocess.Popen) -> None:
        self.lake, self.keeper = lake, keeper

    def services(self) -> dict[str, dict[str, Any]]:
        """Return what the card says of each server."""
        card = read_card(card_of(self.lake)) or {"services": []}
        return {one["name"]: one for one in card["services"]}

    def are_ready(self) -> bool:
        """Whether every server does its work."""
        found = self.services().values()
        return bool(found) and all(one["state"] == "ready" for one in found)

    def address(self, name: str = "Dagster") -> tuple[str, str]:
        """Return a page's address and its token."""
        address, _, token = self.services()[name]["address"].partition(f"/?{TOKEN_PARAMETER}=")
        return address, token

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of an answer of Dagster's GraphQL."""
        address, token = self.address()
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{address}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN_S) as answer:
            return json.load(answer)["data"]

    def is_loaded(self) -> bool:
        """Whether Dagster's page knows the lake's graph."""
        return bool(self.ask(REPOSITORIES)["repositoriesOrError"].get("nodes"))

    def launch(self, *path: str, partition: str | None = None) -> str:
        """Materialize an asset as the page does; returns the run's id."""
        return self._launch("__ASSET_JOB", [{"path": list(path)}], partition)

    def launch_together(self, *names: str, partition: str | None = None) -> str:
        """Materialize assets that one step makes, as the page does; returns the run's id."""
        return self._launch("__ASSET_JOB", [{"path": [name]} for name in names], partition)

    def launch_job(self, job: str, partition: str | None = None) -> str:
        """Start a job as the page does; returns the run's id."""
        return self._launch(job, None, partition)

    def _launch(self, job: str, selection: list | None, partition: str | None) -> str:
        selector = {
            "repositoryLocationName": "radia_pipeline",
            "repositoryName": "__repository__",
            "pipelineName": job,
            **({"assetSelection": selection} if selection else {}),
        }
        tags = [{"key": "dagster/partition", "value": partition}] if partition else []
        params = {"selector": selector, "runConfigData": {}, "mode": "default", "executionMetadata": {"tags": tags}}
        answer = self.ask(LAUNCH, params=params)["launchPipelineExecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def messages(self, run: str) -> list[str]:
        """Return what a run's log says so far."""
        return [event.get("message", "") for event in self.ask(LOGS, id=run)["logsForRun"]["events"]]

    def status(self, run: str) -> str:
        """Return a run's status."""
        return self.ask(STATUS, id=run)["runOrError"]["status"]

    def stop(self, run: str) -> None:
        """Stop a run as the page does."""
        self.ask(STOP, id=run)

    def process(self, name: str) -> psutil.Process:
        """Return the process of a server; raises psutil.NoSuchProcess while it waits to be started again."""
        return psutil.Process(self.services()[name]["pid"] or 0)

    def processes(self, word: str) -> list[psutil.Process]:
        """Return what was started by the supervisor and has a word in its command, the servers among them."""
        found = []
        for pid in children.carrying(START_VARIABLE, read_card(card_of(self.lake))["start"]):
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if any(word in part for part in process.cmdline()):
                    found.append(process)
        return found


@contextlib.contextmanager
def opened(lake: Lake, *words: str, env: Mapping[str, str] | None = None, waits: bool = True) -> Iterator[Opened]:
    """Open a lake's pages in processes of their own; all of them have ended when this is left."""
    command = children.module("radia_pipeline.cli.main", "ui", "--lake", lake.root, *words)
    log = lake.history_dir / "opened.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        keeper = subprocess.Popen(command, env={**children.environment(), **(env or {})}, stderr=output, stdout=output)
        try:
            pages = Opened(lake, keeper)
            if waits:
                wait_for(pages.are_ready, OPEN_WITHIN_S, "every server is ready")
                wait_for(pages.is_loaded, OPEN_WITHIN_S, "Dagster has loaded the graph")
            yield pages
        finally:
            if keeper.poll() is None:
                keeper.send_signal(signal.SIGTERM)
            keeper.wait(60)

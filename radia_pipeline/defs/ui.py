"""Dagster's and MLflow's web pages for one lake, on the loopback interface, until they are stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from radia_pipeline.defs.instance import dagster_home
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import LAKE_VARIABLE, Lake
from radia_pipeline.processes import children
from radia_pipeline.processes.progress import say

HOST = "127.0.0.1"
STOP_WITHIN_S = 20.0
WORKSPACE = """\
load_from:
  - python_module:
      module_name: radia_pipeline.definitions
      location_name: radia_pipeline
"""


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def environment(lake: Lake) -> dict[str, str]:
    """Return what a server of this lake must find in its environment; nothing calls out."""
    settings = {
        LAKE_VARIABLE: os.fspath(lake.root.absolute()),
        "DAGSTER_HOME": os.fspath(dagster_home(lake)),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "DO_NOT_TRACK": "1",
        "NO_ALBUMENTATIONS_UPDATE": "1",
        "PYTHONWARNINGS": "ignore",
    }
    return children.environment(settings)


@contextlib.contextmanager
def serving(command: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen]:
    """Run a server, what it says in ``log``; it ends with all of its processes on leaving."""
    with (
        log.open("ab") as output,
        children.running(command, env, grace_s=STOP_WITHIN_S, stdout=output, stderr=output, cwd=log.parent) as process,
    ):
        yield process


def write_workspace(lake: Lake) -> Path:
    """Write the file that names the lake's code location to Dagster's commands; returns its path."""
    workspace = dagster_home(lake) / "workspace.yaml"
    atomic.write_text(workspace, WORKSPACE)
    return workspace


def dagster_command(lake: Lake, port: int) -> list[str]:
    """Return the command that serves the lake's graph: web server, daemon and code server."""
    workspace = write_workspace(lake)
    program = Path(sys.executable).with_name("dg")
    return [os.fspath(program), "dev", "-w", os.fspath(workspace), "--host", HOST, "--port", str(port)]


def mlflow_command(lake: Lake, port: int) -> list[str]:
    """Return the command that serves the lake's MLflow history."""
    from radia_pipeline.tracking.history import server_addresses

    where = (part for pair in server_addresses(lake.root).items() for part in pair)
    return children.module("mlflow", "server", *where, "--host", HOST, "--port", port, "--workers", 1)


def serve(lake_root: Path, *, port: int = 0) -> None:
    """Serve Dagster and MLflow until SIGINT or SIGTERM; raises MissingTable where there is no lake."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as a service manager ends it: servers end with us
    lake = Lake.open(lake_root, create=False)
    env = environment(lake)
    logs = dagster_home(lake)
    dagster_port, mlflow_port = port or free_port(), free_port()
    with (
        serving(dagster_command(lake, dagster_port), env, logs / "dagster.log") as dagster,
        serving(mlflow_command(lake, mlflow_port), env, logs / "mlflow.log"),
    ):
        say(f"Lake    {lake.root}")
        say(f"Dagster http://{HOST}:{dagster_port}   (ready in about 20 s)")
        say(f"MLflow  http://{HOST}:{mlflow_port}")
        say("Ctrl-C ends both.")
        with contextlib.suppress(KeyboardInterrupt):
            dagster.wait()
            say(f"Dagster has ended; its log is {logs / 'dagster.log'}")

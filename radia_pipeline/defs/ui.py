"""What ``radia ui`` opens for a lake: which servers there are, how each is started, and how each is asked how it is.

Code server, daemon, Dagster's page, MLflow's page, the radiologist's page: each a process of its own on this machine
alone, kept running by one supervisor (``servers/supervisor``), the pages behind the guard (``servers/guard``).
"""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from radia_pipeline.defs.instance import dagster_home
from radia_pipeline.errors import AlreadyRunning, LakeLocked, UnknownName
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import LAKE_VARIABLE, Lake
from radia_pipeline.processes import children
from radia_pipeline.processes.lifecycle import StopRequest, stop_on_signals
from radia_pipeline.processes.progress import say
from radia_pipeline.servers.guard import TOKEN_PARAMETER, TOKEN_VARIABLE
from radia_pipeline.servers.supervisor import Service, Supervisor, lives, read_card
from radia_pipeline.servers.web import HOST

CODE_SERVER, DAEMON, DAGSTER, MLFLOW, REVIEW = "code server", "daemon", "Dagster", "MLflow", "review page"
LOCATION, MODULE = "radia_pipeline", "radia_pipeline.definitions"
OPTIONAL = {"mlflow": MLFLOW, "review": REVIEW}
"""What may be left out, by the word that says so."""
VIEWERS = " for viewers"
_ANSWERS_WITHIN_S = 5.0


@dataclass(frozen=True)
class Wish:
    """How the pages are opened. ``ports``: server → port, of others a free one; ``public``: names under which a proxy
    shows them; ``without``: words of ``OPTIONAL``; ``has_viewers``: pages for looking only beside the others;
    ``reader``: who sits at this machine; ``proxy``: address of the proxy that signs readers in."""

    ports: dict[str, int] = field(default_factory=dict)
    public: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    has_viewers: bool = False
    reader: str = "local"
    proxy: str | None = None

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.without) - set(OPTIONAL)):
            raise UnknownName(f"There is no server {unknown[0]!r} to leave out", accepted=", ".join(OPTIONAL))


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


def write_workspace(lake: Lake) -> Path:
    """Write the file that names the lake's code location to Dagster's commands; returns its path."""
    workspace = dagster_home(lake) / "workspace.yaml"
    found = {"load_from": [{"python_module": {"module_name": MODULE, "location_name": LOCATION}}]}
    atomic.write_text(workspace, yaml.safe_dump(found))
    return workspace


def card_of(lake: Lake) -> Path:
    """The file by which others see how a lake's servers are."""
    return lake.history_dir.absolute() / "ui.json"


def serve(lake_root: Path, wish: Wish | None = None) -> None:
    """Keep a lake's servers running until SIGINT or SIGTERM.

    Raises MissingTable where there is no lake, AlreadyRunning where its pages are open.
    """
    lake, wish, stop = Lake.open(lake_root, create=False), wish or Wish(), StopRequest()
    folder = Path(tempfile.mkdtemp(prefix="radia-"))  # a socket's path must be short, and its folder the owner's alone
    try:
        with stop_on_signals(stop), atomic.file_lock(card_of(lake).with_suffix(".lock"), wait_s=0):
            found = services(lake, wish, folder / "code")
            say(f"Lake    {lake.root}")
            for service in found:
                if service.address:
                    say(f"{service.name.ljust(7)} {service.address}")
            say("Ready in about 30 s; the addresses let a browser in. How they are: radia ui status. Ctrl-C ends all.")
            Supervisor(found, card_of(lake), dagster_home(lake)).run(stop)
    except LakeLocked:
        raise AlreadyRunning(
            "The pages of this lake are open already", do="see `radia ui status`, or end that `radia ui` first"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def services(lake: Lake, wish: Wish, code: Path) -> list[Service]:
    """Return the servers of a lake; ``code``: where the code server's socket is to be."""
    env = environment(lake)
    env.pop(TOKEN_VARIABLE, None)
    workspace = dagster_home(lake) / "served.yaml"
    found = {"load_from": [{"grpc_server": {"socket": os.fspath(code), "location_name": LOCATION}}]}
    atomic.write_text(workspace, yaml.safe_dump(found))
    code_server = ("code-server", "start", "-m", MODULE, "-s", code, "--location-name", LOCATION)
    made = [
        Service(CODE_SERVER, bound("dagster", *code_server), env, lambda: _connects(code)),
        Service(DAEMON, bound("dagster._daemon", "run", "-w", workspace), env, lambda: True, after=CODE_SERVER),
    ]
    words = children.module("radia_pipeline.defs.webserver", "--workspace", workspace, "--code-server", code)
    made += _pages(Service(DAGSTER, words, env, lambda: True, "/server_info", after=CODE_SERVER), wish)
    if "mlflow" not in wish.without:
        words = children.module("radia_pipeline.tracking.server", "--lake", lake.root.absolute())
        made += _pages(Service(MLFLOW, words, env, lambda: True, "/health"), wish)
    if "review" not in wish.without:
        made.append(_review(lake, wish, env))
    return made


def _review(lake: Lake, wish: Wish, env: dict[str, str]) -> Service:
    port = wish.ports.get(REVIEW) or free_port()
    more = [*_public(wish), *(["--proxy", wish.proxy] if wish.proxy else ()), "--no-browser"]
    words = ("review", "--lake", lake.root.absolute(), "--port", port, "--reader", wish.reader, *more)
    command, answers = bound("radia_pipeline.cli.main", *words), _answering(port, "/health/live", "")
    return Service(REVIEW, command, env, answers, f"http://{HOST}:{port}/")


def _public(wish: Wish) -> list[str]:
    return [word for name in wish.public for word in ("--public-host", name)]


def _pages(page: Service, wish: Wish) -> list[Service]:
    """Return a page, whose ``address`` is the path that is asked, with its port and token; and the viewers' one."""
    made = []
    for title, more in ((page.name, ()), (page.name + VIEWERS, ("--read-only",)))[: 2 if wish.has_viewers else 1]:
        variable = f"{TOKEN_VARIABLE}_VIEWERS" if more else TOKEN_VARIABLE
        token = os.environ.get(variable) or secrets.token_urlsafe(24)
        port = wish.ports.get(title) or free_port()
        service = Service(
            title,
            [*page.command, "--port", str(port), *_public(wish), *more],
            {**page.env, TOKEN_VARIABLE: token},
            _answering(port, page.address, token),
            f"http://{HOST}:{port}/?{TOKEN_PARAMETER}={token}",
            page.after,
        )
        made.append(service)
    return made


def bound(module: str, *arguments: object) -> list[str]:
    """Return the command that runs a module which ends when its supervisor does, whatever that module knows of it."""
    return children.module("radia_pipeline.processes.bound", module, *arguments)


def _connects(path: Path) -> bool:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as end:
        end.settimeout(_ANSWERS_WITHIN_S)
        end.connect(os.fspath(path))
        return True
    return False


def _answering(port: int, path: str, token: str) -> Callable[[], bool]:
    def answers() -> bool:
        connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWERS_WITHIN_S)
        with suppress(OSError, http.client.HTTPException):
            try:
                connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
                return connection.getresponse().status < 500
            finally:
                connection.close()
        return False

    return answers


def status(lake: Lake) -> dict[str, Any]:
    """Return how a lake's servers are: ``is_open``, ``services`` as on the card, ``beats``: seconds since each of the
    daemon's parts last said that it lives."""
    card = read_card(card_of(lake))
    is_open = card is not None and lives(card)
    found: dict[str, Any] = {"is_open": is_open, "services": card["services"] if card and is_open else [], "beats": {}}
    if is_open:
        from radia_pipeline.defs.one_run import instance_of

        with instance_of(lake) as instance:
            beats = instance.get_daemon_heartbeats().items()
            found["beats"] = {name: round(time.time() - beat.timestamp, 1) for name, beat in beats}
    return found

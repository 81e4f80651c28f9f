"""The samples for a hospital's machine: options are the tool's, and nginx with them lets nobody in without a name."""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
import yaml

from radia_pipeline.cli.ui import ui
from radia_pipeline.servers.guard import MOST_BODY_BYTES, Guard, Rules
from radia_pipeline.servers.web import HOST, configured, listening
from radia_pipeline_tests.servers.test_guard import TOKEN, echo

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROXY = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
NAMES = {
    "dagster.hospital.example": "port",
    "mlflow.hospital.example": "mlflow_port",
    "dagster-view.hospital.example": "viewers_port",
    "mlflow-view.hospital.example": "mlflow_viewers_port",
}


def service() -> list[str]:
    """Return the words with which systemd starts the servers."""
    (line,) = re.findall(r"^ExecStart=(.*)$", (DEPLOY / "radia-ui.service").read_text(), re.MULTILINE)
    return shlex.split(line)


def blocks() -> dict[str, str]:
    """Return each of the proxy's servers by its name, the one for unknown names under its empty one."""
    found = re.findall(r"^server \{(.*?)^\}", PROXY, re.MULTILINE | re.DOTALL)
    return {(re.search(r"server_name (.*);", one) or ["", ""])[1]: one for one in found}


def test_the_service_and_the_containers_start_what_the_proxy_leads_to():
    words = service()
    assert (Path(words[0]).name, words[1]) == ("radia", "ui")
    given = ui.make_context("radia ui", words[2:]).params
    assert given["has_viewers"] and set(NAMES) < set(given["public"])
    for name, option in NAMES.items():
        assert f"proxy_pass http://{HOST}:{given[option]};" in blocks()[name]
    containers = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert shlex.split(containers["radia"]["command"])[2:] == words[2:]
    assert [name for name, one in containers.items() if "ports" in one] == ["nginx"]


def test_nothing_is_exposed_without_a_name():
    for name, text in blocks().items():
        assert "auth_basic_user_file" in text and "auth_basic off" not in text
        if name:
            assert text.index("auth_basic ") < text.index("location")
            assert ("viewers" in text) == ("view" in name), "viewers have their own users and their own token"
    assert f"client_max_body_size {MOST_BODY_BYTES >> 20}m" in blocks()["dagster.hospital.example"]


def test_no_sample_holds_a_secret():
    lines = (DEPLOY / "ui.env").read_text().splitlines()
    assert all(line.startswith("#") or line.endswith("=") for line in lines)


@contextlib.contextmanager
def guarded() -> Iterator[int]:
    """Run an application behind the guard, as a proxy shows it; yields its port."""
    with listening(0) as end:
        port = end.getsockname()[1]
        app = Guard(echo, Rules(port, TOKEN, tuple(NAMES)))
        running = uvicorn.Server(configured(app, port, lifespan="off"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [end]}, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            running.should_exit = True
            thread.join(30)


@contextlib.contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[int]:
    """Run nginx with the sample, but for its ports, its certificate and where its files lie; yields its port."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed (Debian: apt install nginx)")
    with listening(0) as end:
        port = end.getsockname()[1]
    text = re.sub(r"listen 443 ssl", f"listen {HOST}:{port}", re.sub(r"^ssl_.*$", "", PROXY, flags=re.MULTILINE))
    text = re.sub(rf"http://{HOST}:\d+", f"http://{HOST}:{upstream}", text).replace("/etc/radia", str(folder))
    for name in ("proxy_token.conf", "proxy_viewers_token.conf"):
        sample = (DEPLOY / name).read_text(encoding="utf-8")
        (folder / name).write_text(sample.replace("Bearer TOKEN", f"Bearer {TOKEN}"), encoding="utf-8")
    (folder / "users").write_text("steward:{PLAIN}secret\n", encoding="utf-8")
    (folder / "viewers").write_text("guest:{PLAIN}secret\n", encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ {places}\n{text} }}", encoding="utf-8"
    )
    folder.chmod(0o755)
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "user root;"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and running.poll() is None:
            with contextlib.suppress(OSError):
                ask(port, Host="dagster.hospital.example")
                break
            time.sleep(0.05)
        yield port
    finally:
        running.terminate()
        running.wait(30)


def ask(port: int, method: str = "GET", path: str = "/", **headers: str) -> int:
    """Return the status of an answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        return connection.getresponse().status


def signed(name: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:secret".encode()).decode()


def test_through_nginx_who_signed_in_gets_in_and_nobody_else(tmp_path):
    host = "dagster.hospital.example"
    with guarded() as upstream, nginx(tmp_path, upstream) as port:
        assert ask(port, Host=host) == 401
        assert ask(port, Host=host, Authorization=f"Bearer {TOKEN}") == 401
        assert ask(port, Host=host, Authorization=signed("guest")) == 401
        assert ask(port, Host=host, Authorization=signed("steward")) == 200
        assert ask(port, Host="dagster-view.hospital.example", Authorization=signed("guest")) == 200
        write = {"Host": host, "Authorization": signed("steward")}
        assert ask(port, "POST", "/graphql", **write, Origin="https://evil.example") == 403
        assert ask(port, "POST", "/graphql", **write, Origin=f"https://{host}") == 200
        assert ask(port, "GET", "/graphql?query=mutation", **write) == 403
        assert ask(upstream, Host=f"{HOST}:{upstream}") == 403

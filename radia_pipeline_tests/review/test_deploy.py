"""The samples for a hospital's machine: their options are the tool's, and nginx with them lets in whom it signed in."""

from __future__ import annotations

import base64
import contextlib
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from radia_pipeline.cli.review import review
from radia_pipeline.review.settings import Settings
from radia_pipeline.servers.web import listening
from radia_pipeline_tests.review.worlds import Client, served

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "review"
PROXY, SERVICE = (DEPLOY / name for name in ("nginx.conf", "radia-review.service"))
NAME = "review.hospital.example"


def directives() -> dict[str, str]:
    """Return each directive of the proxy with what it says; headers under their own names."""
    lines = (line.strip().rstrip(";") for line in PROXY.read_text(encoding="utf-8").splitlines())
    told = (line.removeprefix("proxy_set_header ").partition(" ") for line in lines if line and line[0] != "#")
    return {name: rest for name, _, rest in told}


def started() -> dict[str, object]:
    """Return the options with which the service starts the server; fails where the tool does not know one."""
    (line,) = re.findall(r"^ExecStart=(.*)$", SERVICE.read_text(encoding="utf-8"), re.MULTILINE)
    program, command, *options = shlex.split(line)
    assert (Path(program).name, command) == ("radia", "review")
    return review.make_context("radia review", options).params


def test_the_service_starts_what_there_is_and_the_proxy_leads_there():
    given, told = started(), directives()
    settings = Settings(
        port=given["port"], proxy=given["proxy"], user_header=given["user_header"], public_hosts=given["public_hosts"]
    )
    assert (
        given["no_browser"]
        and str(given["lake_root"]) in SERVICE.read_text(encoding="utf-8").split("ReadWritePaths=")[1]
    )
    assert told["proxy_pass"] == f"http://{settings.proxy}:{settings.port}"
    assert told[settings.user_header] == "$remote_user", "a browser's own header is overwritten"
    assert (told["Host"], told["server_name"]) == ("$host", settings.public_hosts[0])
    assert told["client_max_body_size"] == f"{settings.most_body_bytes >> 20}m"
    assert (told["proxy_request_buffering"], told["proxy_max_temp_file_size"]) == ("off", "0"), "nothing on the disk"


def test_an_option_that_there_is_not_would_be_seen():
    with pytest.raises(click.NoSuchOption):
        review.make_context("radia review", ["--bind", "0.0.0.0"])


@contextlib.contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[int]:
    """Run nginx with the sample, but for its ports, its certificate and where its files lie; yields its port."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("nginx is not installed (Debian: apt install nginx)")
    with listening(0) as end:
        port = end.getsockname()[1]
    text = PROXY.read_text(encoding="utf-8").replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    text = re.sub(r"^\s*ssl_.*$", "", text, flags=re.MULTILINE).replace("127.0.0.1:8080", f"127.0.0.1:{upstream}")
    text = text.replace("/etc/radia/review.htpasswd", str(folder / "users"))
    (folder / "users").write_text("reader-a:{PLAIN}secret\n", encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ {places}\n{text} }}", encoding="utf-8"
    )
    folder.chmod(0o755)
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "user root;"]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and running.poll() is None:
            with contextlib.suppress(OSError):
                Client(port).get("/")
                break
            time.sleep(0.05)
        yield port
    finally:
        running.terminate()
        running.wait(30)


def test_through_nginx_who_signed_in_is_named_and_nobody_else(lake, tmp_path):
    signed = {"Authorization": "Basic " + base64.b64encode(b"reader-a:secret").decode(), "Host": NAME}
    folder = tmp_path / "nginx"
    folder.mkdir()
    with served(lake, public_hosts=(NAME,)) as (_, upstream), nginx(folder, upstream) as port:
        client = Client(port)
        assert client.get("/page/config", Host=NAME).status == 401
        told = client.get("/page/config", **signed).json
        assert (told["user"], told["is_signed_in"]) == ("reader-a", True)
        assert client.get("/page/config", **signed, X_Remote_User="reader-b").json["user"] == "reader-a"
        assert client.get("/page/config", **{**signed, "Host": "evil.example"}).code == "foreign_host"
        undo = {"body": {"sequence": 999}, **signed}
        assert client.post("/page/readings/undo", Origin="https://evil.example", **undo).code == "foreign_origin"
        assert client.post("/page/readings/undo", Origin=f"https://{NAME}", **undo).code == "unknown"
        assert client.get("/static/main.js", **signed, Accept_Encoding="gzip").headers["content-encoding"] == "gzip"
        assert client.post("/api/v1/predict", b"x" * (3 << 20), Content_Type="text/plain", **signed).status == 415
        assert not [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 4096]

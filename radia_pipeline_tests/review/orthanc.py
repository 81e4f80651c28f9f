"""Orthanc in tests: Debian's own on free ports with the sample's script, and one that can be killed at any call."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from radia_pipeline_tests.review.worlds import Client

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "orthanc"
SCRIPT, SAMPLE = DEPLOY / "radia_loop.py", DEPLOY / "orthanc.json"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancPython.so")
DICOM_WEB = PLUGIN.with_name("libOrthancDicomWeb.so")


def loop_module() -> ModuleType:
    """Return the script as a module; outside Orthanc it starts nothing."""
    spec = importlib.util.spec_from_file_location("radia_loop", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port() -> int:
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        return end.getsockname()[1]


@dataclass
class Archive:
    """A running Orthanc; ``kill`` ends it as a power cut does, ``start`` begins again with what it had."""

    folder: Path
    http: int
    dicom: int
    pacs: int
    process: subprocess.Popen | None = None

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        words = ["Orthanc", str(self.folder / "orthanc.json")]
        self.process = subprocess.Popen(words, stdout=log, stderr=log, cwd=self.folder)
        wait_for(lambda: self.process.poll() is not None or self.is_up(), "Orthanc does not start")
        assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[-1500:]

    def is_up(self) -> bool:
        with contextlib.suppress(OSError):
            return Client(self.http).get("/system").status == 200
        return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
            self.process.kill()
            self.process.wait(20)

    def json(self, path: str) -> Any:
        answer = Client(self.http).get(path)
        return answer.json if answer.status == 200 else None

    def send(self, data: bytes) -> str:
        """Store a file and return Orthanc's id of its study."""
        answer = Client(self.http).post("/instances", data)
        assert answer.status == 200, answer.body
        return answer.json["ParentStudy"]

    def record(self, study: str) -> dict[str, Any] | None:
        """Return what the script has written down about a study."""
        return self.json(f"/studies/{study}/metadata/radia")

    def modalities(self, study: str) -> list[str]:
        """Return the modality of each instance of a study."""
        series = self.json(f"/studies/{study}/series")
        return sorted(one["MainDicomTags"]["Modality"] for one in series for _ in one["Instances"])


@contextlib.contextmanager
def running(folder: Path, api: int, **radia: Any) -> Iterator[Archive]:
    """Run Debian's Orthanc with the sample's configuration, but for its ports and folders."""
    if shutil.which("Orthanc") is None or not (PLUGIN.exists() and DICOM_WEB.exists()):
        pytest.skip("Orthanc is not installed (Debian: apt install orthanc orthanc-python orthanc-dicomweb)")
    folder.mkdir()
    settings = json.loads(SAMPLE.read_text(encoding="utf-8"))
    archive = Archive(folder, free_port(), free_port(), free_port())
    about = {"Url": f"http://127.0.0.1:{api}", "SendTo": "", "EverySeconds": 1, "Ocr": "off", **radia}
    settings["Plugins"].append(str(DICOM_WEB))
    settings |= {
        "HttpPort": archive.http,
        "DicomPort": archive.dicom,
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "StableAge": 1,
        "PythonScript": str(SCRIPT),
        "Radia": settings["Radia"] | about,
        "DicomModalities": {"PACS": ["PACS", "127.0.0.1", archive.pacs]},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    try:
        archive.start()
        yield archive
    finally:
        archive.stop()


def wait_for(holds: Callable[[], Any], what: str, within_s: float = 120.0) -> Any:
    """Wait until something holds and return it."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.1)
    raise TimeoutError(what)


class Killed(BaseException):
    """The process has ended here."""


@dataclass
class Paper:
    """An archive on paper: what it has written outlives ``Killed``, which comes at call number ``dies_at``."""

    studies: dict[str, dict[str, str]]
    changes: list[dict] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)
    properties: dict[int, str] = field(default_factory=dict)
    asked: int = 0
    stored: list[bytes] = field(default_factory=list)
    sent_on: list[list[str]] = field(default_factory=list)
    calls: int = 0
    dies_at: int | None = None
    unstable: set[str] = field(default_factory=set)

    def arrive(self, study: str) -> None:
        self.changes.append({"Seq": len(self.changes) + 1, "ChangeType": "StableStudy", "ID": study})

    def _call(self) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise Killed

    def get(self, path: str) -> bytes:
        self._call()
        return self._found(path)

    def _found(self, path: str) -> bytes:
        parts = path.strip("/").split("/")
        if path.startswith("/changes"):
            since = int(path.split("since=")[1].split("&")[0]) if "since" in path else 0
            return json.dumps({"Changes": self.changes[since:], "Done": True, "Last": len(self.changes)}).encode()
        if parts[-1] == "radia":
            return self.records[parts[1]].encode()
        if parts[0] == "studies" and parts[1] not in self.studies:
            raise KeyError(path)
        if parts[0] == "studies" and len(parts) == 2:
            return json.dumps({"IsStable": parts[1] not in self.unstable}).encode()
        if parts[0] == "studies":
            return json.dumps([{"ID": parts[1], "MainDicomTags": {"Modality": "DX"}}]).encode()
        if parts[0] == "series":
            films = self.studies[parts[1]].items()
            return json.dumps([{"ID": one, "MainDicomTags": {"SOPInstanceUID": uid}} for uid, one in films]).encode()
        return path.encode()

    def post(self, path: str, body: Any) -> bytes:
        self._call()
        if path == "/instances":
            self.stored.append(body)
            self.kept[body.decode()] = body
            after = json.dumps({"ID": body.decode()}).encode()
        else:
            self.sent_on.append(json.loads(body)["Resources"])
            after = b"{}"
        self._call()  # killed after it was done, before the script has heard of it
        return after

    def put(self, path: str, body: str) -> None:
        self._call()
        self.records[path.strip("/").split("/")[1]] = body

    def property(self, number: int) -> str:
        self._call()
        return self.properties.get(number, "")

    def set_property(self, number: int, text: str) -> None:
        self._call()
        self.properties[number] = text


@contextlib.contextmanager
def receiving(folder: Path, port: int) -> Iterator[Path]:
    """Run dcmtk's storescp as the hospital's archive; yields the folder in which it stores."""
    if shutil.which("storescp") is None:
        pytest.skip("storescp is not installed (Debian: apt install dcmtk)")
    folder.mkdir()
    words = ["storescp", "--output-directory", str(folder), str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield folder
    finally:
        process.terminate()
        process.wait(20)

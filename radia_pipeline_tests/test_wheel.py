"""The wheel, built and installed outside the checkout, does what the checkout does: nothing was left behind."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from radia_pipeline_tests import without_network

ROOT = Path(__file__).resolve().parents[1]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def outside(command: list, folder: Path, more: dict | None = None) -> subprocess.CompletedProcess:
    """Run a command in a folder, with nothing in its environment that leads back to the checkout."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in os.environ}
    kept |= {"OMP_NUM_THREADS": "1", **(more or {})}
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Return the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Return an environment with the wheel in it, and with the dependencies of this one.

    The checkout is not seen: a folder that a ``.pth`` file names brings its packages, not its ``.pth`` files.
    """
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False)
    packages = next(home.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = [sys.executable, "-m", "uv", "pip", "install", "-q", "--offline", "--no-deps"]
    subprocess.run([*command, "--python", str(home / "bin" / "python"), str(wheel)], check=True, capture_output=True)
    return home


@pytest.fixture(scope="module")
def radia(installed, tmp_path_factory):
    """Return a function that runs the installed command in a folder of its own."""
    folder = tmp_path_factory.mktemp("elsewhere")

    def run(*words: str, before: list | None = None, more: dict | None = None) -> subprocess.CompletedProcess:
        return outside([*(before or []), installed / "bin" / "radia", *words], folder, more)

    run.folder = folder
    return run


def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    lying = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "radia_pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    contracts = {
        f"radia_pipeline/_data_contracts/{path.relative_to(ROOT / 'data_contracts').as_posix()}"
        for path in (ROOT / "data_contracts").rglob("*")
        if path.is_file()
    }
    assert {name for name in names if ".dist-info/" not in name} == lying | contracts


def test_the_installed_package_is_the_wheels(installed):
    code = "import radia_pipeline; print(radia_pipeline.__file__)"
    done = outside([installed / "bin" / "python", "-c", code], installed)
    assert Path(done.stdout.strip()).is_relative_to(installed)


def test_reports_are_labelled(radia):
    with (radia.folder / "reports.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "text"], ["1", "Cardiomégalie. Pas d'épanchement."]])
    done = radia("label", "reports.csv")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["labels"] == {"Cardiomegaly": 1, "Pleural Effusion": 0, "No Finding": 0}


def test_the_demo_runs_without_a_network_and_its_tables_are_shown(radia, tmp_path, monkeypatch):
    """Where a namespace is permitted, no network is there and whoever tries to leave is noted; else only noted."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    before = [] if without_network.why_not() else without_network.prefix()
    done = radia("demo", "--small", "--json", before=before, more=without_network.watched(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    assert without_network.tried(tmp_path) == []
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["failed"] == {}
    assert Path(summary["report"]).is_file()
    done = radia("tables", "show", "--lake", ".radia/demo", "--json")
    assert done.returncode == 0, done.stderr
    shown = {row["table"] for row in json.loads(done.stdout)["rows"]}
    assert {"images", "labels", "manifest", "scorecard", "pseudo_boxes", "detector_scorecard"} <= shown

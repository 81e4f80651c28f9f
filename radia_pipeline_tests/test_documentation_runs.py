"""Every ``radia`` command of the README and the guides, run in their order in one folder, as a reader would."""

from __future__ import annotations

import csv
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.usecases.audit import audit_files
from radia_pipeline_tests.forked import Forked
from radia_pipeline_tests.test_documentation import PAGES, commands

KEY = "a key that only this test uses"
RUN_ELSEWHERE = {"champion.md", "drift.md", "drift_to_champion.md"}
"""Pages whose commands need a lake of their own: ``test_champion_guide.py``, ``test_drift_guide.py`` and
``defs/test_drift_to_champion.py`` run them."""
SERVES = re.compile(r"radia (ui|review)( --|$)")
"""Commands that do not end by themselves; ``defs/test_ui.py`` and ``review/test_docs.py`` run them."""
ASKS_A_SERVER = re.compile(r"radia (ui status|cluster check|settings set database postgresql:)")
"""Commands that say so and fail where no server runs: ``defs/test_ui.py`` and ``defs/test_move_history.py`` run them
beside one."""


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Path:
    """Return the folder in which a reader stands: deliveries as the README lays them out, one image, the reports."""
    folder = tmp_path_factory.mktemp("reader")
    write_phantom(folder / "deliveries", seed=11, patients={"ccsmtl": 40, "nih_cxr14": 30}, size_px=96, workers=2)
    write_single_reports(folder / "deliveries" / "ccsmtl" / "reports.csv", folder / "reports.csv")
    delivered = sorted((folder / "deliveries" / "ccsmtl" / "dicom").rglob("*.dcm"))
    shutil.copy(next(filter(is_clean, delivered)), folder / "image.dcm")
    return folder


def is_clean(path: Path) -> bool:
    """Say whether a reader would hand this file to ``radia audit`` without fear; the phantom plants some others."""
    ((_, findings),) = audit_files([path], "ccsmtl", ocr_mode="off")
    return not findings


def write_single_reports(delivered: Path, path: Path) -> None:
    """Copy reports, leaving out studies that come again: ``radia label`` wants every id once and says so."""
    with delivered.open(encoding="utf-8", newline="") as source, path.open("w", encoding="utf-8", newline="") as target:
        header, *rows = csv.reader(source)
        csv.writer(target).writerows([header, *{row[0]: row for row in rows}.values()])


def filled_in(command: str, folder: Path) -> str:
    """Put something real where the documentation names a placeholder."""
    if "PATIENT_KEY" not in command:
        return command
    keys = Lake.open(folder / ".radia" / "lake").read("images", "ccsmtl", ["patient_key"])["patient_key"].to_pylist()
    return command.replace("PATIENT_KEY", keys[0])


def run(command: str, folder: Path, fork: Forked) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RADIA_PSEUDONYM_KEY": KEY, "OMP_NUM_THREADS": "1"}
    environment.pop("RADIA_LAKE", None)
    words = ["-m", "radia_pipeline.cli.main", *shlex.split(command)[1:]]
    return fork.run(words, env=environment, cwd=folder, timeout=900)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_every_documented_command_does_what_it_says(reader, fork):
    wanted = [
        command
        for page in PAGES
        if page.name not in RUN_ELSEWHERE
        for command in commands(page)
        if command.startswith("radia")
    ]
    failed = {}
    for command in dict.fromkeys(wanted):
        if SERVES.match(command) or ASKS_A_SERVER.match(command):
            continue
        done = run(filled_in(command, reader), reader, fork)
        if done.returncode != 0:
            failed[command] = f"{done.returncode}: {done.stderr[-600:]}"
    assert not failed, "\n".join(f"{command}\n{why}" for command, why in failed.items())
    assert len(wanted) >= 20

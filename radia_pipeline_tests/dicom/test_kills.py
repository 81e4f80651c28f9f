"""SIGKILL at named points of a run: the next run ends with the same tables as a run that nobody disturbed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.forked import READS, Forked

KEY = b"0123456789abcdef0123456789abcdef"
STEPS = {
    "journal is opened": ("radia_pipeline.dicom.inventory", "Inventory.stamped", 1),
    "first lines are recorded": ("radia_pipeline.dicom.journal", "Journal.record", 1),
    "more lines are recorded": ("radia_pipeline.dicom.journal", "Journal.record", 2),
    "last lines are recorded": ("radia_pipeline.dicom.journal", "Journal.record", 4),
    "files are resolved": ("radia_pipeline.dicom.publish", "resolve", 1),
    "a first picture is placed": ("pathlib", "Path.replace", 1),
    "another picture is placed": ("pathlib", "Path.replace", 4),
    "folders are made durable": ("radia_pipeline.lake.atomic", "sync_folder", 1),
    "places are noted": ("radia_pipeline.dicom.journal", "Journal.place", 1),
    "quarantine is written": ("radia_pipeline.lake.lake", "Lake.write_rows", 1),
    "duplicates are written": ("radia_pipeline.lake.lake", "Lake.write_rows", 2),
    "images are written": ("radia_pipeline.lake.lake", "Lake.write_rows", 3),
    "staged pictures are cleared": ("radia_pipeline.dicom.publish", "_clear_staged", 1),
}
CHILD = """
import importlib, os, signal, sys
from pathlib import Path
from radia_pipeline.dicom import ingest, publish
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.dicom import files
root, lake, module, name, number, when = sys.argv[1:]
ingest._COMMIT_FILES = 3
delivery, opened = files.Delivery(Path(root)), Lake.open(lake)
owner = importlib.import_module(module)
*inside, last = name.split(".")
for part in inside:
    owner = getattr(owner, part)
original, calls = getattr(owner, last), [0]
def counted(*args, **kwargs):
    calls[0] += 1
    if calls[0] == int(number) and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*args, **kwargs)
    if calls[0] == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, last, counted)
ingest.ingest_images(delivery, delivery.root, opened, Pseudonymizer(KEY), ocr="off", workers=1)
""".replace("KEY", repr(KEY))
QUICK = {("images are written", "before")}
POINTS = [(step, when) for step in STEPS for when in ("before", "after")]


def versions(lake: Lake) -> list[str]:
    return [lake.version(table, "ccsmtl") for table in ("images", "quarantine", "duplicates")]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[files.Delivery, list[str]]:
    folder = tmp_path_factory.mktemp("kills")
    delivery, lake = files.Delivery(folder / "delivery"), Lake.open(folder / "lake")
    for number in range(1, 10):
        delivery.put(f"{number}.dcm", files.clean_file(number))
    delivery.put("4 (copie).dcm", files.clean_file(4))
    delivery.put("cut.dcm", files.clean_file(12)[:-99])
    ingest_images(delivery, delivery.root, lake, Pseudonymizer(KEY), ocr="off", workers=1)
    return delivery, versions(lake)


@pytest.mark.parametrize(
    ("step", "when"),
    [
        pytest.param(*point, marks=() if point in QUICK else pytest.mark.slow, id=" ".join(reversed(point)))
        for point in POINTS
    ],
)
def test_killed_there_the_next_run_ends_alike(step: str, when: str, undisturbed, tmp_path: Path, fork: Forked) -> None:
    delivery, expected = undisturbed
    module, name, number = STEPS[step]
    arguments = [str(delivery.root), str(tmp_path / "lake"), module, name, str(number), when]
    ended = fork.run(["-c", CHILD, *arguments], env=os.environ, timeout=300, loads=READS)
    assert ended.returncode == -signal.SIGKILL
    lake = Lake.open(tmp_path / "lake")
    result = ingest_images(delivery, delivery.root, lake, Pseudonymizer(KEY), ocr="off", workers=1)
    assert (result.found, result.ingested, result.quarantined, result.duplicates) == (11, 9, 1, 1)
    assert versions(lake) == expected
    pictures = {path.relative_to(lake.root).as_posix() for path in lake.pixels_dir.rglob("*") if path.is_file()}
    assert pictures == set(lake.read("images", "ccsmtl").column("path").to_pylist())

"""Memory of the ingest's parent and the journal's bytes a file, for a delivery and one ten times as large.

    python -m benchmarks.ingest_memory [--files 20000 200000] [--before REVISION] [--keep FOLDER]

Files are tiny (24 × 20 pixels, one in fifty a copy, one in fifty cut short), each of other pixels, under names of its
own, a thousand a folder. Each ingest is a process of its own; its peak is what the operating system says of it alone
(VmHWM), without its workers. A second run finds nothing new: what it takes is what looking through the journal and
publishing take. ``--before`` does the same with an earlier release, from ``git archive``. ``--grown TIMES`` repeats the
second run for a lake with so many times the larger delivery's files: links to its files and pictures, and lines of its
journal under new names, so that nothing need be looked at.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from radia_pipeline.dicom.journal import Entry, Journal, journal_path
from radia_pipeline.dicom.publish import picture_path
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.dicom import files

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).parent / "results" / "ingest_memory.json"
SHAPE, SOURCE = (24, 20), "ccsmtl"
FIRST = 1_000_000_000
"""Numbers of as many digits, so that a file is a patched copy of another."""
WORK = """
import json, sys, time
from pathlib import Path
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.dicom import files
root, lake = Path(sys.argv[1]), Lake.open(sys.argv[2])
since = time.perf_counter()
found = ingest_images(files.Delivery(root), root, lake, Pseudonymizer(b"0123456789abcdef0123456789abcdef"), ocr="off")
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
journal = (lake.root / "_ingest" / "ccsmtl.sqlite").stat().st_size
version = lake.version("images", "ccsmtl")
print(json.dumps({"peak_mib": round(int(peak.split()[1]) / 1024, 1), "seconds": round(time.perf_counter() - since, 1),
    "journal_bytes_a_file": round(journal / found.found), "found": found.found, "ingested": found.ingested,
    "quarantined": found.quarantined, "duplicates": found.duplicates, "examined": found.examined}))
"""


def deliver(root: Path, count: int) -> None:
    """Write that many files below ``root``."""
    size = 2 * SHAPE[0] * SHAPE[1]
    head = files.to_bytes(files.dataset(np.full(SHAPE, 7, np.uint16), number=FIRST))[:-size]
    for number in range(count):
        folder = root / "dicom" / f"{number // 1000:05d}"
        folder.mkdir(parents=True, exist_ok=True)
        own = number - 1 if number % 50 == 49 else number
        said = head.replace(str(FIRST).encode(), str(FIRST + own).encode())
        pixels = np.random.default_rng(own).integers(0, 4096, SHAPE, dtype=np.uint16).tobytes()
        content = said + pixels
        (folder / f"{number:07d}.dcm").write_bytes(content[:-9] if number % 50 == 24 else content)


def measure(code: Path, root: Path, lake: Path) -> dict[str, Any]:
    """Ingest in a process of its own with the code of a folder."""
    told = {**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-W", "ignore", "-c", WORK, str(root), str(lake)]
    ended = subprocess.run(words, env=told, cwd=code, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(ended.stdout.splitlines()[-1])


def grow(few: Path, lake: Path, many: Path, grown: Path, times: int) -> None:
    """Make a delivery and a lake of so many times the files of another, as a run that looked at them left it."""
    with Journal(journal_path(Lake(lake), SOURCE)) as journal:
        lines = list(journal.entries(journal.paths()))
    with Journal(journal_path(Lake.open(grown), SOURCE)) as journal:
        for turn in range(times):
            for line in lines:
                there = many / "dicom" / f"{turn:03d}" / line.path.removeprefix("dicom/")
                there.parent.mkdir(parents=True, exist_ok=True)
                os.link(few / line.path, there)
            called = [_renamed(line, turn) for line in lines]
            journal.record(called)
            kept = [(old, new) for old, new in zip(lines, called, strict=True) if (lake / _picture(old)).exists()]
            for old, new in kept:
                (grown / _picture(new)).parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(FileExistsError):  # of a copy
                    os.link(lake / _picture(old), grown / _picture(new))
            placed = {new.image_id: new for _, new in reversed(kept)}.values()  # of copies the first is kept
            journal.place((one.image_id, one.path, one.file_sha256, one.rules) for one in placed)


def _picture(line: Entry) -> str:
    return picture_path(SOURCE, line.image_id or "none")


def _renamed(line: Entry, turn: int) -> Entry:
    def other(text: str | None) -> str | None:
        return hashlib.sha256(f"{turn} {text}".encode()).hexdigest()[: len(text)] if text else text

    path = f"dicom/{turn:03d}/{line.path.removeprefix('dicom/')}"
    ids = {name: other(getattr(line, name)) for name in ("file_sha256", "image_id", "study_id", "pixel_sha256")}
    return replace(line, path=path, **ids)


def earlier(revision: str, folder: Path) -> Path:
    """Unpack an earlier release."""
    packed = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as file:
        file.extractall(folder, filter="data")
    return folder


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs=2, default=[20_000, 200_000])
    parser.add_argument("--before")
    parser.add_argument("--keep", type=Path, help="a folder for deliveries and lakes, which stay")
    parser.add_argument("--grown", type=int, default=10, help="times the larger delivery (default: 10, 0 for none)")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        folder = told.keep or Path(aside)
        codes = {"now": ROOT} | ({"before": earlier(told.before, folder / "earlier")} if told.before else {})
        found: dict[str, Any] = {"load_at_start": os.getloadavg()[0], "processors": os.cpu_count()}
        for name, code in codes.items():
            found[name] = {}
            for count in told.files:
                root = folder / f"delivery_{count}"
                if not root.exists():
                    deliver(root, count)
                lake = folder / f"lake_{name}_{count}"
                found[name][str(count)] = {"first": measure(code, root, lake), "again": measure(code, root, lake)}
                print(name, count, json.dumps(found[name][str(count)]), flush=True)
            few, many = (found[name][str(count)] for count in told.files)
            found[name]["ratio"] = {
                run: round(many[run]["peak_mib"] / few[run]["peak_mib"], 3) for run in ("first", "again")
            }
            print(name, "peak memory, many over few:", found[name]["ratio"], flush=True)
        if told.grown:
            count, root, lake = told.grown * told.files[1], folder / "delivery_grown", folder / "lake_grown"
            grow(folder / f"delivery_{told.files[1]}", folder / f"lake_now_{told.files[1]}", root, lake, told.grown)
            found["now"][str(count)] = {"again": measure(ROOT, root, lake)}
            few, many = (found["now"][str(one)]["again"]["peak_mib"] for one in (told.files[1], count))
            found["now"]["ratio"]["grown"] = round(many / few, 3)
            print("grown", count, found["now"][str(count)], found["now"]["ratio"]["grown"], flush=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

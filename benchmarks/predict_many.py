"""Ten thousand files asked about in one command: memory that does not grow, and kills that cost nothing.

``--lake`` is a trained lake that is ready to answer. Files are DICOM, each with a header of its own over a few hundred
distinct films; every tenth study has two. The command is ended by SIGKILL, workers and all, at random moments and
started again; every file must be answered once. Memory is that of the parent and of its largest descendant.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import planted

from radia_pipeline.phantom import dicom_files
from radia_pipeline.processes.pool import default_workers

RESULT = Path(__file__).parent / "results" / "predict_many.json"
DISTINCT, SIDE_PX, PAIRS = 200, 200, 10
"""Films, their size, and of how many studies one has two of them."""
_SAMPLE_S = 0.25


# --- files -----------------------------------------------------------------------------------------------------------
def write_files(folder: Path, count: int) -> None:
    """Write ``count`` files, a hundred a folder."""
    films = [(planted.film(number, size_px=SIDE_PX) * 4095).astype(np.uint16) for number in range(DISTINCT)]
    encoding = dicom_files.Encoding(str(dicom_files.EXPLICIT), is_inverted=False)
    for number in range(count):
        study = number - 1 if number % PAIRS == 1 else number
        uids = [dicom_files.phantom_uid("many", kind, number) for kind in ("series", "image")]
        header = dicom_files.Header(
            f"CC{study:06d}",
            dicom_files.phantom_uid("many", "study", study),
            *uids,
            "F",
            50,
            "20220202",
            "PA",
            dicom_files.DEVICES[0],
            0.2,
        )
        path = folder / f"{number // 100:03d}" / f"{number:06d}.dcm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(dicom_files.dicom_bytes(films[number % DISTINCT], header, encoding))


# --- running and watching --------------------------------------------------------------------------------------------
@dataclass
class Watched:
    """What was seen of a command: peaks in MiB of the parent and of its largest descendant, and its end."""

    parent_mib: float = 0.0
    worker_mib: float = 0.0
    together_mib: float = 0.0
    seconds: float = 0.0
    code: int | None = None
    progress: list[tuple[int, float]] = field(default_factory=list)


def watched(
    command: list[str], out: Path, *, kill_after_lines: int | None = None, kill_after_s: float = 0.0
) -> Watched:
    """Run a command to its end, or kill it and all its descendants so long after ``out`` has so many lines."""
    seen, started, reached = Watched(), time.monotonic(), None
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    while process.poll() is None:
        tree = descendants(process.pid)
        sizes = {pid: memory_mib(pid) for pid in tree}
        parent = sizes.pop(process.pid, 0.0)
        seen.parent_mib = max(seen.parent_mib, parent)
        seen.worker_mib = max([seen.worker_mib, *sizes.values()])
        seen.together_mib = max(seen.together_mib, parent + sum(sizes.values()))
        lines = out.read_bytes().count(b"\n") if out.exists() else 0
        if not seen.progress or lines > seen.progress[-1][0]:
            seen.progress.append((lines, parent))
        if kill_after_lines is not None and lines >= kill_after_lines:
            reached = reached or time.monotonic()
            if time.monotonic() - reached >= kill_after_s:
                kill(tree)
        time.sleep(_SAMPLE_S)
    seen.code, seen.seconds = process.returncode, time.monotonic() - started
    if seen.code not in (0, -signal.SIGKILL):
        raise SystemExit(f"the command failed: {process.stderr.read().decode()[-2000:]}")
    return seen


def kill(tree: set[int]) -> None:
    """End processes at once, the parent and all that it has started."""
    for pid in tree:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def descendants(root: int) -> set[int]:
    """Return the process and all that it has started, directly or not."""
    parents = dict(_parents())
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue


def memory_mib(pid: int) -> float:
    """Return what a process holds for itself and shares, in MiB; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


# --- what is measured ------------------------------------------------------------------------------------------------
def of_count(lake: Path, folder: Path, out: Path, kills: int, seed: int, ocr: str) -> dict:
    """Ask about all files of a folder, with kills at random moments, and count what came of them."""
    files = sorted(map(str, folder.rglob("*.dcm")))
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "radia_pipeline.cli.main",
        "predict",
        "--lake",
        str(lake),
        "--ocr",
        ocr,
        "--out",
        str(out),
        str(folder),
    ]
    studies = len(files) - sum(number % PAIRS == 1 for number in range(len(files)))
    chance = random.Random(seed)
    moments = sorted(chance.sample(range(1, studies * 9 // 10), kills))
    runs = [watched(command, out, kill_after_lines=moment, kill_after_s=chance.uniform(0, 5)) for moment in moments]
    runs.append(watched(command, out))
    lines = [json.loads(line) for line in out.read_bytes().splitlines()[1:]]
    names = Counter(file["file"] for line in lines for file in line["files"])
    last = runs[-1]
    middle = next((mib for done, mib in last.progress if done >= (moments[-1] if moments else 0) + 50), None)
    return {
        "files": len(files),
        "studies": studies,
        "killed after lines": moments,
        "lines": len(lines),
        "files answered for": len(names),
        "twice": sum(count > 1 for count in names.values()),
        "lost": len(set(files) - set(names)),
        "numbers in order": [line["study"] for line in lines] == list(range(1, len(lines) + 1)),
        "answered": sum(line["status"] == "answered" for line in lines),
        "parent, MiB": round(max(run.parent_mib for run in runs), 1),
        "parent of the last run after its first 50 answers, MiB": middle and round(middle, 1),
        "largest worker, MiB": round(max(run.worker_mib for run in runs), 1),
        "all processes, pages shared by several counted with each, MiB": round(
            max(run.together_mib for run in runs), 1
        ),
        "files/s of the last run": round(
            sum(len(line["files"]) for line in lines[moments[-1] if moments else 0 :]) / last.seconds, 2
        ),
        "seconds": round(sum(run.seconds for run in runs), 1),
    }


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--ocr", default="off", help="auto: print is looked for in every file")
    parser.add_argument("--name", default="now", help="under which the result is kept")
    arguments = parser.parse_args()
    found: dict = {
        "processors": default_workers(),
        "load when begun": round(os.getloadavg()[0], 1),
        "print": arguments.ocr,
    }
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "films"
            folder.mkdir()
            write_files(folder, count)
            out = Path(place) / "answers.jsonl"
            found[str(count)] = of_count(arguments.lake, folder, out, arguments.kills, arguments.seed, arguments.ocr)
            print(json.dumps(found[str(count)]), flush=True)
    found["load when ended"] = round(os.getloadavg()[0], 1)
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    RESULT.write_text(json.dumps(kept | {arguments.name: found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

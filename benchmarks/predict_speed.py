"""How fast an answer comes: the first one beside an earlier release, a folder beside its judgement alone, memory.

``--lake`` is a trained lake that is ready to answer; ``--before`` a checkout of the earlier release, whose command is
run on the same file and lake, by turns. All ratios are of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import planted

from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.dicom_files import JPEG_2000
from radia_pipeline.processes.pool import default_workers
from radia_pipeline.usecases.asking import Call, Wish
from radia_pipeline.usecases.looking import Asked, looked_at

RESULT = Path(__file__).parent / "results" / "predict_speed.json"
LARGE = (2128, 2000)


def first_answers(lake: Path, before: Path, image: Path, turns: int) -> dict:
    """Return seconds from the command line to the first answer, by turns, of the clock and of the processors.

    Ours with the search for print and without it: the earlier release did not search. Modules are compiled once, as
    on a user's machine, in a first turn that is not counted.
    """
    ours = [sys.executable, "-W", "ignore", "-m", "radia_pipeline.cli.main", "predict"]
    theirs = [sys.executable, "-W", "ignore", "-m", "radia_pipeline.cli", "predict"]
    ways = {
        "before": (theirs, before),
        "now": (ours, Path.cwd()),
        "now, no print": ([*ours, "--ocr", "off"], Path.cwd()),
    }
    clock: dict[str, list[float]] = {name: [] for name in ways}
    processors: dict[str, list[float]] = {name: [] for name in ways}
    compiled = {"PYTHONPYCACHEPREFIX": str(image.parent / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    for turn in range(turns + 1):
        for name, (command, root) in ways.items():
            started, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            environment = os.environ | {"PYTHONPATH": str(root)} | compiled
            whole = [*command, "--lake", str(lake), str(image)]
            subprocess.run(whole, cwd=root, env=environment, check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if turn == 0:
                continue
            clock[name].append(time.monotonic() - started)
            processors[name].append(after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime)
    found = {}
    for words, seconds in (("clock", clock), ("processors", processors)):
        middle = {name: round(statistics.median(values), 2) for name, values in seconds.items()}
        shares = {f"{name} / before": round(middle[name] / middle["before"], 3) for name in list(ways)[1:]}
        found[words] = {**middle, **shares}
    return found


def write_films(folder: Path, count: int, *, distinct: int = 4) -> dict[str, Path]:
    """Write ``count`` films as JPEG 2000 DICOM and as PNG, of some distinct ones, and return both folders."""
    folders = {"dicom, jpeg 2000": folder / "dicom", "png": folder / "png"}
    for place in folders.values():
        place.mkdir()
    for number in range(distinct):
        picture = planted.film(900 + number, size_px=max(LARGE))[: LARGE[0], : LARGE[1]]
        picture = picture + np.random.default_rng(number).normal(0, 0.004, picture.shape)
        data = {"dicom, jpeg 2000": planted.dicom(picture, number, syntax=str(JPEG_2000)), "png": planted.png(picture)}
        for name, place in folders.items():
            (place / f"{number:05d}").write_bytes(data[name])
            for copy in range(number + distinct, count, distinct):
                os.link(place / f"{number:05d}", place / f"{copy:05d}")
    return folders


def rates(lake: Lake, folder: Path, turns: int) -> dict:
    """Return images a second of the judgement alone and of the whole, by turns, and who had the processors.

    The whole is a call from its list of files to its last answer: studies told apart by headers, judgement, models.
    The first answer, which opens the models, is told apart: it does not grow with the files.
    """
    alone, whole, headers, first, parent = [], [], [], [], []
    for _ in range(turns):
        call = Call(lake, [folder], Wish(), lambda *_: None)
        asked = [Asked(str(path), "ccsmtl", False, True, call.reader.sides_px) for path in call.list.paths]
        list(looked_at(asked[:2], workers=default_workers(), reads_text=True))
        started = time.monotonic()
        answered = sum(one.reason is None for one in looked_at(asked, workers=default_workers(), reads_text=True))
        alone.append(len(asked) / (time.monotonic() - started))
        started = time.monotonic()
        call = Call(lake, [folder], Wish(), lambda *_: None)
        headers.append(time.monotonic() - started)
        next(iter(call.answers(len(call.list.studies) - 1)))
        first.append(time.monotonic() - started - headers[-1])
        started, used = time.monotonic(), time.process_time()
        list(call.answers())
        seconds = time.monotonic() - started
        parent.append((time.process_time() - used) / (seconds * default_workers()))
        whole.append(len(asked) / (seconds + headers[-1]))
    a, b = statistics.median(alone), statistics.median(whole)
    return {
        "films": len(asked),
        "answered": answered,
        "judgement alone, films/s": round(a, 2),
        "whole, films/s": round(b, 2),
        "ratio": round(b / a, 3),
        "ratios by turns": [round(one / other, 3) for one, other in zip(whole, alone, strict=True)],
        "headers, share of the whole": round(statistics.median(headers) * b / len(asked), 3),
        "models and answers, share of the processors": round(statistics.median(parent), 3),
        "first answer of a call, s": round(statistics.median(first), 2),
    }


def memory(lake: Path, count: int) -> dict:
    """Return the parent's greatest memory in MiB after a tenth and after all of ``count`` small films."""
    found = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "films"
        folder.mkdir()
        for number in range(40):
            (folder / f"{number:06d}").write_bytes(planted.png(planted.film(number, size_px=200)))
        for name, part in (("a tenth", count // 10), ("all", count)):
            for number in range(40, part):
                copy = folder / f"{number:06d}"
                if not copy.exists():
                    os.link(folder / f"{number % 40:06d}", copy)
            script = (
                "import resource, sys; from radia_pipeline import predict_into; "
                "predict_into(sys.argv[3], sys.argv[1], sys.argv[2], ocr='off'); "
                "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
            )
            started = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", script, str(folder), str(lake), f"{place}/{part}.jsonl"],
                capture_output=True,
                text=True,
                check=True,
            )
            lines = Path(f"{place}/{part}.jsonl").read_bytes().count(b"\n")
            found[name] = {
                "films": part,
                "lines": lines,
                "MiB": round(int(done.stdout.split()[-1]) / 1024, 1),
                "films/s": round(part / (time.monotonic() - started), 1),
            }
    return found


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--before", type=Path, help="checkout of the earlier release")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--films", type=int, default=24)
    parser.add_argument("--many", type=int, default=2000, help="small films for the memory; 0 keeps what stands")
    arguments = parser.parse_args()
    found: dict = {"processors": default_workers(), "load when begun": round(os.getloadavg()[0], 1)}
    with tempfile.TemporaryDirectory() as place:
        if arguments.before:
            image = Path(place) / "image.dcm"
            image.write_bytes(planted.dicom(planted.film(7, size_px=512), 7))
            found["first answer, s"] = first_answers(arguments.lake, arguments.before, image, arguments.turns)
            print(json.dumps(found["first answer, s"]), flush=True)
        lake = Lake.open(arguments.lake, create=False)
        folders = write_films(Path(place), arguments.films) if arguments.films else {}
        for name, folder in folders.items():
            found[f"folder of {name} {LARGE[0]} x {LARGE[1]}"] = rates(lake, folder, arguments.turns)
            print(json.dumps(found[f"folder of {name} {LARGE[0]} x {LARGE[1]}"]), flush=True)
    if arguments.many:
        found["memory of the parent"] = memory(arguments.lake, arguments.many)
    found["load when ended"] = round(os.getloadavg()[0], 1)
    found["memory here, MiB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    found = (json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}) | found
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

"""The API of a warm server: how long one answer takes, what 8 clients at once get, memory, and what reaches a disk.

    python benchmarks/review_api.py --lake LAKE

``--lake`` is a trained lake with a detector; work on a copy. Films are phantoms of 2128 x 2000 at 12 bits as JPEG 2000
and JPEG-LS. Percentiles are nearest-rank; a decode of the same film in this process stands beside them. For the disk
the server runs under strace (where that is installed), is sent films and hostile bodies, and every file that any of
its processes opened for writing while it answered is named by what it is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import planted
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from radia_pipeline.dicom.render import render_native
from radia_pipeline.phantom.dicom_files import JPEG_2000, JPEG_LS
from radia_pipeline.processes import children
from radia_pipeline.servers.web import listening
from radia_pipeline_tests.review.test_api import HOSTILE, related
from radia_pipeline_tests.review.worlds import Client, wait_until_ready

RESULT = Path(__file__).parent / "results" / "review_api.json"
PARTS = ["single", "crowd", "objects", "disk"]
LARGE, CLIENTS, EACH, TURNS = (2128, 2000), 8, 50, 30
SYNTAXES = {"JPEG 2000": JPEG_2000, "JPEG-LS": JPEG_LS}
WAYS = {
    "print searched": "",
    "ocr=off": "?ocr=off",
    "intake=identified": "?intake=identified",
    "identified, maps": "?intake=identified&maps=png",
}
_WRITES = re.compile(r'(?:open|openat|creat)\([^"]*"([^"]*)"[^)]*(?:O_WRONLY|O_RDWR|O_CREAT)')


def percentile(values: list[float], share: float) -> float:
    """Return the nearest-rank percentile."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def films() -> dict[str, bytes]:
    """Return one large film in two syntaxes."""
    picture = planted.film(900, size_px=max(LARGE))[: LARGE[0], : LARGE[1]]
    picture = picture + np.random.default_rng(0).normal(0, 0.004, picture.shape)
    return {name: planted.dicom(picture, 0, syntax=str(syntax)) for name, syntax in SYNTAXES.items()}


@contextlib.contextmanager
def server(lake: Path, *before: str, **environment: str) -> Iterator[tuple[psutil.Process, int]]:
    """Run a server of a lake in a process of its own; ``before``: a command that runs it."""
    with listening(0) as end:
        port = end.getsockname()[1]
    command = [
        *before,
        *children.module("radia_pipeline.cli.main", "review", "--lake", lake, "--port", port, "--no-browser"),
    ]
    with children.running(command, children.environment(environment), grace_s=20.0) as process:
        wait_until_ready(port, 300)
        yield psutil.Process(process.pid), port


def resident(process: psutil.Process) -> int:
    """Return the memory of a process and all below it, in MiB."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += one.memory_info().rss
    return total >> 20


def single(port: int, held: dict[str, bytes], turns: int) -> dict:
    """Return seconds of single requests, by film and way."""
    client, found = Client(port), {}
    for film, data in held.items():
        for way, query in WAYS.items():
            seconds = []
            for _ in range(turns):
                since = time.monotonic()
                answer = client.post(f"/api/v1/predict{query}", data, Content_Type="application/dicom")
                seconds.append(time.monotonic() - since)
                client.heard.clear()
                assert answer.status == 200, answer.body[:300]
            found[f"{film}, {way}"] = {
                "median": round(percentile(seconds, 0.5), 3),
                "p95": round(percentile(seconds, 0.95), 3),
            }
    return found


def decode(held: dict[str, bytes], folder: Path) -> dict:
    """Return seconds of a decode with grey scale of the same films, in this process."""
    found = {}
    for film, data in held.items():
        path = folder / "film.dcm"
        path.write_bytes(data)
        seconds = []
        for _ in range(10):
            since = time.monotonic()
            render_native(path)
            seconds.append(time.monotonic() - since)
        found[film] = {"median": round(percentile(seconds, 0.5), 3), "p95": round(percentile(seconds, 0.95), 3)}
    return found


def crowd(process: psutil.Process, port: int, data: bytes, each: int, more: str = "") -> dict:
    """Return what CLIENTS at once get for ``each`` request, coming again when they are told to, and the memory.

    ``more``: of the query.
    """
    statuses: Counter = Counter()
    waited, memory, stop = [], [], threading.Event()

    def one() -> None:
        client = Client(port, timeout_s=300)
        for _ in range(each):
            while True:
                since = time.monotonic()
                try:
                    answer = client.post(
                        f"/api/v1/predict?intake=identified{more}", data, Content_Type="application/dicom"
                    )
                    status, after = answer.status, answer.headers.get("retry-after", "1")
                except OSError as error:
                    status, after = type(error).__name__, "1"
                client.heard.clear()
                statuses[status] += 1
                if status != 429:
                    waited.append(time.monotonic() - since)
                    break
                time.sleep(min(float(after), 2.0))

    def watch() -> None:
        while not stop.wait(0.2):
            memory.append(resident(process))

    begun = resident(process)
    watcher = threading.Thread(target=watch)
    watcher.start()
    threads = [threading.Thread(target=one) for _ in range(CLIENTS)]
    since = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    watcher.join()
    half = len(memory) // 2
    return {
        "requests each": each,
        "statuses": {str(status): count for status, count in statuses.items()},
        "seconds": round(time.monotonic() - since, 1),
        "p95 of an answer": round(percentile(waited, 0.95), 2),
        "MiB before": begun,
        "MiB at most": max(memory),
        "MiB at most, first half": max(memory[:half]),
        "MiB at most, second half": max(memory[half:]),
    }


def disk(lake: Path, held: dict[str, bytes], folder: Path) -> dict:
    """Return which files were opened for writing while films and hostile bodies were sent, each by what it is."""
    if shutil.which("strace") is None:
        return {"left out": "strace is not installed"}
    log, empty = folder / "strace", folder / "temporary"
    empty.mkdir()
    tracing = (
        "strace",
        "-f",
        "-qq",
        "-e",
        "trace=open,openat,creat,rename,renameat,renameat2,mkdir,mkdirat",
        "-o",
        str(log),
    )
    with server(lake, *tracing, TMPDIR=str(empty)) as (_, port):
        client, begun, before = Client(port), log.stat().st_size, set(empty.rglob("*"))
        sent: Counter = Counter()
        for data in held.values():
            for path in ("/api/v1/predict?intake=identified", "/page/uploads?identified=true", "/api/v1/predict"):
                sent[client.post(path, data, Content_Type="application/dicom").status] += 1
        body, kind = related(*held.values(), name="../../../tmp/escaped.dcm")
        sent[client.post("/api/v1/predict?intake=identified", body, Content_Type=kind).status] += 1
        for data, kind, _ in HOSTILE.values():
            sent[client.post("/api/v1/predict", data, Content_Type=kind).status] += 1
        with log.open("rb") as handle:
            handle.seek(begun)
            lines = handle.read().decode("utf-8", "replace").splitlines()
        left = set(empty.rglob("*")) - before
    written = {found[1] for line in lines if (found := _WRITES.search(line)) and " = -1 " not in line}
    made = [line for line in lines if re.search(r"(rename|mkdir)", line) and " = -1 " not in line]
    return {
        "statuses": {str(status): count for status, count in sent.items()},
        "opened for writing": sorted({_kind(path, lake) for path in written}),
        "renamed or made": len(made),
        "files opened meanwhile": len(lines),
        "left in the temporary folder": len(left),
    }


def _kind(path: str, lake: Path) -> str:
    if path.startswith(("/dev/", "/proc/")):
        return re.sub(r"\d+", "N", path)
    if path.startswith(str(lake)):
        return "lake: " + re.sub(r"[0-9a-f]{16,}", "ID", os.path.relpath(path, lake))
    return path


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--films", nargs="+", choices=list(SYNTAXES), default=list(SYNTAXES))
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--each", type=int, default=EACH, help=f"requests of each of {CLIENTS} clients")
    arguments = parser.parse_args()
    held = {name: film for name, film in films().items() if name in arguments.films}
    found: dict = {"processors": len(os.sched_getaffinity(0)), "load when begun": round(os.getloadavg()[0], 1)}
    with tempfile.TemporaryDirectory() as place:
        if {"single", "crowd", "objects"} & set(arguments.parts):
            with server(arguments.lake) as (process, port):
                if "single" in arguments.parts:
                    found["decode beside it, s"] = decode(held, Path(place))
                    found["one request, s"] = single(port, held, arguments.turns)
                    print(json.dumps(found, indent=1), flush=True)
                if "crowd" in arguments.parts:
                    found[f"{CLIENTS} clients at once"] = crowd(
                        process, port, next(iter(held.values())), arguments.each
                    )
                    print(json.dumps(found, indent=1), flush=True)
                if "objects" in arguments.parts:
                    found[f"{CLIENTS} clients at once, SR and GSPS"] = crowd(
                        process, port, next(iter(held.values())), arguments.each, "&dicom=sr,gsps"
                    )
                    print(json.dumps(found, indent=1), flush=True)
        if "disk" in arguments.parts:
            found["disk"] = disk(arguments.lake.resolve(), held, Path(place))
    found["load when ended"] = round(os.getloadavg()[0], 1)
    found = (json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}) | found
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

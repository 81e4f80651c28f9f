"""Ingest: files per second and core by transfer syntax, decode share, baselines, scaling, memory, what print costs.

Ratios hold, absolute values belong to the machine. Per-file figures are processor seconds (children included), the best
of several, so that other work on the machine does not count; scaling is wall-clock and says so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from radia_pipeline.dicom import decode, facts
from radia_pipeline.dicom.examine import Task, examine
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.dicom.render import render_native
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import container, prints, reader
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline_tests.dicom import files

RESULT = Path(__file__).parent / "results" / "ingest.json"
SYNTAXES = {
    "explicit": files.EXPLICIT,
    "deflated": files.NATIVE[3],
    "RLE": files.RLE,
    "JPEG lossless": files.LOSSLESS[1],
    "JPEG-LS": files.JPEG_LS,
    "JPEG 2000": files.JPEG_2000,
    "HTJ2K": files.HTJ2K,
}
WINDOW = {"WindowCenter": "2048", "WindowWidth": "4096"}


def detector_image(height: int = 2128, width: int = 2000, seed: int = 0) -> np.ndarray:
    """Return a 12-bit image with the smoothness and quantum noise of a detector, not its anatomy."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    wave = np.sin(x / 190 + seed) * np.cos(y / 260) + 0.3 * np.sin(x / 21) * np.sin(y / 37)
    wave = (wave - wave.min()) / np.ptp(wave)
    return np.clip(wave * 3700 + 180 + rng.normal(0, 6, wave.shape), 0, 4095).astype(np.uint16)


def processor_s(work: Callable[[], object], repeats: int) -> float:
    """Return the least processor time of a call, its child processes included."""
    best = float("inf")
    for _ in range(repeats):
        before = _used()
        work()
        best = min(best, _used() - before)
    return best


def _used() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def plain_pydicom(path: Path, out: Path) -> None:
    """Baseline (a): pydicom's own pixels and window, Pillow's resize and PNG."""
    import pydicom
    from PIL import Image
    from pydicom.pixels import apply_voi_lut

    ds = pydicom.dcmread(path)
    shown = apply_voi_lut(ds.pixel_array, ds).astype(np.float32)
    shown = (shown - shown.min()) / max(float(np.ptp(shown)), 1.0) * 65535
    scale = 1024 / max(shown.shape)
    size = (round(shown.shape[1] * scale), round(shown.shape[0] * scale))
    small = Image.fromarray(shown).resize(size, Image.Resampling.BOX)
    Image.fromarray(np.asarray(small).astype(np.uint16)).save(out)


def dcmtk(path: Path, out: Path) -> None:
    """Baseline (b): DCMTK's dcmj2pnm with the first window, scaled, 16-bit PNG."""
    command = ["dcmj2pnm", "+Wi", "1", "+Syv", "1024", "+i", "1", "+on2", str(path), str(out)]
    subprocess.run(command, check=True, capture_output=True)


def by_syntax(folder: Path, repeats: int) -> dict:
    """Measure one large file per syntax: decode alone, the whole without OCR, both baselines."""
    pixels, table = detector_image(), {}
    for name, syntax in SYNTAXES.items():
        path = folder / f"{name}.dcm"
        path.write_bytes(files.to_bytes(files.dataset(pixels, syntax=syntax, **WINDOW)))
        table[name] = one_file(path, syntax, folder, repeats)
    return table


def one_file(path: Path, syntax: str, folder: Path, repeats: int) -> dict:
    """Measure one file in milliseconds of processor time, and the ratios of the goals."""
    parsed = container.parse(path.read_bytes())
    known, stream, raw = facts.pixel_facts(parsed), bytes(parsed.pixels), decode.DECODERS.get(syntax)
    task = Task(str(path), str(folder / "staged.png"), "ccsmtl", 1024, reads_text=False)
    total = 1e3 * processor_s(lambda: examine(task), repeats)
    plain = 1e3 * processor_s(lambda: plain_pydicom(path, folder / "a.png"), repeats)
    row = {"total_ms": total, "files_per_s_core": 1e3 / total}
    if raw is not None:
        row["decode_ms"] = 1e3 * processor_s(lambda: raw.decode(stream, known), repeats)
        row["total_over_decode"] = total / row["decode_ms"]
        row["decode_share"] = row["decode_ms"] / total
    row |= {"pydicom_pillow_ms": plain, "times_faster_than_pydicom_pillow": plain / total}
    if syntax not in (files.JPEG_LS, files.JPEG_2000, files.HTJ2K):  # dcmj2pnm reads none of these
        row["dcmtk_ms"] = 1e3 * processor_s(lambda: dcmtk(path, folder / "b.png"), repeats)
        row["times_faster_than_dcmtk"] = row["dcmtk_ms"] / total
    return row


def deliver(root: Path, count: int, size: tuple[int, int]) -> files.Delivery:
    """Write a delivery of distinct small files, syntaxes in turn."""
    delivery, syntaxes = files.Delivery(root), list(SYNTAXES.values())
    for number in range(count):
        syntax = syntaxes[number % len(syntaxes)]
        pixels = detector_image(*size, seed=number)
        content = files.to_bytes(files.dataset(pixels, number=number + 1, syntax=syntax, **WINDOW))
        delivery.put(f"{number // 1000:03d}/{number:06d}.dcm", content)
    return delivery


def run(delivery: files.Delivery, lake: Path, workers: int, watch_s: float = 0.05) -> dict:
    """Ingest a delivery into a fresh lake; wall-clock and the peak memory of this process and of its workers."""
    import psutil

    keys = Pseudonymizer(b"0123456789abcdef0123456789abcdef")
    peak, stop, spent = {"parent": 0, "workers": 0}, threading.Event(), {}

    def watch() -> None:
        me = psutil.Process()
        while not stop.wait(watch_s):
            try:
                peak["parent"] = max(peak["parent"], me.memory_info().rss)
                children = me.children(recursive=True)
                peak["workers"] = max(peak["workers"], max((child.memory_info().rss for child in children), default=0))
                spent.update({child.pid: sum(child.cpu_times()[:2]) for child in children})
            except psutil.NoSuchProcess:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    before, already = sum(os.times()[:2]), {c.pid: sum(c.cpu_times()[:2]) for c in psutil.Process().children(True)}
    started = time.perf_counter()
    result = ingest_images(delivery, delivery.root, Lake.open(lake), keys, workers=workers, ocr="off")
    seconds = time.perf_counter() - started
    stop.set()
    watcher.join()
    assert result.ingested == result.found
    own = sum(os.times()[:2]) - before
    theirs = sum(used - already.get(pid, 0.0) for pid, used in spent.items())
    mib = {name: value / 2**20 for name, value in peak.items()}
    return {
        "files": result.found,
        "workers": workers,
        "files_per_s": result.found / seconds,
        "peak_mib": mib,
        "parent_share_of_processor_time": own / (own + theirs),
        "processor_s": own + theirs,
    }


def scaling(folder: Path, repeats: int) -> dict:
    """Ingest 56 images of 1064 × 1000 with one and with two workers in turn; the best of each, since others disturb.

    ``parent_share``: work of the one process that hands out and records, this watching included; it cannot be
    shared (Amdahl). ``control``: what two processes that share nothing gain on this machine at that time. By processor
    time: what two free processors would give, if two workers spend no more together than one does.
    """
    delivery = deliver(folder / "scaling", 56, (1064, 1000))
    best, control, shares, spent = {1: 0.0, 2: 0.0}, {1: 0.0, 2: 0.0}, [], {1: 1e9, 2: 1e9}
    for turn in range(repeats):
        for workers in best:
            wait_for_quiet()
            measured = run(delivery, folder / f"lake_{turn}_{workers}", workers, watch_s=0.5)
            best[workers] = max(best[workers], measured["files_per_s"])
            shares.append(measured["parent_share_of_processor_time"])
            spent[workers] = min(spent[workers], measured["processor_s"])
            wait_for_quiet()
            control[workers] = max(control[workers], spun_per_s(workers))
    return {
        "files_per_s_one": best[1],
        "files_per_s_two": best[2],
        "one_to_two": best[2] / best[1],
        "control_one_to_two": control[2] / control[1],
        "parent_share_of_processor_time": min(shares),
        "processor_s_one": spent[1],
        "processor_s_two": spent[2],
        "one_to_two_by_processor_time": 2 / (1 + min(shares)) * min(1.0, spent[1] / spent[2]),
    }


def wait_for_quiet(patience_s: float = 5.0) -> None:
    """Wait until the processors were nine tenths idle for half a second, or patience is at its end."""
    import psutil

    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and psutil.cpu_percent(0.5) > 10.0:
        continue


def spun_per_s(processes: int) -> float:
    """Return how many rounds of hashing per second that many independent processes make together."""
    code = "import hashlib, time\nt = time.perf_counter(); n = 0\nwhile time.perf_counter() < t + 2:\n"
    code += "    hashlib.sha256(bytes(1 << 20)); n += 1\nprint(n)"
    command = [sys.executable, "-c", code]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(int(process.communicate()[0]) for process in running) / 2


def text_share(folder: Path, count: int) -> dict:
    """Measure what reading print adds to phantoms of 1024 pixels and to those of the demo (processor time)."""
    from radia_pipeline.phantom.write import write_phantom

    allowed, found = policy_of("ccsmtl").ocr_allowed, {}
    reader.load()
    for side_px in (1024, 320):
        write_phantom(folder / f"phantom{side_px}", seed=5, patients={"ccsmtl": count}, size_px=side_px)
        pictures, spent, plain = 0, 0.0, 0.0
        for path in sorted((folder / f"phantom{side_px}" / "ccsmtl" / "dicom").rglob("*.dcm"))[:60]:
            try:
                shown = render_native(path).astype(np.float32)
            except Exception:
                # The phantom plants damaged files on purpose; they are never read.
                continue
            pictures += 1
            spent += processor_s(lambda shown=shown: prints.find_text(shown, allowed), 1)
            task = Task(str(path), str(folder / "staged.png"), "ccsmtl", 1024, reads_text=False)
            plain += processor_s(lambda task=task: examine(task), 1)
        found[f"{side_px} px"] = {
            "pictures": pictures,
            "read_ms": 1e3 * spent / pictures,
            "else_ms": 1e3 * plain / pictures,
        }
    return found


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--files", type=int, nargs=2, default=[200, 2000])
    parser.add_argument("--only-scaling", action="store_true", help="measure scaling alone and keep the other figures")
    parser.add_argument("--only-print", type=int, metavar="PATIENTS", help="measure reading print alone, likewise")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.only_print:
        found = json.loads(RESULT.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as name:
            found["print"] = text_share(Path(name), arguments.only_print)
        RESULT.write_text(json.dumps(found, indent=1, default=float) + "\n", encoding="utf-8")
        print(json.dumps(found["print"], indent=1))
        return
    if arguments.only_scaling:
        found = json.loads(RESULT.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as name:
            run(deliver(Path(name) / "first", 4, (64, 64)), Path(name) / "lake0", 2)
            found["scaling"] = scaling(Path(name), arguments.repeats)
        RESULT.write_text(json.dumps(found, indent=1, default=float) + "\n", encoding="utf-8")
        print(json.dumps(found["scaling"], indent=1))
        return
    found = {"load_at_start": os.getloadavg()[0], "processors": os.cpu_count()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found["by_syntax"] = by_syntax(folder, arguments.repeats)
        few = deliver(folder / "few", arguments.files[0], (320, 300))
        run(deliver(folder / "first", 4, (64, 64)), folder / "lake0", 2)  # imports are not what scales
        found["scaling"] = scaling(folder, arguments.repeats)
        found["memory_few"] = run(few, folder / "lake1", 2)
        many = deliver(folder / "many", arguments.files[1], (320, 300))
        found["memory_many"] = run(many, folder / "lake3", 2)
        found["print"] = text_share(folder, 25)
    found["load_at_end"] = os.getloadavg()[0]
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1, default=float) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1, default=float))


if __name__ == "__main__":
    main()

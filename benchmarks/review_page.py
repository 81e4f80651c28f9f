"""How quick the radiologist's page is: films, windows, zooms, maps, memory, on the real server in Debian's Chromium.

Films of 2128 × 2000 and 12 bits, JPEG 2000 and JPEG-LS by turns; percentiles are nearest-rank. Beside the seconds
stands what decoding such a film took on the same machine in the same minutes, and its load: all grow on a busy machine.
The part ``cornerstone`` drags the same window in Cornerstone3D's CPU renderer (MIT), which npm fetches into a temporary
folder. Parts that are not asked for stay in the result as they were, each with the load under which it was measured.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import json
import math
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from radia_pipeline.dicom import png16
from radia_pipeline.dicom.render import render_native, stored_image
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.dicom_files import JPEG_2000, JPEG_LS
from radia_pipeline.usecases.asking import open_reader
from radia_pipeline_tests.review.page.browser import chromium
from radia_pipeline_tests.review.page.driving import Seat, seat
from radia_pipeline_tests.review.worlds import make_world, served
from radia_pipeline_tests.usecases.films import SOURCE, dicom, film

RESULT = Path(__file__).parent / "results" / "review_page.json"
ENTRY = Path(__file__).parent / "review_page_cornerstone.js"
LARGE = (2128, 2000)
TURNS, HOVERS, STUDIES = 30, 60, 300
NPM = ("@cornerstonejs/core@5.14.0", "@cornerstonejs/metadata@5", "@cornerstonejs/utils@5", "esbuild", "events", "url")
WATCH = """() => {
  window.shown = [];
  addEventListener("drawn", ({ detail }) => shown.push({ ...detail, at: performance.now() }), true);
}"""
OPEN = """async ([go, image, waitsForNative]) => {
  const began = performance.now();
  shown.length = 0;
  if (go.startsWith("#")) location.hash = go;
  else document.body.dispatchEvent(new KeyboardEvent("keydown", { key: go, bubbles: true }));
  const is = (one) => (!image || one.image === image) && one.what.includes("view") && (!waitsForNative || one.isNative);
  for (;;) {
    await new Promise(requestAnimationFrame);
    const last = shown.find(is);
    if (last) return { ms: performance.now() - began, first: shown.find((one) => one.image === last.image).at - began };
    if (performance.now() - began > 60000) throw new Error("no film came");
  }
}"""
HOVER = """async (row) => {
  const began = performance.now();
  row.dispatchEvent(new PointerEvent("pointerenter"));
  const isMap = !document.querySelector(".pane[data-large] .map").hidden;
  await new Promise(requestAnimationFrame);
  await new Promise((done) => setTimeout(done));
  const ms = performance.now() - began;
  row.dispatchEvent(new PointerEvent("pointerleave"));
  return [isMap, ms];
}"""
FRAMES = """async (steps) => {
  const pane = document.querySelector(".pane[data-large]"), box = pane.getBoundingClientRect();
  const began = performance.now();
  const send = (kind, x) => pane.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, isPrimary: true, clientX: box.x + x, clientY: box.y + 200, bubbles: true }));
  pane.setPointerCapture = () => {};
  send("pointerdown", 100);
  for (let i = 0; i < steps; i++) {
    send("pointermove", 100 + i);
    await new Promise(requestAnimationFrame);
  }
  send("pointerup", 100 + steps);
  return (1000 * steps) / (performance.now() - began);
}"""


def p95(values: list[float]) -> float:
    """Return the nearest-rank 95th percentile."""
    return round(sorted(values)[math.ceil(0.95 * len(values)) - 1], 1)


def enlarge(lake: Lake, delivered: Path) -> list[Path]:
    """Deliver every film of a world at LARGE, and store it again; returns the files."""
    drawn = {view: cv2.resize(film(7, view, LARGE[0]), LARGE[::-1]) for view in ("PA", "LATERAL")}
    rows, files = lake.read("images", SOURCE).to_pylist(), []
    for place, row in enumerate(rows):
        image = np.roll(drawn[row["view"]], 11 * place, axis=1)
        data = dicom(image, place, view=row["view"], syntax=str((JPEG_2000, JPEG_LS)[place % 2]))
        files.append(delivered / SOURCE / row["delivered_path"])
        files[-1].write_bytes(data)
        small = stored_image(image, 1024)
        stored = png16.encode(small)
        (lake.root / row["path"]).write_bytes(stored)
        row |= {"file_sha256": hashlib.sha256(data).hexdigest(), "pixel_sha256": hashlib.sha256(stored).hexdigest()}
        row |= {"original_height_px": LARGE[0], "original_width_px": LARGE[1]}
        row |= {"height_px": small.shape[0], "width_px": small.shape[1]}
    lake.write("images", pa.Table.from_pylist(rows, schema=lake.read("images", SOURCE).schema), SOURCE)
    return files


def films(one: Seat, cases: list[dict]) -> dict:
    """Return milliseconds to the stored and the native film of studies that nothing was fetched of."""
    stored, native = [], []
    for case in cases[:TURNS]:
        one.page.goto("about:blank")  # nothing is fetched ahead
        one.open().page.wait_for_selector(".home")
        one.page.evaluate(WATCH)
        found = one.page.evaluate(OPEN, [f"#study/{case['study']}", case["image"], True])
        stored.append(found["first"])
        native.append(found["ms"])
    return {"stored_p95_ms": p95(stored), "native_p95_ms": p95(native), "turns": len(stored)}


def ahead(one: Seat) -> dict:
    """Return milliseconds to the next study's film, which was fetched before; then memory over STUDIES of them."""
    one.open().page.wait_for_selector(".case")
    one.page.evaluate(WATCH)
    one.page.click(".case")
    one.page.wait_for_selector("[data-class='Edema']", timeout=60_000)
    devtools = one.page.context.new_cdp_session(one.page)
    times: list[float] = []
    memory: dict[int, dict] = {}
    key = " "
    for turn in range(STUDIES):
        if turn < TURNS:
            one.page.wait_for_load_state("networkidle")
            one.page.wait_for_timeout(500)
        where = one.page.evaluate("() => location.hash")
        found = one.page.evaluate(OPEN, [key, None, False])
        times.append(found["ms"])
        if one.page.evaluate("() => location.hash") == where:
            raise RuntimeError("the next case was not opened")
        if (turn + 1) % 20 == 0:
            key = "Backspace" if key == " " else " "
        if turn + 1 in (10, STUDIES):
            one.page.wait_for_load_state("networkidle")
            one.page.wait_for_timeout(2000)
            devtools.send("HeapProfiler.collectGarbage")
            used = devtools.send("Runtime.getHeapUsage")
            memory[turn + 1] = {name: round(used[name] / 2**20, 1) for name in ("usedSize", "backingStorageSize")}
    total = {turn: sum(sizes.values()) for turn, sizes in memory.items()}
    return {
        "prefetched_p95_ms": p95(times[:TURNS]),
        "memory_mib": memory,
        "memory_ratio": round(total[STUDIES] / total[10], 3),
    }


def gestures(one: Seat, case: dict) -> dict:
    """Return milliseconds of script for a step of the window and of the zoom, frames a second, and of a map."""
    one.page.goto("about:blank")
    one.open().page.wait_for_selector(".home")
    one.page.evaluate(WATCH)
    one.page.evaluate(OPEN, [f"#study/{case['study']}", case["image"], True])
    one.page.wait_for_selector("[data-class='Edema']", timeout=60_000)
    one.page.wait_for_timeout(3000)
    one.page.mouse.move(200, 400)
    one.page.evaluate("() => (shown.length = 0)")
    one.page.mouse.down()
    for step in range(80):
        one.page.mouse.move(200 + 2 * step, 400 + step)
    one.page.mouse.up()
    for step in range(80):
        one.page.mouse.wheel(0, -60 if step < 40 else 60)
        one.page.wait_for_timeout(25)
    drawn = one.page.evaluate("() => shown")
    of = {what: [step["ms"] for step in drawn if step["what"] == what] for what in ("grey", "view")}
    maps = []
    rows = one.page.query_selector_all("[data-class]")
    for place in range(10 * HOVERS):
        is_map, ms = one.page.evaluate(HOVER, rows[place % len(rows)])
        maps += [ms] if is_map else []
        if len(maps) == HOVERS:
            break
    return {
        "window_step_p95_ms": p95(of["grey"]),
        "window_steps": len(of["grey"]),
        "zoom_step_p95_ms": p95(of["view"]),
        "zoom_steps": len(of["view"]),
        "map_p95_ms": p95(maps) if maps else None,
        "maps": len(maps),
        "drag_frames_per_s": round(one.page.evaluate(FRAMES, 120), 1),
    }


def cornerstone(browser) -> dict:
    """Return what the same drag over the same size costs in Cornerstone3D's CPU renderer, the window set by script."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "package.json").write_text("{}")
        shutil.copy(ENTRY, root / "entry.js")
        quiet = {"cwd": root, "check": True, "capture_output": True}
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *NPM], timeout=600, **quiet)
        bundle = next((root / "node_modules" / "@esbuild").glob("*/bin/esbuild"))
        flags = [
            "--bundle",
            "--format=esm",
            "--minify",
            "--outfile=bundle.js",
            '--define:process.env.NODE_ENV="production"',
        ]
        subprocess.run([str(bundle), "entry.js", *flags], **quiet)
        style = "width: 567px; height: 700px"
        (root / "index.html").write_text(
            f'<!doctype html><div id="place" style="{style}"></div><script type="module" src="bundle.js"></script>'
        )
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_function("() => window.begin")
        first = page.evaluate("async ([h, w]) => begin(h, w)", list(LARGE))
        frames = page.evaluate("async (steps) => drag(steps)", 120)
        page.close()
        server.shutdown()
        size = (root / "bundle.js").stat().st_size
    return {"version": NPM[0], "drag_frames_per_s": round(frames, 1), "first_ms": round(first, 1), "script_bytes": size}


PARTS = ("films", "gestures", "ahead", "cornerstone")


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    found = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
    found["films_px"] = f"{LARGE[0]} × {LARGE[1]}, 12 bits, JPEG 2000 and JPEG-LS"
    with chromium() as browser:
        if "cornerstone" in given.parts:
            found["cornerstone"] = cornerstone(browser) | {"load": load()}
            keep(given.out, found)
        if set(given.parts) - {"cornerstone"}:
            with tempfile.TemporaryDirectory() as folder:
                on_the_page(browser, Path(folder), given, found)


def on_the_page(browser, folder: Path, given: argparse.Namespace, found: dict) -> None:
    """Measure the parts that need the server, and keep each."""
    lake = make_world(folder, in_set=())
    files = enlarge(lake, folder / "sources")
    open_reader(lake)
    rows = [row for row in lake.read("images", SOURCE).to_pylist() if row["view"] == "PA"]
    cases = [{"study": row["study_id"], "image": row["image_id"]} for row in rows]
    measured = {
        "films": lambda one: films(one, cases),
        "gestures": lambda one: gestures(one, cases[-1]),
        "ahead": ahead,
    }
    with served(lake) as (_, port):
        for part in (name for name in PARTS if name in given.parts and name in measured):
            decoding = decode_ms(files)
            with seat(browser, port) as one:
                found[part] = measured[part](one) | {"decode_ms": decoding, "load": load()}
                one.sound()
                found[part]["csp_violations"] = 0
            keep(given.out, found)


def decode_ms(files: list[Path]) -> int:
    """Return what decoding one film takes now, the mean of six."""
    began = time.monotonic()
    for path in files[:6]:
        render_native(path)
    return round(1000 * (time.monotonic() - began) / 6)


def load() -> float:
    """Return the machine's load over the last minute."""
    return round(os.getloadavg()[0], 1)


def keep(path: Path, found: dict) -> None:
    """Write the result, and print it."""
    text = json.dumps(found, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    print(text, flush=True)


if __name__ == "__main__":
    main()

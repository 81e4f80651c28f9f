"""The page's pictures in the guides: a demo lake's own studies, in Chromium, films drawn again at a radiograph's size.

``python -m radia_pipeline_tests.page_pictures LAKE`` makes them anew; LAKE is a full demo's and stays as it is. Nothing
of a person can get into a picture: it is the phantom's, and says so in itself. Not here: figures drawn as SVG.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
from PIL import Image, PngImagePlugin

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.defs.demo import FULL
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.dicom_files import dicom_bytes, draw_encoding, stored_values
from radia_pipeline.phantom.layouts.batch import Order
from radia_pipeline.phantom.layouts.ccsmtl import SOURCE, Delivery
from radia_pipeline.phantom.people import draw_patient
from radia_pipeline.phantom.radiograph import take
from radia_pipeline_tests.review.page.browser import chromium
from radia_pipeline_tests.review.page.driving import Seat, seat
from radia_pipeline_tests.review.worlds import Client, served

DOCS = Path(__file__).resolve().parents[1] / "docs"
PICTURES = ("page_viewer.png", "page_reading.png")
SIZE_PX = 1600
CANDIDATES = 40
MADE_FROM = "made from"
PHANTOM = f"the phantom of radia demo, seed {FULL.seed}"


def enlarged(demo: Path, folder: Path, studies: list[str]) -> Lake:
    """Return a copy of a demo's lake whose delivered films of ``studies`` are drawn again, SIZE_PX tall or wide."""
    shutil.copytree(demo, folder / "lake")
    lake = Lake.open(folder / "lake", create=False)
    change_settings(lake.root, sources_root=str(folder / "sources"))
    rows = lake.read("images", SOURCE).to_pylist()
    for row in rows:
        if row["study_id"] in studies:
            data, (height, width) = redrawn(row["delivered_path"])
            path = folder / "sources" / SOURCE / row["delivered_path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            row |= {"file_sha256": hashlib.sha256(data).hexdigest(), "original_width_px": width}
            row |= {"original_height_px": height}
    lake.write("images", pa.Table.from_pylist(rows, schema=lake.read("images", SOURCE).schema), SOURCE)
    return lake


def redrawn(delivered: str) -> tuple[bytes, tuple[int, int]]:
    """Return a delivered film of the demo as DICOM at SIZE_PX, and its (height, width)."""
    place, name = delivered.split("/")[-2:]
    number, study_number = divmod(int(place), 10)
    patient = draw_patient(FULL.seed, SOURCE, number, SIZE_PX)
    study = patient.studies[study_number]
    image = study.images[int(name.removesuffix(".dcm")) - 1]
    order = Order(Path(), FULL.seed, FULL.patients, SIZE_PX)
    encoding = draw_encoding(generator(image.film.exposure_seed, "encoding"))
    values = stored_values(take(image.film).grey, encoding)
    return dicom_bytes(values, Delivery(order, patient, None).header(study, image), encoding), values.shape


def telling(lake: Lake) -> tuple[str, str]:
    """Return (study, its prior) whose films and answer show most: two views, a prior, boxes, right findings."""
    with served(lake) as (_, port):
        client = Client(port, "reader-a")
        asked = f"/page/studies?has=prior&has=lateral&has=report&source={SOURCE}&limit={CANDIDATES}&pool=validation"
        found = []
        for one in client.get(asked).json["studies"]:
            told = client.get(f"/page/studies/{one['study_id']}").json
            answer = client.get(f"/page/studies/{one['study_id']}/answer").json["studies"][0]
            right = sum(told["reference"].get(name, {}).get("value") == "present" for name in answer.get("called", ()))
            is_plain = all(row["photometric"] == "MONOCHROME2" for row in told["images"])
            score = right - abs(len(answer.get("called", ())) - right) + min(len(answer.get("boxes", ())), 2) + is_plain
            found.append((score, one["study_id"], told["priors"][0]["study_id"]))
    return max(found)[1:]


def painted(one: Seat) -> None:
    """Wait until every film stands at its full resolution."""
    one.page.wait_for_function(
        "() => document.querySelectorAll('.pane .readout').length > 1"
        " && [...document.querySelectorAll('.pane .readout')].every((said) => / %$/.test(said.textContent.trim()))",
        timeout=120_000,
    )


def viewer(one: Seat, study: str) -> bytes:
    """Return the viewer with a study, a finding pointed at."""
    one.open(f"#study/{study}")
    one.page.wait_for_selector("[data-called]", timeout=120_000)
    painted(one)
    one.page.wait_for_timeout(2000)
    rows = one.page.locator(".findings [data-called]")
    for place in range(rows.count()):
        rows.nth(place).hover()
        if one.page.is_visible(".overlay .map"):
            break
    return one.page.screenshot()


def reading(one: Seat, list_id: str) -> bytes:
    """Return the reading screen with two findings marked."""
    one.open(f"#read/{list_id}/reader").ready()
    painted(one)
    one.press("w", "z", "z")
    return one.page.screenshot()


def small(picture: bytes) -> bytes:
    """Return a screenshot as a small PNG of 256 colours that says what it shows."""
    held, said = io.BytesIO(), PngImagePlugin.PngInfo()
    said.add_text(MADE_FROM, PHANTOM)
    reduced = Image.open(io.BytesIO(picture)).convert("RGB").quantize(256, kmeans=2, dither=Image.Dither.NONE)
    reduced.save(held, "PNG", optimize=True, pnginfo=said)
    return held.getvalue()


def draw(demo: Path) -> None:
    """Make the pictures from a demo's lake."""
    Pseudonymizer.from_environment(Lake.open(demo, create=False))
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        study, prior = telling(Lake.open(demo, create=False))
        lake = enlarged(demo, Path(folder), [study, prior])
        cells = Path(folder) / "cells.csv"
        lines = [f"{SOURCE},{study},{name}" for name in vocabulary().pathologies]
        cells.write_text("\n".join(["source,study_id,class", *lines]) + "\n", encoding="utf-8")
        with served(lake, cells=(cells,)) as (_, port), seat(browser, port, "reader-a", language="en") as one:
            (list_id,) = [
                row["list_id"]
                for row in Client(port, "reader-a").get("/page/lists").json["lists"]
                if row["kind"] == "cells"
            ]
            read = reading(one, list_id)
            one.press("Space")  # what waits to be read blind is not opened in the viewer
            one.page.wait_for_selector(".badge.revealed", timeout=60_000)
            for name, picture in zip(PICTURES, (viewer(one, study), read), strict=True):
                (DOCS / name).write_bytes(small(picture))


if __name__ == "__main__":
    draw(Path(sys.argv[1]))

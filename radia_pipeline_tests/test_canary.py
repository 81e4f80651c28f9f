"""A canary identity planted in every part of a delivery appears nowhere that the tool writes to: not in tables, not in
Dagster's storage and compute logs, not in MLflow, not in HTML, not in temporary folders, not on the terminal. This is
the real command, once; compressed content is unpacked before it is searched."""

from __future__ import annotations

import csv
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radia_pipeline.contracts.tables import contract
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.privacy import hostile, hostile_codestreams

CANARY = "Zqxcanari"
IN_PATH = "zqxpath"
"""Stands in a folder's name: delivered paths are kept in restricted columns, and nowhere else."""
PLANTED = ("lavoie", "4185550177", "418-555-0177", "418.555.0177", "418 555 0177", "lavo54031299", "1954-03-12")
"""Whom the hostile files name, in container, header and codestream."""
HOSTILE = hostile.CONTAINER | hostile.HEADER | hostile_codestreams.CODESTREAM


def plant_in_headers(dicom: Path) -> int:
    """Write files that name the canary in every way a header can, damaged and whole; returns how many."""
    nested, inner = files.dataset(files.picture(2), number=902), Dataset()
    inner.PatientName = f"{CANARY}^ANNE"
    nested.ViewCodeSequence = Sequence([inner])
    private = files.dataset(files.picture(3), number=903)
    private.private_block(0x0011, CANARY, create=True).add_new(0x10, "LO", CANARY)
    named = files.clean_file(901, PatientName=f"{CANARY.upper()}^ANNE", ImageComments=f"patiente {CANARY}")
    number = files.clean_file(904, WindowCenter="2048", WindowWidth="4096").replace(b"2048", CANARY[:4].encode())
    contents = {
        "named.dcm": named,
        "nested.dcm": files.to_bytes(nested),
        "private.dcm": files.to_bytes(private),
        "cut.dcm": named[:-3000],
        "cut early.dcm": named[:700],
        "number.dcm": number,
        "page.dcm": CANARY.encode() * 50,
        "preamble.dcm": CANARY.encode().ljust(128, b"\0") + files.clean_file(905)[128:],
        "id.dcm": files.clean_file(906, patient=CANARY),
        f"{IN_PATH}/clean.dcm": files.clean_file(907),
        f"{IN_PATH}/empty.dcm": b"",
    }
    for name, content in contents.items():
        path = dicom / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return len(contents)


def plant_everywhere(dicom: Path) -> None:
    """Write each hostile file, and names with accents in two encodings."""
    for number, make in enumerate(HOSTILE.values()):
        path = dicom / f"{number:04d}.dcm"
        path.write_bytes(make())
    for number, charset in ((908, "ISO_IR 100"), (909, "ISO_IR 192")):
        content = files.clean_file(number, SpecificCharacterSet=charset, ImageComments=f"{CANARY}é")
        (dicom / f"{charset}.dcm").write_bytes(content)


def plant_in_reports(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    rows[0]["report"] += f" Discuté avec Mme {CANARY}."
    rows[1]["report"] = f"Dr {CANARY}: TREM 5403 1299. " + rows[1]["report"]
    rows.append({"study_instance_uid": f"1.2.{CANARY}", "patient_id": CANARY, "report": "Pas d'épanchement."})
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, [*rows[0], f"nom {CANARY}"], restval=CANARY)
        writer.writeheader()
        writer.writerows(rows)


def radia(root: Path, *arguments: object) -> subprocess.CompletedProcess:
    """Run the command with temporary files below ``root``/written."""
    temporary = root / "written" / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"RADIA_PSEUDONYM_KEY": "a key that only this test uses", "TMPDIR": str(temporary)}
    words = [sys.executable, "-m", "radia_pipeline.cli.main", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, env=environment, timeout=900, check=False)


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """Return the folder with lake, history and temporary files, and the finished command."""
    root = tmp_path_factory.mktemp("canary")
    write_phantom(root / "deliveries", seed=8, patients={"ccsmtl": 60}, size_px=128, workers=2)
    assert plant_in_headers(root / "deliveries" / "ccsmtl" / "dicom") == 11
    plant_everywhere(root / "deliveries" / "ccsmtl" / "dicom")
    plant_in_reports(root / "deliveries" / "ccsmtl" / "reports.csv")
    written = root / "written"
    arguments = ["run", "--sources-root", root / "deliveries", "--lake", written / "lake", "--recipe", "smoke_linear"]
    return written, radia(root, *arguments, "--until", "scorecard", "--ocr", "off")


def holders(root: Path, *words: str) -> set[str]:
    """Grep names, bytes in the usual encodings, every column of every table, and all that can be unpacked."""
    found, small = set(), [word.lower() for word in words]
    needles = {word.encode(code) for word in small for code in ("utf-8", "utf-16-le", "utf-16-be")}
    for path in (path for path in root.rglob("*") if path.is_file()):
        place = path.relative_to(root).as_posix()
        found |= {place} if any(word in place.lower() for word in small) else set()
        for part, content in unpacked(path):
            lowered = content.lower()
            if any(needle in lowered for needle in needles):
                found.add(place + part)
    return found


def unpacked(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what a file holds: as it is, and without its compression."""
    content = path.read_bytes()
    yield "", content
    if path.suffix == ".parquet":
        table = pq.read_table(path, partitioning=None)
        yield from ((f":{name}", str(table[name].to_pylist()).encode()) for name in table.column_names)
    elif content.startswith(b"SQLite format 3"):
        yield from ((f":{name}", value) for name, value in cells(path))
    elif content.startswith(b"\x1f\x8b"):
        yield "", gzip.decompress(content)
    elif content.startswith(b"\x28\xb5\x2f\xfd"):
        yield "", pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    elif content.startswith(b"\x89PNG"):
        assert {kind for kind, _ in chunks(content)} <= {b"IHDR", b"IDAT", b"IEND", b"sBIT", b"gAMA", b"pHYs"}
        yield "", zlib.decompress(b"".join(body for kind, body in chunks(content) if kind == b"IDAT"))


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += 12 + size


def cells(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every value of a database, inflated where it can be."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
        names = [name for (name,) in base.execute("select name from sqlite_master where type = 'table'")]
        for name in names:
            for row in base.execute(f'select * from "{name}"'):
                for value in (value for value in row if isinstance(value, bytes)):
                    try:
                        yield name, zlib.decompress(value)
                    except zlib.error:
                        yield name, value


@pytest.mark.slow
def test_the_run_ended_well_and_said_nothing(ran) -> None:
    written, done = ran
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    for output in (done.stdout.lower(), done.stderr.lower()):
        for word in (CANARY, IN_PATH, *PLANTED):
            assert word.lower().encode() not in output
    assert b"identity_in_header" in done.stdout
    kinds = {path.suffix or path.name for path in written.rglob("*") if path.is_file()}
    assert {".parquet", ".db", ".err", ".out", ".html", ".sqlite", ".json"} <= kinds
    refused = pq.read_table(written / "lake" / "quarantine" / "ccsmtl.parquet", partitioning=None)
    names = {Path(path).name for path in refused.column("delivered_path").to_pylist()}
    assert {f"{number:04d}.dcm" for number in range(len(HOSTILE))} <= names


@pytest.mark.slow
def test_the_canary_is_nowhere(ran) -> None:
    written, _ = ran
    assert holders(written, CANARY, *PLANTED) == set()
    refused = (
        pq.read_table(written / "lake" / "reports" / "ccsmtl.parquet", partitioning=None).column("refusal").to_pylist()
    )
    assert sum(line is not None for line in refused) >= 2


@pytest.mark.slow
def test_delivered_paths_stay_in_their_restricted_columns(ran) -> None:
    written, _ = ran
    found = holders(written, IN_PATH)
    columns = {place.split(":")[1] for place in found if ":" in place}
    assert columns == {"delivered_path"}
    assert contract("images").columns["delivered_path"].classification == "restricted"
    whole = {place for place in found if ":" not in place and not place.endswith(".parquet")}
    assert whole == {"lake/_ingest/ccsmtl.sqlite"}


@pytest.mark.slow
def test_what_tells_before_and_beside_the_ingest_says_nothing(ran) -> None:
    written, _ = ran
    root, dicom = written.parent, written.parent / "deliveries" / "ccsmtl" / "dicom"
    options = ["--lake", written / "lake", "--ocr", "off"]
    told = [
        radia(root, "audit", dicom, "--ocr", "off"),
        radia(root, "audit", dicom, "--explain", "--json"),
        radia(root, "ingest", root / "deliveries", "--source", "ccsmtl", "--dry-run", *options),
        radia(root, "audit", dicom, "--propose", "--out", root / "policy.yaml"),
        radia(root, "audit", dicom, "--policy", root / "policy.yaml"),
    ]
    assert [done.returncode for done in told] == [1, 0, 0, 0, 0]
    for done in told:
        output = (done.stdout + done.stderr).lower()
        assert not [word for word in (CANARY, *PLANTED) if word.lower().encode() in output]
    assert holders(written, CANARY, *PLANTED) == set()


@pytest.mark.slow
def test_files_straight_from_a_pacs_are_read_and_nothing_of_them_is_echoed(ran, tmp_path) -> None:
    """A chest is predicted whatever its header names; what is no chest is refused; neither leaves a word."""
    written, _ = ran
    named, hand = tmp_path / f"{CANARY}.dcm", tmp_path / f"{CANARY} hand.dcm"
    named.write_bytes(identified(chest(written)))
    hand.write_bytes(files.clean_file(921, PatientName=f"{CANARY}^ANNE", BodyPartExamined="HAND"))
    options = ["--lake", written / "lake", "--json"]
    objects = tmp_path / "objects"
    asked = ["predict", "--identified", "--dicom-out", objects, *options]
    read, refused = (radia(written.parent, *asked[:1], path, *asked[1:]) for path in (named, hand))
    plain = radia(written.parent, "predict", named, *options)
    assert (read.returncode, refused.returncode, plain.returncode) == (0, 1, 1), read.stderr.decode()[-900:]
    told = [json.loads(done.stdout.splitlines()[-1])["studies"][0] for done in (read, refused, plain)]
    assert [study["status"] for study in told] == ["answered", "refused", "refused"]
    assert told[0]["files"][0]["file"] == told[1]["files"][0]["file"] == "image 1"
    assert told[1]["files"][0]["reason"] in ("not_a_chest", "not_a_radiograph")
    assert told[2]["files"][0]["reason"] == "identity_in_header"
    for done in (read, refused):
        assert CANARY.lower().encode() not in (done.stdout + done.stderr).lower()
    assert holders(written, CANARY) == set()
    filed = sorted(objects.iterdir())
    assert [path.name for path in filed] == ["study_00001_film_1_gsps.dcm", "study_00001_sr.dcm"]
    assert all(CANARY.encode() in path.read_bytes() and path.stat().st_mode & 0o777 == 0o600 for path in filed)


def chest(written: Path) -> np.ndarray:
    """Return stored values of a phantom chest of the lake."""
    from radia_pipeline.dicom.render import render_native

    images = pq.read_table(written / "lake" / "images" / "ccsmtl.parquet", partitioning=None).to_pylist()
    path = next(row["path"] for row in images if row["view"] == "PA" and "not_a_chest" not in row["flags"])
    return render_native(written / "lake" / path) >> 4


def identified(pixels: np.ndarray) -> bytes:
    return files.to_bytes(
        files.dataset(
            pixels, number=920, PatientName=f"{CANARY}^ANNE", PatientBirthDate="19540312", InstitutionName=CANARY
        )
    )

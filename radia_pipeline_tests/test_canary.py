"""A canary identity planted in every part of a delivery appears nowhere that the tool writes to: not in tables, not in
Dagster's storage and compute logs, not in MLflow, not in HTML, not on the terminal. This is the real command, once."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radia_pipeline.contracts.tables import contract
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline_tests.dicom import files

CANARY = "Zqxcanari"
IN_PATH = "zqxpath"
"""Stands in a folder's name: delivered paths are kept in restricted columns, and nowhere else."""
RESTRICTED = {"delivered_path", "report_text", "sentence"}


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
        "named.dcm": named, "nested.dcm": files.to_bytes(nested), "private.dcm": files.to_bytes(private),
        "cut.dcm": named[:-3000], "cut early.dcm": named[:700], "number.dcm": number, "page.dcm": CANARY.encode() * 50,
        "preamble.dcm": CANARY.encode().ljust(128, b"\0") + files.clean_file(905)[128:],
        "id.dcm": files.clean_file(906, patient=CANARY), f"{IN_PATH}/clean.dcm": files.clean_file(907),
        f"{IN_PATH}/empty.dcm": b"",
    }  # fmt: skip
    for name, content in contents.items():
        path = dicom / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return len(contents)


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


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """Return the folder with lake and history, and the finished command."""
    root = tmp_path_factory.mktemp("canary")
    write_phantom(root / "deliveries", seed=8, patients={"ccsmtl": 60}, size_px=128, workers=2)
    assert plant_in_headers(root / "deliveries" / "ccsmtl" / "dicom") == 11
    plant_in_reports(root / "deliveries" / "ccsmtl" / "reports.csv")
    written = root / "written"
    arguments = ["run", "--sources-root", root / "deliveries", "--lake", written / "lake", "--recipe", "smoke_linear"]
    arguments += ["--until", "scorecard", "--ocr", "off"]
    environment = os.environ | {"RADIA_PSEUDONYM_KEY": "a key that only this test uses"}
    done = subprocess.run(
        [sys.executable, "-m", "radia_pipeline.cli.main", *map(str, arguments)], capture_output=True, env=environment,
        timeout=900, check=False,
    )  # fmt: skip
    return written, done


def holders(root: Path, word: str) -> set[str]:
    """Grep names, bytes (also as UTF-16) and every column of every Parquet file, whatever the case."""
    found, small = set(), word.lower()
    needles = (small.encode(), small.encode("utf-16-le"))
    for path in (path for path in root.rglob("*") if path.is_file()):
        place = path.relative_to(root).as_posix()
        content = path.read_bytes().lower()
        if small in place.lower() or any(needle in content for needle in needles):
            found.add(place)
        if path.suffix == ".parquet":
            table = pq.read_table(path, partitioning=None)
            found |= {f"{place}:{name}" for name in table.column_names if small in str(table[name].to_pylist()).lower()}
    return found


@pytest.mark.slow
def test_the_run_ended_well_and_said_nothing(ran) -> None:
    written, done = ran
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    for output in (done.stdout, done.stderr):
        assert CANARY.lower().encode() not in output.lower() and IN_PATH.encode() not in output.lower()
    assert b"identity_in_header" in done.stdout
    kinds = {path.suffix or path.name for path in written.rglob("*") if path.is_file()}
    assert {".parquet", ".db", ".err", ".out", ".html", ".sqlite", ".json"} <= kinds


@pytest.mark.slow
def test_the_canary_is_nowhere(ran) -> None:
    written, _ = ran
    assert holders(written, CANARY) == set()
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

"""``radia audit`` answers for headers, pixels and report tables alike, by exit code, and shows no value."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from radia_pipeline.cli.main import main
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.sources.registry import source
from radia_pipeline.usecases.audit import audit_files
from radia_pipeline_tests.dicom import files

STRANGER = 65534
"""A user to whom a closed folder is closed."""
REPORTS = "study_instance_uid,patient_id,report\n1.2.3,CC0001,Pas d'épanchement.\n"


def audit(capsys, *arguments: object) -> tuple[int, dict[str, list[str]]]:
    code = main(["audit", *map(str, arguments), "--json"])
    return code, {Path(name).name: found for name, found in json.loads(capsys.readouterr().out)["files"].items()}


def printed(text: str) -> np.ndarray:
    mask = Image.new("L", (900, 1000), 0)
    ImageDraw.Draw(mask).text((20, 20), text, fill=255, font=ImageFont.load_default(30))
    return np.maximum(files.picture(1, (1000, 900)) // 2, np.asarray(mask, np.uint16) * 16)


def test_header_and_pixels_are_audited(tmp_path: Path, capsys) -> None:
    named = files.to_bytes(files.dataset(printed("TREMBLAY MARIE 1954-03-12"), PatientBirthDate="19540312"))
    for name, content in {"a.dcm": files.clean_file(1), "b.dcm": named, "c.txt": b"no image"}.items():
        (tmp_path / name).write_bytes(content)
    code, found = audit(capsys, *sorted(tmp_path.iterdir()))
    assert (code, found["a.dcm"]) == (1, [])
    assert found["b.dcm"][0] == "(0010,0030) Table E.1-1 Z: must be empty"
    assert found["b.dcm"][1].startswith("(7FE0,0010) identity_in_pixels: burned-in")
    assert found["c.txt"] == ["file cannot be audited: not_an_image"]
    assert audit(capsys, tmp_path / "a.dcm") == (0, {"a.dcm": []})


def test_report_tables_are_audited_by_row_and_rule(tmp_path: Path, capsys) -> None:
    (tmp_path / "clean.csv").write_text(REPORTS, encoding="utf-8")
    (tmp_path / "named.csv").write_text(
        REPORTS.replace("report\n", "report,nom\n", 1).replace("\n1.2.3", ",\n1.2.3")
        + '1.2.4,TREM54031299,"Mme Tremblay, 514-555-0134. Normal.",TREMBLAY\n',
        encoding="utf-8",
    )
    assert audit(capsys, tmp_path / "clean.csv") == (0, {"clean.csv": []})
    code, found = audit(capsys, tmp_path / "named.csv")
    assert code == 1
    assert found["named.csv"] == [
        "column 4: not declared in the source's sheet",
        "row 2, report: titled_name at character 1",
        "row 2, report: listed_name at character 5",
        "row 2, report: phone_number at character 15",
        "row 2, patient_id: not a declared pseudonym",
    ]


def test_whatever_lies_in_a_delivery_has_a_verdict(tmp_path: Path, capsys) -> None:
    """Pipes that nobody writes to, sockets, links in a circle, names that are no text: none ends or stops the audit."""
    folder = tmp_path / "delivery"
    (folder / "inside").mkdir(parents=True)
    os.mkfifo(folder / "pipe.dcm")
    os.mkfifo(folder / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(folder / "socket"))
    for name, target in {"circle": "circle", "nowhere.dcm": "gone.dcm", "up": "..", "null": "/dev/zero"}.items():
        (folder / name).symlink_to(target)
    for name, content in {
        b"na\xefve \xff.dcm": files.clean_file(1),
        b"empty.dcm": b"",
        b"empty.csv": b"",
        b"page.csv": b"<html>",
        b"broken.csv.gz": b"\x1f\x8b no gzip",
        b"inside/cut.dcm": files.clean_file(1)[:300],
        b"two\nlines.dcm": files.clean_file(1),
        b"ct.dcm": files.clean_file(1, Modality="CT"),
    }.items():
        (folder / os.fsdecode(name)).write_bytes(content)
    code, found = audit(capsys, folder, "--ocr", "off")
    assert code == 1
    reasons = {name: lines[0].rsplit(": ", 1)[-1] if lines else None for name, lines in found.items()}
    assert reasons == {
        "pipe.dcm": "unreadable",
        "pipe.csv": "unreadable",
        "socket": "unreadable",
        "circle": "unreadable",
        "nowhere.dcm": "unreadable",
        "up": "unreadable",
        "null": "unreadable",
        "na\\xefve \\xff.dcm": None,
        "empty.dcm": "empty_file",
        "empty.csv": "no table of reports (BadTable)",
        "page.csv": "no table of reports (BadTable)",
        "broken.csv.gz": "no table of reports (BadTable)",
        "cut.dcm": "truncated",
        "two\\nlines.dcm": None,
        "ct.dcm": "not_a_radiograph",
    }
    assert main(["audit", str(folder), "--ocr", "off"]) == 1
    assert main(["audit", str(folder), "--explain", "--json"]) == 0
    assert main(["audit", str(folder), "--propose", "--out", str(tmp_path / "policy.yaml")]) == 0
    assert main(["audit", str(folder), "--policy", str(tmp_path / "policy.yaml")]) == 0
    assert main(["audit", str(folder / "not there"), "--ocr", "off"]) == 2


def test_the_ingest_counts_the_same_delivery_whole(tmp_path: Path) -> None:
    """A pipe costs its own line and no time; a folder that is closed stands for its files."""
    delivery = files.Delivery(tmp_path / "delivery")
    delivery.put("1.dcm", files.clean_file(1))
    os.mkfifo(delivery.root / "dicom" / "pipe.dcm")
    (delivery.root / "dicom" / "circle").symlink_to("circle")
    result = ingest_images(
        source("ccsmtl"), delivery.root, Lake.open(tmp_path / "lake"), Pseudonymizer(b"k" * 32), ocr="off", workers=1
    )
    assert (result.found, result.ingested, result.reasons) == (3, 1, {"unreadable": 2})


@pytest.fixture
def everybodys(tmp_path: Path) -> Iterator[Path]:
    """Return an empty folder that a stranger can reach, and be that stranger where the test is the superuser's."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def nobody_special() -> Iterator[None]:
    """Without the superuser's rights, to whom nothing is closed."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(STRANGER)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_closed_folder_is_no_empty_folder(everybodys: Path) -> None:
    closed = everybodys / "delivery" / "dicom" / "closed"
    closed.mkdir(parents=True)
    closed.chmod(0)
    try:
        with nobody_special():
            listed = list(source("ccsmtl").files(everybodys / "delivery"))
            found = dict(audit_files([everybodys / "delivery"], "ccsmtl", ocr_mode="off"))
    finally:
        closed.chmod(0o700)
    assert [file.relative_path for file in listed] == ["dicom/closed"]
    assert found == {closed: ["file cannot be audited: unreadable"]}


def test_the_real_delivery_is_judged_as_its_contents_say(real_root: Path, capsys) -> None:
    code, found = audit(
        capsys, real_root / "ccsmtl" / "reports.csv", *(real_root / "ccsmtl" / "dicom").glob("00*.dcm"), "--ocr", "off"
    )
    assert code == 1
    assert {name for name, findings in found.items() if findings} == {
        "0008.dcm",
        "0010.dcm",
        "0024.dcm",
        "0025.dcm",
        "0026.dcm",
    }


def test_an_invented_delivery_is_de_identified_but_for_its_planted_faults(tmp_path):
    write_phantom(tmp_path, seed=3, patients={"ccsmtl": 6}, size_px=128)
    files = sorted((tmp_path / "ccsmtl" / "dicom").rglob("*.dcm"))
    clean = [path for path, findings in audit_files(files, "ccsmtl", ocr_mode="off") if not findings]
    assert len(clean) >= len(files) - 3
    assert clean

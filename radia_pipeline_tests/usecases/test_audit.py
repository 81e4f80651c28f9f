"""``radia audit`` answers for headers, pixels and report tables alike, by exit code, and shows no value."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from radia_pipeline.cli.main import main
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.privacy import prints
from radia_pipeline.usecases.audit import audit_files
from radia_pipeline_tests.dicom import files

needs_tesseract = pytest.mark.skipif(not prints.is_available(), reason="Tesseract is not installed")
REPORTS = "study_instance_uid,patient_id,report\n1.2.3,CC0001,Pas d'épanchement.\n"


def audit(capsys, *arguments: object) -> tuple[int, dict[str, list[str]]]:
    code = main(["audit", *map(str, arguments), "--json"])
    return code, {Path(name).name: found for name, found in json.loads(capsys.readouterr().out)["files"].items()}


def printed(text: str) -> np.ndarray:
    mask = Image.new("L", (900, 1000), 0)
    ImageDraw.Draw(mask).text((20, 20), text, fill=255, font=ImageFont.load_default(30))
    return np.maximum(files.picture(1, (1000, 900)) // 2, np.asarray(mask, np.uint16) * 16)


@needs_tesseract
def test_header_and_pixels_are_audited(tmp_path: Path, capsys) -> None:
    named = files.to_bytes(files.dataset(printed("TREMBLAY MARIE 1954-03-12"), PatientBirthDate="19540312"))
    for name, content in {"a.dcm": files.clean_file(1), "b.dcm": named, "c.txt": b"no image"}.items():
        (tmp_path / name).write_bytes(content)
    code, found = audit(capsys, *sorted(tmp_path.iterdir()))
    assert (code, found["a.dcm"]) == (1, [])
    assert found["b.dcm"][0] == "(0010,0030) Table E.1-1 Z: must be empty"
    assert found["b.dcm"][1].startswith("(7FE0,0010) identity_in_pixels: burned-in")
    assert found["c.txt"] == ["file cannot be audited: neither DICOM nor a CSV table"]
    assert audit(capsys, tmp_path / "a.dcm") == (0, {"a.dcm": []})


def test_without_tesseract_it_says_the_way_out(tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "a.dcm").write_bytes(files.clean_file(1))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["audit", str(tmp_path / "a.dcm"), "--json"]) == 1
    assert "Tesseract is not installed" in json.loads(capsys.readouterr().out)["error"]
    assert audit(capsys, tmp_path / "a.dcm", "--ocr", "off") == (0, {"a.dcm": []})


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
        "column 4: not declared in the source's sheet", "row 2, report: titled_name at character 1",
        "row 2, report: listed_name at character 5", "row 2, report: phone_number at character 15",
        "row 2, patient_id: not a declared pseudonym",
    ]  # fmt: skip


def test_the_real_delivery_is_judged_as_its_contents_say(real_root: Path, capsys) -> None:
    code, found = audit(
        capsys, real_root / "ccsmtl" / "reports.csv", *(real_root / "ccsmtl" / "dicom").glob("00*.dcm"), "--ocr", "off"
    )
    assert code == 1
    assert {name for name, findings in found.items() if findings} == {
        "0008.dcm", "0010.dcm", "0024.dcm", "0025.dcm", "0026.dcm",
    }  # fmt: skip


def test_an_invented_delivery_is_de_identified_but_for_its_planted_faults(tmp_path):
    write_phantom(tmp_path, seed=3, patients={"ccsmtl": 6}, size_px=128)
    files = sorted((tmp_path / "ccsmtl" / "dicom").rglob("*.dcm"))
    clean = [path for path, findings in audit_files(files, "ccsmtl", ocr_mode="off") if not findings]
    assert len(clean) >= len(files) - 3
    assert clean

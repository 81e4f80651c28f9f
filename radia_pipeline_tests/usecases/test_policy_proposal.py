"""A delivery proposes its own policy: devices are admitted, whoever looks like a person or stands alone is left out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline_tests.dicom import files


def put(folder: Path, number: int, **tags: object) -> None:
    folder.mkdir(exist_ok=True)
    ds = files.dataset(files.picture(1, (8, 8)), number=number, patient=f"CC{number:04d}", **tags)
    (folder / f"{number}.dcm").write_bytes(files.to_bytes(ds))


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    folder = tmp_path / "delivery"
    for number in range(1, 9):
        put(
            folder, number, Manufacturer="Radiolux SA", ManufacturerModelName="LX-7 Duo", SoftwareVersions="lx_7r2-beta"
        )
    for number in range(9, 12):
        put(folder, number, ManufacturerModelName="Octave Lavoie")
    put(folder, 12, SoftwareVersions="one of a kind 7")
    return folder


def run(capsys, *arguments: object) -> tuple[int, dict]:
    code = main(["audit", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_proposed_policy_admits_the_devices_and_nobody(delivery: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "policy.yaml"
    code, made = run(capsys, delivery, "--propose", "--out", out)
    assert (code, made["files"], made["admitted"]) == (0, 12, 3)
    for path in (out, tmp_path / "policy.yaml.seen.csv"):
        assert path.stat().st_mode & 0o777 == 0o600
    text = out.read_text(encoding="utf-8")
    assert all(value in text for value in ("Radiolux SA", "LX-7 Duo", "lx_7r2-beta"))
    assert "Lavoie" not in text
    assert "one of a kind" not in text
    with (tmp_path / "policy.yaml.seen.csv").open(encoding="utf-8", newline="") as handle:
        why = {row["value"]: (row["files"], row["left_out_because"]) for row in csv.DictReader(handle)}
    assert why["Octave Lavoie"] == ("3", "looks like a person")
    assert why["one of a kind 7"] == ("1", "in few files")
    code, trial = run(capsys, delivery, "--policy", out)
    assert (code, trial["files"], trial["passed"]) == (0, 12, 8)
    assert trial["stops"] == {"(0008,1090) not a declared value": 3, "(0018,1020) not a declared value": 1}


@pytest.mark.parametrize(
    "names",
    [
        [f"{name}0001" for name in ("LAVO", "TREM", "GAGN", "ROYA")],
        ["4185550177", "4185550178", "4185550179"],
        ["LAVOIE1", "LAVOIE2", "LAVOIE3"],
        ["CHUQ-0001", "CHUQ-0002"],
    ],
)
def test_only_a_prefix_that_patients_share_makes_a_pseudonym(names: list[str], tmp_path: Path, capsys) -> None:
    for number, name in enumerate(names):
        put(tmp_path / "delivery", number + 1, PatientID=name, PatientName=name)
    run(capsys, tmp_path / "delivery", "--propose", "--out", tmp_path / "policy.yaml")
    assert run(capsys, tmp_path / "delivery", "--policy", tmp_path / "policy.yaml")[1]["passed"] == 0


@pytest.mark.parametrize(
    ("keyword", "value", "is_taken"),
    [
        ("StationName", "OCTAVE", False),
        ("StationName", "DXROOM2", True),
        ("DetectorID", "LAVOIE", False),
        ("ManufacturerModelName", "Ysio", True),
        ("ManufacturerModelName", "Dr Octave", False),
        ("ManufacturerModelName", "DR-ID 1300", True),
        ("ManufacturerModelName", "DRX-Compass", True),
        ("ManufacturerModelName", "Tremblay", False),
        ("ManufacturerModelName", "Max Lavoie", False),
        ("DetectorDescription", "MAX wi-D", True),
        ("ProtocolName", "LAVOIE^OCTAVE", False),
        ("SoftwareVersions", "418-555-0177", False),
        ("PlateID", "L19540312", False),
    ],
)
def test_a_word_that_could_be_a_name_is_left_out(keyword, value, is_taken, tmp_path: Path, capsys) -> None:
    for number in range(1, 5):
        put(tmp_path / "delivery", number, **{keyword: value})
    run(capsys, tmp_path / "delivery", "--propose", "--out", tmp_path / "policy.yaml")
    passed = run(capsys, tmp_path / "delivery", "--policy", tmp_path / "policy.yaml")[1]["passed"]
    assert passed == (4 if is_taken else 0)


def test_no_value_is_printed_and_no_choice_overwritten(delivery: Path, tmp_path: Path, capsys) -> None:
    assert main(["audit", str(delivery), "--propose", "--out", str(tmp_path / "p.yaml")]) == 0
    assert main(["audit", str(delivery), "--explain"]) == 0
    shown = capsys.readouterr()
    assert "Table" not in shown.err
    for value in ("Lavoie", "Radiolux", "lx_7r2", "CC0001"):
        assert value not in shown.out + shown.err
    assert main(["audit", str(delivery), "--propose", "--out", str(tmp_path / "p.yaml")]) == 2
    (tmp_path / "lake" / "_versions").mkdir(parents=True)
    assert main(["audit", str(delivery), "--propose", "--out", str(tmp_path / "lake" / "p.yaml")]) == 2
    assert main(["audit", str(delivery), "--propose"]) == 2


def test_the_ledger_names_each_element_and_adds_up(delivery: Path, capsys) -> None:
    code, answer = run(capsys, delivery / "9.dcm", "--explain")
    (lines,) = answer["files"].values()
    assert code == 0
    assert sum(line["bytes"] for line in lines) == (delivery / "9.dcm").stat().st_size
    verdicts = {line["element"]: (line["rule"], line["verdict"]) for line in lines}
    assert verdicts["(0008,1090)"] == ("declared value", "not a declared value")
    assert verdicts["(0010,0020)"] == ("pseudonym", "passes")


def test_every_file_of_a_folder_has_a_verdict(tmp_path: Path, capsys) -> None:
    clean = files.clean_file(1)
    odd = clean.replace(b"\x08\x00\x60\x00CS", b"\x08\x00\x60\x00Zz")
    for name, content in {"a.dcm": clean, "b.dcm": odd, "c.dcm": clean[:400], "d.dcm": clean[132:], "e": b""}.items():
        (tmp_path / name).write_bytes(content)
    code, answer = run(capsys, tmp_path, "--ocr", "off")
    found = {Path(name).name: lines for name, lines in answer["files"].items()}
    assert code == 1
    assert found["a.dcm"] == []
    assert found["b.dcm"] == ["file cannot be audited: broken_container"]
    assert found["c.dcm"] == ["file cannot be audited: truncated"]
    assert found["d.dcm"] == ["file cannot be audited: headerless_dicom"]
    assert len(found) == 5

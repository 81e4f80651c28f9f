"""A person's word on a refused file: recorded, for these bytes alone, and no later rule takes it back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from radia_pipeline.cli.main import main
from radia_pipeline.dicom import judgement
from radia_pipeline.dicom.examine import Task, examine
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.dicom.rejudge import rejudge
from radia_pipeline.dicom.settlements import settle, settled
from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.dicom import files

KEYS = Pseudonymizer(b"0123456789abcdef0123456789abcdef")
WORD = {"verdict": "clean", "by": "D. Steward", "reason": "marque d'un cathéter"}


def with_print(text: str, number: int) -> bytes:
    mask = Image.new("L", (420, 400), 0)
    ImageDraw.Draw(mask).text((20, 20), text, fill=255, font=ImageFont.load_default(36))
    picture = np.maximum(files.picture(number, (400, 420)) // 2, np.asarray(mask, np.uint16) * 16)
    return files.to_bytes(files.dataset(picture, number=number))


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> Path:
    """Return a folder with a delivery and the lake that refused all of it."""
    folder = tmp_path_factory.mktemp("refused")
    here = files.Delivery(folder / "delivery")
    here.put("marked.dcm", with_print("PICCLINE", 1))
    here.put("header.dcm", files.clean_file(3, PatientBirthDate="19540312"))
    ingest(here, Lake.open(folder / "lake"))
    return folder


@pytest.fixture
def delivery(tmp_path: Path, refused: Path) -> files.Delivery:
    shutil.copytree(refused / "delivery", tmp_path / "delivery")
    return files.Delivery(tmp_path / "delivery")


@pytest.fixture
def lake(tmp_path: Path, refused: Path) -> Lake:
    shutil.copytree(refused / "lake", tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def ingest(delivery: files.Delivery, lake: Lake) -> None:
    ingest_images(delivery, delivery.root, lake, KEYS, workers=1)


def standing(lake: Lake) -> dict[str, list[str]]:
    return {row["delivered_path"]: row["flags"] for row in lake.read("images", "ccsmtl").to_pylist()}


def test_a_settled_file_comes_in_and_stays_whatever_rules_come(delivery, lake, monkeypatch) -> None:
    assert standing(lake) == {}
    settle(lake, "ccsmtl", "dicom/marked.dcm", **WORD)
    ingest(delivery, lake)
    assert set(standing(lake)) == {"dicom/marked.dcm"} and "settled_by_person" in standing(lake)["dicom/marked.dcm"]
    monkeypatch.setattr("radia_pipeline.dicom.ingest.RULES_VERSION", "later")
    assert rejudge(delivery, delivery.root, lake, workers=1).would_go == {}
    ingest(delivery, lake)
    assert set(standing(lake)) == {"dicom/marked.dcm"}


def test_the_word_holds_for_bytes_not_for_a_name(delivery, lake, tmp_path) -> None:
    settle(lake, "ccsmtl", str(delivery.root / "dicom" / "marked.dcm"), **WORD)
    delivery.put("copy/again.dcm", (delivery.root / "dicom" / "marked.dcm").read_bytes())
    (delivery.root / "dicom" / "marked.dcm").write_bytes(with_print("VANDERMOLEN", 1))
    ingest(delivery, lake)
    assert set(standing(lake)) == {"dicom/copy/again.dcm"}


def test_the_command_records_who_and_why_and_the_record_is_chained(delivery, lake, capsys) -> None:
    row = next(
        row for row in lake.read("quarantine", "ccsmtl").to_pylist() if row["delivered_path"] == "dicom/marked.dcm"
    )
    told = ["--by", "D. Steward", "--reason", "marque d'un cathéter", "--lake", str(lake.root), "--json"]
    assert main(["quarantine", "settle", row["file_id"], "--as", "clean", *told]) == 0
    assert json.loads(capsys.readouterr().out) == {"file_id": row["file_id"], "as": "clean"}
    record = lake.root / "_ingest" / "settlements.jsonl"
    assert "D. Steward" in record.read_text() and settled(lake, "ccsmtl") == {row["file_sha256"]}
    record.write_text(record.read_text().replace("Steward", "Gagnon"))
    with pytest.raises(DamagedFile, match="Line 1"):
        settled(lake, "ccsmtl")


@pytest.mark.parametrize(
    ("file", "word"),
    [
        ("dicom/header.dcm", WORD),
        ("nowhere.dcm", WORD),
        ("dicom/marked.dcm", WORD | {"by": " "}),
        ("dicom/marked.dcm", WORD | {"reason": ""}),
        ("dicom/marked.dcm", WORD | {"reason": "c'est Mme Brzostek"}),
    ],
)
def test_what_no_person_settles_is_said(lake, file, word) -> None:
    with pytest.raises(BadInput):
        settle(lake, "ccsmtl", file, **word)
    assert settled(lake, "ccsmtl") == frozenset()


def test_the_header_of_a_settled_file_is_judged_all_the_same(delivery, lake, monkeypatch) -> None:
    settle(lake, "ccsmtl", "dicom/marked.dcm", **WORD)
    policy = judgement.policy_of("ccsmtl")
    monkeypatch.setattr(judgement, "policy_of", lambda _: replace(policy, patient=None))
    path = str(delivery.root / "dicom" / "header.dcm")
    digest = examine(Task(path, "", "ccsmtl", 1024, reads_text=False)).file_sha256
    task = Task(path, str(lake.root / "x.png"), "ccsmtl", 1024, reads_text=True, settled=digest)
    assert examine(task).reason == "identity_in_header"

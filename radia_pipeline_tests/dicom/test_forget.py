"""A forgotten patient leaves no picture, row, version or journal line; everybody else stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from radia_pipeline.dicom.forget import forget_patients
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.errors import BadInput
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.dicom import files


@pytest.fixture
def ingested(tmp_path: Path) -> tuple[Lake, Pseudonymizer, files.Delivery]:
    keys, lake = Pseudonymizer(b"0123456789abcdef0123456789abcdef"), Lake.open(tmp_path / "lake")
    delivery = files.Delivery(tmp_path / "delivery")
    for number in range(1, 5):
        delivery.put(f"{number}.dcm", files.clean_file(number, patient=f"CC000{number % 2}"))
        ingest_images(delivery, delivery.root, lake, keys, ocr="off", workers=1)
    return lake, keys, delivery


def test_nothing_of_the_patient_stays_and_nobody_else_goes(ingested) -> None:
    lake, keys, delivery = ingested
    gone, other = keys.patient_key("ccsmtl", "CC0001"), keys.patient_key("ccsmtl", "CC0000")
    images = {row["image_id"]: row["patient_key"] for row in lake.read("images", "ccsmtl").to_pylist()}
    result = forget_patients([gone], lake)
    assert (result.patients, result.rows, result.pictures) == (1, {"images": 2}, 2)
    traces = [gone, *(image for image, patient in images.items() if patient == gone)]
    for path in lake.root.rglob("*"):
        assert not any(trace in str(path) for trace in traces)
        assert not path.is_file() or not any(trace.encode() in path.read_bytes() for trace in traces)
    assert {row["patient_key"] for row in lake.read("images", "ccsmtl").to_pylist()} == {other}
    assert (lake.root / "forgotten.jsonl").exists()
    delivery_without = [path for path in delivery.root.rglob("*.dcm") if int(path.stem) % 2]
    for path in delivery_without:
        path.unlink()
    again = ingest_images(delivery, delivery.root, lake, keys, ocr="off", workers=1)
    assert (again.found, again.ingested, again.examined, again.gone) == (2, 2, 0, 0)


def test_unknown_or_malformed_keys_change_nothing(ingested) -> None:
    lake, _, _ = ingested
    before = lake.version("images", "ccsmtl")
    for keys in ([], ["CC0001"], ["0" * 32]):
        with pytest.raises(BadInput):
            forget_patients(keys, lake)
    assert lake.version("images", "ccsmtl") == before

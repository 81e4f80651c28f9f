"""A forgotten patient leaves no picture, row, version, packed pixel, verdict or journal line; everybody else stays."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.in_force import publish_reviews
from radia_pipeline.readings.store import Store, lines_of
from radia_pipeline.usecases import erasure
from radia_pipeline.usecases import forget as forgetting
from radia_pipeline.usecases.forget import forget_patients
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.readings.worlds import unset

SOURCE = "ccsmtl"


@pytest.fixture
def ingested(tmp_path: Path) -> tuple[Lake, Pseudonymizer, files.Delivery]:
    keys, lake = Pseudonymizer(b"0123456789abcdef0123456789abcdef"), Lake.open(tmp_path / "lake")
    delivery = files.Delivery(tmp_path / "delivery")
    for number in range(1, 5):
        delivery.put(f"{number}.dcm", files.clean_file(number, patient=f"CC000{number % 2}"))
        ingest_images(delivery, delivery.root, lake, keys, ocr="off", workers=1)
    return lake, keys, delivery


def whole_lake(lake: Lake, keys: Pseudonymizer) -> set[str]:
    """Add to the ingested lake what every later step keeps of a patient; returns the first patient's identifiers."""
    rows = lake.read("images", SOURCE).to_pylist()
    gone = keys.patient_key(SOURCE, "CC0001")
    lake.write("reports", [_report(row) for row in rows], SOURCE)
    lake.write("splits", [_placed(patient, gone) for patient in {row["patient_key"] for row in rows}])
    lake.write("predictions", [_prediction(row, gone) for row in rows], "demo")
    lake.write("image_links", [_link(rows[0], rows[1])])
    for row in rows:
        Store(lake).append(unset(source=SOURCE, study_id=row["study_id"]))
    publish_reviews(lake)
    lake.ledger_path.parent.mkdir(parents=True)
    lake.ledger_path.write_text(json.dumps({"patient_key": gone}) + "\n")
    for path, content in {
        lake.packed_dir / SOURCE / "64px" / "images.u16": b"pixels",
        lake.previews_dir / "batches" / "a.png": b"pixels",
        lake.root / "report.html": b"page",
        lake.pixels_dir / SOURCE / ".staged" / "ab" / "abc.png": b"pixels",
        lake.history_dir / "dagster" / "run.log": f"image {rows[0]['image_id']} is dark".encode(),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    mine = [row for row in rows if row["patient_key"] == gone]
    return {gone, *(row["image_id"] for row in mine), *(row["study_id"] for row in mine)}


def _report(row: dict) -> dict:
    return {name: row[name] for name in ("source", "study_id", "patient_key")} | {
        "report_text": "Pas de masse.",
        "text_sha256": "0" * 64,
        "text_count": 1,
    }


def _placed(patient: str, group: str) -> dict:
    return {
        "source": SOURCE,
        "patient_key": patient,
        "group_id": group,
        "pool": "train",
        "fold": 0,
        "reason": "hash",
        "excluded": None,
    }


def _prediction(row: dict, group: str) -> dict:
    return {name: row[name] for name in ("source", "study_id", "patient_key")} | {
        "recipe": "demo",
        "group_id": group,
        "pool": "validation",
        "class": "Mass",
        "logit": 0.0,
        "probability": 0.5,
        "image_count": 1,
    }


def _link(one: dict, other: dict) -> dict:
    sides = {
        f"{name}_{side}": row[name]
        for side, row in (("a", one), ("b", other))
        for name in ("source", "image_id", "patient_key")
    }
    return sides | {"kind": "near_duplicate", "distance": 1.0}


def places_of(traces: set[str], lake: Lake) -> set[str]:
    """Grep the lake: names, bytes, and every column of every Parquet file."""
    found = set()
    for path in lake.root.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".parquet":
            content += str(pq.read_table(path, partitioning=None).to_pylist()).encode()
        if any(trace in str(path) or trace.encode() in content for trace in traces):
            found.add(path.relative_to(lake.root).as_posix())
    return found


def test_nothing_of_the_patient_stays_and_nobody_else_goes(ingested) -> None:
    lake, keys, delivery = ingested
    traces = whole_lake(lake, keys)
    gone, other = keys.patient_key(SOURCE, "CC0001"), keys.patient_key(SOURCE, "CC0000")
    assert len(places_of(traces, lake)) > 10
    result = forget_patients([gone], lake)
    assert result.rows == {
        "images": 2,
        "image_links": 1,
        "label_reviews": 2,
        "predictions": 2,
        "reports": 2,
        "splits": 1,
    }
    assert (result.patients, result.pictures, result.review_marks, result.journal_lines) == (1, 2, 2, 2)
    assert places_of(traces, lake) == {"ledger/pools.jsonl"}
    assert result.still_named_in == ("lake.history/dagster/run.log",)
    assert not list(lake.root.rglob("*.u16")) and not lake.previews_dir.exists()
    assert {path.stem for path in lake.pixels_dir.rglob("*.png")} == set(
        lake.read("images", SOURCE)["image_id"].to_pylist()
    )
    assert set(lake.read("images", SOURCE)["patient_key"].to_pylist()) == {other}
    # The group was named after the forgotten patient: now after the one who stays.
    assert lake.read("splits")["group_id"].to_pylist() == [other]
    assert set(lake.read("predictions")["group_id"].to_pylist()) == {other}
    assert [line and line.kind for _, line in lines_of(lake)].count("read") == 2
    for path in delivery.root.rglob("*.dcm"):
        if int(path.stem) % 2:
            path.unlink()
    again = ingest_images(delivery, delivery.root, lake, keys, ocr="off", workers=1)
    assert (again.found, again.ingested, again.examined, again.gone) == (2, 2, 0, 0)


def test_what_was_done_is_recorded_but_not_whom(ingested) -> None:
    lake, keys, _ = ingested
    gone = keys.patient_key(SOURCE, "CC0001")
    forget_patients([gone], lake)
    text = (lake.root / "forgotten.jsonl").read_text()
    assert json.loads(text)["pictures"] == 2 and gone not in text
    with pytest.raises(BadInput, match="not in this lake"):
        forget_patients([gone], lake)


def test_a_record_that_stands_goes_on_and_damage_in_it_is_seen_before_anything_goes(ingested) -> None:
    lake, keys, _ = ingested
    path = lake.root / "forgotten.jsonl"
    path.write_text('{"at": 1795972926.9, "patients": 1}\n')
    forget_patients([keys.patient_key(SOURCE, "CC0001")], lake)
    earlier, mine = map(json.loads, path.read_text().splitlines())
    assert (earlier["patients"], mine["pictures"]) == (1, 2)
    path.write_text(path.read_text().replace('"pictures":2', '"pictures":3'))
    with pytest.raises(DamagedFile, match="line 2"):
        forget_patients([keys.patient_key(SOURCE, "CC0000")], lake)
    assert lake.read("images", SOURCE).num_rows == 2


def test_killed_midway_the_same_call_finishes(ingested, monkeypatch) -> None:
    lake, keys, _ = ingested
    traces = whole_lake(lake, keys)
    gone = keys.patient_key(SOURCE, "CC0001")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for module, step in ((forgetting, "_clean_journal"), (erasure, "_clean_versions"), (erasure, "_clean_table")):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(module, step, stop)
            forget_patients([gone], lake)
    forget_patients([gone], lake)
    assert places_of(traces, lake) == {"ledger/pools.jsonl"}


def test_unknown_or_malformed_keys_change_nothing(ingested) -> None:
    lake, pseudonyms, _ = ingested
    before = lake.version("images", SOURCE)
    known = pseudonyms.patient_key(SOURCE, "CC0001")
    for keys in ([], ["CC0001"], ["0" * 32], [known, "0" * 32]):
        with pytest.raises(BadInput):
            forget_patients(keys, lake)
    assert lake.version("images", SOURCE) == before


def test_the_command_says_what_it_did_and_what_it_cannot_reach(ingested, capsys) -> None:
    lake, keys, _ = ingested
    gone = keys.patient_key(SOURCE, "CC0001")
    assert main(["forget", gone, "--lake", str(lake.root), "--json"]) == 0
    said = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert (said["patients"], said["rows"], said["pictures"]) == (1, {"images": 2}, 2)
    assert any("backups" in line for line in said["unreached"])
    assert main(["forget", gone, "--lake", str(lake.root), "--json"]) == 2
    assert "not in this lake" in json.loads(capsys.readouterr().out)["error"]
    assert main(["forget", "CC0001", "--lake", str(lake.root)]) == 2


def test_a_model_whose_manifest_went_with_an_earlier_forgetting_may_have_seen_the_next_patient_too(ingested) -> None:
    lake, *_ = ingested
    rows = lake.read("images", SOURCE).to_pylist()
    image = rows[0]["image_id"]
    card = lake.models_dir / "demo" / "abc" / "model.json"
    card.parent.mkdir(parents=True)
    card.write_text(json.dumps({"manifest_versions": {SOURCE: "f00d"}}))
    assert erasure.models_that_saw(frozenset({image}), lake) == ("demo/abc",)
    assert erasure.models_that_saw(frozenset(), lake) == ()

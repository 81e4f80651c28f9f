"""What stood and is refused by new rules leaves nothing; the dry run says what goes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.contracts.tables import contract, contract_names
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.dicom.journal import journal_path
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.usecases import erasure, retract
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.usecases.test_forget import places_of

SOURCE, NAME = "ccsmtl", "Octave Lavoie"
KEYS = Pseudonymizer(b"0123456789abcdef0123456789abcdef")
OPTIONS = {"ocr": "off", "workers": 1}


@pytest.fixture
def delivery(tmp_path: Path) -> files.Delivery:
    here = files.Delivery(tmp_path / "delivery")
    for number in range(1, 6):
        here.put(f"{number}.dcm", files.clean_file(number, patient=f"CC000{number % 2}"))
    return here


@pytest.fixture
def lake(delivery: files.Delivery, tmp_path: Path) -> Lake:
    """Return a lake as an earlier release left it, which took the second and the third file; the fourth was replaced.

    The second names a person where any text passed for a model, the third is no projection radiograph.
    """
    made = Lake.open(tmp_path / "lake")
    assert ingest_images(delivery, delivery.root, made, KEYS, **OPTIONS).ingested == 5
    rows = {row["delivered_path"]: row for row in made.read("images", SOURCE).to_pylist()}
    let_in = {"dicom/2.dcm": {"ManufacturerModelName": NAME}, "dicom/3.dcm": {"Modality": "OT"}}
    for number, (path, tags) in enumerate(let_in.items(), 2):
        content = files.clean_file(number, patient=f"CC000{number % 2}", **tags)
        delivery.put(f"{number}.dcm", content)
        rows[path] |= {"file_sha256": hashlib.sha256(content).hexdigest()}
        rows[path] |= {"device_model": NAME} if number == 2 else {}
        with closing(sqlite3.connect(journal_path(made, SOURCE))) as journal, journal:
            journal.execute("update placed set file_sha256 = ? where path = ?", (rows[path]["file_sha256"], path))
    delivery.put("4.dcm", files.clean_file(4)[:700])
    made.write("images", list(rows.values()), SOURCE)
    derive(made, list(rows.values()))
    return made


def derive(lake: Lake, rows: list[dict]) -> None:
    """Add what later steps keep: tables, a manifest that two models were trained on, packed data, previews."""
    lake.write("predictions", [_prediction(row) for row in rows], "demo")
    lake.write("image_links", [_link(rows[0], rows[1]), _link(rows[3], rows[4])])
    lake.write("reports", [_report(row) for row in rows], SOURCE)
    stay = [_shown(row) for row in rows if row["delivered_path"].endswith(("1.dcm", "5.dcm"))]
    others = lake.write("manifest", stay, SOURCE).version
    version = lake.write("manifest", [_shown(row) for row in rows], SOURCE).version
    for path, content in {
        lake.packed_dir / SOURCE / "64px" / "images.u16": "pixels",
        lake.previews_dir / "a.png": "pixels",
        lake.root / "report.html": "page",
        lake.models_dir / "smoke" / "abc" / "model.json": json.dumps({"manifest_versions": {SOURCE: version}}),
        lake.models_dir / "detector" / "small" / "def" / "model.json": json.dumps(
            {"versions": {f"manifest/{SOURCE}": version}}
        ),
        lake.models_dir / "other" / "ghi" / "model.json": json.dumps({"manifest_versions": {SOURCE: others}}),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def _shown(row: dict) -> dict:
    columns = {name: row[name] for name in contract("manifest").columns if name in row}
    return columns | {"group_id": row["patient_key"], "pool": "train", "fold": 0, "weight": 1.0, "boxes": []}


def _prediction(row: dict) -> dict:
    return {name: row[name] for name in ("source", "study_id", "patient_key")} | {
        "recipe": "demo",
        "group_id": row["patient_key"],
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


def _report(row: dict) -> dict:
    return {name: row[name] for name in ("source", "study_id", "patient_key")} | {
        "report_text": "Pas de masse.",
        "text_sha256": "0" * 64,
        "text_count": 1,
    }


def of(lake: Lake, *names: str) -> set[str]:
    rows = lake.read("images", SOURCE, columns=["delivered_path", "image_id"]).to_pylist()
    return {row["image_id"] for row in rows if Path(row["delivered_path"]).name in names}


def told(capsys, *arguments: object) -> dict:
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_a_dry_run_counts_what_goes_and_the_ingest_takes_just_that(delivery, lake, capsys) -> None:
    gone, replaced, stay = of(lake, "2.dcm", "3.dcm"), of(lake, "4.dcm"), of(lake, "1.dcm", "5.dcm")
    before = contents(lake)
    command = ["ingest", delivery.root, "--source", SOURCE, "--lake", lake.root, "--ocr", "off"]
    seen = told(capsys, *command, "--dry-run")
    assert contents(lake) == before
    assert seen["would_go"] == {"identity_in_header": 1, "not_a_radiograph": 1, "truncated": 1}
    assert (seen["found"], seen["standing"], seen["new"], seen["patients"]) == (5, 5, 0, 2)
    foreseen = seen["taken_out"]
    assert foreseen["rows"] == {"images": 2, "image_links": 1, "manifest": 2, "predictions": 2}
    assert (foreseen["images"], foreseen["pictures"]) == (2, 2)
    assert foreseen["models"] == ["detector/small/def", "smoke/abc"]
    done = retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, **OPTIONS)
    assert (done.ingested, done.quarantined) == (2, 3)
    assert {name: done.withdrawn[name] for name in ("images", "versions", "models")} == {
        name: foreseen[name] for name in ("images", "versions", "models")
    }
    assert any("smoke/abc" in warning for warning in done.warnings)
    assert places_of({*gone, NAME}, lake) == set()
    assert of(lake, "1.dcm", "5.dcm") == stay
    assert {path.stem for path in lake.pixels_dir.rglob("*.png")} == stay | replaced
    assert not lake.packed_dir.exists()
    assert not lake.previews_dir.exists()
    assert len(lake.read("reports", SOURCE)) == 5
    assert len(lake.read("predictions", "demo")) == 3


def contents(lake: Lake) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}


def test_the_second_time_nothing_is_left_to_take(delivery, lake) -> None:
    assert retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, **OPTIONS).withdrawn
    again = retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, **OPTIONS)
    assert (again.withdrawn, len(again.warnings)) == ({}, 1)  # OCR is off
    last = json.loads((lake.root / "forgotten.jsonl").read_text().splitlines()[-1])
    assert (last["images"], last["refused_in"]) == (2, SOURCE)


def test_a_slip_in_a_policy_takes_out_no_lake(delivery, lake, monkeypatch) -> None:
    gone = of(lake, "2.dcm", "3.dcm")
    monkeypatch.setattr(retract, "_MOST_UNASKED", 1)
    held = retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, **OPTIONS)
    assert held.withdrawn == {"held_back": 2}
    assert any("--take-out" in warning for warning in held.warnings)
    assert places_of({NAME}, lake)
    assert lake.packed_dir.exists()
    assert (
        retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, takes_out=True, **OPTIONS).withdrawn["images"]
        == 2
    )
    assert places_of({*gone, NAME}, lake) == set()


def test_what_was_asked_for_and_killed_is_finished_unasked(delivery, lake, monkeypatch) -> None:
    gone = of(lake, "2.dcm", "3.dcm")
    monkeypatch.setattr(retract, "_MOST_UNASKED", 1)
    with monkeypatch.context() as kills:
        kills.setattr(retract, "erase", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, takes_out=True, **OPTIONS)
    assert retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, **OPTIONS).withdrawn["images"] == 2
    assert places_of({*gone, NAME}, lake) == set()


def test_a_study_s_figures_on_test_go_with_one_of_its_pictures(lake) -> None:
    row = lake.read("images", SOURCE).to_pylist()[0]
    traces = erasure.Traces(images=frozenset({row["image_id"]}), touched=frozenset({row["study_id"]}))
    for table in contract_names():
        columns = contract(table).schema.names
        expected = "image_count" in columns
        assert (row["study_id"] in traces.named_in(columns)) == expected
    assert {"predictions", "predictions_out_of_fold", "test_predictions"} == {
        table for table in contract_names() if "image_count" in contract(table).schema.names
    }


def test_what_an_earlier_release_refused_and_left_in_versions_goes_too(delivery, lake) -> None:
    """Its ingest took the rows out and the pictures, and kept every earlier version."""
    gone = of(lake, "2.dcm", "3.dcm")
    ingest_images(delivery, delivery.root, lake, KEYS, **OPTIONS)
    assert places_of({NAME}, lake)
    assert retract.retract(SOURCE, lake)["images"] == 2
    assert places_of({*gone, NAME}, lake) == set()


@pytest.mark.parametrize("step", ["_clean_versions", "_clean_table", "still_named"])
def test_killed_midway_the_next_ingest_finishes(delivery, lake, monkeypatch, step: str) -> None:
    gone = of(lake, "2.dcm", "3.dcm")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(retract if step == "still_named" else erasure, step, stop)
        retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, **OPTIONS)
    assert retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, **OPTIONS).withdrawn["images"] == 2
    assert places_of({*gone, NAME}, lake) == set()


def test_versions_go_also_where_no_image_does(delivery, lake) -> None:
    """The only image whose earlier row names somebody came in again from another file."""
    delivery.put("3.dcm", files.clean_file(3, patient="CC0001"))
    delivery.put("2 again.dcm", files.clean_file(2, patient="CC0000"))
    done = retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, **OPTIONS)
    assert (done.withdrawn["images"], done.withdrawn["versions"] > 0) == (0, True)
    assert lake.packed_dir.exists()
    assert places_of({NAME}, lake) == set()
    assert retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, **OPTIONS).withdrawn == {}


def test_a_file_that_is_mended_meanwhile_keeps_its_image(delivery, lake) -> None:
    """The earlier versions with its name go, the image stays."""
    kept = of(lake, "2.dcm")
    ingest_images(delivery, delivery.root, lake, KEYS, **OPTIONS)
    delivery.put("2 again.dcm", files.clean_file(2, patient="CC0000"))
    assert retract.ingest_and_withdraw(delivery, delivery.root, lake, KEYS, **OPTIONS).withdrawn["images"] == 1
    assert places_of({NAME}, lake) == set()
    assert kept <= of(lake, "2 again.dcm")

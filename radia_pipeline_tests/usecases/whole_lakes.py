"""A small lake that has something of everything: pictures, tables in versions, a model, ledger, readings, a run."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from radia_pipeline.cohort import ledger
from radia_pipeline.cohort.placement import SplitPolicy
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.store import Store
from radia_pipeline.tracking.client import Tracker
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.localisation.lakes import save_model
from radia_pipeline_tests.readings.worlds import unset

SOURCE = "ccsmtl"
KEY = "a key that only tests of a whole lake use"
PATIENTS = 4
TAGS = {"radia.recipe_hash": "abc", "radia.manifest_version": "m1", "radia.vocabulary_version": "1"}


def make_whole_lake(folder: Path) -> Lake:
    """Return the lake ``folder/lake``; its deliveries lie in ``folder/delivery``."""
    lake, keys = Lake.open(folder / "lake"), Pseudonymizer(KEY.encode())
    keys.bind(lake)
    delivery = files.Delivery(folder / "delivery")
    for number in range(2 * PATIENTS):
        delivery.put(f"{number}.dcm", files.clean_file(number + 1, patient=f"CC000{number % PATIENTS}"))
    ingest_images(delivery, delivery.root, lake, keys, ocr="off", workers=1)
    images = lake.read("images", SOURCE).to_pylist()
    rows = [_manifest_row(row, number) for number, row in enumerate(images)]
    for weight in (1.0, 0.5, 1.0):
        lake.write("manifest", [{**row, "weight": weight} for row in rows], SOURCE)
    save_model(lake, "one", "linear", 1)
    with lake.lock("ledger"):
        placed = {
            row["patient_key"]: ledger.Placement(SOURCE, row["patient_key"], row["pool"], row["fold"], "hash")
            for row in rows
        }
        ledger.append(lake, ledger.read_ledger(lake), placed.values(), asdict(SplitPolicy()))
    lake.write("splits", [_placed(row) for row in {row["patient_key"]: row for row in rows}.values()])
    for row in rows[:5]:
        Store(lake).append(unset(source=SOURCE, study_id=row["study_id"]))
    Tracker(lake).start_or_resume("one", TAGS, pid=os.getpid())
    for derived in (lake.packed_dir / "a.u16", lake.previews_dir / "a.png", lake.root / "report.html"):
        derived.parent.mkdir(parents=True, exist_ok=True)
        derived.write_bytes(b"derived")
    return lake


def _manifest_row(row: dict, number: int) -> dict:
    kept = {
        name: row[name] for name in ("source", "image_id", "study_id", "patient_key", "path", "width_px", "height_px")
    }
    patient = number % PATIENTS
    return kept | {
        "group_id": row["patient_key"],
        "view": "PA",
        "Mass": patient % 2,
        "pool": "train",
        "fold": patient % 5,
        "weight": 1.0,
        "boxes": [],
    }


def _placed(row: dict) -> dict:
    kept = {name: row[name] for name in ("source", "patient_key", "group_id", "pool", "fold")}
    return kept | {"reason": "hash", "excluded": None}

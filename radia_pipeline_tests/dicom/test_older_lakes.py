"""A lake whose ``images`` were made under an earlier contract, with a perceptual hash, is read and ingested further."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from radia_pipeline.contracts.tables import contract
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.dicom.journal import Journal, journal_path
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.cohort.lakes import image_row, put_images
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.lake.breaking import publish_as

GONE = "phash"
KEYS = Pseudonymizer(b"0123456789abcdef0123456789abcdef")
COLUMNS = list(contract("images").columns)


def make_older(lake: Lake) -> None:
    """Put the table and the journal of ``ccsmtl`` back to the form in which they held the hash."""
    table = pq.read_table(lake.path("images", "ccsmtl"), partitioning=None)
    place = table.column_names.index("view")
    older = table.add_column(place, GONE, pa.array(["0" * 16] * len(table)))
    publish_as(lake, "images", "ccsmtl", older.replace_schema_metadata(None))
    with Journal(journal_path(lake, "ccsmtl")) as journal:
        lines = list(journal.entries(journal.paths()))
    held = [(json.dumps({**line.columns, GONE: "0" * 16}, sort_keys=True), line.path) for line in lines if line.columns]
    with closing(sqlite3.connect(journal_path(lake, "ccsmtl"))) as journal, journal:
        journal.executemany("update files set row = ? where path = ?", held)


@pytest.fixture
def delivery(tmp_path: Path) -> files.Delivery:
    here = files.Delivery(tmp_path / "delivery")
    for number in (1, 2, 3):
        here.put(f"{number:04d}.dcm", files.clean_file(number))
    return here


def ingest(delivery: files.Delivery, root: Path) -> tuple[Lake, int]:
    lake = Lake.open(root)
    return lake, ingest_images(delivery, delivery.root, lake, KEYS, ocr="off", workers=1).examined


def test_an_older_table_is_read_without_the_column_alone_and_beside_newer_ones(delivery, tmp_path):
    lake, _ = ingest(delivery, tmp_path / "lake")
    before = lake.read("images", "ccsmtl")
    make_older(lake)
    assert GONE in pq.read_schema(lake.path("images", "ccsmtl")).names
    assert lake.read("images", "ccsmtl").equals(before)
    put_images(lake, "nih_cxr14", [image_row("nih_cxr14", "a.png", "p", "s")])
    assert lake.read("images").column_names == COLUMNS
    assert len(lake.read("images")) == 4
    assert lake.write("images", lake.read("images", "ccsmtl"), "ccsmtl").changed


def test_the_next_ingest_looks_at_nothing_again_and_publishes_the_newer_form(delivery, tmp_path):
    fresh, looked_at = ingest(delivery, tmp_path / "fresh")
    assert looked_at == 3
    lake, _ = ingest(delivery, tmp_path / "lake")
    make_older(lake)
    _, looked_at = ingest(delivery, lake.root)
    assert looked_at == 0
    assert pq.read_schema(lake.path("images", "ccsmtl")).names == COLUMNS
    assert lake.version("images", "ccsmtl") == fresh.version("images", "ccsmtl")


def test_pictures_of_an_earlier_release_stay_in_their_folders_and_newer_ones_get_theirs(delivery, tmp_path):
    lake, _ = ingest(delivery, tmp_path / "lake")
    rows = lake.read("images", "ccsmtl").to_pylist()
    for row in rows:
        picture = lake.root / row["path"]
        row["path"] = f"pixels/ccsmtl/{row['image_id'][:2]}/{picture.name}"
        (lake.root / row["path"]).parent.mkdir(exist_ok=True)
        picture.rename(lake.root / row["path"])
        picture.parent.rmdir()
    stood = lake.write("images", rows, "ccsmtl").version
    assert ingest(delivery, lake.root)[1] == 0
    assert lake.version("images", "ccsmtl") == stood
    delivery.put("0002.dcm", files.to_bytes(files.dataset(files.picture(77), number=2)))
    delivery.put("0004.dcm", files.clean_file(4))
    assert ingest(delivery, lake.root)[1] == 2
    lie = {row["delivered_path"][-8:-4]: row for row in lake.read("images", "ccsmtl").to_pylist()}
    assert [len(Path(lie[name]["path"]).parent.name) for name in sorted(lie)] == [2, 2, 2, 3]
    assert lie["0002"]["image_id"] in {row["image_id"] for row in rows}
    assert all((lake.root / row["path"]).is_file() for row in lie.values())
    assert len(list(lake.pixels_dir.rglob("*.png"))) == 4

"""Each file of the real delivery ends where its list of contents says, on every run, and none is lost."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.sources.registry import source
from radia_pipeline.usecases.retract import ingest_and_withdraw

REFUSED = ("must be refused", "cut in", "zero bytes", "web page", "not DICOM")
AGAIN = ("same pixels", "same exposure", "byte-identical")


def wanted(what: str) -> str:
    if any(words in what for words in REFUSED):
        return "quarantine"
    return "duplicates" if any(words in what for words in AGAIN) else "images"


@pytest.mark.slow
def test_each_file_ends_where_the_contents_say(real_root: Path, tmp_path: Path) -> None:
    with (real_root / "ccsmtl" / "CONTENTS.csv").open(encoding="utf-8", newline="") as handle:
        contents = {row["file"]: wanted(row["what"]) for row in csv.DictReader(handle)}
    lake, keys = Lake.open(tmp_path / "lake"), Pseudonymizer(b"k" * 32)
    for _ in range(2):
        done = ingest_and_withdraw(source("ccsmtl"), real_root / "ccsmtl", lake, keys, ocr="off", workers=2)
        assert done.found == done.ingested + done.quarantined + done.duplicates == len(contents)
        ended = {
            Path(row["delivered_path"]).name: table
            for table in ("images", "quarantine", "duplicates")
            for row in lake.read(table, "ccsmtl", columns=["delivered_path"]).to_pylist()
        }
        assert ended == contents
        assert done.withdrawn == {}

"""A public delivery as it really comes, dirty in every known way: each defect is counted, no image vanishes unsaid."""

from __future__ import annotations

import gzip

import cv2
import pytest

from radia_pipeline.cohort.manifest import build_manifest
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.defs.tables import as_metadata
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.labels.build import build_labels
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.sources.registry import source
from radia_pipeline_tests.cohort.lakes import KEYS, new_lake

TABLE = "Data_Entry_2017_v2020.csv"


def soil(root) -> None:
    """Save NIH's table as a French Excel does, gzipped, and harm some rows and files."""
    path = root / TABLE
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    rows = [row.split(",") for row in rows]
    rows[0][4] = "155"  # an age that nobody reaches
    rows[1][1] = "Atéléctasie|Mass"  # a label that nobody knows, not in ASCII
    rows[2][1] = "Infiltrate"  # the spelling of the box file
    rows.append(rows[3][:])  # a row that comes twice
    lost = rows.pop(4)[0]  # a file without a row
    assert (root / "images" / lost).exists()
    (root / "images" / rows[5][0]).unlink()  # a row without a file
    coloured = root / "images" / rows[6][0]
    cv2.imwrite(str(coloured), cv2.cvtColor(cv2.imread(str(coloured), cv2.IMREAD_GRAYSCALE), cv2.COLOR_GRAY2BGRA))
    (root / "images" / rows[7][0]).write_bytes(b"")  # an empty download
    text = "\r\n".join([header.replace(",", ";"), *(";".join(row) for row in rows), ""])
    (root / f"{TABLE}.gz").write_bytes(gzip.compress(text.encode("cp1252")))
    path.unlink()


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dirty")
    write_phantom(folder, seed=4, patients={"nih_cxr14": 14}, size_px=64, workers=1)
    root = folder / "nih_cxr14"
    delivered = len(list((root / "images").iterdir()))
    soil(root)
    lake, nih = new_lake(folder), source("nih_cxr14")
    ingested = ingest_images(nih, root, lake, KEYS, workers=1, ocr="off")
    labels = build_labels(nih, root, lake, KEYS, {})
    build_splits(lake)
    return delivered, ingested, labels, build_manifest("nih_cxr14", lake), lake


def test_every_delivered_file_is_accounted_for(outcome):
    delivered, ingested, _, manifest, lake = outcome
    assert ingested.found == delivered - 1
    assert ingested.found == ingested.ingested + ingested.quarantined + ingested.duplicates
    assert ingested.reasons == {"empty_file": 1, "unknown_to_table": 1}
    assert manifest.images + sum(manifest.left_out.values()) == lake.read("images", "nih_cxr14").num_rows


def test_every_defect_of_the_table_is_counted_and_shown_as_metadata(outcome):
    *_, labels, _, _ = outcome
    assert labels.problems == {
        "read_as_cp1252": 1,
        "impossible_ages": 1,
        "unknown_label_tokens": 1,
        "rows_repeating_an_image": 1,
        "rows_without_file": 1,
        "files_without_row": 1,
    }
    assert as_metadata(labels)["problems"].data == dict(labels.problems)


def test_what_is_sound_in_a_dirty_row_is_kept(outcome):
    *_, lake = outcome
    ages = lake.read("images", "nih_cxr14", columns=["patient_age_years"]).column(0).to_pylist()
    assert ages.count(None) == 1
    found = lake.read("labels", "nih_cxr14").to_pylist()
    positive = {(row["study_id"], row["class"]) for row in found if row["said"] == 1}
    assert {name for _, name in positive} >= {"Mass", "Infiltration"}

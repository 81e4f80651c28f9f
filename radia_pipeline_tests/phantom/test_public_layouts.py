"""The public datasets' layouts: paths, headers and values as their publishers write them."""

from __future__ import annotations

import ast
import csv
import gzip
import io
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
from PIL import Image

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.layouts import chexpert, mimic_cxr, padchest, vindr_cxr
from radia_pipeline.phantom.write import write_phantom
from radia_pipeline.sources import registry
from radia_pipeline.usecases.audit import audit_files

PUBLIC = ("chexpert", "mimic_cxr", "padchest", "vindr_cxr")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("public")
    write_phantom(folder, seed=5, patients=dict.fromkeys(PUBLIC, 13), size_px=64, workers=1)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_headers_are_those_that_the_source_sheets_list(root):
    for source, table in (
        ("mimic_cxr", "mimic-cxr-2.0.0-chexpert.csv"),
        ("mimic_cxr", "mimic-cxr-2.0.0-metadata.csv"),
        ("mimic_cxr", "mimic-cxr-2.0.0-split.csv"),
    ):
        columns = source_sheet(source).columns[table]
        assert list(rows_of(root / source / f"{table}.gz")[0]) == columns
    listed = [c.split(" (")[0] for c in source_sheet("padchest").columns[padchest.TABLE]]
    assert padchest.HEADER[1:] == listed


def test_chexpert_rows_name_their_files_and_hold_four_values(root):
    folder = root / "chexpert"
    rows = rows_of(folder / "train.csv") + rows_of(folder / "valid.csv")
    paths = {row["Path"].removeprefix(f"{chexpert.RELEASE}/") for row in rows}
    assert paths == {str(path.relative_to(folder)) for path in folder.rglob("*.jpg")}
    assert {row[name] for row in rows for name in chexpert.OBSERVATIONS} == {"1.0", "0.0", "-1.0", ""}
    assert all(row["AP/PA"] == "" for row in rows if row["Frontal/Lateral"] == "Lateral")


def test_chexpert_validation_is_read_by_people(root):
    rows = rows_of(root / "chexpert" / "valid.csv")
    assert rows
    assert {row[name] for row in rows for name in chexpert.OBSERVATIONS[:-1]} <= {"1.0", "0.0"}


def test_mimic_tables_join_to_the_files(root):
    folder = root / "mimic_cxr"
    metadata = rows_of(folder / "mimic-cxr-2.0.0-metadata.csv.gz")
    expected = {
        f"files/p{row['subject_id'][:2]}/p{row['subject_id']}/s{row['study_id']}/{row['dicom_id']}.jpg"
        for row in metadata
    }
    assert expected == {str(path.relative_to(folder)) for path in folder.rglob("*.jpg")}
    labelled = {row["study_id"] for row in rows_of(folder / "mimic-cxr-2.0.0-chexpert.csv.gz")}
    assert labelled == {row["study_id"] for row in metadata}
    assert all(re.fullmatch(r"([0-9a-f]{8}-){4}[0-9a-f]{8}", row["dicom_id"]) for row in metadata)
    assert mimic_cxr.HEADERS["split"] == list(rows_of(folder / "mimic-cxr-2.0.0-split.csv.gz")[0])


def test_padchest_images_have_16_bits_and_labels_are_lists(root):
    folder = root / "padchest"
    rows = rows_of(folder / padchest.TABLE)
    for row in rows:
        with Image.open(folder / row["ImageDir"] / row["ImageID"]) as image:
            assert image.mode.startswith("I;16")
            assert int(np.asarray(image).max()) > 255
    known = {*source_sheet("padchest").label_map, *source_sheet("padchest").other_tokens}
    assert {token.strip() for row in rows for token in ast.literal_eval(row["Labels"])} <= known


def test_vindr_training_images_have_three_readers_and_test_images_one_consensus(root):
    folder = root / "vindr_cxr"
    readers = defaultdict(set)
    for row in rows_of(folder / "annotations" / "image_labels_train.csv"):
        readers[row["image_id"]].add(row["rad_id"])
    assert readers and all(len(names) == 3 for names in readers.values())
    assert "rad_id" not in rows_of(folder / "annotations" / "image_labels_test.csv")[0]
    assert {path.stem for path in (folder / "train").iterdir()} == set(readers)


def test_vindr_boxes_lie_inside_and_near_the_truth(root):
    folder = root / "vindr_cxr"
    truth = defaultdict(list)
    for box in pq.read_table(root / "truth" / "boxes.parquet").to_pylist():
        if box["source"] == "vindr_cxr":
            truth[box["native_image_id"], vindr_cxr.NAMES[box["class"]]].append(box)
    drawn = [row for row in rows_of(folder / "annotations" / "annotations_train.csv") if row["x_min"]]
    assert drawn
    for row in drawn:
        corners = [float(row[name]) for name in ("x_min", "y_min", "x_max", "y_max")]
        true = truth[row["image_id"], row["class_name"]]
        assert any(abs(corners[0] - box["x_px"]) <= vindr_cxr.JITTER * box["width_px"] + 0.01 for box in true)
        assert 0 <= corners[0] < corners[2] <= true[0]["image_width_px"]
        assert 0 <= corners[1] < corners[3] <= true[0]["image_height_px"]


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_vindr_headers_hold_what_the_publisher_keeps_and_pass_the_audit(root):
    for path in (root / "vindr_cxr" / "train").iterdir():
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        assert {element.keyword for element in dataset} <= vindr_cxr.KEPT_ELEMENTS
        assert dataset.file_meta.MediaStorageSOPInstanceUID == path.stem
        assert list(audit_files([path], "vindr_cxr", ocr_mode="off")) == [(path, [])]


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_every_published_image_of_every_source_is_ingested(root, tmp_path):
    lake = Lake.open(tmp_path / "lake")
    for name in PUBLIC:
        source = registry.source(name)
        found = ingest_images(
            source, source.locate(root), lake, Pseudonymizer(b"a key for tests"), workers=1, ocr="off"
        )
        assert found.quarantined == 0, (name, found.reasons)
        assert found.ingested + found.duplicates == found.found > 0


def test_truth_covers_every_public_source(root):
    labels = pq.read_table(root / "truth" / "labels.parquet").to_pylist()
    assert {row["source"] for row in labels} == set(PUBLIC)
    hernias = {row["value"] for row in labels if row["source"] == "chexpert" and row["class"] == "Hernia"}
    assert hernias <= {None, 0}

"""Deliveries: published layouts, planned faults, truth that fits the files, whatever the number of workers."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
from PIL import Image
from pydicom.errors import InvalidDicomError

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, UnknownName
from radia_pipeline.phantom.layouts.ccsmtl import INVENTED_IDENTITY
from radia_pipeline.phantom.people import draw_patient
from radia_pipeline.phantom.signs import drawn
from radia_pipeline.phantom.write import write_phantom


def digests(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file()
    }


def sound_files(root: Path) -> dict[Path, pydicom.Dataset]:
    sound = {}
    for path in sorted((root / "ccsmtl" / "dicom").rglob("*.dcm")):
        try:
            dataset = pydicom.dcmread(path)
            _ = dataset.pixel_array
        except (InvalidDicomError, AttributeError, ValueError, EOFError):
            continue
        sound[path] = dataset
    return sound


def test_files_do_not_depend_on_workers_and_do_on_the_seed(tmp_path):
    few = {"ccsmtl": 6, "nih_cxr14": 3}
    for name, workers, seed in (("one", 1, 1), ("two", 2, 1), ("other", 1, 2)):
        write_phantom(tmp_path / name, seed=seed, patients=few, size_px=64, workers=workers)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert digests(tmp_path / "one") != digests(tmp_path / "other")


def test_the_first_patients_may_have_films_as_large_as_a_radiograph_and_change_no_other(tmp_path):
    for name, large in (("small", 0), ("large", 1)):
        write_phantom(tmp_path / name, seed=1, patients={"ccsmtl": 3}, size_px=64, large_patients=large, workers=1)
    small, large = ({k: v for k, v in digests(tmp_path / n).items() if "dicom" in k} for n in ("small", "large"))
    changed = {name for name in small if small[name] != large[name]}
    assert small.keys() == large.keys() and changed
    assert {Path(name).parent.name for name in changed} <= {f"{10 + study:06d}" for study in range(4)}
    for path, dataset in sound_files(tmp_path / "large").items():
        is_first = path.parent.name.startswith("00001")
        assert max(dataset.pixel_array.shape) == (1600 if is_first else 64)


def test_a_patient_does_not_depend_on_the_others():
    assert draw_patient(4, "ccsmtl", 7, 96) == draw_patient(4, "ccsmtl", 7, 96)
    assert draw_patient(4, "ccsmtl", 7, 96) != draw_patient(4, "ccsmtl", 8, 96)


def test_headers_are_as_published(phantom):
    header = (phantom.root / "nih_cxr14" / "Data_Entry_2017_v2020.csv").read_text().splitlines()[0]
    assert header == (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
    )
    boxes = (phantom.root / "nih_cxr14" / "BBox_List_2017.csv").read_text().splitlines()
    assert boxes[0] == "Image Index,Finding Label,Bbox [x,y,w,h],,,"
    reports = (phantom.root / "ccsmtl" / "reports.csv").read_text().splitlines()
    assert reports[0] == "study_instance_uid,patient_id,report"


@pytest.mark.parametrize("table", ["Data_Entry_2017_v2020.csv", "BBox_List_2017.csv"])
def test_headers_equal_the_real_ones(phantom, real_root, table):
    written, real = ((root / "nih_cxr14" / table).read_text().splitlines()[0] for root in (phantom.root, real_root))
    assert written == real


def test_nih_rows_and_files_are_the_same_set(phantom):
    folder = phantom.root / "nih_cxr14"
    with (folder / "Data_Entry_2017_v2020.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    assert {row[0] for row in rows} == {path.name for path in (folder / "images").iterdir()}
    for row in rows:
        with Image.open(folder / "images" / row[0]) as image:
            assert image.mode == "L" and image.size == (96, 96)


def test_published_boxes_lie_in_the_1024_frame_and_name_eight_classes(phantom):
    with (phantom.root / "nih_cxr14" / "BBox_List_2017.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    assert rows
    accepted = {"Atelectasis", "Cardiomegaly", "Effusion", "Infiltrate", "Mass", "Nodule", "Pneumonia", "Pneumothorax"}
    for row in rows:
        x, y, width, height = map(float, row[2:6])
        assert row[1] in accepted and x >= 0 and x + width <= 1024.01 and y >= 0 and y + height <= 1024.01


def test_truth_boxes_lie_inside_their_images(phantom):
    rows = pq.read_table(phantom.root / "truth" / "boxes.parquet").to_pylist()
    assert {row["source"] for row in rows} == {"ccsmtl", "nih_cxr14"}
    for row in rows:
        assert row["class"] in vocabulary().pathologies
        assert row["x_px"] >= 0 and row["x_px"] + row["width_px"] <= row["image_width_px"]
        assert row["y_px"] >= 0 and row["y_px"] + row["height_px"] <= row["image_height_px"]


def test_truth_names_images_and_studies_that_were_delivered(phantom):
    sound = sound_files(phantom.root)
    images = {str(d.SOPInstanceUID) for d in sound.values()}
    studies = {str(d.StudyInstanceUID) for d in sound.values()}
    boxes = pq.read_table(phantom.root / "truth" / "boxes.parquet").to_pylist()
    labels = pq.read_table(phantom.root / "truth" / "labels.parquet").to_pylist()
    assert {row["native_image_id"] for row in boxes if row["source"] == "ccsmtl"} <= images
    assert {row["native_study_id"] for row in labels if row["source"] == "ccsmtl"} == studies
    assert Counter(row["native_study_id"] for row in labels).most_common()[-1][1] == len(vocabulary().classes)


def test_truth_is_closed_upwards(phantom):
    words = vocabulary()
    by_study: dict[str, dict] = {}
    for row in pq.read_table(phantom.root / "truth" / "labels.parquet").to_pylist():
        by_study.setdefault(row["native_study_id"], {})[row["class"]] = row
    for cells in by_study.values():
        for name, cell in cells.items():
            for parent in words.ancestors(name):
                if cell["value"] == 1:
                    assert cells[parent]["value"] == 1
                assert cells[parent]["drawn"] >= cell["drawn"]


def test_drawn_boxes_and_drawn_labels_agree(phantom):
    """A study has a box of a pathology on a frontal film exactly when that pathology is drawn."""
    sound = {str(d.SOPInstanceUID): str(d.StudyInstanceUID) for d in sound_files(phantom.root).values()}
    boxed = set()
    for row in pq.read_table(phantom.root / "truth" / "boxes.parquet").to_pylist():
        study = sound.get(row["native_image_id"], row["native_image_id"].removesuffix(".png"))
        boxed.add((study, row["class"]))
    labels = pq.read_table(phantom.root / "truth" / "labels.parquet").to_pylist()
    drawn = {
        (r["native_study_id"], r["class"]) for r in labels if r["drawn"] == 1 and r["class"] in vocabulary().pathologies
    }
    assert boxed == drawn


def test_the_delivery_has_each_fault_once_at_least(phantom):
    counts = phantom.counts["ccsmtl"]
    files = [path for path in (phantom.root / "ccsmtl" / "dicom").rglob("*") if path.is_file()]
    assert counts["files"] == len(files)
    assert counts["repeated_bytes"] >= 1 and counts["repeated_pixels"] >= 2
    sound = sound_files(phantom.root)
    identities = [d for d in sound.values() if str(d.PatientName) == INVENTED_IDENTITY["PatientName"]]
    assert len(identities) >= 1
    assert len(files) - len(sound) + len(identities) == counts["refused"]


def test_headers_are_deidentified_and_uids_valid(phantom):
    for dataset in sound_files(phantom.root).values():
        if str(dataset.PatientName) == INVENTED_IDENTITY["PatientName"]:
            continue
        assert dataset.PatientIdentityRemoved == "YES"
        assert str(dataset.PatientName) == dataset.PatientID
        assert "PatientBirthDate" not in dataset
        for uid in (dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID):
            assert uid.is_valid and str(uid).startswith(("2.25.", "1.2.826.0.1.3680043.8.498."))


def test_several_transfer_syntaxes_and_both_photometric_interpretations_are_used(phantom):
    sound = sound_files(phantom.root).values()
    assert len({str(d.file_meta.TransferSyntaxUID) for d in sound}) >= 5
    assert {d.PhotometricInterpretation for d in sound} == {"MONOCHROME1", "MONOCHROME2"}


def test_an_image_stands_in_both_sources_and_one_under_two_patients(phantom):
    def key(values: np.ndarray) -> bytes:
        return values.astype("<i4").tobytes()

    nih = {key(np.asarray(Image.open(p))) for p in (phantom.root / "nih_cxr14" / "images").iterdir()}
    owners: dict[bytes, set[str]] = {}
    for dataset in sound_files(phantom.root).values():
        owners.setdefault(key(dataset.pixel_array), set()).add(str(dataset.PatientID))
    assert nih & set(owners)
    assert any(len(patients) == 2 for patients in owners.values())


def test_a_quarter_is_normal_and_no_class_is_rare():
    studies = [s for n in range(1, 601) for s in draw_patient(0, "ccsmtl", n, 96).studies]
    counts = Counter(name for study in studies for name in study.pathologies)
    assert 0.18 < sum(not s.pathologies for s in studies) / len(studies) < 0.33
    for name in drawn():
        assert counts[name] / len(studies) > 0.05


def test_pathologies_are_correlated():
    studies = [s.pathologies for n in range(1, 601) for s in draw_patient(0, "ccsmtl", n, 96).studies]
    sick = [s for s in studies if s]
    with_heart = [s for s in sick if "Cardiomegaly" in s]
    without = [s for s in sick if "Cardiomegaly" not in s]
    share = [sum("Edema" in s for s in group) / len(group) for group in (with_heart, without)]
    assert share[0] > 2 * share[1]


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(UnknownName, match="Accepted"):
        write_phantom(tmp_path, patients={"nowhere": 1})
    with pytest.raises(BadInput):
        write_phantom(tmp_path, patients={"ccsmtl": 1}, size_px=16)
    assert not any(tmp_path.iterdir())

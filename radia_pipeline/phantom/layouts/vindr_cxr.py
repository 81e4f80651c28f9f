"""VinDr-CXR as on PhysioNet: ``train|test/<image_id>.dicom`` and the readers' labels and boxes in ``annotations/``.

A training image is read by three of the dataset's readers,
who do not always agree; a test image has one consensus. Nothing
names patients, so a person gives one image.
"""

from __future__ import annotations

import hashlib
import warnings
from io import BytesIO

import numpy as np
from pydicom import dcmread
from pydicom.uid import UID

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.dicom_files import (
    DEVICES,
    EXPLICIT,
    JPEG_2000,
    Encoding,
    Header,
    dicom_bytes,
    phantom_uid,
    stored_values,
)
from radia_pipeline.phantom.layouts.batch import Batch, Order
from radia_pipeline.phantom.layouts.files import save, write_csv
from radia_pipeline.phantom.people import Patient, draw_patient
from radia_pipeline.phantom.radiograph import Radiograph, take
from radia_pipeline.phantom.truth import box_rows, label_rows

SOURCE = "vindr_cxr"
LABELS = [
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation",
    "Edema", "Emphysema",
    "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst", "Mediastinal shift",
    "Nodule/Mass",
    "Pleural effusion", "Pleural thickening", "Pneumothorax", "Pulmonary fibrosis", "Rib fracture", "Other lesion",
    "COPD",
    "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases", "No finding",
]  # fmt: skip
GLOBAL = ("COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases", "No finding")
"""Labels of the whole image: no boxes."""
NAMES = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
    "Emphysema": "Emphysema",
    "Infiltration": "Infiltration",
    "Nodule": "Nodule/Mass",
    "Mass": "Nodule/Mass",
    "Pleural Effusion": "Pleural effusion",
    "Pleural Other": "Pleural thickening",
    "Pneumothorax": "Pneumothorax",
    "Fracture": "Rib fracture",
    "Pneumonia": "Pneumonia",
    "Hernia": "Other diseases",
}
READERS = tuple(f"R{number}" for number in range(1, 18))
OVERLOOKED = 0.08
"""Chance that one reader misses one finding."""
JITTER = 0.05
"""How far readers' corners lie apart, as a share of the box."""
EVERY_NTH_IS_TEST = 6
KEPT_ELEMENTS = frozenset({
    "PatientSex", "PatientAge", "PatientSize", "PatientWeight", "SamplesPerPixel", "PhotometricInterpretation",
    "NumberOfFrames", "Rows", "Columns", "PixelSpacing", "PixelAspectRatio", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "SmallestImagePixelValue", "LargestImagePixelValue", "WindowCenter", "WindowWidth",
    "RescaleIntercept", "RescaleSlope", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod", "PixelData",
})  # fmt: skip
"""The publisher's de-identification/tags.csv (see data_contracts/sources/vindr_cxr_deid.yaml)."""


def write_patient(order: Order, number: int) -> Batch:
    """Write one image and the rows of its readers."""
    patient, batch = draw_patient(order.seed, SOURCE, number, order.size_px), Batch()
    rng = generator(order.seed, SOURCE, number, "readers")
    study, image = patient.studies[0], patient.studies[0].images[0]
    image_id = hashlib.md5(f"{order.seed}|{number}".encode(), usedforsecurity=False).hexdigest()
    pool = "test" if number % EVERY_NTH_IS_TEST == 0 else "train"
    radiograph = take(image.film)
    content = published(_dicom(order, patient, radiograph, rng), image_id)
    save(order.root / SOURCE / pool / f"{image_id}.dicom", content)
    readers = [""] if pool == "test" else sorted(rng.choice(READERS, 3, replace=False))
    seen_by = {reader: _seen(study.pathologies, rng, is_consensus=not reader) for reader in readers}
    for reader, seen in seen_by.items():
        who = [str(reader)] if reader else []
        tokens = {NAMES[name] for name in seen} or {"No finding"}
        batch.add(f"image_labels_{pool}", [image_id, *who, *(int(label in tokens) for label in LABELS)])
        for token, corners in _drawn_boxes(radiograph, seen, rng):
            batch.add(f"annotations_{pool}", [image_id, *who, token, *corners])
        if tokens == {"No finding"}:
            batch.add(f"annotations_{pool}", [image_id, *who, "No finding", "", "", "", ""])
    batch.boxes += box_rows(SOURCE, image_id, radiograph.boxes, radiograph.grey.shape, image.film.view)
    batch.labels += label_rows(SOURCE, image_id, _agreed(list(seen_by.values())), study.pathologies)
    batch.count("images")
    batch.count("studies")
    return batch


def _dicom(order: Order, patient: Patient, radiograph: Radiograph, rng: np.random.Generator) -> bytes:
    encoding = Encoding(str(JPEG_2000 if rng.random() < 0.2 else EXPLICIT), bool(rng.random() < 0.2), 12)
    uids = (phantom_uid(order.seed, SOURCE, patient.number, part) for part in ("study", "series", "image"))
    of_study, of_series, of_image = uids
    header = Header(
        "",
        of_study,
        of_series,
        of_image,
        "F" if patient.is_female else "M",
        patient.age_years,
        "",
        None,
        DEVICES[0],
        0.139,
    )
    return dicom_bytes(stored_values(radiograph.grey, encoding), header, encoding)


def published(content: bytes, image_id: str) -> bytes:
    """Return a file as the publisher's script leaves it: 25 elements, and the image's name for its instance UID."""
    dataset = dcmread(BytesIO(content))
    dataset.PixelSpacing = dataset.ImagerPixelSpacing
    for element in [element.tag for element in dataset if element.keyword not in KEPT_ELEMENTS]:
        del dataset[element]
    dataset.file_meta.ImplementationClassUID = UID("1.2.3.4")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the published value is no valid UID
        dataset.file_meta.MediaStorageSOPInstanceUID = UID(image_id)
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue()


def _seen(pathologies: frozenset[str], rng: np.random.Generator, *, is_consensus: bool) -> frozenset[str]:
    return frozenset(name for name in sorted(pathologies) if is_consensus or rng.random() >= OVERLOOKED)


def _drawn_boxes(radiograph: Radiograph, seen: frozenset[str], rng: np.random.Generator) -> list[tuple[str, list]]:
    """Return a reader's boxes as (label, [x_min, y_min, x_max, y_max]) in pixels of the image."""
    height, width = radiograph.grey.shape
    rows = []
    for name, (x, y, w, h) in radiograph.boxes:
        if name not in seen or NAMES[name] in GLOBAL:
            continue
        left, right = x + w * rng.uniform(-JITTER, JITTER), x + w * (1 + rng.uniform(-JITTER, JITTER))
        top, bottom = y + h * rng.uniform(-JITTER, JITTER), y + h * (1 + rng.uniform(-JITTER, JITTER))
        corners = [max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom)]
        rows.append((NAMES[name], [round(float(value), 2) for value in corners]))
    return rows


def _agreed(seen: list[frozenset[str]]) -> dict[str, int]:
    """Return the values that the readers come to: half of them or more 1, fewer −1, none 0."""
    votes = dict.fromkeys(source_sheet(SOURCE).labels, 0)
    for reading in seen:
        for name in {"Lung Lesion" if name in ("Nodule", "Mass") else name for name in reading}:
            if name in votes:
                votes[name] += 1
        votes["No Finding"] += not reading
    return {name: 0 if not count else (1 if 2 * count >= len(seen) else -1) for name, count in votes.items()}


def begin(order: Order) -> None:
    """Make the folders."""
    for pool in ("train", "test"):
        (order.root / SOURCE / pool).mkdir(parents=True, exist_ok=True)


def finish(order: Order, batch: Batch) -> None:
    """Write labels and boxes of both pools."""
    for pool, who in (("train", ["rad_id"]), ("test", [])):
        headers = {
            "image_labels": ["image_id", *who, *LABELS],
            "annotations": ["image_id", *who, "class_name", "x_min", "y_min", "x_max", "y_max"],
        }
        for table, header in headers.items():
            rows = batch.tables.get(f"{table}_{pool}", [])
            write_csv(order.root / SOURCE / "annotations" / f"{table}_{pool}.csv", header, rows)

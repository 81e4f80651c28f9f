"""MIMIC-CXR-JPG 2.0.0: ``files/p10/p…/s…/<dicom_id>.jpg`` and three gzipped tables."""

from __future__ import annotations

import hashlib

from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.layouts.batch import Batch, Order
from radia_pipeline.phantom.layouts.files import jpeg_bytes, save, write_csv
from radia_pipeline.phantom.layouts.value_labels import cells, said_by_labeler
from radia_pipeline.phantom.people import draw_patient
from radia_pipeline.phantom.radiograph import take
from radia_pipeline.phantom.truth import box_rows, label_rows

SOURCE = "mimic_cxr"
OBSERVATIONS = [
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
]
HEADERS = {
    "chexpert": ["subject_id", "study_id", *OBSERVATIONS],
    "metadata": [
        "dicom_id",
        "subject_id",
        "study_id",
        "PerformedProcedureStepDescription",
        "ViewPosition",
        "Rows",
        "Columns",
        "StudyDate",
        "StudyTime",
        "ProcedureCodeSequence_CodeMeaning",
        "ViewCodeSequence_CodeMeaning",
        "PatientOrientationCodeSequence_CodeMeaning",
    ],
    "split": ["dicom_id", "study_id", "subject_id", "split"],
}
VIEW_MEANINGS = {"PA": "postero-anterior", "AP": "antero-posterior", "LATERAL": "lateral"}
FIRST_SUBJECT, FIRST_STUDY = 10_000_000, 50_000_000


def dicom_id(*parts: object) -> str:
    """Return an identifier of the published form: five groups of eight hexadecimal digits."""
    digits = hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()
    return "-".join(digits[i : i + 8] for i in range(0, 40, 8))


def write_patient(order: Order, number: int) -> Batch:
    """Write one patient's images and return its rows."""
    patient, batch = draw_patient(order.seed, SOURCE, number, order.size_px), Batch()
    subject = FIRST_SUBJECT + 37 * number
    pool = "test" if number % 40 == 7 else "validate" if number % 40 == 17 else "train"
    for study in patient.studies:
        rng = generator(order.seed, SOURCE, number, "table", study.number)
        said = said_by_labeler(SOURCE, study, rng)
        study_number = FIRST_STUDY + 131 * number + study.number
        batch.add("chexpert", [subject, study_number, *cells(OBSERVATIONS, said, rng)])
        for image in study.images:
            name, radiograph = dicom_id(order.seed, subject, study_number, image.number), take(image.film)
            folder = order.root / SOURCE / "files" / f"p{str(subject)[:2]}" / f"p{subject}" / f"s{study_number}"
            save(folder / f"{name}.jpg", jpeg_bytes(radiograph.grey))
            height, width = radiograph.grey.shape
            view = image.film.view
            batch.add(
                "metadata",
                [
                    name,
                    subject,
                    study_number,
                    "CHEST (PA AND LAT)" if view != "AP" else "CHEST (PORTABLE AP)",
                    view,
                    height,
                    width,
                    21800101 + study.days,
                    "120000.000",
                    "",
                    VIEW_MEANINGS[view],
                    "Erect",
                ],
            )
            batch.add("split", [name, study_number, subject, pool])
            batch.boxes += box_rows(SOURCE, name, radiograph.boxes, radiograph.grey.shape, view)
            batch.count("images")
        batch.labels += label_rows(SOURCE, f"s{study_number}", said, study.pathologies)
        batch.count("studies")
    return batch


def begin(order: Order) -> None:
    """Make the folder."""
    (order.root / SOURCE / "files").mkdir(parents=True, exist_ok=True)


def finish(order: Order, batch: Batch) -> None:
    """Write the three tables."""
    for table, header in HEADERS.items():
        write_csv(order.root / SOURCE / f"mimic-cxr-2.0.0-{table}.csv.gz", header, batch.tables.get(table, []))

"""CheXpert v1.0-small: ``train.csv``, ``valid.csv`` and ``train|valid/patient…/study…/view…_frontal|lateral.jpg``."""

from __future__ import annotations

from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.layouts.batch import Batch, Order
from radia_pipeline.phantom.layouts.files import jpeg_bytes, save, write_csv
from radia_pipeline.phantom.layouts.value_labels import cells, said_by_labeler
from radia_pipeline.phantom.people import draw_patient
from radia_pipeline.phantom.radiograph import take
from radia_pipeline.phantom.truth import box_rows, label_rows

SOURCE = "chexpert"
RELEASE = "CheXpert-v1.0-small"
OBSERVATIONS = [
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
]
HEADER = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *OBSERVATIONS]
EVERY_NTH_IS_VALID = 12
FIRST_VALID_PATIENT = 64540
"""The published validation patients follow the training patients' numbers."""


def write_patient(order: Order, number: int) -> Batch:
    """Write one patient's images and return its rows; a twelfth is the validation set, read by people."""
    patient, batch = draw_patient(order.seed, SOURCE, number, order.size_px), Batch()
    is_valid = number % EVERY_NTH_IS_VALID == 0
    pool, name = ("valid", f"patient{FIRST_VALID_PATIENT + number}") if is_valid else ("train", f"patient{number:05d}")
    for study in patient.studies:
        rng = generator(order.seed, SOURCE, number, "table", study.number)
        said = said_by_labeler(SOURCE, study, rng, is_read_by_people=is_valid)
        values = cells(OBSERVATIONS, said, rng)
        study_id = f"{name}/study{study.number + 1}"
        for image in study.images:
            is_lateral = image.film.view == "LATERAL"
            image_id = f"{study_id}/view{image.number + 1}_{'lateral' if is_lateral else 'frontal'}.jpg"
            radiograph = take(image.film)
            save(order.root / SOURCE / pool / image_id, jpeg_bytes(radiograph.grey))
            batch.add(
                pool,
                [
                    f"{RELEASE}/{pool}/{image_id}",
                    "Female" if patient.is_female else "Male",
                    patient.age_years,
                    "Lateral" if is_lateral else "Frontal",
                    "" if is_lateral else image.film.view,
                    *values,
                ],
            )
            batch.boxes += box_rows(SOURCE, image_id, radiograph.boxes, radiograph.grey.shape, image.film.view)
            batch.count("images")
        batch.labels += label_rows(SOURCE, study_id, said, study.pathologies)
        batch.count("studies")
    return batch


def begin(order: Order) -> None:
    """Make the folder."""
    (order.root / SOURCE).mkdir(parents=True, exist_ok=True)


def finish(order: Order, batch: Batch) -> None:
    """Write both tables."""
    for pool in ("train", "valid"):
        write_csv(order.root / SOURCE / f"{pool}.csv", HEADER, batch.tables.get(pool, []))

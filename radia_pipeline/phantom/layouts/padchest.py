"""PadChest: 16-bit PNG in numbered folders and one wide table whose labels are a Python list as text."""

from __future__ import annotations

import hashlib

import numpy as np

from radia_pipeline.contracts.label_values import no_finding
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.layouts.batch import Batch, Order
from radia_pipeline.phantom.layouts.files import png_bytes, save, write_csv
from radia_pipeline.phantom.people import Patient, Study, draw_patient
from radia_pipeline.phantom.radiograph import take
from radia_pipeline.phantom.sentences import pick
from radia_pipeline.phantom.truth import box_rows, label_rows

SOURCE = "padchest"
TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
HEADER = [
    "", "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth", "PatientSex_DICOM",
    "ViewPosition_DICOM",
    "Projection", "MethodProjection", "Pediatric", "Modality_DICOM", "Manufacturer_DICOM",
    "PhotometricInterpretation_DICOM",
    "PixelRepresentation_DICOM", "PixelAspectRatio_DICOM", "SpatialResolution_DICOM", "BitsStored_DICOM",
    "WindowCenter_DICOM",
    "WindowWidth_DICOM", "Rows_DICOM", "Columns_DICOM", "XRayTubeCurrent_DICOM", "Exposure_DICOM",
    "ExposureInuAs_DICOM",
    "ExposureTime", "RelativeXRayExposure_DICOM", "ReportID", "Report", "MethodLabel", "Labels", "Localizations",
    "LabelsLocalizationsBySentence", "labelCUIS", "LocalizationsCUIS",
]  # fmt: skip
TOKENS = {
    "Cardiomegaly": ("cardiomegaly",),
    "Emphysema": ("emphysema", "COPD signs", "hyperinflated lung", "bullas"),
    "Pneumothorax": ("pneumothorax",),
    "Pleural Effusion": ("pleural effusion", "loculated pleural effusion"),
    "Edema": ("pulmonary edema", "kerley lines", "vascular redistribution", "heart insufficiency"),
    "Atelectasis": ("atelectasis", "laminar atelectasis", "lobar atelectasis", "volume loss"),
    "Consolidation": ("consolidation",),
    "Pneumonia": ("pneumonia", "atypical pneumonia"),
    "Infiltration": ("infiltrates", "interstitial pattern", "reticular interstitial pattern"),
    "Nodule": ("nodule", "multiple nodules"),
    "Mass": ("pulmonary mass",),
    "Pleural Other": ("pleural thickening", "calcified pleural thickening", "pleural plaques"),
    "Fracture": ("rib fracture", "callus rib fracture"),
    "Hernia": ("hiatal hernia",),
}
LOOKALIKES = (
    "pseudonodule",
    "subcutaneous emphysema",
    "pericardial effusion",
    "mediastinal mass",
    "scoliosis",
    "aortic elongation",
)
"""Published tokens that name no class, though some contain one's name."""
PROJECTIONS = {"PA": "PA", "AP": "AP_horizontal", "LATERAL": "L"}
BITS = 12


def tokens_of(study: Study, rng: np.random.Generator) -> list[str]:
    """Return the study's label tokens as the table spells them (some with a blank too many, as published)."""
    tokens = [pick(rng, TOKENS[name]) for name in sorted(study.pathologies)] or ["normal"]
    if study.pathologies and rng.random() < 0.2:
        tokens.append(pick(rng, LOOKALIKES))
    return [" " + token if rng.random() < 0.03 else token for token in tokens]


def _digits(*parts: object) -> str:
    return str(int(hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest(), 16))[:38]


def write_patient(order: Order, number: int) -> Batch:
    """Write one patient's images and return its rows."""
    patient, batch = draw_patient(order.seed, SOURCE, number, order.size_px), Batch()
    folder = str(number % 4)
    for study in patient.studies:
        rng = generator(order.seed, SOURCE, number, "table", study.number)
        tokens, study_id = tokens_of(study, rng), _digits(order.seed, number, study.number)
        of_study = _of_study(patient, study, study_id) | {"ImageDir": folder, "Labels": str(tokens)}
        for image in study.images:
            name = f"{study_id}_{_digits(study_id, image.number)[:6]}.png"
            radiograph = take(image.film)
            pixels = np.round(radiograph.grey * np.float32((1 << BITS) - 1)).astype(np.uint16)
            save(order.root / SOURCE / folder / name, png_bytes(pixels))
            known = of_study | _of_image(name, image.film.view, pixels.shape)
            batch.add("rows", [known.get(column, "") for column in HEADER])
            batch.boxes += box_rows(SOURCE, name, radiograph.boxes, pixels.shape, image.film.view)
            batch.count("images")
        said = {name: int(name in study.pathologies) for name in source_sheet(SOURCE).labels}
        said["No Finding"] = no_finding(bool(study.pathologies), is_clear=True) or 0
        batch.labels += label_rows(SOURCE, study_id, said, study.pathologies)
        batch.count("studies")
    return batch


def _of_study(patient: Patient, study: Study, study_id: str) -> dict[str, object]:
    date = np.datetime64("2014-01-01") + study.days
    return {
        "StudyDate_DICOM": str(date).replace("-", ""),
        "StudyID": study_id,
        "PatientID": _digits("patient", patient.number),
        "PatientBirth": f"{2014 - patient.age_years}.0",
        "PatientSex_DICOM": "F" if patient.is_female else "M",
        "MethodProjection": "Manual review of DICOM fields",
        "Pediatric": "No",
        "Modality_DICOM": "CR",
        "Manufacturer_DICOM": "ImagingDynamicsCompanyLtd",
        "PhotometricInterpretation_DICOM": "MONOCHROME2",
        "PixelRepresentation_DICOM": "0",
        "BitsStored_DICOM": str(BITS),
        "WindowCenter_DICOM": "2048.0",
        "WindowWidth_DICOM": "4096.0",
        "ReportID": study_id[:7],
        "MethodLabel": "Physician",
    }


def _of_image(name: str, view: str, shape: tuple[int, ...]) -> dict[str, object]:
    return {
        "ImageID": name,
        "ViewPosition_DICOM": "LATERAL" if view == "LATERAL" else "POSTEROANTERIOR",
        "Projection": PROJECTIONS[view],
        "Rows_DICOM": shape[0],
        "Columns_DICOM": shape[1],
    }


def begin(order: Order) -> None:
    """Make the folder."""
    (order.root / SOURCE).mkdir(parents=True, exist_ok=True)


def finish(order: Order, batch: Batch) -> None:
    """Write the table; its first column counts the rows, as published."""
    rows = [[index, *row[1:]] for index, row in enumerate(batch.tables.get("rows", []))]
    write_csv(order.root / SOURCE / TABLE, HEADER, rows)

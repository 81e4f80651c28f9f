"""NIH ChestX-ray14: ``Data_Entry_2017_v2020.csv``, ``BBox_List_2017.csv`` and 8-bit ``images/*.png``.

As published, boxes are in the frame of the 1024 × 1024 image, whatever the size of the copy at hand,
cover eight classes
and a share of the images; the table's sizes are those of the film.
"""

from __future__ import annotations

from radia_pipeline.contracts.label_values import no_finding
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.layouts.batch import Batch, Order
from radia_pipeline.phantom.layouts.files import eight_bit, png_bytes, write_csv
from radia_pipeline.phantom.people import Patient, Study, draw_patient
from radia_pipeline.phantom.radiograph import Radiograph, take
from radia_pipeline.phantom.truth import box_rows, label_rows

SOURCE = "nih_cxr14"
PUBLISHED_SIDE_PX = 1024
ENTRY_HEADER = [
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
    "OriginalImage[Width",
    "Height]",
    "OriginalImagePixelSpacing[x",
    "y]",
]
BOX_HEADER = ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]", "", "", ""]
TOKENS = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Consolidation": "Consolidation",
    "Edema": "Edema",
    "Pleural Effusion": "Effusion",
    "Emphysema": "Emphysema",
    "Hernia": "Hernia",
    "Infiltration": "Infiltration",
    "Mass": "Mass",
    "Nodule": "Nodule",
    "Pleural Other": "Pleural_Thickening",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
}
BOXED = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Pleural Effusion": "Effusion",
    "Infiltration": "Infiltrate",
    "Mass": "Mass",
    "Nodule": "Nodule",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
}
BOXED_SHARE = 0.3
FILMS = ((2500, 2048, 0.168), (2992, 2991, 0.143), (2048, 2500, 0.171), (3056, 2544, 0.139))


def image_name(patient: Patient, study: Study) -> str:
    """Return the published file name: patient and follow-up number."""
    return f"{patient.number:08d}_{study.number:03d}.png"


def write_patient(order: Order, number: int) -> Batch:
    """Write one patient's images and return its rows."""
    patient, batch = draw_patient(order.seed, SOURCE, number, order.size_px), Batch()
    folder = order.root / SOURCE / "images"
    for study in patient.studies:
        name, film = image_name(patient, study), study.images[0].film
        rng = generator(order.seed, SOURCE, number, "table", study.number)
        radiograph = take(film)
        pixels = eight_bit(radiograph.grey)
        (folder / name).write_bytes(png_bytes(pixels))
        tokens = "|".join(sorted(TOKENS[c] for c in study.pathologies if c in TOKENS)) or "No Finding"
        width, height, spacing = FILMS[int(rng.integers(len(FILMS)))]
        batch.add(
            "entries",
            [
                name,
                tokens,
                study.number,
                number,
                patient.age_years,
                "F" if patient.is_female else "M",
                film.view,
                width,
                height,
                spacing,
                spacing,
            ],
        )
        if rng.random() < BOXED_SHARE:
            _add_published_boxes(batch, name, radiograph)
        batch.boxes += box_rows(SOURCE, name, radiograph.boxes, pixels.shape, film.view)
        batch.labels += label_rows(SOURCE, name[:-4], said_by_table(study), study.pathologies)
        batch.count("images")
        batch.count("studies")
    return batch


def said_by_table(study: Study) -> dict[str, int]:
    """Return what the label table says: absent is 0 in every class that it labels."""
    said = {name: int(name in study.pathologies) for name in TOKENS}
    return said | {"No Finding": no_finding(any(said.values()), is_clear=True) or 0}


def _add_published_boxes(batch: Batch, name: str, radiograph: Radiograph) -> None:
    scale = PUBLISHED_SIDE_PX / max(radiograph.grey.shape)
    for finding, box in radiograph.boxes:
        if finding in BOXED:
            batch.add("boxes", [name, BOXED[finding], *(round(value * scale, 4) for value in box)])


def begin(order: Order) -> None:
    """Make the folders."""
    (order.root / SOURCE / "images").mkdir(parents=True, exist_ok=True)


def finish(order: Order, batch: Batch) -> None:
    """Write the two tables."""
    write_csv(order.root / SOURCE / "Data_Entry_2017_v2020.csv", ENTRY_HEADER, batch.tables.get("entries", []))
    write_csv(order.root / SOURCE / "BBox_List_2017.csv", BOX_HEADER, batch.tables.get("boxes", []))

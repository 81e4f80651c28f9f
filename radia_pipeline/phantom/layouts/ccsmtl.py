"""The hospital's delivery: ``dicom/<lot>/…`` and ``reports.csv``, with the faults that deliveries have.

Faults are few, planned from the seed, and each is told apart in the counts: copies of files, the same pixels again, one
image under two patients, images that also stand in NIH's dataset, files that cannot be read, an (invented) identity.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.dicom_files import (
    DEVICES,
    EXPLICIT,
    IMPLICIT,
    RLE,
    Encoding,
    Header,
    dicom_bytes,
    draw_encoding,
    phantom_uid,
    stored_values,
)
from radia_pipeline.phantom.layouts import nih_cxr14
from radia_pipeline.phantom.layouts.batch import Batch, Order
from radia_pipeline.phantom.layouts.files import eight_bit, write_csv
from radia_pipeline.phantom.people import Image, Patient, Study, draw_patient
from radia_pipeline.phantom.radiograph import take
from radia_pipeline.phantom.reports import Report, combined, write_report
from radia_pipeline.phantom.truth import box_rows, label_rows

SOURCE = "ccsmtl"
PATIENTS_PER_LOT = 100
WITHOUT_VIEW = 0.05
WITHOUT_REPORT = 0.01
ADDENDUM = 0.006
FAULTS = {
    "byte_copy": 4,
    "same_pixels": 4,
    "second_identity": 4,
    "also_in_nih": 6,
    "truncated": 2,
    "empty": 1,
    "web_page": 1,
    "identity_in_header": 2,
}
"""How many of each fault 900 patients bring; a smaller delivery has at least one of each as far as patients reach."""
INVENTED_IDENTITY = {
    "PatientName": "INVENTEE^PATIENTE",
    "PatientBirthDate": "19010203",
    "OtherPatientIDs": "FICT01020399",
}
WEB_PAGE = b"<!DOCTYPE html><html><head><title>404</title></head><body>Page introuvable</body></html>\n"


def planned_faults(order: Order) -> dict[int, str]:
    """Return which patient's delivery has which fault; each patient has one at most."""
    count = order.patients.get(SOURCE, 0)
    numbers = list(generator(order.seed, SOURCE, "faults").permutation(np.arange(1, count + 1)))
    plan: dict[int, str] = {}
    for fault, per_900 in FAULTS.items():
        if fault == "also_in_nih" and not order.patients.get(nih_cxr14.SOURCE):
            continue
        for _ in range(max(1, round(per_900 * count / 900))):
            # A fifth of the patients at most, so that even the smallest phantom is mostly sound.
            if numbers and len(plan) < max(1, count // 5):
                plan[int(numbers.pop())] = fault
    return plan


@dataclass(frozen=True)
class Delivery:
    """One patient's place in the delivery."""

    order: Order
    patient: Patient
    fault: str | None

    @property
    def patient_id(self) -> str:
        """The hospital's pseudonym."""
        return f"CC{self.patient.number:04d}"

    def uid(self, *parts: object) -> str:
        """Return a UID of this patient's."""
        return phantom_uid(self.order.seed, SOURCE, self.patient.number, *parts)

    def path(self, study: Study, name: str) -> str:
        """Return a file's path below ``dicom/``."""
        lot = (self.patient.number - 1) // PATIENTS_PER_LOT + 1
        return f"lot_{lot:02d}/{self.patient.number * 10 + study.number:06d}/{name}"

    def header(self, study: Study, image: Image, *, again: str = "") -> Header:
        """Return the header of a film; ``again`` names a repetition, which gets identifiers of its own."""
        rng = generator(self.order.seed, SOURCE, self.patient.number, "header", study.number)
        film = image.film
        unseen = generator(film.exposure_seed, "view").random() < WITHOUT_VIEW
        day = np.datetime64("2021-01-04") + int(rng.integers(0, 700)) + study.days
        return Header(
            self.patient_id,
            self.uid(study.number),
            self.uid(study.number, "series"),
            self.uid(study.number, image.number, again),
            "F" if self.patient.is_female else "M",
            self.patient.age_years,
            str(day).replace("-", ""),
            None if unseen else film.view,
            DEVICES[int(rng.integers(len(DEVICES)))],
            float(rng.choice([0.143, 0.160, 0.168, 0.200])) * 2048 / self.order.size_of(self.patient.number),
            image.number + 1,
        )


def write_patient(order: Order, number: int) -> Batch:
    """Write one patient's files and return its rows."""
    fault = planned_faults(order).get(number)
    delivery = Delivery(order, draw_patient(order.seed, SOURCE, number, order.size_of(number)), fault)
    batch = Batch()
    for study in delivery.patient.studies:
        if fault == "also_in_nih" and study.number == 0:
            study = _nih_study(order, number, study)
        for image in study.images:
            _write_image(delivery, study, image, batch)
        _write_report(delivery, study, batch)
        batch.count("studies")
    if fault:
        FAULT_WRITERS.get(fault, lambda *_: None)(delivery, batch)
    return batch


def _nih_study(order: Order, number: int, study: Study) -> Study:
    """Return the study of a patient of NIH's who is also the hospital's, under the hospital's study number."""
    other = draw_patient(order.seed, nih_cxr14.SOURCE, number % order.patients[nih_cxr14.SOURCE] + 1, order.size_px)
    return replace(other.studies[0], number=study.number, text_seed=study.text_seed, days=study.days)


def _encoding(delivery: Delivery, study: Study, image: Image) -> Encoding:
    if delivery.fault == "also_in_nih" and study.number == 0:
        return Encoding(str(EXPLICIT), False, 8, has_window=False)
    return draw_encoding(generator(image.film.exposure_seed, "encoding"))


def _write_image(delivery: Delivery, study: Study, image: Image, batch: Batch) -> None:
    radiograph, header, encoding = take(image.film), delivery.header(study, image), _encoding(delivery, study, image)
    values = eight_bit(radiograph.grey) if encoding.bits == 8 else stored_values(radiograph.grey, encoding)
    _save(delivery, delivery.path(study, f"{image.number + 1:04d}.dcm"), dicom_bytes(values, header, encoding), batch)
    batch.boxes += box_rows(SOURCE, header.image_uid, radiograph.boxes, values.shape, image.film.view)
    batch.count("images")


def _save(delivery: Delivery, path: str, content: bytes, batch: Batch) -> None:
    target = delivery.order.root / SOURCE / "dicom" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    batch.count("files")


def _write_report(delivery: Delivery, study: Study, batch: Batch) -> None:
    rng = generator(study.text_seed, "report")
    places = {sign.name: (sign.side, sign.zone) for sign in study.images[0].film.signs}
    reports = [write_report(places, rng)]
    if rng.random() < ADDENDUM:
        reports.append(Report("Addendum: pas de pneumothorax.", {"Pneumothorax": 0}))
    said = combined(*(report.said for report in reports)) if len(reports) > 1 else reports[0].said
    study_uid = delivery.uid(study.number)
    if rng.random() < WITHOUT_REPORT:
        reports, said = [], {}
        batch.count("studies_without_report")
    for report in reports:
        batch.add("reports", [study_uid, delivery.patient_id, report.text])
        batch.count("report_rows")
    batch.labels += label_rows(SOURCE, study_uid, said, study.pathologies)


def _first(delivery: Delivery) -> tuple[Study, Image]:
    study = delivery.patient.studies[0]
    return study, study.images[0]


def _again(delivery: Delivery, batch: Batch, encoding: Encoding, *, film_of: Patient | None = None) -> None:
    """Deliver a first film once more, under this patient, with identifiers of its own."""
    study, image = _first(delivery)
    source = film_of or delivery.patient
    film = source.studies[0].images[0].film
    values = stored_values(take(film).grey, encoding)
    header = delivery.header(study, replace(image, number=7), again="again")
    _save(delivery, delivery.path(study, "0008.dcm"), dicom_bytes(values, header, encoding), batch)
    batch.count("repeated_pixels")


def _byte_copy(delivery: Delivery, batch: Batch) -> None:
    study, _ = _first(delivery)
    original = delivery.order.root / SOURCE / "dicom" / delivery.path(study, "0001.dcm")
    _save(delivery, delivery.path(study, "0001 (copie).dcm"), original.read_bytes(), batch)
    batch.count("repeated_bytes")


def _same_pixels(delivery: Delivery, batch: Batch) -> None:
    study, image = _first(delivery)
    encoding = _encoding(delivery, study, image)
    _again(delivery, batch, replace(encoding, syntax=str(IMPLICIT if encoding.syntax != str(IMPLICIT) else RLE)))


def _second_identity(delivery: Delivery, batch: Batch) -> None:
    """This patient also holds the first film of the next one: the same person under two pseudonyms."""
    order = delivery.order
    number = delivery.patient.number % order.patients[SOURCE] + 1
    other = draw_patient(order.seed, SOURCE, number, order.size_of(number))
    film = other.studies[0].images[0].film
    _again(delivery, batch, draw_encoding(generator(film.exposure_seed, "encoding")), film_of=other)


def _refused(delivery: Delivery, batch: Batch, name: str, content: bytes) -> None:
    _save(delivery, delivery.path(_first(delivery)[0], name), content, batch)
    batch.count("refused")


def _another_file(delivery: Delivery, identity: dict[str, str] | None = None) -> bytes:
    """Return a sound file of a film that is nowhere else in the delivery."""
    study, image = _first(delivery)
    film = replace(image.film, exposure_seed=image.film.exposure_seed ^ 0x5EED)
    encoding = Encoding(str(EXPLICIT), False)
    header = delivery.header(study, replace(image, number=8), again="other")
    if identity is not None:
        header = replace(header, identity=identity)
    return dicom_bytes(stored_values(take(film).grey, encoding), header, encoding)


def _truncated(delivery: Delivery, batch: Batch) -> None:
    content = _another_file(delivery)
    _refused(delivery, batch, "0009.dcm", content[: int(len(content) * 0.6)])


def _identity(delivery: Delivery, batch: Batch) -> None:
    _refused(delivery, batch, "0009.dcm", _another_file(delivery, identity=INVENTED_IDENTITY))


FAULT_WRITERS = {
    "byte_copy": _byte_copy,
    "same_pixels": _same_pixels,
    "second_identity": _second_identity,
    "truncated": _truncated,
    "empty": lambda delivery, batch: _refused(delivery, batch, "0009.dcm", b""),
    "web_page": lambda delivery, batch: _refused(delivery, batch, "0009.dcm", WEB_PAGE),
    "identity_in_header": _identity,
}


def begin(order: Order) -> None:
    """Make the folder and put the index file there that a burnt CD leaves behind."""
    folder = order.root / SOURCE / "dicom"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "LISEZMOI.txt").write_text("Extraction du PACS, voir reports.csv pour les rapports.\n", encoding="utf-8")


def finish(order: Order, batch: Batch) -> None:
    """Write ``reports.csv``."""
    batch.count("files")
    batch.count("refused")
    header = ["study_instance_uid", "patient_id", "report"]
    write_csv(order.root / SOURCE / "reports.csv", header, batch.tables.get("reports", []))

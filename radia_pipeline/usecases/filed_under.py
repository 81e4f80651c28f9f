"""What a film's header gives to the objects that are filed beside it: the patient and study modules, and references.

A copy by name: nothing else of the header goes on. What cannot stand in the copy (a date that is none) is left empty.
Values go into these objects alone; nothing here is logged or put into an error. Needs pydicom.
"""

from __future__ import annotations

import hashlib
import math
import re
import uuid
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

from radia_pipeline.dicom.facts import text

PATIENT = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "TypeOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "OtherPatientIDsSequence",
    "PatientBirthDate",
    "PatientSex",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
)
STUDY = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "StudyID",
    "StudyDescription",
    "ReferringPhysicianName",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
)
"""By which an archive files an object (PS3.3 C.7.1.1, C.7.2.1, C.7.2.2)."""
_COMMON = ("SpecificCharacterSet", "TimezoneOffsetFromUTC")
_EMPTY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
)
"""Elements that must be there and may be empty (type 2)."""
_FORMS = {
    "PatientBirthDate": r"(\d{8})?",
    "StudyDate": r"(\d{8})?",
    "PatientSex": r"[MFO]?",
    "PatientAge": r"\d{3}[DWMY]",
    "StudyTime": r"((?:[01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?)?",
}
_DESCRIPTIONS, _MOST_CHARACTERS = ("StudyDescription", "DeidentificationMethod"), 64
"""Words that nothing is filed by, cut where they are longer than LO holds (PS3.5 6.2); identifiers stay as they are."""
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
NO_UID, SEVERAL = "no_uid", "several_studies"


class Unfit(Exception):
    """A film beside which nothing can be filed; ``reason`` is of ``dicom_objects.NO_OBJECTS``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def film_of(header: Dataset, matrix: tuple[int, int]) -> Dataset:
    """Return what objects need of a film's header: modules, references, size, grey scale; raises Unfit (no_uid)."""
    film = Dataset()
    for name in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        value = text(header, name)
        if not (_UID.fullmatch(value) and len(value) <= 64):
            raise Unfit(NO_UID)
        setattr(film, name, value)
    for name in (*_COMMON, *PATIENT, *STUDY):
        if name in header and name != "StudyInstanceUID":
            film.add(header[name])
    for name, form in _FORMS.items():
        if name in film and not re.fullmatch(form, text(film, name)):
            del film[name]
    for name in _DESCRIPTIONS:
        if name in film:
            setattr(film, name, text(film, name)[:_MOST_CHARACTERS])
    for name in _EMPTY:
        if name not in film:
            setattr(film, name, "")
    film.Rows, film.Columns = matrix
    film.SamplesPerPixel, film.PhotometricInterpretation = 1, text(header, "PhotometricInterpretation")
    _take_grey_scale(header, film)
    return film


def _take_grey_scale(header: Dataset, film: Dataset) -> None:
    """Copy what makes values grey, so that the film looks in its presentation as it does without it."""
    window = [_numbers(header, name) for name in ("WindowCenter", "WindowWidth")]
    if window[0] and len(window[0]) == len(window[1]) and min(window[1]) >= 1:
        for name in ("WindowCenter", "WindowWidth", "VOILUTFunction"):
            if name in header:
                film.add(header[name])
    rescale = [_numbers(header, name) for name in ("RescaleSlope", "RescaleIntercept")]
    if all(len(one) == 1 for one in rescale) and rescale[0][0] != 0:
        film.RescaleSlope, film.RescaleIntercept = header.RescaleSlope, header.RescaleIntercept
        film.RescaleType = text(header, "RescaleType") or "US"
    for name in ("ModalityLUTSequence", "VOILUTSequence"):
        if header.get(name):
            film.add(header[name])


def _numbers(header: Dataset, name: str) -> list[float]:
    value: Any = header.get(name)
    if value is None or value == "":
        return []
    values = [float(one) for one in (value if hasattr(value, "__iter__") and not isinstance(value, str) else [value])]
    return values if all(map(math.isfinite, values)) else []


def require_one_study(films: Sequence[Dataset]) -> None:
    """Raise Unfit unless all films name the same study and patient."""
    if len({(film.StudyInstanceUID, text(film, "PatientID")) for film in films}) > 1:
        raise Unfit(SEVERAL)


def lies_as_usual(header: Dataset) -> bool:
    """Say whether columns go to the patient's left, as on a frontal film that is looked at, or nothing is said."""
    return text(header, "PatientOrientation")[:1] in ("", "L")


def uid_of(*parts: object) -> str:
    """Return a UID that belongs to ``parts``, so that the same object made twice is one object (PS3.5 B.2)."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"


def digest_of(film: Dataset) -> str:
    """Return a digest of the modules that are copied: a patient who was renamed in the archive gets new objects."""
    told = [f"{name}={film[name].value!r}" for name in (*PATIENT, *STUDY) if name in film]
    return hashlib.sha256("\n".join(told).encode("utf-8", "surrogatepass")).hexdigest()

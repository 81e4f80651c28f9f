"""One radiograph as a de-identified DICOM file: attributes, grey scale, transfer syntax."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import UID

DX, CR = "1.2.840.10008.5.1.4.1.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1"
EXPLICIT, IMPLICIT = uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian
DEFLATED, RLE = uid.DeflatedExplicitVRLittleEndian, uid.RLELossless
JPEG_LS, JPEG_2000 = uid.JPEGLSLossless, uid.JPEG2000Lossless
SYNTAXES = (EXPLICIT, IMPLICIT, DEFLATED, RLE, JPEG_LS, JPEG_2000)
SYNTAX_SHARES = (0.42, 0.22, 0.10, 0.12, 0.09, 0.05)
COMPRESSED = (RLE, JPEG_LS, JPEG_2000)
UID_ROOT = "1.2.826.0.1.3680043.8.498."
DEIDENTIFICATION = "Basic Application Confidentiality Profile; Modified Dates"
DEVICES = (
    ("Canon", "CXDI", DX),
    ("FUJI PHOTO FILM CO. LTD.", "9000", CR),
    ("Philips Medical Systems", "DigitalDiagnost", DX),
    ("GE MEDICAL SYSTEMS", "Discovery XR656", DX),
    ("AGFA", "DX-M", CR),
)


def phantom_uid(*parts: object) -> str:
    """Return a UID that belongs to ``parts``: half under pydicom's root, half under 2.25 (PS3.5 B.2)."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    if digest[0] % 2:
        return "2.25." + str(int.from_bytes(digest[:15], "big"))
    return UID_ROOT + str(int.from_bytes(digest[:14], "big"))


@dataclass(frozen=True)
class Header:
    """What the header says of one file."""

    patient_id: str
    study_uid: str
    series_uid: str
    image_uid: str
    sex: str
    age_years: int
    study_date: str
    view: str | None
    device: tuple[str, str, str]
    spacing_mm: float
    number: int = 1
    identity: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Encoding:
    """How the pixels are stored."""

    syntax: str
    is_inverted: bool
    bits: int = 12
    has_window: bool = True


def draw_encoding(rng: np.random.Generator) -> Encoding:
    """Draw an encoding as the hospital's devices use them."""
    syntax = SYNTAXES[int(rng.choice(len(SYNTAXES), p=SYNTAX_SHARES))]
    return Encoding(
        str(syntax), bool(rng.random() < 0.4), int(rng.choice([12, 12, 12, 14, 10])), bool(rng.random() < 0.6)
    )


def stored_values(grey: np.ndarray, encoding: Encoding) -> np.ndarray:
    """Return the integers to store for grey 0..1; MONOCHROME1 stores what is bright as small (PS3.3 C.7.6.3.1.2)."""
    top = (1 << encoding.bits) - 1
    values = np.round(grey * np.float32(top)).astype(np.uint16 if encoding.bits > 8 else np.uint8)
    return top - values if encoding.is_inverted else values


def dicom_bytes(values: np.ndarray, header: Header, encoding: Encoding) -> bytes:
    """Return the whole file; ``values`` are stored values (height, width)."""
    dataset = _dataset(header)
    _add_pixels(dataset, values, encoding)
    if encoding.syntax in COMPRESSED:
        dataset.compress(encoding.syntax, values, generate_instance_uid=False)
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True, overwrite=True)
    return buffer.getvalue()


def _dataset(header: Header) -> FileDataset:
    maker, model, sop_class = header.device
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(sop_class), UID(header.image_uid)
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, header.image_uid
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.StudyDate = header.study_date
    dataset.Modality = "DX" if sop_class == DX else "CR"
    dataset.Manufacturer, dataset.ManufacturerModelName = maker, model
    dataset.PatientName, dataset.PatientID = header.patient_id, header.patient_id
    dataset.PatientSex, dataset.PatientAge = header.sex, f"{header.age_years:03d}Y"
    dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", DEIDENTIFICATION
    dataset.BodyPartExamined = "CHEST"
    if header.view:
        dataset.ViewPosition = "LL" if header.view == "LATERAL" else header.view
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = header.study_uid, header.series_uid
    dataset.SeriesNumber, dataset.InstanceNumber = 1, header.number
    dataset.ImagerPixelSpacing = [f"{header.spacing_mm:.3f}"] * 2
    dataset.BurnedInAnnotation = "NO"
    for name, value in header.identity.items():
        setattr(dataset, name, value)
    return dataset


def _add_pixels(dataset: Dataset, values: np.ndarray, encoding: Encoding) -> None:
    dataset.file_meta.TransferSyntaxUID = EXPLICIT if encoding.syntax in COMPRESSED else uid.UID(encoding.syntax)
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if encoding.is_inverted else "MONOCHROME2"
    dataset.Rows, dataset.Columns = values.shape
    dataset.BitsAllocated = 16 if encoding.bits > 8 else 8
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = encoding.bits, encoding.bits - 1, 0
    if encoding.has_window:
        # The whole range, by the definition of PS3.3 C.11.2.1.2.1: width 2^n, centre half of it.
        dataset.WindowCenter, dataset.WindowWidth = str(1 << (encoding.bits - 1)), str(1 << encoding.bits)
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
        dataset.PresentationLUTShape = "INVERSE" if encoding.is_inverted else "IDENTITY"
    dataset.PixelData = values.astype("<u2" if encoding.bits > 8 else np.uint8).tobytes()
    dataset["PixelData"].VR = "OW" if encoding.bits > 8 else "OB"
    if len(dataset.PixelData) % 2:
        dataset.PixelData += b"\0"

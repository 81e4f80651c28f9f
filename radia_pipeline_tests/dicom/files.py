"""Small DICOM files for tests, in every transfer syntax, with headers as a de-identified delivery has them."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from radia_pipeline.sources.base import DeliveredFile
from radia_pipeline_tests.sources.given import GivenSource

ROOT = "1.2.826.0.1.3680043.8.498."
EXPLICIT = "1.2.840.10008.1.2.1"
DX = "1.2.840.10008.5.1.4.1.1.1.1"
NATIVE = (EXPLICIT, "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
RLE = "1.2.840.10008.1.2.5"
LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
JPEG_LS, JPEG_2000, HTJ2K = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"
EXACT = (*NATIVE, RLE, *LOSSLESS, JPEG_LS, JPEG_2000, HTJ2K)
METHOD = "Basic Application Confidentiality Profile; Retain Longitudinal Temporal Information Modified Dates"


def picture(seed: int = 0, size: tuple[int, int] = (96, 80), bits: int = 12) -> np.ndarray:
    """Return smooth stored values with some noise, uint16 (or uint8 for 8 bits)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[0], 0 : size[1]] / max(size)
    wave = np.sin(5 * x + seed) + np.cos(7 * y - seed) + 0.05 * rng.standard_normal(size)
    wave = (wave - wave.min()) / np.ptp(wave)
    return (wave * ((1 << bits) - 1)).astype(np.uint8 if bits <= 8 else np.uint16)


def stream(pixels: np.ndarray, syntax: str, bits: int) -> bytes:
    """Compress one frame."""
    import imagecodecs

    if syntax == RLE:
        from rle.rle import encode_frame

        return bytes(encode_frame(pixels.tobytes(), *pixels.shape, 1, pixels.dtype.itemsize * 8, "<"))
    if syntax in LOSSLESS:
        return imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=1, bitspersample=bits)
    if syntax == JPEG_LS:
        return imagecodecs.jpegls_encode(pixels)
    if syntax == JPEG_2000:
        return imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, bitspersample=bits)
    return imagecodecs.htj2k_encode(pixels, reversible=True)


def dataset(
    pixels: np.ndarray,
    *,
    number: int = 1,
    syntax: str = EXPLICIT,
    bits: int = 12,
    patient: str = "CC0001",
    **tags: object,
) -> FileDataset:
    """Return a clean data set; ``tags`` are set last, by keyword (None deletes)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = DX, f"{ROOT}{number}"
    meta.TransferSyntaxUID = UID(syntax)
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = DX, f"{ROOT}{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{ROOT}7{number}", f"{ROOT}8{number}"
    ds.StudyDate, ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "20220202", "DX", "Canon Inc.", "CXDI"
    ds.PatientName, ds.PatientID, ds.PatientSex, ds.PatientAge = patient, patient, "F", "041Y"
    ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", METHOD
    ds.BodyPartExamined, ds.ViewPosition = "CHEST", "PA"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape
    allocated = pixels.dtype.itemsize * 8
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, bits, bits - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    _add_pixels(ds, pixels, syntax, bits)
    for keyword, value in tags.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def _add_pixels(ds: FileDataset, pixels: np.ndarray, syntax: str, bits: int) -> None:
    if syntax in NATIVE:
        order = ">" if syntax == NATIVE[2] else "<"
        body = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
        ds.PixelData = body + b"\0" * (len(body) % 2)
        ds["PixelData"].VR = "OW"
    else:
        ds.PixelData = encapsulate([stream(pixels, syntax, bits)])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True


def to_bytes(ds: FileDataset) -> bytes:
    """Return the file."""
    buffer = BytesIO()
    syntax = ds.file_meta.TransferSyntaxUID
    dcmwrite(buffer, ds, enforce_file_format=True, little_endian=syntax != NATIVE[2], implicit_vr=syntax == NATIVE[1])
    return buffer.getvalue()


def clean_file(number: int = 1, **options: object) -> bytes:
    """Return a clean file with pixels of its own."""
    return to_bytes(dataset(picture(number), number=number, **options))


class Delivery(GivenSource):
    """A source for tests: every file below ``dicom/`` of a folder, under a registered source's name."""

    name = "ccsmtl"

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, content: bytes) -> Path:
        """Add or replace a delivered file."""
        path = self.root / "dicom" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def files(self, root: Path) -> Iterator[DeliveredFile]:
        """See ``Source.files``."""
        found = (path.relative_to(root).as_posix() for path in (root / "dicom").rglob("*") if path.is_file())
        return (DeliveredFile(path) for path in sorted(found))

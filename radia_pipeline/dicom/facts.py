"""What the header says of the picture: sizes, bits, grey-scale parameters, identifiers, all typed and checked.

Caps and the policy "one grey frame of a projection radiograph" are applied here, before anything is decoded. Whether
the header identifies a person is ``audit``'s question.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from pydicom.dataset import Dataset

from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import Container
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits

RADIOGRAPH_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.1",  # Computed Radiography
        "1.2.840.10008.5.1.4.1.1.1.1",  # Digital X-Ray, for presentation
        "1.2.840.10008.5.1.4.1.1.1.1.1",  # Digital X-Ray, for processing
    }
)
FOR_PROCESSING_CLASS = "1.2.840.10008.5.1.4.1.1.1.1.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
RADIOGRAPH_MODALITIES = frozenset({"CR", "DX", "RG"})
_SQUARE, _MOST_ASPECT = 0.01, 8.0
"""Pixels within 1 % of a square are square; beyond 8:1 the header lies."""
AGE_CAPPED, FOR_PROCESSING, SECONDARY = "age_capped", "for_processing", "secondary_capture"
"""Flags: an age above 89 was capped; a picture that is not yet made for the eye; no acquisition of its own."""
_OLDEST_YEARS = 90.0
_AGE = re.compile(r"(\d{3})([DWMY])")
_YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}


@dataclass(frozen=True)
class PixelFacts:
    """How stored values lie in the pixel element (PS3.3 C.7.6.3).

    ``row_over_column``: height of a pixel over its width, 1 where they are square.
    """

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    photometric: str
    row_over_column: float = 1.0

    @property
    def is_inverted(self) -> bool:
        """MONOCHROME1: the smallest value is meant to be white (PS3.3 C.7.6.3.1.2)."""
        return self.photometric == "MONOCHROME1"

    @property
    def native_bytes(self) -> int:
        """Length of the frame uncompressed."""
        return self.rows * self.columns * (self.bits_allocated // 8)


def text(dataset: Dataset, keyword: str) -> str:
    """Return the first value of an element as stripped text; empty where absent or unreadable."""
    try:
        value = dataset.get(keyword)
    except Exception:
        # pydicom raises various errors where a value does not fit its representation; the audit judges such a value.
        return ""
    if value is None:
        return ""
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        value = next(iter(value), "")
    return str(value).strip("\0 ")


def number(dataset: Dataset, keyword: str, index: int = 0) -> float | None:
    """Return one value of a numeric element, None where absent, unreadable or not finite."""
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return None
        if hasattr(value, "__iter__") and not isinstance(value, str):
            value = list(value)[index]
        elif index:
            return None
        result = float(value)
    except Exception:
        # See ``text``: an unreadable optional number counts as absent.
        return None
    return result if math.isfinite(result) else None


def _whole(dataset: Dataset, keyword: str) -> int:
    value = number(dataset, keyword)
    if value is None or value != int(value):
        raise Refusal(reasons.LYING_HEADER, f"{keyword} absent or unreadable")
    return int(value)


def pixel_facts(container: Container, limits: Limits = DEFAULT_LIMITS) -> PixelFacts:
    """Read and check the image pixel module; raises Refusal."""
    dataset = container.dataset
    if _whole(dataset, "SamplesPerPixel") != 1:
        raise Refusal(reasons.NOT_GREY, "(0028,0002) more than one sample")
    photometric = text(dataset, "PhotometricInterpretation").upper()
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise Refusal(reasons.NOT_GREY, "(0028,0004) not MONOCHROME1 or MONOCHROME2")
    if (number(dataset, "NumberOfFrames") or 1) > limits.frames:
        raise Refusal(reasons.TOO_MANY_FRAMES, "(0028,0008) more than one frame")
    allocated = _whole(dataset, "BitsAllocated")
    stored = _whole(dataset, "BitsStored")
    high = number(dataset, "HighBit")
    facts = PixelFacts(
        rows=_whole(dataset, "Rows"),
        columns=_whole(dataset, "Columns"),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=stored - 1 if high is None else int(high),
        is_signed=_whole(dataset, "PixelRepresentation") == 1,
        photometric=photometric,
        row_over_column=_aspect(dataset),
    )
    if _whole(dataset, "PixelRepresentation") not in (0, 1):
        raise Refusal(reasons.LYING_HEADER, "(0028,0103) neither 0 nor 1")
    _check(facts, limits)
    return facts


def _aspect(dataset: Dataset) -> float:
    """Return how much higher than wide a pixel is: by its aspect ratio, else by its spacing (PS3.3 C.7.6.3.1.7)."""
    for keyword in ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing"):
        high, wide = number(dataset, keyword) or 0.0, number(dataset, keyword, 1) or 0.0
        if high > 0 and wide > 0:
            ratio = high / wide
            if not 1 / _MOST_ASPECT <= ratio <= _MOST_ASPECT:
                raise Refusal(reasons.LYING_HEADER, f"{keyword} of pixels that no detector has")
            return ratio if abs(ratio - 1) > _SQUARE else 1.0
    return 1.0


def _check(facts: PixelFacts, limits: Limits) -> None:
    if facts.rows < 1 or facts.columns < 1:
        raise Refusal(reasons.LYING_HEADER, "(0028,0010) or (0028,0011) is zero")
    if (
        max(facts.rows, facts.columns) > limits.side_px
        or facts.rows * facts.columns > limits.pixels
        or facts.native_bytes > limits.pixel_bytes
    ):
        raise Refusal(reasons.TOO_LARGE, "(0028,0010) × (0028,0011) beyond the cap")
    if facts.bits_allocated not in (8, 16, 32):
        raise Refusal(reasons.UNSUPPORTED_SYNTAX, "(0028,0100) neither 8, 16 nor 32")
    if facts.bits_allocated == 32 and facts.bits_stored > 16:
        raise Refusal(reasons.UNSUPPORTED_SYNTAX, "(0028,0101) above 16")
    if not (
        1 <= facts.bits_stored <= facts.bits_allocated
        and facts.bits_stored - 1 <= facts.high_bit < facts.bits_allocated
    ):
        raise Refusal(reasons.LYING_HEADER, "(0028,0101) and (0028,0102) do not fit (0028,0100)")


def is_secondary_capture(container: Container) -> bool:
    """Tell whether the file calls itself a secondary capture, where text may stand anywhere in the picture."""
    return text(container.dataset, "SOPClassUID") == SECONDARY_CAPTURE


def check_radiograph(container: Container, *, is_listed: bool = False) -> bool:
    """Refuse what is no projection radiograph; return True where the file is a secondary capture, so OCR is a must.

    ``is_listed``: the dataset's own table names the file. Publishers strip the data set (VinDr keeps neither storage
    class nor modality); what the file's meta information then says of the class is enough.

    A secondary capture may be a workstation's (WSD), as published collections are, or name no conversion; digitised
    film and screen shots are refused. All are let through to the pixel audit, and flagged.
    """
    dataset = container.dataset
    sop_class, meta_class = text(dataset, "SOPClassUID"), text(container.meta, "MediaStorageSOPClassUID")
    if is_listed and not sop_class:
        sop_class = meta_class
    if meta_class not in ("", sop_class):
        raise Refusal(reasons.LYING_HEADER, "(0002,0002) differs from (0008,0016)")
    modality = text(dataset, "Modality").upper()
    if modality not in RADIOGRAPH_MODALITIES and not (is_listed and not modality):
        raise Refusal(reasons.NOT_A_RADIOGRAPH, "(0008,0060) not CR, DX or RG")
    if sop_class in RADIOGRAPH_CLASSES:
        return False
    if sop_class != SECONDARY_CAPTURE:
        raise Refusal(reasons.NOT_A_RADIOGRAPH, "(0008,0016) not a radiography storage class")
    if text(dataset, "ConversionType").upper() not in ("", "WSD"):
        raise Refusal(reasons.NOT_A_RADIOGRAPH, "(0008,0064) secondary capture")
    return True


def identifiers(container: Container) -> tuple[str, str, str]:
    """Return SOP instance, study instance and patient identifiers; raises Refusal where one is absent."""
    dataset = container.dataset
    instance, study, patient = (text(dataset, name) for name in ("SOPInstanceUID", "StudyInstanceUID", "PatientID"))
    for value, tag in zip((instance, study, patient), ("(0008,0018)", "(0020,000D)", "(0010,0020)")):
        if not value:
            raise Refusal(reasons.MISSING_IDENTIFIER, f"{tag} absent or empty")
    if text(container.meta, "MediaStorageSOPInstanceUID") not in ("", instance):
        raise Refusal(reasons.LYING_HEADER, "(0002,0003) differs from (0008,0018)")
    return instance, study, patient


def age_years(dataset: Dataset) -> float | None:
    """Return the age in years from an age string such as 041Y or 018M (PS3.5 6.2)."""
    match = _AGE.fullmatch(text(dataset, "PatientAge").upper())
    return round(int(match[1]) * _YEARS[match[2]], 3) if match else None


def flags(container: Container) -> list[str]:
    """Return the flags that the header alone raises."""
    dataset = container.dataset
    said = {
        AGE_CAPPED: (age_years(dataset) or 0.0) >= _OLDEST_YEARS,
        FOR_PROCESSING: text(dataset, "PresentationIntentType").upper() == "FOR PROCESSING"
        or text(dataset, "SOPClassUID") == FOR_PROCESSING_CLASS,
        SECONDARY: is_secondary_capture(container),
    }
    return [name for name, raised in said.items() if raised]


def describe(container: Container) -> dict:
    """Return the optional columns that the header tells: spacing, age, sex, date, device; None where it does not."""
    dataset = container.dataset
    sex = text(dataset, "PatientSex").upper()
    date = text(dataset, "StudyDate").replace(".", "")
    keyword = "PixelSpacing" if (number(dataset, "PixelSpacing") or 0) > 0 else "ImagerPixelSpacing"
    rows_mm, columns_mm = number(dataset, keyword), number(dataset, keyword, 1)
    valid = (rows_mm or 0) > 0 and (columns_mm or 0) > 0
    age, intent = age_years(dataset), text(dataset, "PresentationIntentType").upper()
    return {
        "presentation_intent": intent if intent in ("FOR PRESENTATION", "FOR PROCESSING") else None,
        "pixel_spacing_row_mm": rows_mm if valid else None,
        "pixel_spacing_col_mm": columns_mm if valid else None,
        "patient_age_years": None if age is None else min(age, _OLDEST_YEARS),
        "patient_sex": sex if sex in ("F", "M", "O") else None,
        "study_date": date if re.fullmatch(r"\d{8}", date) else None,
        "manufacturer": text(dataset, "Manufacturer") or None,
        "device_model": text(dataset, "ManufacturerModelName") or None,
    }

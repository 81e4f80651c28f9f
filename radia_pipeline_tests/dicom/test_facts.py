"""What the header says of the picture, at each bound: bits, sizes, caps, shapes of pixels, ages, columns, flags."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset

from radia_pipeline.dicom import facts
from radia_pipeline.dicom.facts import PixelFacts
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import Container, parse
from radia_pipeline.privacy.limits import Limits
from radia_pipeline_tests.dicom import files

SMALL = PixelFacts(4, 6, 16, 12, 11, is_signed=False, photometric="MONOCHROME2")


def container(meta: dict | None = None, **tags: object) -> Container:
    """Return a parsed file; ``meta``: what its meta information is to say, whatever the data set does."""
    found = parse(files.to_bytes(files.dataset(np.zeros((4, 6), np.uint16), **tags)))
    for keyword, value in (meta or {}).items():
        setattr(found.meta, keyword, value)
    return found


def reason_of(call, *given: object, **named: object) -> str:
    try:
        call(*given, **named)
    except Refusal as refused:
        return refused.reason
    return ""


def test_all_facts_of_a_plain_header():
    assert facts.pixel_facts(container()) == SMALL
    assert SMALL.row_over_column == 1.0
    assert (SMALL.native_bytes, replace(SMALL, bits_allocated=8, bits_stored=8).native_bytes) == (48, 24)
    assert not SMALL.is_inverted
    inverse = facts.pixel_facts(container(PhotometricInterpretation="MONOCHROME1", PixelRepresentation=1))
    assert inverse.is_inverted
    assert inverse.is_signed


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"SamplesPerPixel": 3}, reasons.NOT_GREY),
        ({"SamplesPerPixel": None}, reasons.LYING_HEADER),
        ({"PhotometricInterpretation": "RGB"}, reasons.NOT_GREY),
        ({"NumberOfFrames": "1"}, ""),
        ({"NumberOfFrames": "0"}, ""),
        ({"NumberOfFrames": "2"}, reasons.TOO_MANY_FRAMES),
        ({"HighBit": None}, ""),
        ({"HighBit": 10}, reasons.LYING_HEADER),
        ({"HighBit": 15}, ""),
        ({"HighBit": 16}, reasons.LYING_HEADER),
        ({"BitsStored": None}, reasons.LYING_HEADER),
        ({"PixelRepresentation": None}, reasons.LYING_HEADER),
        ({"PixelRepresentation": 2}, reasons.LYING_HEADER),
    ],
)
def test_one_grey_frame_whose_bits_fit(tags, reason):
    assert reason_of(lambda: facts.pixel_facts(container(**tags))) == reason


def test_a_high_bit_that_is_left_out_is_the_highest_of_those_stored():
    assert facts.pixel_facts(container(HighBit=None)).high_bit == 11
    assert facts.pixel_facts(container(HighBit=13)).high_bit == 13


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rows": 0}, reasons.LYING_HEADER),
        ({"columns": 0}, reasons.LYING_HEADER),
        ({"rows": 1, "columns": 1}, ""),
        ({"bits_allocated": 8, "bits_stored": 8, "high_bit": 7}, ""),
        ({"bits_allocated": 8, "bits_stored": 1, "high_bit": 0}, ""),
        ({"bits_allocated": 8, "bits_stored": 0, "high_bit": 0}, reasons.LYING_HEADER),
        ({"bits_allocated": 8, "bits_stored": 9, "high_bit": 8}, reasons.LYING_HEADER),
        ({"bits_allocated": 16, "bits_stored": 16, "high_bit": 15}, ""),
        ({"bits_allocated": 32, "bits_stored": 16, "high_bit": 31}, ""),
        ({"bits_allocated": 32, "bits_stored": 17, "high_bit": 16}, reasons.UNSUPPORTED_SYNTAX),
        ({"bits_allocated": 24, "bits_stored": 12, "high_bit": 11}, reasons.UNSUPPORTED_SYNTAX),
        ({"bits_allocated": 12, "bits_stored": 12, "high_bit": 11}, reasons.UNSUPPORTED_SYNTAX),
        ({"bits_allocated": 9, "bits_stored": 8, "high_bit": 7}, reasons.UNSUPPORTED_SYNTAX),
        ({"bits_allocated": 17, "bits_stored": 12, "high_bit": 11}, reasons.UNSUPPORTED_SYNTAX),
        ({"bits_allocated": 33, "bits_stored": 12, "high_bit": 11}, reasons.UNSUPPORTED_SYNTAX),
        ({"bits_allocated": 8, "bits_stored": 8, "high_bit": 8}, reasons.LYING_HEADER),
        ({"high_bit": 10}, reasons.LYING_HEADER),
        ({"high_bit": 15}, ""),
    ],
)
def test_bits_and_sizes_that_a_picture_may_have(changes, reason):
    assert reason_of(facts._check, replace(SMALL, **changes), Limits()) == reason


@pytest.mark.parametrize(
    ("cap", "passes"),
    [
        ({"side_px": 6}, True), ({"side_px": 5}, False), ({"pixels": 24}, True), ({"pixels": 23}, False),
        ({"pixel_bytes": 48}, True), ({"pixel_bytes": 47}, False),
    ],
)  # fmt: skip
def test_caps_hold_at_the_pixel(cap, passes):
    for given in (SMALL, replace(SMALL, rows=6, columns=4)):
        assert reason_of(facts._check, given, Limits(**cap)) == ("" if passes else reasons.TOO_LARGE)


@pytest.mark.parametrize(
    ("tags", "ratio"),
    [
        ({}, 1.0),
        ({"PixelAspectRatio": [4, 3]}, 4 / 3),
        ({"PixelAspectRatio": [8, 1]}, 8.0),
        ({"PixelAspectRatio": [1, 8]}, 0.125),
        ({"PixelAspectRatio": [9, 1]}, None),
        ({"PixelAspectRatio": [1, 9]}, None),
        ({"PixelAspectRatio": [1009, 1000]}, 1.0),
        ({"PixelAspectRatio": [1011, 1000]}, 1.011),
        ({"PixelAspectRatio": [991, 1000]}, 1.0),
        ({"PixelAspectRatio": [989, 1000]}, 0.989),
        ({"PixelSpacing": [0.3, 0.2]}, 1.5),
        ({"ImagerPixelSpacing": [0.1, 0.2]}, 0.5),
        ({"PixelAspectRatio": [3, 1], "PixelSpacing": [0.3, 0.2], "ImagerPixelSpacing": [0.1, 0.2]}, 3.0),
        ({"PixelSpacing": [0.3, 0.2], "ImagerPixelSpacing": [0.1, 0.2]}, 1.5),
        ({"PixelAspectRatio": [0, 1], "PixelSpacing": [0.3, 0.2]}, 1.5),
        ({"PixelAspectRatio": [1, 0], "PixelSpacing": [0.3, 0.2]}, 1.5),
        ({"PixelSpacing": [0.0, 0.0]}, 1.0),
    ],
)
def test_how_much_higher_than_wide_a_pixel_is(tags, ratio):
    ds = Dataset()
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    if ratio is None:
        assert reason_of(facts._aspect, ds) == reasons.LYING_HEADER
    else:
        assert facts._aspect(ds) == pytest.approx(ratio)


def test_numbers_and_words_that_are_absent_or_unreadable():
    ds = Dataset()
    ds.PixelSpacing, ds.WindowCenter, ds.StudyDate, ds.Modality = [0.5, 0.25], "7", "", " CR "
    assert [facts.number(ds, "PixelSpacing", at) for at in (0, 1, 2)] == [0.5, 0.25, None]
    assert facts.number(ds, "PixelSpacing") == 0.5
    assert [facts.number(ds, "WindowCenter", at) for at in (0, 1)] == [7.0, None]
    assert facts.number(ds, "StudyDate") is None
    assert facts.number(ds, "WindowWidth") is None
    assert facts.number(ds, "Modality") is None
    ds.FloatPixelPaddingValue = float("inf")
    assert facts.number(ds, "FloatPixelPaddingValue") is None
    assert (facts.text(ds, "Modality"), facts.text(ds, "PixelSpacing"), facts.text(ds, "PatientID")) == (
        "CR",
        "0.5",
        "",
    )


CLASSES = ("1.2.840.10008.5.1.4.1.1.1", files.DX, facts.FOR_PROCESSING_CLASS)
CHEST_CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "dx"])
@pytest.mark.parametrize("sop_class", CLASSES)
def test_radiographs_pass_and_are_no_secondary_captures(sop_class, modality):
    given = container({"MediaStorageSOPClassUID": sop_class}, SOPClassUID=sop_class, Modality=modality)
    assert facts.check_radiograph(given) is False
    assert facts.check_radiograph(given, is_listed=True) is False
    assert not facts.is_secondary_capture(given)


@pytest.mark.parametrize(
    ("meta", "tags", "unlisted", "listed"),
    [
        (CHEST_CT, {"SOPClassUID": CHEST_CT}, reasons.NOT_A_RADIOGRAPH, reasons.NOT_A_RADIOGRAPH),
        (CHEST_CT, {}, reasons.LYING_HEADER, reasons.LYING_HEADER),
        (files.DX, {"Modality": "CT"}, reasons.NOT_A_RADIOGRAPH, reasons.NOT_A_RADIOGRAPH),
        (files.DX, {"Modality": None}, reasons.NOT_A_RADIOGRAPH, ""),
        (files.DX, {"SOPClassUID": None, "Modality": None}, reasons.LYING_HEADER, ""),
        (files.DX, {"SOPClassUID": None}, reasons.LYING_HEADER, ""),
        (CHEST_CT, {"SOPClassUID": None}, reasons.LYING_HEADER, reasons.NOT_A_RADIOGRAPH),
    ],
)
def test_a_publishers_own_table_stands_for_what_the_header_leaves_out(meta, tags, unlisted, listed):
    given = container({"MediaStorageSOPClassUID": meta}, **tags)
    assert reason_of(facts.check_radiograph, given) == unlisted
    assert reason_of(facts.check_radiograph, given, is_listed=True) == listed


@pytest.mark.parametrize(("conversion", "passes"), [("", True), ("WSD", True), ("wsd", True), ("DF", False)])
def test_a_secondary_capture_of_a_workstation_passes_and_asks_for_reading(conversion, passes):
    given = container(
        {"MediaStorageSOPClassUID": facts.SECONDARY_CAPTURE},
        SOPClassUID=facts.SECONDARY_CAPTURE,
        ConversionType=conversion,
    )
    assert facts.is_secondary_capture(given)
    assert facts.flags(given) == ["secondary_capture"]
    if passes:
        assert facts.check_radiograph(given) is True
    else:
        assert reason_of(facts.check_radiograph, given) == reasons.NOT_A_RADIOGRAPH


@pytest.mark.parametrize("missing", ["StudyInstanceUID", "PatientID"])
def test_each_identifier_is_needed(missing):
    assert facts.identifiers(container()) == (f"{files.ROOT}1", f"{files.ROOT}71", "CC0001")
    assert reason_of(facts.identifiers, container(**{missing: ""})) == reasons.MISSING_IDENTIFIER
    assert reason_of(facts.identifiers, container(**{missing: None})) == reasons.MISSING_IDENTIFIER
    other = container({"MediaStorageSOPInstanceUID": f"{files.ROOT}2"})
    assert reason_of(facts.identifiers, other) == reasons.LYING_HEADER


@pytest.mark.parametrize(
    ("age", "years"),
    [
        ("041Y", 41.0), ("018M", 1.5), ("010M", 0.833), ("052W", 0.997), ("010D", 0.027), ("041y", 41.0),
        ("41Y", None), ("0041Y", None), ("041X", None), ("", None),
    ],
)  # fmt: skip
def test_an_age_string_in_years(age, years):
    ds = Dataset()
    ds.add_new("PatientAge", "LO", age)
    assert facts.age_years(ds) == years


@pytest.mark.parametrize(
    ("tags", "flags"),
    [
        ({}, []),
        ({"PatientAge": "089Y"}, []),
        ({"PatientAge": "090Y"}, ["age_capped"]),
        ({"PatientAge": "120Y"}, ["age_capped"]),
        ({"PatientAge": None}, []),
        ({"PresentationIntentType": "FOR PROCESSING"}, ["for_processing"]),
        ({"PresentationIntentType": "for processing"}, ["for_processing"]),
        ({"PresentationIntentType": "FOR PRESENTATION"}, []),
        ({"SOPClassUID": facts.FOR_PROCESSING_CLASS}, ["for_processing"]),
        (
            {"SOPClassUID": facts.FOR_PROCESSING_CLASS, "PresentationIntentType": "FOR PRESENTATION"},
            ["for_processing"],
        ),
    ],
)
def test_flags_that_the_header_alone_raises(tags, flags):
    assert facts.flags(container(**tags)) == flags


def described(**tags: object) -> dict:
    return facts.describe(container(**tags))


def test_columns_that_a_full_header_tells():
    found = described(PixelSpacing=[0.2, 0.1], PresentationIntentType="for presentation", StudyDate="2022.02.02")
    assert found == {
        "presentation_intent": "FOR PRESENTATION",
        "pixel_spacing_row_mm": 0.2,
        "pixel_spacing_col_mm": 0.1,
        "patient_age_years": 41.0,
        "patient_sex": "F",
        "study_date": "20220202",
        "manufacturer": "Canon Inc.",
        "device_model": "CXDI",
    }
    capped = described(PatientAge="101Y", PatientSex="m", PresentationIntentType="FOR PROCESSING")
    assert (capped["patient_age_years"], capped["patient_sex"]) == (90.0, "M")
    assert capped["presentation_intent"] == "FOR PROCESSING"


def test_columns_of_a_header_that_tells_nothing_of_use():
    found = described(
        PatientAge=None, PatientSex="X", StudyDate="2022", Manufacturer="", ManufacturerModelName=None,
        PresentationIntentType="OTHER",
    )  # fmt: skip
    assert set(found.values()) == {None}


@pytest.mark.parametrize(
    ("tags", "spacing"),
    [
        ({"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.4, 0.3]}, (0.2, 0.1)),
        ({"ImagerPixelSpacing": [0.4, 0.3]}, (0.4, 0.3)),
        ({"PixelSpacing": [0.0, 0.1], "ImagerPixelSpacing": [0.4, 0.3]}, (0.4, 0.3)),
        ({"PixelSpacing": [0.2, 0.0]}, (None, None)),
        ({"ImagerPixelSpacing": [0.0, 0.3]}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_the_spacing_of_the_picture_stands_before_that_of_the_detector(tags, spacing):
    found = described(**tags)
    assert (found["pixel_spacing_row_mm"], found["pixel_spacing_col_mm"]) == spacing

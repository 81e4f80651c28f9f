"""What header and codestream may say of the picture: shape of pixels, range of a table, padding, ages, intent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from radia_pipeline.dicom import decode, facts, render
from radia_pipeline.dicom.examine import Task, Verdict, examine
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import parse
from radia_pipeline_tests.dicom import files


def verdict(tmp_path: Path, ds: Dataset) -> Verdict:
    path = tmp_path / "one.dcm"
    path.write_bytes(files.to_bytes(ds))
    return examine(Task(str(path), str(tmp_path / "staged.png"), "ccsmtl", 1024, reads_text=False))


def shown(ds: Dataset) -> np.ndarray:
    parsed = parse(files.to_bytes(ds))
    return render.picture_of_dicom(parsed, facts.pixel_facts(parsed)).shown


@pytest.mark.parametrize(
    ("tags", "shape"),
    [
        ({"PixelAspectRatio": [2, 1]}, (60, 20)),
        ({"PixelAspectRatio": [1, 2]}, (30, 40)),
        ({"ImagerPixelSpacing": [0.1, 0.2]}, (30, 40)),
        ({"PixelSpacing": [0.2, 0.2001]}, (60, 40)),
        ({}, (60, 40)),
    ],
)
def test_pixels_become_square_by_reducing_their_shorter_side(tags: dict, shape: tuple[int, int]) -> None:
    assert shown(files.dataset(files.picture(1, (60, 40)), **tags)).shape == shape


def test_pixels_of_an_impossible_shape_are_a_lying_header() -> None:
    with pytest.raises(Refusal, match=reasons.LYING_HEADER):
        shown(files.dataset(files.picture(1, (60, 40)), PixelAspectRatio=[1, 4000]))


def test_a_table_that_uses_part_of_its_bits_fills_the_range() -> None:
    def with_table(top: int) -> Dataset:
        item, ds = Dataset(), files.dataset(files.picture(1, (60, 40)))
        item.LUTDescriptor = [4096, 0, 16]
        item.LUTData = np.linspace(0, top, 4096).astype("<u2").tobytes()
        item["LUTData"].VR = "OW"
        ds.VOILUTSequence = Sequence([item])
        return ds

    whole, part = shown(with_table(65535)), shown(with_table(4095))
    assert part.max() > 0.99 * whole.max()
    np.testing.assert_allclose(part, whole, atol=40)


@pytest.mark.parametrize("value", [2, 7, 65535])
def test_a_third_kind_of_integer_is_a_lying_header(tmp_path: Path, value: int) -> None:
    found = verdict(tmp_path, files.dataset(files.picture(1, (60, 40)), PixelRepresentation=value))
    assert (found.reason, found.detail) == (reasons.LYING_HEADER, "(0028,0103) neither 0 nor 1")


@pytest.mark.parametrize(
    ("age", "years", "flagged"),
    [
        ("105Y", 90.0, True),
        ("090Y", 90.0, True),
        ("089Y", 89.0, False),
        ("41Y", None, False),
        ("018M", 1.5, False),
    ],
)
def test_ages_above_89_are_capped_and_flagged(tmp_path: Path, age: str, years: float | None, flagged: bool) -> None:
    row = verdict(tmp_path, files.dataset(files.picture(1, (300, 280)), PatientAge=age)).row
    assert row["patient_age_years"] == years
    assert ("age_capped" in row["flags"]) is flagged


def test_intent_and_secondary_capture_are_told(tmp_path: Path) -> None:
    ds = files.dataset(files.picture(1, (300, 280)), PresentationIntentType="FOR PROCESSING")
    row = verdict(tmp_path, ds).row
    assert row["presentation_intent"] == "FOR PROCESSING"
    assert "for_processing" in row["flags"]
    capture = files.dataset(files.picture(1, (300, 280)), ConversionType="WSD", SOPClassUID=facts.SECONDARY_CAPTURE)
    capture.file_meta.MediaStorageSOPClassUID = facts.SECONDARY_CAPTURE
    assert "secondary_capture" in verdict(tmp_path, capture).row["flags"]
    capture.ConversionType = "DF"
    assert verdict(tmp_path, capture).reason == reasons.NOT_A_RADIOGRAPH


@pytest.mark.parametrize("syntax", [files.LOSSLESS[1], files.JPEG_LS, files.JPEG_2000])
@pytest.mark.parametrize("padding", [b"\0", b"\xff", b" "])
def test_one_byte_behind_the_end_of_a_frame_changes_nothing(syntax: str, padding: bytes) -> None:
    pixels = next(p for p in map(files.picture, range(40)) if len(files.stream(p, syntax, 12)) % 2)
    ds = files.dataset(pixels, syntax=syntax)
    ds.PixelData = encapsulate([files.stream(pixels, syntax, 12) + padding])
    parsed = parse(files.to_bytes(ds))
    assert np.array_equal(decode.stored_values(parsed, facts.pixel_facts(parsed)), pixels)


def test_a_zero_in_front_of_the_end_of_jpeg_ls_is_read_over() -> None:
    pixels = files.picture(3, (61, 43))
    stream = files.stream(pixels, files.JPEG_LS, 12)
    ds = files.dataset(pixels, syntax=files.JPEG_LS)
    ds.PixelData = encapsulate([stream[:-2] + b"\0" + stream[-2:]])
    parsed = parse(files.to_bytes(ds))
    assert np.array_equal(decode.stored_values(parsed, facts.pixel_facts(parsed)), pixels)


def test_a_lossy_frame_may_overshoot_and_a_lossless_one_may_not() -> None:
    import imagecodecs

    pixels = np.where(np.indices((64, 64)).sum(0) % 2, 4095, 0).astype(np.uint16)
    over = np.minimum(pixels.astype(np.int32) + 300, 65535).astype(np.uint16)
    for syntax, is_lossy in (("1.2.840.10008.1.2.4.91", True), (files.JPEG_2000, False)):
        ds = files.dataset(pixels, syntax=files.JPEG_2000)
        ds.file_meta.TransferSyntaxUID = syntax
        stream = imagecodecs.jpeg2k_encode(over, codecformat="j2k", reversible=True, bitspersample=13)
        ds.PixelData = encapsulate([stream])
        ds.BitsStored, ds.HighBit = 12, 11
        parsed = parse(files.to_bytes(ds))
        if is_lossy:
            assert decode.stored_values(parsed, facts.pixel_facts(parsed)).max() == 4095
            continue
        with pytest.raises(Refusal, match=reasons.LYING_HEADER):
            decode.stored_values(parsed, facts.pixel_facts(parsed))

"""Every syntax decodes to the same stored values; damaged or lying files are refused and never come out wrong."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.dicom import codestream
from radia_pipeline.dicom.decode import _keep_stored_bits, stored_values
from radia_pipeline.dicom.facts import PixelFacts, pixel_facts
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import parse
from radia_pipeline.privacy.limits import Limits
from radia_pipeline_tests.dicom import files


def decoded(data: bytes) -> np.ndarray:
    container = parse(data)
    return stored_values(container, pixel_facts(container))


def refusal(data: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        decoded(data)
    return caught.value.reason


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("syntax", files.EXACT)
def test_lossless_syntaxes_give_the_stored_values(syntax: str, bits: int) -> None:
    pixels = files.picture(3, (61, 47), bits)
    assert (decoded(files.to_bytes(files.dataset(pixels, syntax=syntax, bits=bits))) == pixels).all()


@pytest.mark.parametrize(("low", "high", "is_told"), [(-2048, 2047, True), (-2049, 0, False), (0, 2048, False)])
def test_signed_values_of_a_codec_lie_within_the_stored_bits(low: int, high: int, is_told: bool) -> None:
    facts = PixelFacts(1, 2, 16, 12, 11, is_signed=True, photometric="MONOCHROME2")
    pixels = np.array([[low, high]], np.int32)
    if is_told:
        assert (_keep_stored_bits(pixels, facts, is_compressed=True) == pixels).all()
        return
    with pytest.raises(Refusal) as caught:
        _keep_stored_bits(pixels, facts, is_compressed=True)
    assert caught.value.reason == reasons.LYING_HEADER


@pytest.mark.parametrize(("syntax", "bits"), [("1.2.840.10008.1.2.4.50", 8), ("1.2.840.10008.1.2.4.51", 12)])
def test_lossy_jpeg_is_close(syntax: str, bits: int) -> None:
    import imagecodecs
    from pydicom.encaps import encapsulate

    pixels = files.picture(3, (64, 64), bits)
    ds = files.dataset(pixels, bits=bits)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([imagecodecs.jpeg8_encode(pixels, level=98, bitspersample=bits)])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    error = np.abs(decoded(files.to_bytes(ds)).astype(float) - pixels) / (1 << bits)
    assert error.mean() < 0.01


def test_overlay_bits_above_high_bit_are_cut_off() -> None:
    pixels = files.picture(1)
    with_overlay = pixels | np.uint16(0xA000)
    assert (decoded(files.to_bytes(files.dataset(with_overlay))) == pixels).all()


def test_high_bit_shifts_stored_bits() -> None:
    pixels = files.picture(1)
    assert (decoded(files.to_bytes(files.dataset(pixels << 4, HighBit=15))) == pixels).all()


def test_signed_twelve_bit_values_are_sign_extended() -> None:
    signed = files.picture(1).astype(np.int16) - 2048
    stored = (signed.astype(np.uint16) & 0x0FFF).astype(np.int16)
    assert (decoded(files.to_bytes(files.dataset(stored))) == signed).all()


@pytest.mark.parametrize("syntax", files.EXACT)
@pytest.mark.parametrize(
    "lie", [{"Rows": 95}, {"Columns": 81}, {"Rows": 192}, {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}]
)
def test_lying_headers_are_refused(syntax: str, lie: dict) -> None:
    ds = files.dataset(files.picture(1), syntax=syntax)
    assert refusal(files.to_bytes(_with(ds, lie))) in (reasons.LYING_HEADER, reasons.DECODE_FAILED, reasons.TRUNCATED)


def _with(ds, tags: dict):
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize("syntax", files.EXACT)
def test_every_truncation_is_refused(syntax: str) -> None:
    data = files.clean_file(1, syntax=syntax)
    for cut in np.linspace(140, len(data) - 12, 25).astype(int):
        assert refusal(data[:cut]) in reasons.REASONS


def test_a_damaged_htj2k_stream_never_comes_out_half_decoded() -> None:
    whole = files.picture(1, (128, 128))
    data = bytearray(files.to_bytes(files.dataset(whole, syntax=files.HTJ2K)))
    middle = len(data) - 6000
    data[middle : middle + 3000] = b"\xff\x90" * 1500
    try:
        pixels = decoded(bytes(data))
    except Refusal:
        return
    assert pixels.shape == whole.shape and np.ptp(pixels) > 0


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_bit_count_of_lossless_jpeg_is_exact(predictor: int, bits: int) -> None:
    import imagecodecs

    pixels = files.picture(2, (53, 71), bits)
    stream = imagecodecs.jpeg8_encode(pixels, lossless=True, predictor=predictor, bitspersample=bits)
    header = codestream.jpeg_header(stream)
    codestream.check_lossless_bits(stream, header, pixels)
    wrong = pixels.copy()
    wrong[20:] = 7
    with pytest.raises(Refusal):
        codestream.check_lossless_bits(stream, header, wrong)


def test_colour_and_cine_are_refused() -> None:
    assert refusal(files.clean_file(SamplesPerPixel=3)) == reasons.NOT_GREY
    assert refusal(files.clean_file(PhotometricInterpretation="RGB")) == reasons.NOT_GREY
    assert refusal(files.clean_file(NumberOfFrames=2)) == reasons.TOO_MANY_FRAMES


def test_caps_stand_before_decoding() -> None:
    assert refusal(files.clean_file(Rows=65535, Columns=65535)) == reasons.TOO_LARGE
    deflated = files.to_bytes(files.dataset(np.zeros((2000, 2000), np.uint16), syntax=files.NATIVE[3]))
    with pytest.raises(Refusal) as caught:
        parse(deflated, Limits(inflated_bytes=1 << 20))
    assert caught.value.reason == reasons.TOO_LARGE

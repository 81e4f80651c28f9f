"""Grey scale in DICOM's order: padding, modality, window, one inversion. Formulas of PS3.3 C.11.2."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from radia_pipeline.dicom.facts import PixelFacts, pixel_facts
from radia_pipeline.dicom.greyscale import _modality, grey_scale, window
from radia_pipeline.dicom.render import picture_of_dicom, stored_image
from radia_pipeline.dicom.resample import area_average, fitted_size, thumbnail
from radia_pipeline.privacy.container import parse
from radia_pipeline_tests.dicom import files


def shown(pixels: np.ndarray, **tags: object) -> np.ndarray:
    container = parse(files.to_bytes(files.dataset(pixels, **tags)))
    return picture_of_dicom(container, pixel_facts(container)).shown


@pytest.mark.parametrize("lut_shape", [None, "INVERSE", "IDENTITY"])
def test_monochrome1_is_inverted_once_whatever_the_presentation_lut_says(lut_shape: str | None) -> None:
    pixels = files.picture(1)
    tags = {} if lut_shape is None else {"PresentationLUTShape": lut_shape}
    inverse = shown(4095 - pixels, PhotometricInterpretation="MONOCHROME1", **tags)
    np.testing.assert_allclose(inverse, shown(pixels), atol=1.0)


@pytest.mark.parametrize(("tags", "slope", "intercept"), [
    ({}, 1.0, 0.0), ({"RescaleSlope": "2"}, 2.0, 0.0), ({"RescaleIntercept": "-7.5"}, 1.0, -7.5),
    ({"RescaleSlope": "0.5", "RescaleIntercept": "3"}, 0.5, 3.0),
])  # fmt: skip
def test_what_is_missing_of_a_rescale_changes_nothing(tags: dict, slope: float, intercept: float) -> None:
    dataset = Dataset()
    for name, value in tags.items():
        setattr(dataset, name, value)
    values = np.array([[0.0, 1.0, 4095.0]])
    assert (_modality(dataset, values) == values * slope + intercept).all()


def test_window_after_rescale() -> None:
    pixels = files.picture(1)
    plain = shown(pixels, WindowCenter="2048", WindowWidth="1000")
    rescaled = shown(pixels, WindowCenter="3096", WindowWidth="2000", RescaleSlope="2", RescaleIntercept="-1000.5")
    np.testing.assert_allclose(plain, rescaled, atol=0.002 * 65535)


def test_padding_is_black_and_does_not_stretch_the_range() -> None:
    pixels = files.picture(1) // 2
    padded = pixels.copy()
    padded[:10] = 4095
    out = shown(padded, PixelPaddingValue=4095)
    assert (out[:10] == 0).all()
    assert out[10:].max() == pytest.approx(65535, rel=0.02)
    assert (shown(padded, PixelPaddingValue=4095, PhotometricInterpretation="MONOCHROME1")[:10] == 0).all()


def test_voi_lut_first_item_is_applied() -> None:
    pixels = files.picture(1)
    item = Dataset()
    table = (65535 * (np.arange(4096) / 4095) ** 2).astype("<u2")
    item.LUTDescriptor = [4096, 0, 16]
    item.add_new(0x00283006, "OW", table.tobytes())
    out = shown(pixels, VOILUTSequence=[item])
    np.testing.assert_allclose(out / 65535, (pixels / 4095) ** 2, atol=1e-3)


def test_multiple_windows_use_the_first() -> None:
    pixels = files.picture(1)
    one = shown(pixels, WindowCenter="2000", WindowWidth="800")
    assert (shown(pixels, WindowCenter=["2000", "100"], WindowWidth=["800", "9"]) == one).all()


@given(st.floats(-5000, 5000), st.floats(1.5, 9000))
def test_linear_window_meets_the_standards_bounds(center: float, width: float) -> None:
    low, high = center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2
    at = window(np.array([low - 1, low, center - 0.5, high, high + 1]), center, width)
    np.testing.assert_allclose(at, [0, 0, 0.5, 1, 1], atol=1e-9)


def test_exact_and_sigmoid_windows() -> None:
    x = np.array([-10.0, 0.0, 10.0])
    np.testing.assert_allclose(window(x, 0, 20, "LINEAR_EXACT"), [0, 0.5, 1])
    np.testing.assert_allclose(window(x, 0, 20, "SIGMOID"), 1 / (1 + np.exp(-4 * x / 20)))
    assert window(x, 0, 0) is None


@settings(deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 64))
def test_area_average_keeps_mean_aspect_and_never_enlarges(height: int, width: int, side: int) -> None:
    image = np.random.default_rng(height * 91 + width).random((height, width)).astype(np.float32)
    rows, columns = fitted_size(height, width, side)
    small = area_average(image, rows, columns)
    assert small.shape == (rows, columns) and rows <= height and columns <= width and max(rows, columns) <= max(side, 1)
    assert small.mean() == pytest.approx(image.mean(), abs=1e-4)


def test_stored_image_is_sixteen_bit_and_fits() -> None:
    image = stored_image(np.full((300, 200), 65535, np.float32), 128)
    assert image.dtype == np.uint16 and image.shape == (128, 85) and (image == 65535).all()


@pytest.mark.parametrize("shape", [(5, 3), (32, 32), (100, 40)])
def test_a_thumbnail_has_its_side_whatever_the_picture_and_keeps_its_mean(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random(shape)
    small = thumbnail(image, 32)
    assert small.shape == (32, 32) and small.dtype == np.float64
    assert small.mean() == pytest.approx(image.mean(), rel=0.05)


def test_a_picture_smaller_than_its_thumbnail_is_repeated_not_interpolated() -> None:
    image = np.arange(4.0).reshape(2, 2)
    assert np.array_equal(thumbnail(image, 4), np.kron(image, np.ones((2, 2))))


def signed(**tags: object) -> tuple[Dataset, PixelFacts, np.ndarray]:
    """A header's dataset and facts over signed pixels of 16 bits, −2000 to 2000."""
    pixels = np.linspace(-2000, 2000, 64 * 64).astype(np.int16).reshape(64, 64)
    container = parse(files.to_bytes(files.dataset(pixels, bits=16)))
    for keyword, (representation, value) in tags.items():
        container.dataset.add_new(keyword, representation, value)
    return container.dataset, pixel_facts(container), pixels


@pytest.mark.parametrize(("representation", "value"), [("SS", -2000), ("US", 65536 - 2000)])
def test_padding_of_signed_pixels_is_read_as_signed_whatever_its_element_says(representation: str, value: int) -> None:
    scale = grey_scale(*signed(PixelPaddingValue=(representation, value)))
    assert scale.padding == (-2000, -2000)
    assert scale.apply(np.array([-2000, 2000], np.int16)).tolist() == [0.0, 65535.0]


def test_padding_of_unsigned_pixels_is_read_as_unsigned() -> None:
    pixels = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    container = parse(files.to_bytes(files.dataset(pixels, bits=16)))
    container.dataset.add_new("PixelPaddingValue", "SS", -1)
    assert grey_scale(container.dataset, pixel_facts(container), pixels).padding == (65535, 65535)


def test_a_tables_first_value_is_signed_where_its_input_is() -> None:
    """PS3.3 C.11.2.1.1: the first mapped value has the pixels' sign, also where the element's VR is US."""
    item = Dataset()
    item.LUTDescriptor = [4001, 65536 - 2000, 16]
    item.add_new("LUTData", "OW", (np.arange(4001) * 16).astype("<u2").tobytes())
    dataset, facts, pixels = signed(VOILUTSequence=("SQ", [item]))
    shown_values = grey_scale(dataset, facts, pixels).apply(np.array([-2000, -1000, 0, 2000], np.int16))
    np.testing.assert_allclose(shown_values, [0, 16000, 32000, 64000], atol=1)


def test_a_tables_first_value_of_unsigned_pixels_stays_where_it_is() -> None:
    pixels = np.linspace(40000, 44000, 64 * 64).astype(np.uint16).reshape(64, 64)
    container = parse(files.to_bytes(files.dataset(pixels, bits=16)))
    item = Dataset()
    item.LUTDescriptor = [4001, 40000, 16]
    item.add_new("LUTData", "OW", (np.arange(4001) * 16).astype("<u2").tobytes())
    container.dataset.add_new("VOILUTSequence", "SQ", [item])
    scale = grey_scale(container.dataset, pixel_facts(container), pixels)
    np.testing.assert_allclose(scale.apply(np.array([40000, 41000, 44000], np.uint16)), [0, 16000, 64000], atol=1)

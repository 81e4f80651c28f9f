"""Grey scale by numbers: each value is worked out by hand from the formulas of PS3.3 C.7.5.1, C.7.6.3.1, C.11."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from radia_pipeline.dicom import greyscale
from radia_pipeline.dicom.facts import PixelFacts
from radia_pipeline.dicom.greyscale import FULL, grey_scale, window


def facts(bits: int = 4, *, signed: bool = False, photometric: str = "MONOCHROME2", allocated: int = 8) -> PixelFacts:
    return PixelFacts(1, 1, allocated, bits, bits - 1, signed, photometric)


def header(**tags: object) -> Dataset:
    ds = Dataset()
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


def lut(descriptor: list[int], values: list[int], representation: str = "US") -> Dataset:
    """Return a table's item; ``representation`` US as a list, OW as 16-bit words, OB as bytes."""
    item = Dataset()
    item.LUTDescriptor = descriptor
    data = values if representation == "US" else np.array(values, "<u2" if representation == "OW" else "u1").tobytes()
    item.add_new("LUTData", "US" if representation == "US" else "OW", data)
    return item


def shown(ds: Dataset, given: PixelFacts, stored: list[int]) -> list[float]:
    """Return what stored values show, in 0..1."""
    values = np.array([stored], np.int16 if given.is_signed else np.uint16)
    return (grey_scale(ds, given, values).apply(values)[0] / FULL).tolist()


def test_without_a_window_the_values_that_occur_fill_the_range():
    assert shown(header(), facts(), [2, 4, 12]) == pytest.approx([0, 0.2, 1])
    assert shown(header(), facts(signed=True), [-8, -3, 2]) == pytest.approx([0, 0.5, 1])
    assert shown(header(), facts(photometric="MONOCHROME1"), [2, 4, 12]) == pytest.approx([1, 0.8, 0])
    assert shown(header(RescaleSlope="-1"), facts(), [2, 4, 12]) == pytest.approx([1, 0.8, 0])


def test_white_is_the_highest_of_sixteen_bits_and_a_flat_picture_is_black():
    values = np.array([[0, 15]], np.uint16)
    assert grey_scale(header(), facts(), values).apply(values).tolist() == [[0.0, 65535.0]]
    assert shown(header(), facts(), [9, 9]) == [0, 0]
    assert shown(header(), facts(photometric="MONOCHROME1"), [9, 9]) == [1, 1]


def test_values_that_do_not_occur_are_cut_at_the_ends():
    scale = grey_scale(header(), facts(), np.array([[4, 8]], np.uint16))
    assert (scale.table / FULL).tolist() == pytest.approx([0, 0, 0, 0, 0, 0.25, 0.5, 0.75, *[1] * 8])
    assert (scale.lowest, scale.window_center, scale.window_width, scale.padding) == (0, None, None, None)
    assert scale.table.dtype == np.float32


def test_the_table_of_signed_values_begins_at_the_lowest():
    scale = grey_scale(header(), facts(signed=True), np.array([[-8, 7]], np.int16))
    assert scale.lowest == -8
    assert (scale.table / FULL).tolist() == pytest.approx([at / 15 for at in range(16)])


def test_the_window_that_was_used_is_told():
    scale = grey_scale(header(WindowCenter="8", WindowWidth="5"), facts(), np.array([[0, 15]], np.uint16))
    assert (scale.window_center, scale.window_width) == (8.0, 5.0)
    refused = grey_scale(header(WindowCenter="8", WindowWidth="0.5"), facts(), np.array([[0, 15]], np.uint16))
    assert (refused.window_center, refused.window_width) == (None, None)
    assert (refused.table / FULL).tolist() == pytest.approx([at / 15 for at in range(16)])
    for lone in ({"WindowCenter": "8"}, {"WindowWidth": "5"}):
        assert shown(header(**lone), facts(), [0, 3, 15]) == pytest.approx([0, 0.2, 1])


@pytest.mark.parametrize(
    ("function", "width", "expected"),
    [
        ("LINEAR", 5, [0, 0.125, 0.375, 0.625, 0.875, 1]),
        ("LINEAR", 1, [0, 0, 0, 1, 1, 1]),
        ("LINEAR", 2, [0, 0, 0, 1, 1, 1]),
        ("LINEAR", 0.99, None),
        ("LINEAR_EXACT", 4, [0, 0, 0.25, 0.5, 0.75, 1]),
        ("LINEAR_EXACT", 0.5, [0, 0, 0, 0.5, 1, 1]),
        ("LINEAR_EXACT", 0, None),
        ("SIGMOID", 4, [0.04742587, 0.11920292, 0.26894142, 0.5, 0.73105858, 0.88079708]),
        ("SIGMOID", 0.5, [3.7751e-11, 1.12535e-7, 3.353501e-4, 0.5, 0.99966465, 0.99999989]),
        ("SIGMOID", 0, None),
        ("SIGMOID", -4, None),
    ],
)
def test_each_window_by_its_formula(function, width, expected):
    """At 5 to 10 about the centre 8. LINEAR: (x - (c - 0.5)) / (w - 1) + 0.5; SIGMOID: 1 / (1 + exp(-4(x - c) / w))."""
    found = window(np.arange(5.0, 11.0), 8, width, function)
    assert found is None if expected is None else found.tolist() == pytest.approx(expected, rel=1e-5, abs=1e-12)


def test_a_steep_sigmoid_neither_overflows_nor_turns():
    with np.errstate(all="raise"):
        found = window(np.array([-1e6, 0.0, 1e6]), 0, 1, "SIGMOID")
    assert found.tolist() == pytest.approx([0, 0.5, 1])
    assert found[0] > 0
    assert window(np.array([8.0, 9.0]), 8.5, 1).tolist() == [0, 1], "the step lies half a value below the centre"
    assert window(np.array([8.0, 9.0]), 8.4, 1).tolist() == [1, 1]


@pytest.mark.parametrize(("function", "at_centre"), [("LINEAR", 0.625), ("linear_exact", 0.5), ("SIGMOID", 0.5)])
def test_the_header_names_the_window_function_in_any_case(function, at_centre):
    ds = header(WindowCenter="8", WindowWidth="5", VOILUTFunction=function)
    assert shown(ds, facts(), [8])[0] == pytest.approx(at_centre, abs=1e-6)
    assert shown(header(WindowCenter="8", WindowWidth="5"), facts(), [8])[0] == pytest.approx(0.625, abs=1e-6)


@pytest.mark.parametrize(
    ("tags", "range_", "expected"),
    [
        ({"PixelPaddingValue": 15}, (15, 15), [0, 1, 0]),
        ({"PixelPaddingValue": 0}, (0, 0), [0, 0.5, 1]),
        ({"PixelPaddingValue": 13, "PixelPaddingRangeLimit": 15}, (13, 15), [0, 1, 0]),
        ({"PixelPaddingValue": 15, "PixelPaddingRangeLimit": 13}, (13, 15), [0, 1, 0]),
        ({"PixelPaddingValue": 16}, None, [1 / 15, 8 / 15, 1]),
        ({"PixelPaddingRangeLimit": 15}, None, [1 / 15, 8 / 15, 1]),
    ],
)
def test_padding_is_black_and_out_of_the_range(tags, range_, expected):
    ds = Dataset()
    for keyword, value in tags.items():
        ds.add_new(keyword, "US", value)
    stored = np.array([[1, 8, 15]] if range_ != (0, 0) else [[0, 8, 16 - 1]], np.uint16)
    scale = grey_scale(ds, facts(), stored)
    assert scale.padding == range_
    if range_ is None:
        expected = [0, 0.5, 1]
    elif range_ == (0, 0):
        expected = [0, 0, 1]
    assert (scale.apply(stored)[0] / FULL).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("padding", [(15, 20), (16, 20), (-3, 0), (-3, -1), (5, 6)])
def test_only_padding_that_can_occur_counts(padding):
    ds = Dataset()
    ds.add_new("PixelPaddingValue", "SS", padding[0])
    ds.add_new("PixelPaddingRangeLimit", "SS", padding[1])
    given = facts(signed=True, bits=5, allocated=8)
    found = greyscale._padding(ds, given, 0, 16)
    assert found == (padding if padding[1] >= 0 and padding[0] < 16 else None)


def test_padding_is_read_in_the_pixels_own_representation():
    signed, unsigned = facts(bits=8, signed=True), facts(bits=8)
    assert [greyscale._stored(value, signed) for value in (127, 128, 255, -1)] == [127, -128, -1, -1]
    assert [greyscale._stored(value, unsigned) for value in (0, 255, -1, -256)] == [0, 255, 255, 0]
    assert greyscale._stored(None, signed) is None


def test_the_range_is_that_of_what_is_no_padding():
    stored = np.array([1, 5, 9])
    found = {pad: greyscale._range(stored, pad) for pad in (None, (9, 9), (1, 1), (5, 5), (1, 9), (2, 8), (10, 12))}
    assert found == {
        None: (1, 9), (9, 9): (1, 5), (1, 1): (5, 9), (5, 5): (1, 9), (1, 9): (1, 9), (2, 8): (1, 9), (10, 12): (1, 9),
    }  # fmt: skip
    assert greyscale._range(stored, (9, 20)) == (1, 5)
    assert greyscale._range(stored, (-5, 1)) == (5, 9)


@pytest.mark.parametrize("representation", ["US", "OW", "OB"])
def test_a_vendors_table_maps_from_its_first_value_and_goes_on_at_its_ends(representation):
    item = lut([4, 6, 8], [0, 51, 102, 255], representation)
    ds = header(VOILUTSequence=[item], WindowCenter="8", WindowWidth="5")
    assert shown(ds, facts(), [0, 6, 7, 8, 9, 15]) == pytest.approx([0, 0, 0.2, 0.4, 1, 1])
    scale = grey_scale(ds, facts(), np.array([[0, 15]], np.uint16))
    assert (scale.window_center, scale.window_width) == (None, None), "the plain window was not used"


def test_the_first_of_several_tables_counts():
    items = [lut([2, 7, 8], [0, 255]), lut([2, 7, 8], [255, 0])]
    assert shown(header(VOILUTSequence=items), facts(), [7, 8]) == pytest.approx([0, 1])


def test_a_modality_table_gives_values_that_the_window_then_takes():
    item = lut([3, 0, 16], [100, 108, 116])
    ds = header(ModalityLUTSequence=[item], WindowCenter="108", WindowWidth="9", RescaleSlope="5")
    assert shown(ds, facts(), [0, 1, 2]) == pytest.approx([0, 0.5625, 1])


@pytest.mark.parametrize(
    ("bits", "values", "white"),
    [(16, [0, 4095], 4095), (16, [0, 4096], 8191), (12, [0, 65535], 4095), (8, [0, 255], 255), (8, [0, 0], 1)],
)
def test_white_of_a_table_is_that_of_the_bits_that_occur(bits, values, white):
    assert greyscale._white_of(np.array(values, float), bits) == white


@pytest.mark.parametrize("representation", ["US", "OW"])
@pytest.mark.parametrize(
    ("descriptor", "count", "is_read"),
    [
        ([4, 0, 8], 4, True), ([4, 0, 16], 4, True), ([4, 0, 7], 4, False), ([4, 0, 17], 4, False),
        ([5, 0, 8], 4, False), ([3, 0, 8], 4, True), ([0, 0, 16], 4, False), ([0, 0, 16], 1 << 16, True),
        ([0, 0, 16], (1 << 16) - 1, False), ([4, 0, 8], 3, False), ([1, 0, 8], 1, True),
    ],
)  # fmt: skip
def test_a_table_that_is_shorter_than_it_says_is_left(descriptor, count, is_read, representation):
    item = lut(descriptor, list(range(count)), representation)
    found = greyscale._look_up(header(VOILUTSequence=[item]), "VOILUTSequence", np.arange(4.0))
    assert (found is not None) is is_read


@pytest.mark.parametrize(("count", "length", "entries"), [(3, 3, 3), (3, 4, 4), (4, 4, 4), (3, 6, 3), (3, 5, None)])
def test_bytes_of_a_table_are_entries_where_there_are_as_many(count, length, entries):
    item = lut([count, 0, 8], list(range(length)), "OB")
    if entries is None:
        with pytest.raises(ValueError, match="multiple of element size"):
            greyscale._lut_data(item)
        assert greyscale._look_up(header(VOILUTSequence=[item]), "VOILUTSequence", np.arange(3.0)) is None
    else:
        assert len(greyscale._lut_data(item)) == entries


def test_a_table_of_all_values_is_declared_as_zero():
    item = lut([0, 0, 16], list(range(1 << 16)), "OW")
    ds = header(VOILUTSequence=[item])
    table, bits = greyscale._look_up(ds, "VOILUTSequence", np.array([0.0, 65534.0, 65535.0, 70000.0]))
    assert (table.tolist(), bits) == ([0, 65534, 65535, 65535], 16)


@pytest.mark.parametrize(
    ("first", "lowest", "expected"),
    [(65533, -8, -3), (65533, 0, 65533), (32768, -8, -32768), (32767, -8, 32767), (3, -8, 3)],
)
def test_a_tables_first_value_is_read_as_signed_where_its_input_is_negative(first, lowest, expected):
    ds = header(VOILUTSequence=[lut([2, first, 8], [10, 20])])
    x = np.array([lowest, expected, expected + 1.0, expected + 1.0])
    assert greyscale._look_up(ds, "VOILUTSequence", x)[0].tolist()[1:] == [10, 20, 20]


def test_what_is_no_table_is_none():
    assert greyscale._look_up(header(), "VOILUTSequence", np.arange(3.0)) is None
    assert greyscale._look_up(header(VOILUTSequence=[]), "VOILUTSequence", np.arange(3.0)) is None
    assert greyscale._look_up(header(VOILUTSequence=[Dataset()]), "VOILUTSequence", np.arange(3.0)) is None


def test_entries_between_two_values_belong_to_the_nearer():
    ds = header(VOILUTSequence=[lut([3, 0, 8], [10, 20, 30])])
    assert greyscale._look_up(ds, "VOILUTSequence", np.array([0.4, 0.6, 1.6]))[0].tolist() == [10, 20, 30]

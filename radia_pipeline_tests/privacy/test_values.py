"""A value is of the form that its representation has, to the last digit; text in a number is found in any width."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from radia_pipeline.privacy import values
from radia_pipeline.privacy.walk import EXPLICIT_LITTLE, Element, Form

BIG = Form(little=False, implicit=False)
ROWS, SPACING, EXPOSURE = 0x00280010, 0x00280030, 0x00181153  # US 1; DS 2; IS 1, in millionths
WINDOW, DENSITY, POINTER = 0x00281050, 0x00182010, 0x00280009  # DS 1-n; DS 2; AT 1-n
RATE = 0x00189073  # FD 1


@pytest.mark.parametrize(("tag", "vr", "value", "is_sound"), [
    (SPACING, "DS", b"0.143\\0.143", True), (SPACING, "DS", b"0.143\\0.143\\0.143", False),
    (WINDOW, "DS", b"1\\2\\3\\4\\5", True), (WINDOW, "DS", b"123456", True), (WINDOW, "DS", b"1234567", False),
    (WINDOW, "DS", b"-1.5e-3", True), (WINDOW, "DS", b"1e123", False), (WINDOW, "DS", b".5", True),
    (WINDOW, "DS", b"514555.0134", False), (WINDOW, "DS", b"514555.0000", True), (WINDOW, "DS", b"", True),
    (WINDOW, "DS", b"1.5 \\ 2.5", True), (WINDOW, "DS", b"1.5a", False),
    (0x00200013, "IS", b"123456", True), (0x00200013, "IS", b"1234567", False), (0x00200013, "IS", b"-1", True),
    (EXPOSURE, "IS", b"123456789", True), (EXPOSURE, "IS", b"1234567890", False),
    (0x00101010, "AS", b"041Y", True), (0x00101010, "AS", b"0041Y", False), (0x00101010, "AS", b"041X", False),
    (0x00080020, "DA", b"20220228", True), (0x00080020, "DA", b"2022.02.28", True),
    (0x00080020, "DA", b"20221328", False),
    (0x00080020, "DA", b"20220232", False), (0x00080020, "DA", b"18991231", False),
    (0x00080030, "TM", b"235960.123456", True), (0x00080030, "TM", b"24", False), (0x00080030, "TM", b"2360", False),
    (0x00080030, "TM", b"10:11:12", True), (0x00080030, "TM", b"101112.1234567", False),
    (0x0008002A, "DT", b"20220228101112.5+0100", True), (0x0008002A, "DT", b"2022", True),
    (0x0008002A, "DT", b"20220228101112+010", False),
    (0x0020000D, "UI", b"1.2.3", True), (0x0020000D, "UI", b"1.02.3", False),
    (0x0020000D, "UI", b"1." + b"2" * 62, True),
    (0x0020000D, "UI", b"1." + b"2" * 63, False), (0x0020000D, "UI", b"1.2.", False),
    (0x00185101, "CS", b"AP", True), (0x00185101, "CS", b"A" * 24, True), (0x00185101, "CS", b"A" * 25, False),
    (0x00185101, "CS", b"A;B", False), (0x00081030, "LO", b"anything; at all", True),
])  # fmt: skip
def test_digits_and_codes_are_of_their_form(tag, vr, value, is_sound):
    assert (values.fault_of_shape(tag, vr, value) is None) == is_sound


@pytest.mark.parametrize("form", [EXPLICIT_LITTLE, BIG], ids=["little", "big"])
def test_numbers_are_as_many_and_as_long_as_the_attribute_has(form):
    order = "<" if form.little else ">"

    def fault(tag: int, vr: str, pattern: str, *numbers: float) -> str | None:
        return values.fault_of_number(tag, vr, struct.pack(f"{order}{len(numbers)}{pattern}", *numbers), form)

    assert fault(ROWS, "US", "H", 3000) is None
    assert fault(ROWS, "US", "H", 3000, 3000)
    assert values.fault_of_number(ROWS, "US", b"\1", form)
    assert fault(RATE, "FD", "d", 999_999.5) is None
    assert fault(RATE, "FD", "d", -999_999.5) is None
    assert fault(RATE, "FD", "d", 1_000_000.0)
    assert fault(RATE, "FD", "d", -1_000_000.0)
    assert fault(RATE, "FD", "d", float("inf"))
    assert fault(RATE, "FD", "d", float("nan"))
    assert fault(POINTER, "AT", "H", 0x0018, 0x1063) is None
    assert fault(POINTER, "AT", "H", 0x0018, 0x1063, 0x0010, 0x0011)  # the second is no tag of the standard
    assert fault(0x00189004, "UL", "L", 7) is None


@pytest.mark.parametrize(
    ("value", "is_text"),
    [
        (b"NGUY", True),
        (b"nguy", True),
        (b"Nguy", True),
        (b"Roy ", True),
        (b"ROY\0", True),
        (b"nGuY", False),
        (b"R0Y1", False),
        (b"\0\0\0\7", False),
    ],
)
def test_four_letters_in_a_number_of_four_bytes_are_a_word(value, is_text):
    found = values.fault_of_number(0x00280009, "UL", value, EXPLICIT_LITTLE)
    assert (found == "text in a number") == is_text


@pytest.mark.parametrize(
    ("value", "is_text"),
    [
        (b"Tremb", True),
        (b"Trem", False),
        (b"T, R^=", False),
        (b"Tre, ^", True),
        (b"12345678", True),
        (b"1234567", False),
        (b"1-2/3.4 ", True),
        (b"T\0r\0e\0m\0", True),
        (b"T\0r\0e\0", False),
        (b"\0T\0r\0e\0m", True),
        (b"\0T\0r\0e", False),
        (b"T\0\0\0r\0\0\0e\0\0\0m\0\0\0", True),
        (b"\0\0\0T\0\0\0r\0\0\0e\0\0\0m", True),
        (b"\0\0\0T\0\0\0r\0\0\0e", False),
        (bytes(40), False),
    ],
)
def test_text_in_bytes_is_found_in_any_width(value, is_text):
    for around in (b"", b"\xff\xfe\xff\xfe"):
        assert values.holds_text(around + value + around) == is_text


@pytest.mark.parametrize(
    ("own", "standard", "agree"),
    [
        ("LO", ("SH",), True),
        ("LO", ("US",), False),
        ("US", ("SS",), True),
        ("OB", ("OW",), True),
        ("OB", ("LO",), False),
        ("SQ", ("SQ",), True),
        ("SQ", ("LO",), False),
        ("LO", ("US", "SH"), True),
        ("UN", ("US",), True),
        (None, ("US",), True),
        ("LO", (), True),
    ],
)
def test_a_representation_is_of_the_standards_kind(own, standard, agree):
    assert values.kinds_agree(own, standard) == agree


def table(content: bytes, count: int, bits: int = 16, form: Form = EXPLICIT_LITTLE) -> str | None:
    order = "<" if form.little else ">"
    descriptor = Element(0x00283002, "US", struct.pack(f"{order}HHH", count, 0, bits), 0, 8)
    return values.fault_of_table(Element(0x00283006, "OW", content, 0, 8), (descriptor,), form)


@pytest.mark.parametrize("form", [EXPLICIT_LITTLE, BIG], ids=["little", "big"])
def test_a_table_is_as_long_as_it_says_and_rises_or_falls(form):
    words = "<u2" if form.little else ">u2"
    rising = np.arange(0, 1 << 12, 16, dtype=words)
    assert table(rising.tobytes(), 256, 12, form) is None
    assert table(rising[::-1].tobytes(), 256, 12, form) is None
    assert table(np.zeros(256, words).tobytes(), 256, 12, form) is None
    assert table(rising.tobytes()[:-2], 256, 12, form)
    assert table(rising.tobytes() + b"\0\0", 256, 12, form)
    assert table(np.append(rising[:-1], 0).astype(words).tobytes(), 256, 12, form)
    beyond = np.append(rising[:-1], 1 << 12).astype(words)
    assert table(beyond.tobytes(), 256, 12, form) == "look-up table beyond its bits"
    assert table(np.append(rising[:-1], (1 << 12) - 1).astype(words).tobytes(), 256, 12, form) is None
    assert table(np.append(rising[:-1], (1 << 16) - 1).astype(words).tobytes(), 256, 16, form) is None
    assert table(np.arange(1 << 16, dtype=words).tobytes(), 0, 16, form) is None  # 0 stands for 65536
    assert table(bytes(range(255)) + b"\0", 255, 8, form) is None  # bytes, one of padding
    assert table(bytes(range(0, 255, 2)), 128, 8, form) is None
    assert table(bytes(range(0, 255, 2)), 127, 8, form) is None
    assert table(bytes(range(0, 255, 2)), 126, 8, form)
    without = Element(0x00283006, "OW", rising.tobytes(), 0, 8)
    assert values.fault_of_table(without, (without,), form) == "a look-up table without a descriptor"


@pytest.mark.parametrize(
    ("value", "vr", "is_sound"),
    [
        (struct.pack("<I", 120), "UL", True),
        (struct.pack("<I", 120), None, True),
        (struct.pack("<I", 120), "UN", True),
        (struct.pack("<I", 120), "LO", False),
        (struct.pack("<I", 5000), "UL", True),
        (struct.pack("<I", 5001), "UL", False),
        (b"\1\0\0", "UL", False),
        (b"\1\0\0\0\0", "UL", False),
    ],
)
def test_a_group_length_may_be_stale_up_to_the_files_size(value, vr, is_sound):
    element = Element(0x00080000, vr, value, 0, 8)
    assert (values.fault_of_group_length(element, 120, 5000, EXPLICIT_LITTLE) is None) == is_sound


def test_letters_are_no_stale_length():
    element = Element(0x00080000, "UL", b"ROY\0", 0, 8)
    assert values.fault_of_group_length(element, 120, 10**9, EXPLICIT_LITTLE)
    assert values.fault_of_group_length(element._replace(value=b"\7\1\0\0"), 120, 10**9, EXPLICIT_LITTLE) is None

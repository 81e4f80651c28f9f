"""The raw walk of a data set (PS3.5 7), on bytes written here: each length, delimiter and limit at its bound."""

from __future__ import annotations

import struct
import zlib

import pytest

from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import container, reasons
from radia_pipeline.privacy.limits import Limits
from radia_pipeline.privacy.walk import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    UNDEFINED,
    Form,
    Walk,
    as_dataset,
    fragments,
    is_representation,
    standard_vr,
    tag_name,
)
from radia_pipeline_tests.dicom import files

EXPLICIT_BIG = Form(False, False)


def short(tag: int, vr: bytes, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def long(tag: int, vr: bytes, value: bytes, *, length: int | None = None, reserved: int = 0) -> bytes:
    said = len(value) if length is None else length
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, reserved, said) + value


def plain(tag: int, value: bytes, *, length: int | None = None) -> bytes:
    """Return an element without a representation, an item or a delimiter."""
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
INNER = short(0x00080060, b"CS", b"DX")
NAME = short(0x00100010, b"PN", b"AB")


def walked(data: bytes, form: Form = EXPLICIT_LITTLE, **options: int) -> tuple[list[tuple], int]:
    elements, end = Walk(data).elements(0, len(data), form, **options)
    return [(one.tag, one.vr, one.value, one.start, one.head) for one in elements], end


def reason_of(data: bytes, form: Form = EXPLICIT_LITTLE, limits: Limits | None = None) -> str:
    try:
        Walk(data, limits or Limits()).elements(0, len(data), form)
    except Refusal as refused:
        return refused.reason
    return ""


def test_elements_of_each_form_stand_one_behind_the_other():
    text = short(0x00080060, b"CS", b"DX") + long(0x00081030, b"UT", b"four") + short(0x00100010, b"PN", b"")
    assert walked(text) == (
        [(0x00080060, "CS", b"DX", 0, 8), (0x00081030, "UT", b"four", 10, 12), (0x00100010, "PN", b"", 26, 8)],
        34,
    )
    implicit = plain(0x00080060, b"DX") + plain(0x00100010, b"AB")
    assert walked(implicit, IMPLICIT_LITTLE) == (
        [(0x00080060, None, b"DX", 0, 8), (0x00100010, None, b"AB", 10, 8)],
        20,
    )
    assert walked(short(0x00080060, b"CS", b"DX", ">"), EXPLICIT_BIG) == ([(0x00080060, "CS", b"DX", 0, 8)], 10)
    assert walked(b"") == ([], 0)


def test_the_walk_ends_where_something_else_begins():
    assert walked(INNER + plain(ITEM_END, b""))[1] == 10
    assert walked(short(0x00020010, b"UI", b"1\0") + INNER, group=2)[1] == 10
    pixels = long(0x7FE00010, b"OW", b"ab")
    assert walked(INNER + pixels)[1] == 10
    assert walked(INNER + pixels, depth=1)[1] == 24, "in an item pixels are an element as any other"
    for tag in (0x7FE00008, 0x7FE00009):
        assert walked(INNER + long(tag, b"OF", b""))[1] == 10


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (INNER + b"\x08\0\x60\0CS\2", reasons.TRUNCATED),
        (INNER + short(0x00080061, b"CS", b"DX")[:-1], reasons.TRUNCATED),
        (INNER + long(0x00081030, b"UT", b"ab", length=3), reasons.TRUNCATED),
        (INNER + long(0x00081030, b"UT", b"")[:8], reasons.BROKEN_CONTAINER),
        (INNER + long(0x00081030, b"UT", b"")[:11], reasons.BROKEN_CONTAINER),
        (INNER + long(0x00081030, b"UT", b""), ""),
        (INNER + long(0x00081030, b"UT", b"", reserved=1), reasons.BROKEN_CONTAINER),
        (INNER + short(0x00081030, b"XX", b""), reasons.BROKEN_CONTAINER),
        (INNER + long(0x00081030, b"UT", b"ab", length=UNDEFINED), reasons.BROKEN_CONTAINER),
    ],
)
def test_an_element_is_whole_and_of_a_known_representation(data, reason):
    assert reason_of(data) == reason


def test_a_hostile_number_of_elements_or_depth_costs_one_refusal():
    assert reason_of(INNER * 3, limits=Limits(elements=3)) == ""
    assert reason_of(INNER * 4, limits=Limits(elements=3)) == reasons.BROKEN_CONTAINER

    def nested(depth: int) -> bytes:
        body = INNER
        for _ in range(depth):
            body = long(0x00081140, b"SQ", plain(ITEM, body))
        return body

    assert reason_of(nested(2), limits=Limits(nesting=2)) == ""
    assert reason_of(nested(3), limits=Limits(nesting=2)) == reasons.BROKEN_CONTAINER
    assert reason_of(nested(2), limits=Limits(elements=3)) == ""
    assert reason_of(nested(2), limits=Limits(elements=2)) == reasons.BROKEN_CONTAINER


SEQUENCES = {
    "lengths": long(0x00081140, b"SQ", plain(ITEM, INNER) + plain(ITEM, INNER + NAME)),
    "open": long(
        0x00081140, b"SQ",
        plain(ITEM, INNER, length=UNDEFINED) + plain(ITEM_END, b"") + plain(ITEM, INNER + NAME)
        + plain(SEQUENCE_END, b""),
        length=UNDEFINED,
    ),
    "empty": long(0x00081140, b"SQ", b""),
    "no item": long(0x00081140, b"SQ", plain(SEQUENCE_END, b""), length=UNDEFINED),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "items", "head"), [("lengths", 2, 28), ("open", 2, 44), ("empty", 0, 12),
                                                      ("no item", 0, 20)])  # fmt: skip
def test_items_of_a_sequence_and_the_bytes_that_are_no_value(kind, items, head):
    data = SEQUENCES[kind] + NAME
    (sequence, behind), end = Walk(data).elements(0, len(data), EXPLICIT_LITTLE)
    assert (len(sequence.items), sequence.head, end) == (items, head, len(data))
    assert behind.tag == 0x00100010
    assert [[one.tag for one in item] for item in sequence.items] == [[0x00080060], [0x00080060, 0x00100010]][:items]
    assert len(as_dataset((sequence,), EXPLICIT_LITTLE)[0x00081140].value) == items


@pytest.mark.parametrize(
    ("body", "length", "reason"),
    [
        (plain(ITEM, INNER), UNDEFINED, reasons.TRUNCATED),
        (plain(ITEM, INNER) + plain(SEQUENCE_END, b"")[:7], UNDEFINED, reasons.TRUNCATED),
        (plain(ITEM, INNER) + plain(SEQUENCE_END, b"", length=1), UNDEFINED, reasons.BROKEN_CONTAINER),
        (plain(ITEM, INNER) + plain(SEQUENCE_END, b""), None, reasons.BROKEN_CONTAINER),
        (plain(0x00080060, b"DX"), None, reasons.BROKEN_CONTAINER),
        (plain(ITEM, INNER, length=11), None, reasons.BROKEN_CONTAINER),
        (plain(ITEM, INNER + plain(ITEM_END, b"")), None, reasons.BROKEN_CONTAINER),
        (plain(ITEM, INNER, length=UNDEFINED) + plain(ITEM, INNER), None, reasons.BROKEN_CONTAINER),
        (plain(ITEM, INNER, length=UNDEFINED) + plain(ITEM_END, b"", length=1), None, reasons.BROKEN_CONTAINER),
        (plain(ITEM, INNER, length=UNDEFINED), None, reasons.TRUNCATED),
        (plain(ITEM, INNER) + b"\0\0\0\0\0\0\0", None, reasons.TRUNCATED),
    ],
)
def test_a_sequence_holds_items_and_nothing_else(body, length, reason):
    assert reason_of(long(0x00081140, b"SQ", body, length=length)) == reason


def test_what_is_a_sequence_where_no_representation_says_so():
    items = plain(ITEM, plain(0x00080060, b"DX"))
    (known,), _ = Walk(plain(0x00081140, items)).elements(0, 8 + len(items), IMPLICIT_LITTLE)
    assert len(known.items) == 1
    (text,), _ = Walk(plain(0x00081030, items)).elements(0, 8 + len(items), IMPLICIT_LITTLE)
    assert text.items is None
    open_ended = plain(0x00091000, items + plain(SEQUENCE_END, b""), length=UNDEFINED)
    (private,), _ = Walk(open_ended).elements(0, len(open_ended), IMPLICIT_LITTLE)
    assert len(private.items) == 1
    unknown = long(0x00091000, b"UN", items + plain(SEQUENCE_END, b""), length=UNDEFINED)
    (as_un,), _ = Walk(unknown).elements(0, len(unknown), EXPLICIT_LITTLE)
    assert as_un.items[0][0].value == b"DX", "a sequence as UN is implicit"
    assert as_dataset((as_un,), EXPLICIT_LITTLE)[0x00091000].value[0].Modality == "DX"
    (standard,), _ = Walk(long(0x00081140, b"UN", items)).elements(0, 12 + len(items), EXPLICIT_LITTLE)
    assert len(standard.items) == 1
    (bytes_,), _ = Walk(long(0x00091000, b"UN", items)).elements(0, 12 + len(items), EXPLICIT_LITTLE)
    assert bytes_.items is None


def test_fragments_of_pixels():
    data = plain(ITEM, b"") + plain(ITEM, b"abcd") + plain(SEQUENCE_END, b"") + b"behind"
    parts, end = fragments(memoryview(b"??" + data), 2)
    assert ([bytes(part) for part in parts], end) == ([b"", b"abcd"], 2 + 28)
    for wrong, reason in (
        (data[:20], reasons.TRUNCATED),
        (plain(ITEM, b"abcd", length=5), reasons.TRUNCATED),
        (plain(ITEM, b"") + plain(SEQUENCE_END, b"", length=1), reasons.BROKEN_CONTAINER),
        (plain(ITEM, b"") + plain(ITEM_END, b""), reasons.BROKEN_CONTAINER),
        (plain(ITEM, b"") + plain(SEQUENCE_END, b"")[:7], reasons.TRUNCATED),
    ):
        with pytest.raises(Refusal) as caught:
            fragments(memoryview(wrong), 0)
        assert caught.value.reason == reason


def test_tags_and_representations():
    assert tag_name(0x7FE00010) == "(7FE0,0010)"
    assert tag_name(0x0008103E) == "(0008,103E)"
    assert standard_vr(0x00100010) == ("PN",)
    assert standard_vr(0x00280106) == ("US", "SS")
    assert standard_vr(0x00091000) == ()
    assert is_representation(b"UV")
    assert is_representation(b"PN")
    assert not is_representation(b"XX")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (bytes(128) + b"DICM", "dicom"),
        (bytes(127) + b"DICM", "other"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff", "jpeg"),
        (b"\xff\xd8", "other"),
        (b"DICM", "headerless"),
        (short(0x00080008, b"CS", b"ORIG"), "headerless"),
        (short(0x00020010, b"UI", b"1.2\0"), "headerless"),
        (short(0x00080018, b"UI", b"1.2\0"), "headerless"),
        (short(0x00080019, b"UI", b"1.2\0"), "other"),
        (short(0x00090010, b"UI", b"1.2\0"), "other"),
        (short(0x00080008, b"CS", b"ORI"), "other"),
        (plain(0x00080008, b"ORIG", length=64), "headerless"),
        (plain(0x00080008, b"ORIG", length=65), "other"),
    ],
)
def test_kinds_of_files_by_their_first_bytes(data, kind):
    assert container.sniff(data) == kind


def test_deflated_data_is_whole_and_what_follows_is_its_checksum():
    plain_data = b"some data set" * 40
    machine = zlib.compressobj(wbits=-15)
    body = machine.compress(plain_data) + machine.flush()
    sums = zlib.crc32(plain_data)
    size = len(plain_data).to_bytes(4, "little")
    for behind in (
        b"", b"\0", b"\0\0\0", sums.to_bytes(4, "little"), sums.to_bytes(4, "big"), sums.to_bytes(4, "big") + b"\0",
        zlib.adler32(plain_data).to_bytes(4, "big"), sums.to_bytes(4, "little") + size,
    ):  # fmt: skip
        assert container.inflate(body + behind, len(plain_data)) == plain_data
    for data, cap, reason in (
        (body + b"x", 9_999, reasons.BROKEN_CONTAINER),
        (body + sums.to_bytes(4, "big") + b"x", 9_999, reasons.BROKEN_CONTAINER),
        (body + sums.to_bytes(4, "big") + b"\0\0", 9_999, reasons.BROKEN_CONTAINER),
        (body[:-2], 9_999, reasons.TRUNCATED),
        (body, len(plain_data) - 1, reasons.TOO_LARGE),
        (b"\xff" * 20, 9_999, reasons.BROKEN_CONTAINER),
    ):
        with pytest.raises(Refusal) as caught:
            container.inflate(data, cap)
        assert caught.value.reason == reason


def test_each_byte_of_a_file_has_its_part():
    data = files.clean_file()
    found = container.parse(data)
    start, end = found.pixel_span
    assert data[start : start + 4] == b"\xe0\x7f\x10\0"
    assert bytes(found.pixels) == data[start + 12 : end]
    assert (end, found.file_bytes, found.fragment_sizes, found.offset_table) == (len(data), len(data), None, b"")
    assert (found.behind, found.unowned, found.preamble) == ((), b"", bytes(128))
    trailed = container.parse(data + long(0xFFFCFFFC, b"OB", b"\0\0") + b"rest")
    assert trailed.behind == ()
    assert trailed.unowned == long(0xFFFCFFFC, b"OB", b"\0\0") + b"rest", "what cannot be walked has no owner"
    padded = container.parse(data + long(0xFFFCFFFC, b"OB", b"\0\0"))
    assert ([one.tag for one in padded.behind], padded.unowned) == ([0xFFFCFFFC], b"")
    jpeg = files.clean_file(syntax=files.LOSSLESS[1])
    packed = container.parse(jpeg)
    assert packed.fragment_sizes == (len(packed.pixels),)
    assert packed.pixel_span[1] == len(jpeg)
    for cut, reason in ((start, reasons.TRUNCATED), (end - 1, reasons.TRUNCATED), (start + 6, reasons.TRUNCATED)):
        with pytest.raises(Refusal) as caught:
            container.parse(data[:cut])
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        (struct.pack("<HH2sHH", 0x28, 0x10, b"US", 2, 5), reasons.TRUNCATED),
        (struct.pack("<HH2sHH", 0x28, 0x11, b"US", 2, 5), reasons.NOT_A_RADIOGRAPH),
        (INNER, reasons.NOT_A_RADIOGRAPH),
        (b"", reasons.TRUNCATED),
        (INNER + plain(ITEM_END, b""), reasons.BROKEN_CONTAINER),
    ],
)
def test_a_file_without_pixels_is_cut_where_its_header_is_an_images(elements, reason):
    meta = short(0x00020010, b"UI", b"1.2.840.10008.1.2.1\0")
    with pytest.raises(Refusal) as caught:
        container.parse(bytes(128) + b"DICM" + meta + elements)
    assert caught.value.reason == reason

"""A file that reaches a cap passes, one that is beyond it is refused; what a container says of lengths holds."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import pytest

from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import parse
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.privacy.making import CLEAN, before, element, put

PATIENT_NAME = 0x00100010
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF


def refusal(data: bytes, limits: Limits = DEFAULT_LIMITS) -> str | None:
    try:
        parse(data, limits)
    except Refusal as refused:
        return refused.reason
    return None


def fewest_elements(data: bytes) -> int:
    return next(count for count in range(200) if refusal(data, Limits(elements=count)) is None)


def with_empty_elements(count: int) -> bytes:
    return before(PATIENT_NAME, b"".join(element(0x00091000 + at, b"LO", b"") for at in range(count)))


def test_as_many_elements_as_the_cap_says_are_looked_at():
    own = fewest_elements(CLEAN)
    assert own > 20
    assert refusal(with_empty_elements(7), Limits(elements=own + 7)) is None
    assert refusal(with_empty_elements(8), Limits(elements=own + 7)) == reasons.BROKEN_CONTAINER
    assert refusal(with_empty_elements(20_000 - own)) is None
    assert refusal(with_empty_elements(20_001 - own)) == reasons.BROKEN_CONTAINER


def delimiter(tag: int, size: int = 0) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, size)


def sequence(content: bytes, size: int | None = None) -> bytes:
    return struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, len(content) if size is None else size) + content


def nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = sequence(delimiter(ITEM, len(content)) + content)
    return before(PATIENT_NAME, content)


def test_sequences_nest_as_deep_as_the_cap_says():
    assert DEFAULT_LIMITS.nesting == 16
    assert refusal(nested(16)) is None
    assert refusal(nested(17)) == reasons.BROKEN_CONTAINER


def test_what_is_inflated_ends_at_the_cap():
    data = files.clean_file(1, syntax=files.NATIVE[3])
    start = 132 + 12 + struct.unpack_from("<I", data, 140)[0]
    size = len(zlib.decompressobj(-15).decompress(data[start:]))
    assert refusal(data, Limits(inflated_bytes=size)) is None
    assert refusal(data, Limits(inflated_bytes=size - 1)) == reasons.TOO_LARGE


INNER = element(0x00081150, b"UI", b"1.2.840.10008.5.1.4.1.1.1.1")


@pytest.mark.parametrize(
    ("content", "size", "reason"),
    [
        (delimiter(ITEM, len(INNER)) + INNER, None, None),
        (delimiter(ITEM, UNDEFINED) + INNER + delimiter(ITEM_END), None, None),
        (delimiter(ITEM, len(INNER)) + INNER + delimiter(SEQUENCE_END), UNDEFINED, None),
        (delimiter(ITEM, len(INNER)) + INNER, 8, reasons.BROKEN_CONTAINER),  # the item reaches beyond its sequence
        (delimiter(ITEM, len(INNER)) + INNER, UNDEFINED, reasons.BROKEN_CONTAINER),
        (delimiter(ITEM, UNDEFINED) + INNER, None, reasons.TRUNCATED),
        (delimiter(ITEM, UNDEFINED) + INNER + delimiter(ITEM_END, 4), None, reasons.BROKEN_CONTAINER),
        (delimiter(ITEM, UNDEFINED) + INNER + delimiter(SEQUENCE_END), None, reasons.BROKEN_CONTAINER),
        (delimiter(ITEM, len(INNER)) + INNER + delimiter(SEQUENCE_END, 4), UNDEFINED, reasons.BROKEN_CONTAINER),
        (delimiter(ITEM, len(INNER)) + INNER + delimiter(SEQUENCE_END), None, reasons.BROKEN_CONTAINER),
        (delimiter(ITEM_END), None, reasons.BROKEN_CONTAINER),
        (delimiter(ITEM, len(INNER) + 8) + INNER + delimiter(ITEM_END), None, reasons.BROKEN_CONTAINER),
        (delimiter(ITEM, 4)[:4], None, reasons.TRUNCATED),
    ],
)
def test_items_and_delimiters_stand_where_lengths_say(content, size, reason):
    assert refusal(before(PATIENT_NAME, sequence(content, size))) == reason


@pytest.mark.parametrize(("end", "reason"), [(3, reasons.TRUNCATED), (7, reasons.TRUNCATED)])
def test_the_head_of_an_element_is_whole(end, reason):
    whole = put(0x00104000, b"LT", b"remark")
    at = whole.index(struct.pack("<HH", 0x0010, 0x4000))
    assert refusal(whole) is None
    assert refusal(whole[: at + end]) == reason


def test_a_caps_place_is_what_it_says():
    """The order in which a worker is told of them is that of the fields (``dicom.work``)."""
    assert vars(replace(DEFAULT_LIMITS)) == {
        "file_bytes": 256 << 20,
        "inflated_bytes": 256 << 20,
        "side_px": 1 << 14,
        "pixels": 50_000_000,
        "pixel_bytes": 128 << 20,
        "frames": 1,
        "nesting": 16,
        "elements": 20_000,
        "seconds": 120.0,
        "memory_bytes": 4 << 30,
    }

"""Each byte of a file is judged once: places where text hid beside the elements, and files whose bytes add up."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons, rules, values
from radia_pipeline.privacy.container import DEFLATED, parse, sniff
from radia_pipeline.privacy.header import audit, judgements
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline_tests.dicom import files

POLICY = policy_of("ccsmtl")
NAME = b"LAVOIE^OCTAVE 4185550177"
CLEAN = files.to_bytes(files.dataset(files.picture(1, (8, 8))))
"""Explicit little endian; the pixels are the last element."""


def findings(data: bytes) -> list[str]:
    return [str(finding) for finding in audit(parse(data), POLICY)]


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2) if vr not in (b"OB", b"UI", b"US", b"UL", b"OW") else b"\0" * (len(value) % 2)
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    long = vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OV")
    return head + (struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))) + value


def before(tag: int, added: bytes, data: bytes = CLEAN) -> bytes:
    """Put bytes in front of the first element of a tag."""
    at = data.index(struct.pack("<HH", tag >> 16, tag & 0xFFFF), 132)
    return data[:at] + added + data[at:]


def in_meta(added: bytes) -> bytes:
    """Put an element at the end of the file meta information, whose length follows."""
    data = before(0x00080016, added)
    length = struct.unpack_from("<I", data, 140)[0]
    return data[:140] + struct.pack("<I", length + len(added)) + data[144:]


def nested_pixels() -> bytes:
    icon, ds = Dataset(), files.dataset(files.picture(1, (8, 8)))
    icon.PixelData = NAME
    icon["PixelData"].VR = "OB"
    ds.SourceImageSequence = Sequence([icon])
    return files.to_bytes(ds)


def look_up(table: bytes) -> bytes:
    item, ds = Dataset(), files.dataset(files.picture(1, (8, 8)))
    item.LUTDescriptor, item.LUTData = [len(table) // 2, 0, 16], table
    item["LUTData"].VR = "OW"
    ds.VOILUTSequence = Sequence([item])
    return files.to_bytes(ds)


PLANTED = {
    "name twice": before(0x00100020, element(0x00100010, b"PN", b"LAVOIE^OCTAVE")),
    "title twice in the meta information": in_meta(
        element(0x00020016, b"AE", b"LAVOIE") + element(0x00020016, b"AE", b"CTP")
    ),
    "group length as text": before(0x00100010, element(0x00100000, b"LT", NAME)),
    "group length of four letters": before(0x00100010, element(0x00100000, b"UL", b"OCTA")),
    "name in a double": before(0x00280002, element(0x00189073, b"PN", b"LAVOIE^OCTAVE")),
    "letters in a double": before(0x00280002, element(0x00189073, b"FD", b"LAVOIE O")),
    "letters in integers": before(0x00280010, element(0x00280009, b"AT", b"LAVO")),
    "too many rows": before(0x00280011, element(0x00280010, b"US", NAME)),
    "UID of the standard with a tail": before(0x00280002, element(0x00200052, b"UI", b"1.2.840.10008.1.4.1.1.418")),
    "creator of private information": in_meta(element(0x00020100, b"UI", b"1.2.840.10008.LAVOIE")),
    "private information": in_meta(element(0x00020102, b"OB", NAME)),
    "implementation": CLEAN.replace(b"PYDICOM 3.0.2", b"LAVOIE OCTAVE"),
    "palette of a grey picture": before(0x7FE00010, element(0x00281201, b"OW", "LAVOIE".encode("utf-16-le"))),
    "profile of colours": before(0x7FE00010, element(0x00282000, b"OB", NAME)),
    "pixels of an item": nested_pixels(),
    "text in a table": look_up(b"LAVOIE OCTAVE 41855501771954 "[:28]),
    "delimiter and text": CLEAN + struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + NAME,
    "text behind the pixels": CLEAN + NAME,
    "few bytes behind the pixels": CLEAN + b"LAVOIE",
    "preamble of a TIFF": (b"II*\0" + NAME).ljust(128, b"\0") + CLEAN[128:],
    "preamble of a TIFF in 16 bits": (b"MM\0*" + "....LAVOIE".encode("utf-16-le")).ljust(128, b"\0") + CLEAN[128:],
    "telephone as a series number": before(0x00280002, element(0x00200011, b"IS", b"4185550177")),
    "telephone as a decimal": before(0x00280002, element(0x00181110, b"DS", b"4185550177")),
    "name as a defined term": before(0x00280002, element(0x00200060, b"CS", b"OCTAVE")),
    "reserved bytes": before(0x7FE00010, struct.pack("<HH2sHI", 0x0028, 0x3006, b"OW", 0x4F4C, 0)),
}


@pytest.mark.parametrize("data", PLANTED.values(), ids=PLANTED)
def test_text_beside_the_elements_is_found(data: bytes) -> None:
    assert data != CLEAN
    try:
        assert findings(data)
    except Refusal as refusal:
        assert refusal.reason == reasons.BROKEN_CONTAINER


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Manufacturer", "LAVOIE"),
        ("ManufacturerModelName", "OCTAVE LAVOIE"),
        ("SoftwareVersions", "LAVOIE"),
        ("DetectorID", "LAVOIE"),
        ("AcquisitionDeviceProcessingCode", "LAVOIE19540312"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "LAVOIE"]),
        ("DeidentificationMethod", "Basic Application Confidentiality Profile LAVOIE 1954"),
        ("BodyPartExamined", "OCTAVE"),
        ("DeidentificationMethod", "Basic Application Confidentiality Profile; Retain OCTAVE LAVOIE Option"),
        ("DeidentificationMethod", "Basic Application Confidentiality Profile; TCIA OCTAVE LAVOIE Anonymizer"),
        ("ViewPosition", "LAVOIE"),
        ("WindowCenterWidthExplanation", "OCTAVE"),
    ],
)
def test_a_person_is_no_value_of_a_list(keyword: str, value: object) -> None:
    ds = files.dataset(files.picture(1, (8, 8)))
    setattr(ds, keyword, value)
    assert findings(files.to_bytes(ds))


def sound_files() -> dict[str, bytes]:
    table = np.linspace(0, 4095, 4096).astype("<u2").tobytes()
    return {
        **{syntax: files.clean_file(1, syntax=syntax) for syntax in files.EXACT},
        "look-up table": look_up(table),
        "zeros behind the pixels": CLEAN + bytes(24),
        "right group length": before(0x00100010, element(0x00100000, b"UL", struct.pack("<I", group_bytes(0x10)))),
        "stale group length": before(0x00100010, element(0x00100000, b"UL", struct.pack("<I", 12))),
    }


def group_bytes(group: int) -> int:
    return sum(e.head + len(e.value) for e in parse(CLEAN).elements if e.tag >> 16 == group)


@pytest.mark.parametrize("name", sound_files())
def test_sound_files_pass_and_each_byte_is_judged_once(name: str) -> None:
    data = sound_files()[name]
    parsed = parse(data)
    assert [str(one) for one in audit(parsed, POLICY)] == []
    outer = len(data) if parsed.syntax != DEFLATED else len(data) + parsed.body_bytes
    assert sum(one.size for one in judgements(parsed, POLICY)) == outer


@settings(max_examples=150, deadline=None)
@given(st.integers(132, len(CLEAN) - 1), st.binary(max_size=12), st.integers(0, 12))
def test_a_mutated_file_is_judged_whole_or_refused(at: int, added: bytes, removed: int) -> None:
    data = CLEAN[:at] + added + CLEAN[at + removed :]
    assert sniff(data) == "dicom"
    try:
        parsed = parse(data)
    except Refusal:
        return
    if parsed.syntax != DEFLATED:
        assert sum(one.size for one in judgements(parsed, POLICY)) == len(data)


def test_a_walk_takes_as_long_as_the_file_is_large() -> None:
    """Nested and repeated items are read once each: the count of elements is the count of steps."""
    item = element(0x00080100, b"SH", b"T-1")
    for _ in range(20):
        item = element(0x00082218, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item)
    with pytest.raises(Refusal, match="nested too deeply"):
        parse(before(0x00100010, item))
    many = b"".join(element(0x00181020, b"LO", b"1.0") for _ in range(20_001))
    with pytest.raises(Refusal, match="too many elements"):
        parse(before(0x00185101, many))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", [b", ", b"ab ", b"A\0", b"1 ", b"\0\0\0A", b"a@", b"(418) ", b"1-", b"a^"])
def test_long_values_are_searched_once(unit: bytes) -> None:
    """A search that begins anew at each byte of such a value would take hours; this one ends."""
    value = unit * (500_000 // len(unit))
    assert isinstance(values.holds_text(value), bool)
    assert rules.scan(value.decode("latin-1")) in (None, "name_with_caret", "mail_address", "phone_number")


def test_a_data_set_without_its_prefix_is_told_from_other_files() -> None:
    assert sniff(CLEAN[132:]) == sniff(CLEAN[128:]) == "headerless"
    assert sniff(b"<html><body>error</body></html>") == "other"

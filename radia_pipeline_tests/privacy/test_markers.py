"""Markers of compressed frames: an identity in any segment is found, what encoders write is not taken for one."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate

from radia_pipeline.privacy import markers
from radia_pipeline.privacy.container import parse
from radia_pipeline.privacy.header import audit
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline_tests.dicom import files

NAME = b"LAVOIE OCTAVE 1954-03-12"
BASELINE = "1.2.840.10008.1.2.4.50"
SYNTAXES = (files.LOSSLESS[1], files.JPEG_LS, files.JPEG_2000, files.HTJ2K, BASELINE)


def frame(syntax: str) -> bytes:
    if syntax == BASELINE:
        return imagecodecs.jpeg8_encode(files.picture(1, (32, 24), 8))
    return files.stream(files.picture(1, (32, 24)), syntax, 12)


def faults(stream: bytes, syntax: str) -> list[str]:
    return [fault for _, fault in markers.listed(stream, syntax) if fault]


def segment(code: int, body: bytes) -> bytes:
    return bytes([0xFF, code]) + (len(body) + 2).to_bytes(2, "big") + body


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_encoders_write_passes(syntax: str) -> None:
    assert faults(frame(syntax), syntax) == []


@pytest.mark.parametrize("syntax", [files.LOSSLESS[1], files.JPEG_LS, BASELINE])
@pytest.mark.parametrize(("code", "body"), [
    (0xFE, NAME), (0xE1, b"Exif\0\0" + NAME), (0xE0, b"JFIF\0" + NAME), (0xED, NAME), (0xEE, b"Adobe" + NAME),
    (0xE8, NAME),
    (0xF0, NAME), (0xDD, NAME), (0xC4, b"Octave Lavoie" + NAME),
])  # fmt: skip
def test_text_in_a_segment_is_found(syntax: str, code: int, body: bytes) -> None:
    stream = frame(syntax)
    assert faults(stream[:2] + segment(code, body) + stream[2:], syntax)


@pytest.mark.parametrize("syntax", [files.JPEG_2000, files.HTJ2K])
def test_a_comment_of_a_codestream_is_found_in_either_header(syntax: str) -> None:
    stream = frame(syntax)
    at = 4 + int.from_bytes(stream[4:6], "big")
    assert faults(stream[:at] + segment(0x64, b"\0\1" + NAME) + stream[at:], syntax)
    sot = stream.index(b"\xff\x90")
    added = segment(0x64, b"\0\0" + NAME)
    length = int.from_bytes(stream[sot + 6 : sot + 10], "big")
    psot = (length + len(added) if length else 0).to_bytes(4, "big")
    later = stream[: sot + 6] + psot + stream[sot + 10 : sot + 12] + added + stream[sot + 12 :]
    assert faults(later, syntax)


@settings(max_examples=60)
@given(st.sampled_from(SYNTAXES), st.integers(2, 400), st.binary(max_size=12), st.integers(0, 12))
def test_a_mutated_frame_is_listed_whatever_it_holds(syntax: str, at: int, added: bytes, removed: int) -> None:
    stream = frame(syntax)
    faults(stream[:at] + added + stream[at + removed :], syntax)
    faults(stream[:at], syntax)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_one_byte_of_padding_passes_and_a_second_stream_does_not(syntax: str) -> None:
    stream = frame(syntax)
    for padding in (b"\0", b"\xff", b" "):
        assert faults(stream + padding, syntax) == []
    for behind in (b"LA", NAME, stream):
        assert faults(stream + behind, syntax)


def test_fragments_hold_one_frame_and_the_offset_table_only_offsets() -> None:
    policy = policy_of("ccsmtl")
    ds = files.dataset(files.picture(1, (32, 24)), syntax=files.JPEG_LS)
    stream = frame(files.JPEG_LS)

    def found(item: bytes) -> list[str]:
        ds.PixelData = item
        return [str(one) for one in audit(parse(files.to_bytes(ds)), policy)]

    assert found(encapsulate([stream], fragments_per_frame=2)) == []
    assert found(encapsulate([stream, stream]))
    plain = encapsulate([stream], has_bot=False)
    assert plain[:8] == b"\xfe\xff\x00\xe0\0\0\0\0"
    assert found(b"\xfe\xff\x00\xe0\x08\0\0\0" + b"LAVOIE O" + plain[8:])


def test_unused_offsets_of_a_run_length_header_hold_nothing() -> None:
    stream = files.stream(np.zeros((8, 8), np.uint16), files.RLE, 12)
    assert faults(stream, files.RLE) == []
    assert faults(stream[:40] + b"LAVOIE OCTAVE 1954 24 by"[:24] + stream[64:], files.RLE)


LOSSLESS_FRAME = segment(0xC3, b"\x08\0\x08\0\x08\x01\x01\x11\0")
CODES = b"\0\x01\x05\x01\x01\x01\x01\x01\x01" + bytes(7)
"""Twelve codes."""
SCAN = segment(0xDA, b"\x01\x01\0\x01\0\0")


def whole(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments) + b"\x12\x34\xff\xd9"


def test_a_lossless_frame_uses_no_table_of_runs_and_no_quantisation() -> None:
    direct = segment(0xC4, b"\0" + CODES + bytes(range(12)))
    assert faults(whole(direct, LOSSLESS_FRAME, SCAN), files.LOSSLESS[1]) == []
    runs = segment(0xC4, b"\x10" + CODES + b"JEAN^TRMBLY2")
    assert faults(whole(direct, runs, LOSSLESS_FRAME, SCAN), files.LOSSLESS[1])
    steps = segment(0xDB, b"\0" + bytes(range(1, 65)))
    assert faults(whole(direct, steps, LOSSLESS_FRAME, SCAN), files.LOSSLESS[1])


@pytest.mark.parametrize("second", [0x00, 0x10], ids=["alike", "of another precision"])
def test_a_table_that_another_of_the_same_segment_replaces_holds_nothing(second: int) -> None:
    stream = frame(BASELINE)
    at = stream.index(b"\xff\xdb")
    length = int.from_bytes(stream[at + 2 : at + 4], "big")
    first = stream[at + 4 : at + 69]
    again = bytes([second]) + (first[1:] if not second else bytes(part for one in first[1:] for part in (0, one)))
    twice = stream[:at] + segment(0xDB, stream[at + 4 : at + 2 + length] + again) + stream[at + 2 + length :]
    assert "stands twice" in faults(twice, BASELINE)

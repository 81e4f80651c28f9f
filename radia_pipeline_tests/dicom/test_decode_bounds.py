"""Stored bits at their bounds, the frames of RLE written by hand, and how far a header and a stream may differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radia_pipeline.dicom import codestream, decode
from radia_pipeline.dicom.facts import PixelFacts, pixel_facts
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import parse
from radia_pipeline_tests.dicom import files

SMALL = PixelFacts(2, 3, 16, 12, 11, is_signed=False, photometric="MONOCHROME2")


def kept(values: list, kind: str, facts: PixelFacts, *, is_compressed: bool) -> tuple[str, list]:
    found = decode._keep_stored_bits(np.array(values, kind), facts, is_compressed=is_compressed)
    return str(found.dtype), found.tolist()


@pytest.mark.parametrize(
    ("kind", "bits", "high", "signed", "values", "expected"),
    [
        ("u2", 12, 11, False, [0, 4095, 0xF001], ("uint16", [0, 4095, 1])),
        ("u2", 12, 15, False, [0xFFF0, 0x001F], ("uint16", [4095, 1])),
        ("u2", 12, 13, False, [0xFFFC, 0x0007], ("uint16", [4095, 1])),
        ("u2", 16, 15, False, [0, 65535], ("uint16", [0, 65535])),
        ("u2", 12, 11, True, [0x7FF, 0x800, 0xFFF, 0xF000], ("int16", [2047, -2048, -1, 0])),
        ("u2", 16, 15, True, [0x7FFF, 0x8000, 0xFFFF], ("int16", [32767, -32768, -1])),
        ("u2", 12, 15, True, [0x7FF0, 0x800F], ("int16", [2047, -2048])),
        ("u1", 8, 7, False, [0, 255], ("uint8", [0, 255])),
        ("u1", 6, 5, False, [0xFF, 0x40], ("uint8", [63, 0])),
        ("u1", 8, 7, True, [127, 128, 255], ("int16", [127, -128, -1])),
        ("u4", 16, 15, False, [0x1FFFF, 0x10000], ("uint16", [65535, 0])),
        ("u4", 16, 31, False, [0xFFFF0000, 0x1FFFF], ("uint16", [65535, 1])),
        ("u1", 1, 0, False, [3, 2], ("uint8", [1, 0])),
    ],
)
def test_stored_bits_are_cut_out_at_the_high_bit(kind, bits, high, signed, values, expected):
    facts = PixelFacts(1, len(values), 8 * np.dtype(kind).itemsize, bits, high, signed, "MONOCHROME2")
    assert kept(values, kind, facts, is_compressed=False) == expected


@pytest.mark.parametrize(
    ("kind", "bits", "signed", "values", "expected"),
    [
        ("u2", 12, False, [0, 4095], ("uint16", [0, 4095])),
        ("u2", 12, False, [0, 4096], None),
        ("u2", 16, False, [0, 65535], ("uint16", [0, 65535])),
        ("u1", 7, False, [0, 127], ("uint8", [0, 127])),
        ("u1", 7, False, [0, 128], None),
        ("u2", 12, True, [0x7FF, 0xFFF, 0x800], ("int16", [2047, -1, -2048])),
        ("i2", 12, True, [-2048, 2047], ("int16", [-2048, 2047])),
        ("i2", 12, False, [0, 2047], None),
        ("i4", 16, True, [-32768, 32767], ("int16", [-32768, 32767])),
        ("i4", 16, True, [0, 32768], None),
        ("i4", 16, True, [-32769, 0], None),
    ],
)
def test_of_a_compressed_frame_nothing_may_stand_outside_the_stored_bits(kind, bits, signed, values, expected):
    """The high bit of a compressed frame is not looked at: the codec has put the values right."""
    facts = PixelFacts(1, len(values), 16, bits, 15, signed, "MONOCHROME2")
    if expected is None:
        with pytest.raises(Refusal) as caught:
            kept(values, kind, facts, is_compressed=True)
        assert caught.value.reason == reasons.LYING_HEADER
    else:
        assert kept(values, kind, facts, is_compressed=True) == expected


@pytest.mark.parametrize(
    ("kind", "signed", "values", "expected"),
    [
        ("i4", False, [-1, 0, 4095, 4096], [0, 0, 4095, 4095]),
        ("i4", True, [-2049, -2048, 2047, 2048], [-2048, -2048, 2047, 2047]),
        ("i1", True, [-128, 127], [-128, 127]),
        ("u2", False, [0, 4095, 4096, 65535], [0, 4095, 4095, 4095]),
        ("u1", False, [0, 255], [0, 255]),
        ("u2", True, [0, 4096], [0, 4096]),
        ("f4", False, [-1.0, 5000.0], [-1.0, 5000.0]),
    ],
)
def test_a_lossy_frame_is_clipped_at_the_ends_of_the_stored_bits(kind, signed, values, expected):
    facts = replace(SMALL, is_signed=signed)
    found = decode._within_stored_bits(np.array(values, kind), facts)
    assert found.tolist() == expected
    assert found.dtype == np.dtype(kind)


def native(size: int, facts: PixelFacts, syntax: str = files.EXPLICIT) -> np.ndarray:
    body = bytes(range(size))
    container = replace(parse(files.clean_file()), pixels=memoryview(body), syntax=syntax)
    return decode.stored_values(container, facts)


def test_native_pixels_are_as_long_as_the_header_says_and_even():
    odd = PixelFacts(3, 3, 8, 8, 7, is_signed=False, photometric="MONOCHROME2")
    for size in (9, 10):
        assert native(size, odd).tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    even = replace(odd, columns=2)
    assert native(6, even).tolist() == [[0, 1], [2, 3], [4, 5]]
    for facts, sizes in ((odd, (8, 11)), (even, (5, 7, 8))):
        for size in sizes:
            with pytest.raises(Refusal) as caught:
                native(size, facts)
            assert caught.value.reason == reasons.LYING_HEADER


def test_the_order_of_native_bytes_is_that_of_the_syntax():
    facts = PixelFacts(1, 2, 16, 16, 15, is_signed=False, photometric="MONOCHROME2")
    assert native(4, facts).tolist() == [[0x0100, 0x0302]]
    assert native(4, facts, files.NATIVE[2]).tolist() == [[0x0001, 0x0203]]
    wide = replace(facts, bits_allocated=32)
    assert native(8, wide).tolist() == [[0x0100, 0x0504]]
    assert native(8, wide, files.NATIVE[2]).tolist() == [[0x0203, 0x0607]]


def rle(*segments: bytes, starts: list[int] | None = None, count: int | None = None) -> bytes:
    """Return an RLE frame (PS3.5 G.5): a header of 64 bytes, then segments, which are given as they are written."""
    if starts is None:
        starts = [64 + sum(len(one) for one in segments[:place]) for place in range(len(segments))]
    header = [len(segments) if count is None else count, *starts]
    return b"".join(value.to_bytes(4, "little") for value in header).ljust(64, b"\0") + b"".join(segments)


def run(value: int, count: int) -> bytes:
    """Return a replicated run (PS3.5 G.3.1)."""
    return bytes([257 - count, value])


def test_planes_of_rle_are_put_together_from_the_most_significant():
    facts = replace(SMALL, bits_stored=16, high_bit=15)
    high, low = run(1, 6), b"\5" + bytes(range(6))
    assert decode._rle(rle(high, low), facts, 1).tolist() == [[256, 257, 258], [259, 260, 261]]
    byte = replace(SMALL, bits_allocated=8, bits_stored=8, high_bit=7)
    assert decode._rle(rle(low), byte, 1).tolist() == [[0, 1, 2], [3, 4, 5]]
    wide = replace(SMALL, bits_allocated=32)
    four = decode._rle(rle(run(1, 6), run(2, 6), run(3, 6), run(4, 6)), wide, 1)
    assert four.tolist() == [[0x01020304] * 3] * 2


BYTE = replace(SMALL, bits_allocated=8, bits_stored=8, high_bit=7)


@pytest.mark.parametrize(
    ("stream", "facts", "reason"),
    [
        (rle(run(7, 6)), BYTE, ""),
        (rle(run(7, 6) + b"\0\0"), BYTE, ""),  # one zero more: a segment of odd length
        (rle(run(7, 6) + b"\0\1"), BYTE, reasons.LYING_HEADER),
        (rle(run(7, 5)), BYTE, reasons.LYING_HEADER),
        (rle(run(7, 6) + b"\1\0\0"), BYTE, reasons.LYING_HEADER),
        (rle(run(7, 6)), SMALL, reasons.LYING_HEADER),
        (rle(run(7, 6), run(7, 6)), BYTE, reasons.LYING_HEADER),
        (rle(run(7, 6))[:63], BYTE, reasons.LYING_HEADER),
        (rle(run(7, 6))[:64], BYTE, reasons.DECODE_FAILED),
        (rle(b"\0" + run(7, 6), starts=[65]), BYTE, reasons.DECODE_FAILED),
        (rle(run(7, 6), run(7, 6), starts=[64, 63]), SMALL, reasons.DECODE_FAILED),
        (rle(run(7, 6), run(7, 6), starts=[64, 68]), SMALL, reasons.DECODE_FAILED),
        (rle(run(7, 6), run(7, 6), starts=[64, 66]), SMALL, ""),
    ],
)
def test_segments_of_rle_are_as_many_and_as_long_as_the_header_says(stream, facts, reason):
    try:
        decode._rle(stream, facts, 1)
    except Refusal as refused:
        assert refused.reason == reason
    else:
        assert not reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"process": "jpegls"}, ""),
        ({"process": "baseline"}, reasons.LYING_HEADER),
        ({"components": 3}, reasons.NOT_GREY),
        ({"components": 0}, reasons.NOT_GREY),
        ({"rows": 3}, reasons.LYING_HEADER),
        ({"columns": 2}, reasons.LYING_HEADER),
        ({"rows": 3, "columns": 2}, reasons.LYING_HEADER),
        ({"precision": 16}, ""),
        ({"precision": 17}, reasons.LYING_HEADER),
        ({"precision": 2}, ""),
    ],
)
def test_header_and_stream_agree_on_process_size_and_precision(changes, reason):
    header = replace(codestream.StreamHeader("lossless", 2, 3, 12, 1), **changes)
    try:
        decode._match(header, SMALL, "lossless", "jpegls")
    except Refusal as refused:
        assert refused.reason == reason
    else:
        assert not reason


@pytest.mark.parametrize(("precision", "bits", "fits"), [(8, 8, True), (8, 9, False), (12, 9, True), (12, 8, False)])
def test_a_lossy_stream_of_eight_or_twelve_bits_holds_as_many_as_are_stored(precision, bits, fits):
    import imagecodecs

    pixels = files.picture(3, (16, 16), precision)
    stream = imagecodecs.jpeg8_encode(pixels, level=98, bitspersample=precision)
    facts = PixelFacts(16, 16, 16, bits, bits - 1, is_signed=False, photometric="MONOCHROME2")
    if fits:
        assert decode._jpeg_lossy(stream, facts, 1).shape == (16, 16)
    else:
        with pytest.raises(Refusal):
            decode._jpeg_lossy(stream, facts, 1)


def test_a_jpeg_ls_frame_that_is_damaged_is_not_tried_again_without_its_last_byte():
    pixels = files.picture(3, (16, 16))
    stream = files.stream(pixels, files.JPEG_LS, 12)
    facts = PixelFacts(16, 16, 16, 12, 11, is_signed=False, photometric="MONOCHROME2")
    assert (decode._jpeg_ls(stream, facts, 1) == pixels).all()
    assert (decode._jpeg_ls(stream[:-2] + b"\0" + stream[-2:] + b"\0", facts, 1) == pixels).all()
    with pytest.raises(Exception) as caught:  # the library's own error
        decode._jpeg_ls(stream[:-2] + b"\1" + stream[-2:], facts, 1)
    assert not isinstance(caught.value, Refusal)


def test_each_syntax_has_the_decoder_that_was_chosen_for_it():
    names = {syntax.removeprefix("1.2.840.10008.1.2."): decoder.name for syntax, decoder in decode.DECODERS.items()}
    assert names == {
        "5": "pylibjpeg-rle", "4.50": "libjpeg-turbo", "4.51": "libjpeg-turbo",
        "4.57": "libjpeg-turbo + bit count", "4.70": "libjpeg-turbo + bit count", "4.80": "charls", "4.81": "charls",
        "4.90": "openjpeg", "4.91": "openjpeg", "4.201": "openjpeg", "4.202": "openjpeg", "4.203": "openjpeg",
    }  # fmt: skip


def test_only_lossy_syntaxes_are_clipped():
    """1.2.840.10008.1.2.4.81 is JPEG-LS near-lossless; what overshoots in lossless JPEG-LS is a lie."""
    over = np.full((8, 8), 4097, np.uint16)
    ds = files.dataset(over, syntax=files.JPEG_LS, bits=13, BitsStored=12, HighBit=11)
    for syntax, is_lossy in ((files.JPEG_LS, False), ("1.2.840.10008.1.2.4.81", True)):
        ds.file_meta.TransferSyntaxUID = syntax
        container = parse(files.to_bytes(ds))
        if is_lossy:
            assert (decode.stored_values(container, pixel_facts(container)) == 4095).all()
            continue
        with pytest.raises(Refusal, match=reasons.LYING_HEADER):
            decode.stored_values(container, pixel_facts(container))

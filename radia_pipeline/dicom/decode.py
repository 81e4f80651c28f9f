"""Pixels as stored: one pinned decoder per transfer syntax, no second try with another.

Chosen by behaviour on damaged streams first, then speed, then few dependencies. Each result is checked against the
stream's own header and the data set; grey scale is ``greyscale``'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from radia_pipeline.dicom import codestream
from radia_pipeline.dicom.facts import PixelFacts
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import BIG_ENDIAN, NATIVE, Container

RLE = "1.2.840.10008.1.2.5"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
LOSSY = (JPEG_BASELINE, JPEG_EXTENDED, JPEG_LS[1], JPEG_2000[1], "1.2.840.10008.1.2.4.203")
"""Syntaxes whose values may differ from those encoded."""
HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")


@dataclass(frozen=True)
class Decoder:
    """A pinned decoder: its name for the records, and bytes + facts + threads -> array of shape (rows, columns)."""

    name: str
    decode: Callable[[bytes, PixelFacts, int], np.ndarray]


def stored_values(container: Container, facts: PixelFacts, threads: int = 1) -> np.ndarray:
    """Decode the frame to stored values, (rows, columns), uint8 / uint16 or int16 where the header says signed.

    BitsStored bits at HighBit are kept and sign-extended (PS3.5 8.1.1); overlay bits fall away. ``threads``: how many a
    decoder may use that can use several; values do not depend on it. Raises Refusal: truncated, lying_header,
    decode_failed, unsupported_syntax.
    """
    if container.syntax in NATIVE:
        return _keep_stored_bits(_native(container, facts), facts, is_compressed=False)
    decoder = DECODERS.get(container.syntax)
    if decoder is None:
        raise Refusal(reasons.UNSUPPORTED_SYNTAX, "(0002,0010) without a pinned decoder")
    try:
        pixels = decoder.decode(bytes(container.pixels), facts, threads)
    except Refusal:
        raise
    except MemoryError:
        raise Refusal(reasons.TOO_LARGE, f"memory limit in {decoder.name}") from None
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        # Each codec has errors of its own, Rust's panics stand beside Exception; all mean: it cannot be decoded whole.
        raise Refusal(reasons.DECODE_FAILED, f"{decoder.name}: {type(error).__name__}") from None
    if pixels.shape != (facts.rows, facts.columns):
        raise Refusal(reasons.LYING_HEADER, "decoded size differs from (0028,0010) × (0028,0011)")
    if container.syntax in LOSSY:
        pixels = _within_stored_bits(pixels, facts)
    return _keep_stored_bits(pixels, facts, is_compressed=container.syntax != RLE)


def _native(container: Container, facts: PixelFacts) -> np.ndarray:
    size, expected = len(container.pixels), facts.native_bytes
    if size < expected:
        raise Refusal(reasons.LYING_HEADER, "(7FE0,0010) shorter than rows × columns × bytes")
    if size > expected + expected % 2:
        raise Refusal(reasons.LYING_HEADER, "(7FE0,0010) longer than rows × columns × bytes")
    order = ">" if container.syntax == BIG_ENDIAN else "<"
    flat = np.frombuffer(container.pixels, f"{order}u{facts.bits_allocated // 8}", facts.rows * facts.columns)
    return flat.reshape(facts.rows, facts.columns).astype(flat.dtype.newbyteorder("="), copy=False)


def _keep_stored_bits(pixels: np.ndarray, facts: PixelFacts, *, is_compressed: bool) -> np.ndarray:
    """Cut BitsStored bits out at HighBit. In compressed frames nothing may stand outside them.

    It would be a lying tag.
    """
    if is_compressed and pixels.dtype.kind == "i":
        low, high = -(1 << (facts.bits_stored - 1)), (1 << (facts.bits_stored - 1)) - 1
        if pixels.size and (pixels.min() < low or pixels.max() > high or not facts.is_signed):
            raise Refusal(reasons.LYING_HEADER, "decoded values beyond (0028,0101)")
        return pixels.astype(np.int16)
    bits, shift = facts.bits_stored, 0 if is_compressed else facts.high_bit + 1 - facts.bits_stored
    container_bits = pixels.dtype.itemsize * 8
    if is_compressed and bits < container_bits and not facts.is_signed and pixels.size and int(pixels.max()) >> bits:
        raise Refusal(reasons.LYING_HEADER, "decoded values beyond (0028,0101)")
    kept = pixels >> pixels.dtype.type(shift) if shift else pixels
    if bits < container_bits - shift or facts.is_signed:
        kept = kept & kept.dtype.type((1 << bits) - 1)
    if kept.dtype.itemsize > 2:
        kept = kept.astype(np.uint16)
    if not facts.is_signed:
        return kept
    sign = np.int32(1 << (bits - 1))
    return ((kept.astype(np.int32) ^ sign) - sign).astype(np.int16)


def _within_stored_bits(pixels: np.ndarray, facts: PixelFacts) -> np.ndarray:
    """Clip what a lossy codec made of values at the ends of the range: it may overshoot BitsStored."""
    if pixels.dtype.kind not in "iu" or (facts.is_signed and pixels.dtype.kind == "u"):
        return pixels
    low = -(1 << (facts.bits_stored - 1)) if facts.is_signed else 0
    high = low + (1 << facts.bits_stored) - 1
    bounds = np.iinfo(pixels.dtype)
    return np.clip(pixels, max(low, bounds.min), min(high, bounds.max))


def _match(header: codestream.StreamHeader, facts: PixelFacts, *processes: str) -> None:
    if header.process not in processes:
        raise Refusal(reasons.LYING_HEADER, "(0002,0010) names another process than the stream")
    if header.components != 1:
        raise Refusal(reasons.NOT_GREY, "stream with more than one component")
    if (header.rows, header.columns) != (facts.rows, facts.columns):
        raise Refusal(reasons.LYING_HEADER, "stream's size differs from (0028,0010) × (0028,0011)")
    if header.precision > facts.bits_allocated:
        raise Refusal(reasons.LYING_HEADER, "stream's precision above (0028,0100)")


def _jpeg_lossless(stream: bytes, facts: PixelFacts, _threads: int) -> np.ndarray:
    """libjpeg-turbo: the fastest, but lenient; the bit count makes it stricter than any other decoder measured."""
    import imagecodecs

    header = codestream.jpeg_header(stream)
    _match(header, facts, "lossless")
    pixels = np.asarray(imagecodecs.jpeg8_decode(stream))
    if pixels.shape == (facts.rows, facts.columns):
        codestream.check_lossless_bits(stream, header, pixels)
    return pixels


def _jpeg_lossy(stream: bytes, facts: PixelFacts, _threads: int) -> np.ndarray:
    import imagecodecs

    header = codestream.jpeg_header(stream)
    _match(header, facts, "baseline", "extended")
    if header.precision != (8 if facts.bits_stored <= 8 else 12):
        raise Refusal(reasons.LYING_HEADER, "stream's precision differs from (0028,0101)")
    return np.asarray(imagecodecs.jpeg8_decode(stream))


def _jpeg_ls(stream: bytes, facts: PixelFacts, _threads: int) -> np.ndarray:
    import jpeg_ls

    header = codestream.jpeg_header(stream)
    _match(header, facts, "jpegls")
    end = header.scan_end
    try:
        return np.asarray(jpeg_ls.decode(np.frombuffer(stream, np.uint8)))
    except Exception:
        # Some encoders write one zero in front of the end marker, which CharLS does not accept.
        if stream[end - 1 : end] != b"\0":
            raise
        return np.asarray(jpeg_ls.decode(np.frombuffer(stream[: end - 1] + stream[end : end + 2], np.uint8)))


def _jpeg_2000(stream: bytes, facts: PixelFacts, threads: int) -> np.ndarray:
    """OpenJPEG reads HTJ2K too. OpenJPH is faster, but imagecodecs swallows its errors and returns what was there."""
    import imagecodecs

    _match(codestream.j2k_header(stream), facts, "j2k")
    return np.asarray(imagecodecs.jpeg2k_decode(stream, numthreads=threads))


def _rle(stream: bytes, facts: PixelFacts, _threads: int) -> np.ndarray:
    """Decode RLE (PS3.5 G): segments are byte planes, most significant first, each of exactly one byte per pixel.

    Segments are decoded one by one, since the decoder of whole frames cuts what is too long without a word.
    """
    from rle.rle import decode_segment

    planes, count = facts.bits_allocated // 8, facts.rows * facts.columns
    if len(stream) < 64 or int.from_bytes(stream[:4], "little") != planes:
        raise Refusal(reasons.LYING_HEADER, "RLE segments differ from (0028,0100)")
    starts = [int.from_bytes(stream[4 + 4 * n : 8 + 4 * n], "little") for n in range(planes)]
    if starts[0] != 64 or starts != sorted(starts) or starts[-1] >= len(stream):
        raise Refusal(reasons.DECODE_FAILED, "RLE offsets lead nowhere")
    pixels = np.zeros(count, f"<u{planes}")
    for start, end in zip(starts, [*starts[1:], len(stream)]):
        plane = np.frombuffer(decode_segment(stream[start:end]), np.uint8)
        # A segment of odd length is padded with one zero, which some decoders read as one more pixel.
        if plane.size != count and not (plane.size == count + 1 and plane[-1] == 0):
            raise Refusal(reasons.LYING_HEADER, "RLE yields another number of pixels than (0028,0010) × (0028,0011)")
        pixels = (pixels << 8 if planes > 1 else pixels) | plane[:count]
    return pixels.reshape(facts.rows, facts.columns)


DECODERS: dict[str, Decoder] = {
    RLE: Decoder("pylibjpeg-rle", _rle),
    JPEG_BASELINE: Decoder("libjpeg-turbo", _jpeg_lossy),
    JPEG_EXTENDED: Decoder("libjpeg-turbo", _jpeg_lossy),
    **dict.fromkeys(JPEG_LOSSLESS, Decoder("libjpeg-turbo + bit count", _jpeg_lossless)),
    **dict.fromkeys(JPEG_LS, Decoder("charls", _jpeg_ls)),
    **dict.fromkeys(JPEG_2000, Decoder("openjpeg", _jpeg_2000)),
    **dict.fromkeys(HTJ2K, Decoder("openjpeg", _jpeg_2000)),
}

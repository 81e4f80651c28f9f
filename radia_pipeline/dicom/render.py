"""Delivered file -> picture: display-ready grey at full resolution, and the stored 16-bit image made from it.

This is the only place where decoding, grey scale and geometry meet. No table is read or written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radia_pipeline.dicom import decode, greyscale, png16
from radia_pipeline.dicom.facts import PixelFacts, pixel_facts
from radia_pipeline.dicom.resample import area_average, fitted_size
from radia_pipeline.errors import DamagedFile, Refusal
from radia_pipeline.privacy import container as dicom_container
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import Container
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class Picture:
    """``stored``: values as decoded (H, W). ``shown``: float32 (H, W) in [0, 65535], bright means dense;
    its pixels are square, so that its shape differs where those delivered are not."""

    stored: np.ndarray
    shown: np.ndarray
    bits_stored: int
    photometric: str | None = None
    transfer_syntax: str | None = None
    window_center: float | None = None
    window_width: float | None = None


def picture_of_dicom(container: Container, facts: PixelFacts, threads: int = 1) -> Picture:
    """Decode and apply the grey scale; ``threads``: as in ``decode.stored_values``. Raises Refusal."""
    stored = decode.stored_values(container, facts, threads)
    scale = greyscale.grey_scale(container.dataset, facts, stored)
    return Picture(
        stored=stored,
        shown=squared(scale.apply(stored), facts.row_over_column),
        bits_stored=facts.bits_stored,
        photometric=facts.photometric,
        transfer_syntax=container.syntax,
        window_center=scale.window_center,
        window_width=scale.window_width,
    )


def squared(shown: np.ndarray, row_over_column: float) -> np.ndarray:
    """Return a picture with square pixels: the side whose pixels are the shorter is reduced, nothing is invented."""
    height, width = shown.shape
    if row_over_column > 1:
        width = max(1, round(width / row_over_column))
    elif row_over_column < 1:
        height = max(1, round(height * row_over_column))
    return shown if (height, width) == shown.shape else area_average(shown, height, width)


def picture_of_raster(data: bytes, kind: str, limits: Limits = DEFAULT_LIMITS) -> Picture:
    """Decode a PNG or JPEG, whose grey values are display values already; raises Refusal."""
    stored = png16.decode(data, limits) if kind == "png" else _jpeg_file(data, limits)
    bits = stored.dtype.itemsize * 8
    shown = stored.astype(np.float32) * np.float32(greyscale.FULL / ((1 << bits) - 1))
    return Picture(stored=stored, shown=shown, bits_stored=bits)


def _jpeg_file(data: bytes, limits: Limits) -> np.ndarray:
    import imagecodecs

    from radia_pipeline.dicom.codestream import jpeg_header

    header = jpeg_header(data)
    if max(header.rows, header.columns) > limits.side_px or header.rows * header.columns > limits.pixels:
        raise Refusal(reasons.TOO_LARGE, "JPEG size beyond the cap")
    try:
        pixels = np.asarray(imagecodecs.jpeg8_decode(data))
    except Exception as error:
        raise Refusal(reasons.DECODE_FAILED, f"libjpeg-turbo: {type(error).__name__}") from None
    return png16.grey(pixels, (header.rows, header.columns))


def stored_image(shown: np.ndarray, max_side_px: int) -> np.ndarray:
    """Return the 16-bit image to store: longest side at most ``max_side_px`` by area averaging, aspect kept."""
    rows, columns = shown.shape
    return np.rint(area_average(shown, *fitted_size(rows, columns, max_side_px))).astype(np.uint16)


def render_native(path: Path | str, limits: Limits = DEFAULT_LIMITS) -> np.ndarray:
    """Render a delivered file at full resolution: uint16 (H, W), bright means dense.

    For review, since 1024 px and 8 bits hide nodules and pneumothoraces. Raises DamagedFile, whose message names the
    reason and never the file.
    """
    try:
        data = Path(path).read_bytes()
    except OSError:
        raise DamagedFile(
            "The delivered file cannot be read", do="check that the delivery's folder is mounted"
        ) from None
    try:
        kind = dicom_container.sniff(data)
        if kind == "dicom":
            parsed = dicom_container.parse(data, limits)
            picture = picture_of_dicom(parsed, pixel_facts(parsed, limits))
        elif kind in ("png", "jpeg"):
            picture = picture_of_raster(data, kind, limits)
        else:
            raise Refusal(reasons.NOT_AN_IMAGE)
    except Refusal as refusal:
        raise DamagedFile(
            f"The delivered file cannot be rendered ({refusal})", accepted="a DICOM, PNG or JPEG image"
        ) from None
    return np.rint(picture.shown).astype(np.uint16)

"""Clean files pass the whole gate, header and pixels, in every syntax; planted print on an anatomy does not."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom import dcmwrite
from pydicom.encaps import encapsulate

from radia_pipeline.dicom.examine import Task, Verdict, examine
from radia_pipeline.phantom.radiograph import Film, take
from radia_pipeline.privacy import reasons
from radia_pipeline_tests.dicom import files

LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91")
SYNTAXES = (*files.EXACT, *LOSSY)


def film(number: int, size_px: int = 700) -> np.ndarray:
    """Return an invented person's radiograph with the marks that its device prints, uint16."""
    view = ("PA", "AP", "LATERAL")[number % 3]
    shot = take(Film(view, 31 * number, 17 * number + 5, bool(number % 2), 20 + number % 70, (), size_px))
    return (65535 * shot.grey).astype(np.uint16)


def as_file(picture: np.ndarray, number: int, syntax: str) -> bytes:
    """Return the picture as a clean file, 12 bits but for baseline JPEG."""
    bits = 8 if syntax == LOSSY[0] else 12
    # Near-lossless codecs may overshoot by a step: one step below white is left free.
    stored = np.minimum(picture >> (16 - bits), (1 << bits) - 3).astype(np.uint8 if bits == 8 else np.uint16)
    if syntax not in LOSSY:
        return files.to_bytes(files.dataset(stored, number=number + 1, syntax=syntax))
    stream = {
        LOSSY[0]: lambda: imagecodecs.jpeg8_encode(stored, level=95),
        LOSSY[1]: lambda: imagecodecs.jpeg8_encode(stored, level=95, bitspersample=12),
        LOSSY[2]: lambda: imagecodecs.jpegls_encode(stored, level=2),
        LOSSY[3]: lambda: imagecodecs.jpeg2k_encode(stored, codecformat="j2k", level=45, bitspersample=12),
    }[syntax]()
    ds = files.dataset(stored, number=number + 1, bits=bits)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([stream])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True, little_endian=True, implicit_vr=False)
    return buffer.getvalue()


def verdict(content: bytes, folder: Path) -> Verdict:
    path = folder / "one.dcm"
    path.write_bytes(content)
    return examine(Task(str(path), str(folder / "staged.png"), "ccsmtl", 1024, reads_text=True))


@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=() if n < len(SYNTAXES) else pytest.mark.slow) for n in range(100)]
)
def test_a_clean_phantom_passes_whole(number: int, tmp_path: Path) -> None:
    found = verdict(as_file(film(number), number, SYNTAXES[number % len(SYNTAXES)]), tmp_path)
    assert (found.reason, found.detail) == (None, None)
    assert set(found.row["flags"]) <= {"low_resolution", "initials"}


PRINTS = ("TREMBLAY MARIE", "GAGNON^JEAN", "Bouchard, Paul", "1954-03-12", "NAM TREM 5403 1299", "Nguyen Thi Lan M 54")
CORNERS = ((0.0, 0.5), (0.0, 1.0), (1.0, 0.5), (1.0, 1.0), (0.5, 0.0), (0.5, 1.0))
"""Not the upper corners, where the device prints its side mark."""


def printed(picture: np.ndarray, text: str, corner: tuple[float, float], height_px: int) -> np.ndarray:
    """Print a text inside the picture's border, bright on dark ground and dark on bright ground."""
    font = ImageFont.load_default(height_px)
    _, _, width, height = font.getbbox(text)
    left, top = (
        int(10 + share * (side - length - 20))
        for share, side, length in zip(corner, picture.shape[::-1], (width, height))
    )
    mask = Image.new("L", picture.shape[::-1], 0)
    ImageDraw.Draw(mask).text((left, top), text, fill=255, font=font)
    ground = picture[top : top + int(height), left : left + int(width)].mean()
    share = np.asarray(mask, np.float32) / 255
    return (picture * (1 - share) + (65535.0 if ground < 40000 else 0.0) * share).astype(np.uint16)


@pytest.mark.slow
def test_print_on_an_anatomy_is_found(tmp_path: Path) -> None:
    missed = []
    for number, text in enumerate(PRINTS * 10):
        picture = printed(film(number), text, CORNERS[number * 5 // 6 % 6], 18 + 3 * (number % 7))
        found = verdict(as_file(picture, number, files.EXPLICIT), tmp_path)
        if found.reason != reasons.IDENTITY_IN_PIXELS:
            missed.append(number)
    assert len(missed) <= 1, missed

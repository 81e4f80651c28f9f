"""Burned-in text, views, flags and hashes; and our rendering against DCMTK's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from radia_pipeline.dicom import ocr
from radia_pipeline.dicom.phash import perceptual_hash
from radia_pipeline.dicom.pixel_checks import remarks
from radia_pipeline.dicom.policy import policy_of
from radia_pipeline.dicom.render import render_native
from radia_pipeline.dicom.views import normalise, view_of_header
from radia_pipeline_tests.dicom import files

needs_tesseract = pytest.mark.skipif(not ocr.is_available(), reason="Tesseract is not installed")
needs_dcmtk = pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="DCMTK is not installed")
ALLOWED = policy_of("ccsmtl").ocr_allowed
NAMES = ("TREMBLAY MARIE", "Gagnon, Jean", "BOUCHARD^PAUL 1954-03-12", "Nguyen Thi Lan", "RAMQ TREM 5403 1299")


def chest_like(seed: int = 0, size: tuple[int, int] = (1000, 900)) -> np.ndarray:
    """Return a soft picture with noise, float32 in [0, 65535]: no edges but those that a test adds."""
    pixels = files.picture(seed, size, 16).astype(np.float32)
    return 0.2 * 65535 + 0.5 * pixels


def printed(text: str, *, height_px: int, at: tuple[int, int], bright: bool = True) -> np.ndarray:
    from PIL import Image, ImageDraw, ImageFont

    image = chest_like(len(text))
    mask = Image.new("L", (image.shape[1], image.shape[0]), 0)
    ImageDraw.Draw(mask).text(at, text, fill=255, font=ImageFont.load_default(height_px))
    share = np.asarray(mask, np.float32) / 255
    return image * (1 - share) + (65535.0 if bright else 0.0) * share


@needs_tesseract
@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize("text", NAMES)
def test_burned_in_identity_is_found(text: str, bright: bool) -> None:
    for height_px, at in ((24, (12, 10)), (32, (300, 950))):
        assert ocr.find_text(printed(text, height_px=height_px, at=at, bright=bright), ALLOWED)


@needs_tesseract
@pytest.mark.parametrize("text", ["L", "PORTABLE", "AP SUPINE", "Semi-Upright", "DEBOUT"])
def test_marks_of_the_trade_are_let_through(text: str) -> None:
    assert ocr.find_text(printed(text, height_px=32, at=(700, 20)), ALLOWED) is None


def test_a_picture_without_letters_never_starts_tesseract(monkeypatch) -> None:
    def started(*_: object) -> None:
        raise AssertionError("Tesseract was started")

    monkeypatch.setattr(ocr, "_read", started)
    assert ocr.find_text(chest_like(), ALLOWED) is None


@needs_tesseract
def test_the_planted_text_of_the_real_delivery_is_found_in_its_pixels(real_root: Path) -> None:
    for name in ("0008.dcm", "0010.dcm"):
        shown = render_native(real_root / "ccsmtl" / "dicom" / name).astype(np.float32)
        assert ocr.find_text(shown, ALLOWED)


@pytest.mark.parametrize(
    ("spelling", "view"),
    [("PA", "PA"), ("pa", "PA"), ("Postero-Anterior", "PA"), ("AP PORTABLE", "AP"), ("A.P.", "AP"), ("LL", "LATERAL"),
     ("LLAT", "LATERAL"), ("Lateral, left", "LATERAL"), ("PROFIL GAUCHE", "LATERAL"), ("", "UNKNOWN"),
     ("LAO", "UNKNOWN"), ("PAPA", "UNKNOWN"), ("LLD", "UNKNOWN")],
)  # fmt: skip
def test_views_in_their_spellings(spelling: str, view: str) -> None:
    assert normalise(spelling) == view


def test_orientation_tells_lateral_but_not_pa_from_ap() -> None:
    ds = Dataset()
    ds.PatientOrientation = ["A", "F"]
    assert view_of_header(ds) == ("LATERAL", "orientation")
    ds.PatientOrientation = ["L", "F"]
    assert view_of_header(ds) == ("UNKNOWN", "none")


def frontal() -> np.ndarray:
    y, x = np.mgrid[0:400, 0:400] / 400.0
    lungs = sum(np.exp(-(((x - cx) / 0.13) ** 2 + ((y - 0.42) / 0.25) ** 2)) for cx in (0.28, 0.72))
    return (65535 * np.clip(0.85 - 0.7 * lungs, 0, 1)).astype(np.uint16)


def test_flags_follow_what_was_done_to_the_picture() -> None:
    sound = frontal()
    assert remarks(sound).flags == ()
    assert "inverted" in remarks(65535 - sound).flags
    assert "rotated" in remarks(np.rot90(sound)).flags
    assert "blank" in remarks(np.full((400, 400), 9000, np.uint16)).flags
    assert "cropped" in remarks(sound[:, :150]).flags
    assert "low_resolution" in remarks(sound[::4, ::4]).flags
    assert "not_a_chest" in remarks(sound, body_part="KNEE").flags
    assert "not_a_chest" in remarks(sound, body_part="CHEST", description="CANINE THORAX").flags


def test_perceptual_hash_stands_small_changes_and_tells_pictures_apart() -> None:
    def distance(a: str, b: str) -> int:
        return (int(a, 16) ^ int(b, 16)).bit_count()

    one, other = files.picture(1, (400, 300), 16), files.picture(9, (400, 300), 16)
    brighter = (one * 0.9).astype(np.uint16)
    assert distance(perceptual_hash(one), perceptual_hash(brighter)) <= 4
    assert distance(perceptual_hash(one), perceptual_hash(other)) > 12
    assert len(perceptual_hash(one[:5, :3])) == 16


@needs_dcmtk
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "tags",
    [{"WindowCenter": "1800", "WindowWidth": "2500"},
     {"WindowCenter": "700", "WindowWidth": "900", "VOILUTFunction": "SIGMOID"},
     {"WindowCenter": "1000", "WindowWidth": "3000", "RescaleSlope": "1.5", "RescaleIntercept": "-600"}],
    ids=["linear", "sigmoid", "rescaled"],
)  # fmt: skip
def test_rendering_agrees_with_dcmtk(tags: dict, photometric: str, tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(files.to_bytes(files.dataset(files.picture(4), PhotometricInterpretation=photometric, **tags)))
    assert _mean_difference(path, tmp_path) < 0.5 / 255


def _mean_difference(path: Path, folder: Path) -> float:
    import imagecodecs

    out = folder / "dcmtk.png"
    subprocess.run(["dcmj2pnm", "+Wi", "1", "+on2", str(path), str(out)], check=True, capture_output=True)
    theirs = imagecodecs.png_decode(out.read_bytes()).astype(float)
    return float(np.abs(theirs / 65535 - render_native(path) / 65535).mean())


@needs_dcmtk
def test_rendering_of_real_files_agrees_with_dcmtk(real_root: Path, tmp_path: Path) -> None:
    for number in (2, 4, 5, 9, 13, 17, 19, 23):
        assert _mean_difference(real_root / "ccsmtl" / "dicom" / f"{number:04d}.dcm", tmp_path) < 0.5 / 255

"""Burned-in text, views, flags and hashes; and our rendering against DCMTK's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from radia_pipeline.dicom.examine import Task, examine
from radia_pipeline.dicom.pixel_checks import remarks
from radia_pipeline.dicom.render import render_native
from radia_pipeline.dicom.views import normalise, view_of_header
from radia_pipeline.phantom.radiograph import Film, take
from radia_pipeline.privacy import prints
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline_tests.dicom import files

needs_tesseract = pytest.mark.skipif(not prints.is_available(), reason="Tesseract is not installed")
needs_dcmtk = pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="DCMTK is not installed")
ALLOWED = policy_of("ccsmtl").ocr_allowed
NAMES = ("TREMBLAY MARIE", "Gagnon, Jean", "BOUCHARD^PAUL 1954-03-12", "Nguyen Thi Lan", "RAMQ TREM 5403 1299")


def chest_like(seed: int = 0, size: tuple[int, int] = (1000, 900)) -> np.ndarray:
    """Return a soft picture with noise, float32 in [0, 65535]: no edges but those that a test adds."""
    pixels = files.picture(seed, size, 16).astype(np.float32)
    return 0.2 * 65535 + 0.5 * pixels


def printed(text: str, *, height_px: int, at: tuple[int, int], bright: bool = True) -> np.ndarray:
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
        assert prints.find_text(printed(text, height_px=height_px, at=at, bright=bright), ALLOWED)


@needs_tesseract
@pytest.mark.parametrize("text", ["L", "PORTABLE", "AP SUPINE", "Semi-Upright", "DEBOUT"])
def test_marks_of_the_trade_are_let_through(text: str) -> None:
    assert prints.find_text(printed(text, height_px=32, at=(700, 20)), ALLOWED) is None


def test_a_picture_without_letters_never_starts_tesseract(monkeypatch) -> None:
    def started(*_: object) -> None:
        raise AssertionError("Tesseract was started")

    monkeypatch.setattr(prints, "_read", started)
    assert prints.find_text(chest_like(), ALLOWED) is None


@needs_tesseract
def test_the_planted_text_of_the_real_delivery_is_found_in_its_pixels(real_root: Path) -> None:
    for name in ("0008.dcm", "0010.dcm"):
        shown = render_native(real_root / "ccsmtl" / "dicom" / name).astype(np.float32)
        assert prints.find_text(shown, ALLOWED)


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


def shot(view: str, seed: int = 1) -> np.ndarray:
    film = Film(view, seed, 2 * seed + 1, is_female=bool(seed % 2), age_years=50, signs=(), size_px=400)
    return (65535 * take(film).grey).astype(np.uint16)


def test_flags_follow_what_was_done_to_the_picture() -> None:
    for seed in range(6):
        for view in ("PA", "AP", "LATERAL"):
            sound = shot(view, seed)
            assert remarks(sound).flags == remarks(sound // 16).flags == remarks(sound // 16 + 50000).flags == ()
            assert "inverted" in remarks(65535 - sound).flags
            for turns in (1, 2, 3):
                assert "rotated" in remarks(np.rot90(sound, turns)).flags
    assert "blank" in remarks(np.full((400, 400), 9000, np.uint16)).flags
    assert "cropped" in remarks(sound[:, :150]).flags
    assert "low_resolution" in remarks(sound[::4, ::4]).flags
    assert "not_a_chest" in remarks(sound, body_part="KNEE").flags
    assert "not_a_chest" in remarks(sound, body_part="CHEST", description="CANINE THORAX").flags


def test_what_is_no_chest_is_flagged_by_its_pixels() -> None:
    y, x = np.mgrid[0:400, 0:400] / 399
    rng = np.random.default_rng(2)
    stripes = (65535 * (0.5 + 0.5 * np.sin(60 * x))).astype(np.uint16)
    noise = rng.integers(0, 65535, (400, 400)).astype(np.uint16)
    discs = (65535 * (0.2 + 0.7 * (np.hypot(x - 0.5, y - 0.5) < 0.2))).astype(np.uint16)
    for picture in (stripes, noise, discs):
        assert remarks(picture).scores["not_a_chest"] >= 0.5


def test_the_pixels_tell_lateral_from_frontal() -> None:
    assert all(remarks(shot("LATERAL", seed)).is_lateral for seed in range(8))
    assert not any(remarks(shot(view, seed)).is_lateral for view in ("PA", "AP") for seed in range(8))


@pytest.mark.parametrize(
    ("view", "tags", "expected"),
    [("LATERAL", {"ViewPosition": None}, ("LATERAL", "pixels")), ("PA", {"ViewPosition": None}, ("UNKNOWN", "none")),
     ("LATERAL", {"ViewPosition": None, "PatientOrientation": ["L", "F"]}, ("UNKNOWN", "none")),
     ("LATERAL", {}, ("PA", "header"))],
)  # fmt: skip
def test_pixels_are_asked_last(view: str, tags: dict, expected: tuple, tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(files.to_bytes(files.dataset(shot(view) >> 4, **tags)))
    row = examine(Task(str(path), str(tmp_path / "staged.png"), "ccsmtl", 1024, reads_text=False)).row
    assert (row["view"], row["view_origin"]) == expected


def test_real_frontal_chests_get_no_false_flag(real_root: Path) -> None:
    paths = sorted((real_root / "nih_cxr14" / "images").rglob("*.png"))[::9]
    found = [remarks(render_native(path)) for path in paths]
    assert len(found) > 70
    assert not [
        note for note in found if "not_a_chest" in note.flags or "blank" in note.flags or "inverted" in note.flags
    ]
    assert sum(note.is_lateral for note in found) <= 1 and sum("rotated" in note.flags for note in found) <= 1
    assert sum("inverted" in remarks(65535 - render_native(path)).flags for path in paths[::3]) > 0.8 * len(paths[::3])


def test_the_dog_is_no_chest_by_its_pixels_alone(real_root: Path) -> None:
    assert remarks(render_native(real_root / "ccsmtl" / "dicom" / "0011.dcm")).scores["not_a_chest"] >= 0.5


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


@needs_dcmtk
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("syntax", [*files.NATIVE, files.RLE, *files.LOSSLESS])
def test_rendering_agrees_with_dcmtk_in_every_syntax_that_it_reads(
    syntax: str, photometric: str, tmp_path: Path
) -> None:
    path, window = tmp_path / "one.dcm", {"WindowCenter": "1900", "WindowWidth": "3100"}
    path.write_bytes(
        files.to_bytes(files.dataset(files.picture(6), syntax=syntax, PhotometricInterpretation=photometric, **window))
    )
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

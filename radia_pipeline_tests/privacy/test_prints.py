"""Burned-in text, views, flags and hashes; and our rendering against DCMTK's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from radia_pipeline.dicom.examine import Task, examine
from radia_pipeline.dicom.pixel_checks import remarks
from radia_pipeline.dicom.render import render_native
from radia_pipeline.dicom.views import normalise, view_of_header
from radia_pipeline.errors import BadTable, Refusal
from radia_pipeline.phantom.radiograph import Film, take
from radia_pipeline.privacy import prints, reasons
from radia_pipeline.privacy.policy import policy_of, read_policy
from radia_pipeline.privacy.reader import Box, Line
from radia_pipeline_tests.dicom import files

needs_dcmtk = pytest.mark.skipif(shutil.which("dcmj2pnm") is None, reason="DCMTK is not installed")
POLICY = policy_of("ccsmtl")
ALLOWED = POLICY.ocr_allowed
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


@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize("text", NAMES)
def test_burned_in_identity_is_found(text: str, bright: bool) -> None:
    for height_px, at in ((24, (12, 10)), (32, (300, 940))):
        assert prints.find_text(printed(text, height_px=height_px, at=at, bright=bright), ALLOWED).rule


@pytest.mark.parametrize("text", ["L", "PORTABLE", "AP SUPINE", "Semi-Upright", "DEBOUT"])
def test_marks_of_the_trade_are_let_through(text: str) -> None:
    assert prints.find_text(printed(text, height_px=32, at=(700, 20)), ALLOWED) == prints.Print()


def line(text: str, *, confidence: float = 0.95, left: float = 0.0, top: float = 0.0) -> Line:
    return Line(text, confidence, Box(left, top, left + 20 * len(text), top + 30), 30.0)


@pytest.mark.parametrize(
    ("read", "rule", "has_initials"),
    [
        ([line("TREMBLAY")], prints.TEXT, False),
        ([line("GAUCHER")], prints.TEXT, False),
        ([line("GAUCHE")], None, False),
        ([line("LI YU")], prints.TEXT, False),
        ([line("NGO")], None, True),
        ([line("JM", left=900), line("R")], None, True),
        ([line("LI"), line("YU", top=40)], prints.TEXT, False),
        ([line("1234567")], prints.NUMBER, False),
        ([line("1950 01 01")], prints.DATE, False),
        ([line("01/02/50")], prints.DATE, False),
        ([line("514-555-0134")], prints.NUMBER, False),
        ([line("CH 512A")], prints.TEXT, False),
        ([line("BRZO 5803 1199")], prints.NUMBER, False),
        ([line("PORTABLE AP 14:32")], None, False),
        ([line("PORTABLESUPINE")], None, False),
        ([line("R"), line("40 CM", top=200)], None, False),
        ([line(c, left=40.0 * at) for at, c in enumerate("BRZOSTEK")], prints.TEXT, False),
        ([line(c, left=40.0 * at) for at, c in enumerate("514555")], prints.NUMBER, False),
        ([line("BRZOSTEK", confidence=0.6)], None, False),
        ([line("NGO", confidence=0.8)], None, False),
        ([line("①")], None, False),
        ([line("3S7")], None, False),
        ([line("B R Z 0 S T E K")], prints.TEXT, False),
        ([line("TREMB1AY")], prints.TEXT, False),
        ([line("Upnght")], None, False),
        ([line("P0RTABLE")], None, False),
        ([line(c, left=170.0 * at) for at, c in enumerate("1958")], prints.NUMBER, False),
        ([], None, False),
    ],
)
def test_what_was_read_is_judged(read: list[Line], rule: str | None, has_initials: bool) -> None:
    assert prints.judge(read, ALLOWED) == prints.Print(rule, has_initials)


def test_a_strict_site_takes_less_sure_print() -> None:
    assert prints.judge([line("BRZOSTEK", confidence=0.6)], ALLOWED, 0.5).rule == prints.TEXT


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (line("NGUY"), prints.Print(None, has_initials=True)),
        (line("NGUYE"), prints.Print(prints.TEXT)),
        (line("123"), prints.Print()),
        (line("1234"), prints.Print(prints.NUMBER)),
        (line("512A"), prints.Print(prints.TEXT)),
        (line("51A"), prints.Print()),
        (line("BRZOSTEK", confidence=0.5), prints.Print(prints.TEXT)),
        (line("BRZOSTEK", confidence=0.49), prints.Print()),
        (line("NGO", confidence=0.7), prints.Print(None, has_initials=True)),
        (line("NGO", confidence=0.69), prints.Print()),
    ],
)
def test_the_bounds_of_letters_digits_and_sureness(read: Line, expected: prints.Print) -> None:
    assert prints.judge([read], ALLOWED, 0.5) == expected


@pytest.mark.parametrize(
    ("one", "other", "left", "top", "is_one"),
    [
        ("NGUY", "TRAN", 80 + 59, 0.0, True),
        ("NGUY", "TRAN", 80 + 61, 0.0, False),  # two heights of 30 px
        ("NGUY", "TRAN", 0.0, 30 + 59, True),
        ("NGUY", "TRAN", 0.0, 30 + 61, False),
        ("LI", "YU", 40 + 239, 0.0, True),
        ("LI", "YU", 40 + 241, 0.0, False),  # parts of a word in one row: eight
        ("LI", "YU", 40 + 200, 14.0, True),
        ("LI", "YU", 40 + 200, 16.0, False),  # half a height off the row
    ],
)
def test_what_stands_near_enough_is_one_line(one: str, other: str, left: float, top: float, is_one: bool) -> None:
    found = prints.judge([line(one), line(other, left=left, top=top)], ALLOWED)
    assert found == (prints.Print(prints.TEXT) if is_one else prints.Print(None, has_initials=True))


@pytest.mark.parametrize("degrees", [15, 45, 90, -90])
def test_turned_print_is_found(degrees: float) -> None:
    ink = Image.new("L", (330, 330), 0)
    ImageDraw.Draw(ink).text((40, 150), "BRZOSTEK OKSANA", fill=255, font=ImageFont.load_default(30))
    picture = chest_like(3)
    turned = np.asarray(ink.rotate(degrees, resample=Image.Resampling.BICUBIC), np.float32) * 257
    picture[400:730, 300:630] = np.maximum(picture[400:730, 300:630], turned)
    assert prints.find_text(picture, ALLOWED).rule == prints.TEXT


def test_a_picture_that_cannot_be_read_is_not_clean(monkeypatch) -> None:
    def broken(_: object) -> None:
        raise ValueError("BRZOSTEK OKSANA")

    monkeypatch.setattr(prints, "lines", broken)
    with pytest.raises(Refusal) as caught:
        prints.find_text(chest_like(), ALLOWED)
    assert caught.value.reason == reasons.UNAUDITED_PIXELS and "BRZOSTEK" not in str(caught.value)


def test_the_reader_needs_no_network_and_one_thread() -> None:
    script = (
        "import socket, sys, threading\n"
        "def refused(*_): sys.exit('a connection was tried')\n"
        "socket.socket.connect = socket.getaddrinfo = socket.create_connection = refused\n"
        "import numpy as np\nfrom radia_pipeline.privacy import reader\n"
        "before = set(__import__('os').listdir('/proc/self/task'))\nreader.load()\n"
        "reader.lines(np.full((300, 400), 30000, np.float32))\n"
        "print(len(set(__import__('os').listdir('/proc/self/task')) - before), 'torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    threads, has_torch = done.stdout.split()
    assert done.returncode == 0 and has_torch == "False" and int(threads) <= 1, (
        done.stderr
    )  # one of the runtime's sleeps


def test_the_policy_declares_floor_and_initials(tmp_path: Path) -> None:
    for said, floor, refuses in (("print_confidence: 0.5", 0.5, False), ("initials: refuse", prints.FLOOR, True)):
        path = tmp_path / "policy.yaml"
        path.write_text(f"source: ccsmtl\n{said}\n", encoding="utf-8")
        policy = read_policy(path)
        assert (policy.print_floor, policy.refuses_initials) == (floor, refuses)
    for said in ("print_confidence: high", "print_confidence: 0", "initials: keep"):
        path.write_text(f"source: ccsmtl\n{said}\n", encoding="utf-8")
        with pytest.raises(BadTable):
            read_policy(path)


@pytest.mark.parametrize(("text", "flags"), [("NGO", ["initials"]), ("R", [])])
def test_initials_are_flagged_or_refused_as_the_site_says(text, flags, tmp_path: Path, monkeypatch) -> None:
    pixels = (printed(text, height_px=40, at=(300, 60)) / 16).astype(np.uint16)
    path = tmp_path / "one.dcm"
    path.write_bytes(files.to_bytes(files.dataset(pixels)))
    task = Task(str(path), str(tmp_path / "staged.png"), "ccsmtl", 1024, reads_text=True)
    assert [flag for flag in examine(task).row["flags"] if flag == "initials"] == flags
    monkeypatch.setattr("radia_pipeline.dicom.judgement.policy_of", lambda _: replace(POLICY, refuses_initials=True))
    assert examine(task).reason == (reasons.IDENTITY_IN_PIXELS if flags else None)


def test_the_planted_text_of_the_real_delivery_is_found_in_its_pixels(real_root: Path) -> None:
    for name in ("0008.dcm", "0010.dcm"):
        shown = render_native(real_root / "ccsmtl" / "dicom" / name).astype(np.float32)
        assert prints.find_text(shown, ALLOWED).rule


@pytest.mark.parametrize(
    ("spelling", "view"),
    [
        ("PA", "PA"),
        ("pa", "PA"),
        ("Postero-Anterior", "PA"),
        ("AP PORTABLE", "AP"),
        ("A.P.", "AP"),
        ("LL", "LATERAL"),
        ("LLAT", "LATERAL"),
        ("Lateral, left", "LATERAL"),
        ("PROFIL GAUCHE", "LATERAL"),
        ("", "UNKNOWN"),
        ("LAO", "UNKNOWN"),
        ("PAPA", "UNKNOWN"),
        ("LLD", "UNKNOWN"),
    ],
)
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
    [
        ("LATERAL", {"ViewPosition": None}, ("LATERAL", "pixels")),
        ("PA", {"ViewPosition": None}, ("UNKNOWN", "none")),
        ("LATERAL", {"ViewPosition": None, "PatientOrientation": ["L", "F"]}, ("UNKNOWN", "none")),
        ("LATERAL", {}, ("PA", "header")),
    ],
)
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
    [
        {"WindowCenter": "1800", "WindowWidth": "2500"},
        {"WindowCenter": "700", "WindowWidth": "900", "VOILUTFunction": "SIGMOID"},
        {"WindowCenter": "1000", "WindowWidth": "3000", "RescaleSlope": "1.5", "RescaleIntercept": "-600"},
    ],
    ids=["linear", "sigmoid", "rescaled"],
)
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

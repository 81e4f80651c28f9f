"""What reads DICOM objects back in tests: dcmtk, dicom3tools, pydicom and highdicom; and answers to make them of."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from PIL import Image

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom import decode
from radia_pipeline.dicom.facts import pixel_facts
from radia_pipeline.privacy import container
from radia_pipeline.usecases.dicom_objects import GSPS, SR, Made, ObjectMaker
from radia_pipeline.usecases.looking import Asked, Looked
from radia_pipeline.usecases.looking_work import look

HEAD = {
    "notice": "research, not for diagnosis",
    "model": {
        "kind": "ensemble",
        "rule": "mean",
        "members": {"one": "f00d", "two": "beef"},
        "ensemble": "e" * 32,
        "detector": "d" * 32,
    },
    "versions": {"radia": "0.1.0", "vocabulary": "1.0.0", "rules": "7"},
}
TEN = (
    "Cardiomegaly",
    "Pneumothorax",
    "Pleural Effusion",
    "Edema",
    "Atelectasis",
    "Consolidation",
    "Nodule",
    "Mass",
    "Fracture",
    "Hernia",
)
SALT = "0123456789abcdef" * 2


def need(*tools: str) -> None:
    """Skip where a program is not installed."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian: apt install dcmtk dicom3tools)")


def looked(path: Path, *, identified: bool = False) -> Looked:
    """Judge a file as a prediction with objects does; 256 px squares."""
    return look(Asked(str(path), "ccsmtl", identified, False, (256,), True, SALT, wants_seal=True))


def row(name: str, *, called: bool) -> dict[str, Any]:
    """Return a class's figures."""
    seen = {"share": 0.4, "low": 0.21, "high": 0.63, "studies": 31}
    return {
        "class": name,
        "status": "known",
        "probability": 0.7 if called else 0.012345,
        "threshold": 0.5,
        "called": called,
        "so_far": seen if called else None,
    }


def answer(films: dict[str, Looked], called: tuple[str, ...] = (), boxes: Any = ()) -> dict[str, Any]:
    """Return an answer to films that were let in, in which classes are called and boxes lie."""
    words = vocabulary()
    groups = [name for name in words.classes if name in (*words.unions, *words.finding_groups)]
    flags = [{"flag": "low_resolution", "score": 1.0, "means": "", "do": ""}]
    lacking = {
        **row("Emphysema", called=False),
        "status": "unknown",
        "probability": None,
        "threshold": None,
        "called": None,
    }
    return {
        "study": 1,
        "status": "answered",
        "normal": row("No Finding", called=not called),
        "groups": [row(name, called=False) for name in groups],
        "classes": [lacking if name == "Emphysema" else row(name, called=name in called) for name in words.pathologies],
        "called": list(called),
        "boxes": list(boxes),
        "files": _files(films, flags),
    }


def refusal(films: dict[str, Looked]) -> dict[str, Any]:
    """Return an answer without a figure: the films were let in, and each is silenced or stands alone."""
    files = [{**file, "reason": file["reason"] or "no_frontal", "used": False} for file in _files(films, [])]
    return {"study": 1, "status": "refused", "views": [], "files": files}


def _files(films: dict[str, Looked], flags: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"file": name, "used": one.reason is None, "reason": one.reason, "flags": flags} for name, one in films.items()
    ]


def placed(name: str, film: Looked, class_name: str, shares: tuple[float, float, float, float]) -> dict[str, Any]:
    """Return a box of an answer; ``shares``: left, top, width and height over the film's."""
    height, width = film.native
    left, top, across, down = (share * size for share, size in zip(shares, (width, height, width, height)))
    return {
        "file": name,
        "class": class_name,
        "score": 0.62,
        "x_px": round(left, 1),
        "y_px": round(top, 1),
        "width_px": round(across, 1),
        "height_px": round(down, 1),
    }


def made(paths: dict[str, Path], films: dict[str, Looked], study: dict, kinds=(SR, GSPS), maps=None) -> list[Made]:
    """Return the objects of an answer; fails where there are none."""
    found, lack = ObjectMaker(HEAD, kinds, maps).make(study, [(paths[name], name, films[name]) for name in films])
    assert lack is None, lack
    return found


def read_back(one: Made, folder: Path) -> pydicom.Dataset:
    """Read an object by every reader, each without an error, and return it as pydicom has it."""
    need("dsrdump", "dcmpschk", "dciodvfy")
    path = folder / f"object_{one.kind}_{one.film}.dcm"
    path.write_bytes(one.content)
    for tool in ("dsrdump" if one.kind == SR else "dcmpschk", "dciodvfy"):
        done = subprocess.run([tool, str(path)], capture_output=True, timeout=60, check=False)
        told = (done.stdout + done.stderr).decode("latin-1")
        faults = [line for line in told.splitlines() if line.startswith(("Error", "E:", "F:"))]
        assert (done.returncode, faults) == (0, []), tool
    if one.kind == SR:
        assert highdicom.sr.srread(path).content.get_image_measurement_groups()
    return pydicom.dcmread(path)


def rendered(film: Path, state: Made, folder: Path) -> np.ndarray:
    """Return a film under a presentation state as dcmtk renders it: (rows, columns) uint8."""
    need("dcmp2pgm")
    (folder / "state.dcm").write_bytes(state.content)
    plain, parsed = pydicom.dcmread(film), container.parse(film.read_bytes())
    values = decode.stored_values(parsed, pixel_facts(parsed))  # dcmtk reads no JPEG 2000
    kind = "<u2" if plain.BitsAllocated == 16 else "u1"
    plain.PixelData = values.astype(kind).tobytes().ljust(values.size * int(kind[-1]) + values.size % 2, b"\0")
    plain["PixelData"].VR = "OW"
    plain["PixelData"].is_undefined_length = False
    plain.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    plain.save_as(folder / "plain.dcm", enforce_file_format=True)
    target = folder / "shown.pgm"
    words = ["dcmp2pgm", "-p", str(folder / "state.dcm"), str(folder / "plain.dcm"), str(target)]
    done = subprocess.run(words, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0 and target.exists(), done.stderr
    return np.asarray(Image.open(target))

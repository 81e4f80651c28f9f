"""Pictures that a prediction must keep silent about, drawn by a pure function of their seeds.

Here: drawn non-chests, broken and identified files, changed films, and photographs that installed libraries bring.
None of the drawings serves any learning (``ingest_flags`` has its own). Not here: the score (``predict``).
Pictures are float64 (H, W) in [0, 1], bright means dense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from radia_pipeline.phantom import dicom_files
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.radiograph import Film, take

SIDE = 512
Picture = np.ndarray


@dataclass(frozen=True)
class Planted:
    """One file: its kind, a name that says nothing of the kind, and its bytes."""

    kind: str
    name: str
    data: bytes


# --- files -----------------------------------------------------------------------------------------------------------
def film(seed: int, view: str = "PA", size_px: int = SIDE) -> Picture:
    """Return a phantom of an invented person."""
    rng = generator(seed, "planted film")
    age, is_female = int(rng.integers(20, 90)), bool(rng.random() < 0.5)
    return take(Film(view, seed, 3 * seed + 1, is_female, age, (), size_px)).grey.astype(np.float64)


def png(picture: Picture) -> bytes:
    """Return a 16-bit grey PNG."""
    held = BytesIO()
    Image.fromarray((np.clip(picture, 0, 1) * 65535).astype(np.uint16)).save(held, "PNG")
    return held.getvalue()


def dicom(picture: Picture, seed: int, *, view: str | None = "PA", syntax: str = "", **identity: str) -> bytes:
    """Return a DICOM file with a de-identified header of the phantom's kind; ``identity`` is set into it."""
    uids = [dicom_files.phantom_uid("planted", seed, part) for part in ("study", "series", "image")]
    header = dicom_files.Header(
        f"CC{seed % 100_000:06d}", *uids, "F", 50, "20220202", view, dicom_files.DEVICES[0], 0.2, identity=identity
    )
    encoding = dicom_files.Encoding(syntax or str(dicom_files.EXPLICIT), is_inverted=False)
    values = dicom_files.stored_values(np.clip(picture, 0, 1).astype(np.float32), encoding)
    return dicom_files.dicom_bytes(values, header, encoding)


# --- what is no chest ------------------------------------------------------------------------------------------------
def _grid() -> tuple[Picture, Picture]:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)
    return x, y


def _film_noise(picture: Picture, rng: np.random.Generator) -> Picture:
    picture = ndimage.gaussian_filter(picture, rng.uniform(0.5, 2.0)) + rng.normal(0, 0.012, picture.shape)
    return np.clip(picture, 0, 1)


def _bone(x: Picture, y: Picture, start, end, width: float) -> Picture:
    """A long bone: bright edges, a fainter marrow, wider at its ends."""
    (ax, ay), (bx, by) = start, end
    length = np.hypot(bx - ax, by - ay)
    along = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length**2, 0, 1)
    away = np.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay))
    half = width * (0.75 + 0.9 * np.abs(along - 0.5) ** 2 * 2)
    return np.where(away < half, 0.45 + 0.4 * (away / half) ** 4, 0.0)


def hand(rng: np.random.Generator) -> Picture:
    """A hand: five rays of phalanges in soft tissue, carpal bones, two bones of the forearm."""
    x, y = _grid()
    flesh, bones = np.zeros_like(x), np.zeros_like(x)
    for finger, angle in enumerate(np.array([-0.85, -0.35, -0.08, 0.16, 0.42]) + rng.uniform(-0.06, 0.06, 5)):
        reach = (0.27, 0.40, 0.44, 0.41, 0.33)[finger] * rng.uniform(0.92, 1.08)
        base = np.array([0.5 + 0.22 * angle, 0.66])
        tip = base + reach * 1.25 * np.array([np.sin(angle), -np.cos(angle)])
        joints = [base + share * (tip - base) for share in (0.0, 0.42, 0.70, 0.86, 1.0)]
        for one, other in pairwise(joints):
            gap = 0.06 * (other - one)
            bones = np.maximum(bones, _bone(x, y, one + gap, other - gap, 0.016))
        flesh = np.maximum(flesh, 0.25 * (_bone(x, y, base, tip, 0.04) > 0))
    palm = ((x - 0.5) / 0.19) ** 2 + ((y - 0.63) / 0.17) ** 2 < 1
    arm = (np.abs(x - 0.5) < 0.11) & (y > 0.72)
    flesh = np.maximum(flesh, 0.27 * (palm | arm))
    for _ in range(8):
        cx, cy = 0.5 + rng.uniform(-0.09, 0.09), rng.uniform(0.69, 0.77)
        bones = np.maximum(bones, 0.5 * (np.hypot(x - cx, y - cy) < 0.026))
    for side in (-1, 1):
        bones = np.maximum(bones, _bone(x, y, (0.5 + side * 0.045, 0.8), (0.5 + side * 0.05, 1.2), 0.035))
    return _film_noise(flesh + bones, rng)


def skull(rng: np.random.Generator) -> Picture:
    """A skull from the side: vault, base, face, orbit, teeth, cervical spine."""
    x, y = _grid()
    cx, cy = 0.52 + rng.uniform(-0.03, 0.03), 0.40 + rng.uniform(-0.03, 0.03)
    radius = np.hypot((x - cx) / rng.uniform(0.35, 0.40), (y - cy) / rng.uniform(0.29, 0.33))
    out = np.where(radius < 1, 0.42, 0.05) + 0.5 * np.exp(-(((radius - 1) / 0.05) ** 2))
    face = ((x - 0.27) / 0.13) ** 2 + ((y - 0.66) / 0.17) ** 2
    out = np.maximum(out, np.where(face < 1, 0.5, 0)) - 0.25 * (np.hypot(x - 0.25, (y - 0.54) * 1.1) < 0.055)
    for tooth in np.linspace(0.17, 0.32, 8):
        out = np.maximum(out, 0.95 * ((np.abs(x - tooth) < 0.007) & (np.abs(y - 0.74) < 0.03)))
    for level in np.linspace(0.72, 1.0, 5):
        out = np.maximum(out, 0.6 * ((np.abs(x - 0.58) < 0.055) & (np.abs(y - level) < 0.024)))
    out += 0.1 * (np.hypot((x - 0.6) / 0.07, (y - 0.62) / 0.05) < 1)
    return _film_noise(out if rng.random() < 0.5 else out[:, ::-1], rng)


def dog(rng: np.random.Generator) -> Picture:
    """A dog's thorax from the side: a trunk across the film, spine above, slanted ribs, a heart, a limb in front."""
    x, y = _grid()
    upper, lower = 0.22 + 0.05 * np.sin(3 * x + rng.uniform(0, 2)), 0.80 - 0.12 * x
    inside = 1 / (1 + np.exp(-(y - upper) * 60)) / (1 + np.exp((y - lower) * 60))
    out = 0.55 * inside
    lung = ((x - 0.5) / 0.30) ** 2 + ((y - 0.48 - 0.1 * (x - 0.5)) / 0.17) ** 2
    out -= 0.34 * np.clip(1.3 - lung, 0, 1)
    spine = upper + 0.07
    out += 0.45 * np.exp(-(((y - spine) / 0.026) ** 2)) * (0.7 + 0.3 * np.cos(70 * x))
    lean = rng.uniform(0.35, 0.6)
    out += 0.10 * np.clip(np.cos(44 * (x + lean * (y - spine))), 0, 1) * (y > spine) * inside
    out += 0.33 * np.exp(-((((x - 0.43) / 0.11) ** 2 + ((y - 0.58) / 0.13) ** 2) ** 2))
    out += 0.3 * (_bone(x, y, (0.12, 0.62), (0.05, 1.05), 0.05) > 0)
    return _film_noise(out if rng.random() < 0.5 else out[:, ::-1], rng)


def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


WORDS = (
    "le",
    "patient",
    "est",
    "connu",
    "pour",
    "une",
    "toux",
    "depuis",
    "trois",
    "semaines",
    "sans",
    "fievre",
    "ni",
    "frissons",
    "examen",
    "comparatif",
    "du",
    "thorax",
)


def page(rng: np.random.Generator) -> Picture:
    """A page of text, black on white or the other way round."""
    sheet = Image.new("L", (SIDE, SIDE), 255)
    pen, size = ImageDraw.Draw(sheet), int(rng.integers(11, 24))
    for top in range(size, SIDE - size, int(1.6 * size)):
        line = " ".join(rng.choice(WORDS, int(rng.integers(3, 10))))
        pen.text((size, top), line, int(rng.integers(0, 60)), _font(size))
    out = np.asarray(sheet) / 255.0
    return 1 - out if rng.random() < 0.3 else out


def knee(rng: np.random.Generator) -> Picture:
    """A knee: femur above, tibia and fibula below, a joint space between."""
    x, y = _grid()
    flesh = 0.25 * (np.abs(x - 0.5) < 0.24 - 0.05 * np.cos(6 * (y - 0.5)))
    bones = np.maximum(_bone(x, y, (0.5, -0.2), (0.5, 0.45), 0.085), _bone(x, y, (0.5, 0.55), (0.49, 1.2), 0.08))
    bones = np.maximum(bones, _bone(x, y, (0.62, 0.6), (0.6, 1.2), 0.022))
    return _film_noise(ndimage.rotate(flesh + bones, rng.uniform(-12, 12), reshape=False, order=1), rng)


def abdomen(rng: np.random.Generator) -> Picture:
    """An abdomen: spine, iliac wings, bowel gas."""
    x, y = _grid()
    out = 0.5 * (np.abs(x - 0.5) < 0.42)
    out += 0.3 * np.exp(-(((x - 0.5) / 0.05) ** 2)) * (0.75 + 0.25 * np.cos(50 * y)) * (y < 0.75)
    for side in (-1, 1):
        wing = ((x - 0.5 - side * 0.2) / 0.15) ** 2 + ((y - 0.78) / 0.16) ** 2
        out += 0.25 * np.exp(-(((wing - 1) / 0.35) ** 2)) + 0.12 * (wing < 1)
    for _ in range(9):
        cx, cy, r = rng.uniform(0.2, 0.8), rng.uniform(0.15, 0.7), rng.uniform(0.03, 0.08)
        out -= 0.2 * np.exp(-((((x - cx) / r) ** 2 + ((y - cy) / (0.7 * r)) ** 2) ** 2))
    return _film_noise(np.clip(out, 0, 1), rng)


def axial(rng: np.random.Generator) -> Picture:
    """A slice of computed tomography through a chest: ring of the body, two lungs, heart, vertebra, table."""
    x, y = _grid()
    body = ((x - 0.5) / 0.42) ** 2 + ((y - 0.5) / 0.31) ** 2
    out = np.where(body < 1, 0.55, 0.02) + 0.15 * ((body > 0.86) & (body < 1))
    for side in (-1, 1):
        lung = ((x - 0.5 - side * 0.19) / 0.14) ** 2 + ((y - 0.48) / 0.20) ** 2
        out = np.where(lung < 1, 0.12, out)
    out = np.where(((x - 0.54) / 0.11) ** 2 + ((y - 0.42) / 0.12) ** 2 < 1, 0.62, out)
    out = np.where(np.hypot(x - 0.5, y - 0.68) < 0.05, 0.95, out)
    out += 0.4 * (np.abs(y - 0.86 - 0.3 * (x - 0.5) ** 2) < 0.008)
    return _film_noise(np.clip(ndimage.rotate(out, rng.uniform(-8, 8), reshape=False, order=1), 0, 1), rng)


def ultrasound(rng: np.random.Generator) -> Picture:
    """A fan of speckle on black."""
    x, y = _grid()
    radius, angle = np.hypot(x - 0.5, y + 0.05), np.arctan2(x - 0.5, y + 0.05)
    speckle = np.abs(ndimage.gaussian_filter(rng.normal(size=x.shape), 2.0)) * 4
    shade = 0.3 + 0.5 * ndimage.gaussian_filter(rng.normal(size=x.shape), 25) * 25
    return np.clip(np.where((radius > 0.1) & (radius < 0.95) & (np.abs(angle) < 0.6), speckle * shade, 0), 0, 1)


def breast(rng: np.random.Generator) -> Picture:
    """A mammogram: half a disc of strands at one edge."""
    x, y = _grid()
    inside = (x / rng.uniform(0.45, 0.65)) ** 2 + ((y - 0.5) / 0.4) ** 2
    strands = ndimage.gaussian_filter(rng.normal(size=x.shape), (3, 9)) * 6
    out = np.where(inside < 1, np.clip(0.35 + 0.4 * (1 - inside) * strands, 0, 1), 0.01)
    return _film_noise(out if rng.random() < 0.5 else out[:, ::-1], rng)


def chart(rng: np.random.Generator) -> Picture:
    """A drawing: lines, boxes and labels."""
    sheet = Image.new("L", (SIDE, SIDE), int(rng.choice([255, 240, 20])))
    pen = ImageDraw.Draw(sheet)
    for _ in range(int(rng.integers(6, 20))):
        a, b = rng.integers(0, SIDE, 2), rng.integers(0, SIDE, 2)
        box, grey = [*np.minimum(a, b), *np.maximum(a, b)], int(rng.integers(0, 255))
        if (kind := rng.integers(4)) == 0:
            pen.line([*a, *b], grey, int(rng.integers(1, 9)))
        elif kind == 1:
            pen.rectangle(box, int(rng.integers(0, 255)) if rng.random() < 0.5 else None, grey)
        elif kind == 2:
            pen.ellipse(box, int(rng.integers(0, 255)) if rng.random() < 0.5 else None, grey)
        else:
            pen.text(tuple(a), str(rng.choice(WORDS)), grey, _font(20))
    return np.asarray(sheet) / 255.0


DRAWN: dict[str, Callable[[np.random.Generator], Picture]] = {
    "dog": dog,
    "hand": hand,
    "skull": skull,
    "page": page,
    "knee": knee,
    "abdomen": abdomen,
    "axial": axial,
    "ultrasound": ultrasound,
    "breast": breast,
    "chart": chart,
}


# --- the planted set -------------------------------------------------------------------------------------------------
def _printed(picture: Picture, rng: np.random.Generator) -> Picture:
    """A name, a date and a number in the film, legible: 26 to 40 px of 1024."""
    size = int(rng.integers(13, 20)) * picture.shape[0] // 512
    sheet = Image.fromarray((picture * 255).astype(np.uint8))
    top = int(rng.choice([0.03, 0.90]) * picture.shape[0])
    surname, name = rng.choice(["TREMBLAY", "GAGNON", "BOUCHARD"]), rng.choice(["LOUISE", "MARCEL", "JOSEE"])
    words = f"{surname} {name} 19{rng.integers(30, 99)}-0{rng.integers(1, 9)}-1{rng.integers(0, 9)}"
    ImageDraw.Draw(sheet).text((int(0.06 * picture.shape[1]), top), words, 255, _font(size))
    return np.asarray(sheet) / 255.0


def _colour(rng: np.random.Generator) -> bytes:
    base = film(int(rng.integers(1 << 20)))
    tint = np.stack([base, base**1.5, 1 - base], axis=-1)
    held = BytesIO()
    Image.fromarray((tint * 255).astype(np.uint8)).save(held, "PNG")
    return held.getvalue()


def _cut(rng: np.random.Generator) -> bytes:
    seed = int(rng.integers(1 << 20))
    whole = dicom(film(seed), seed, syntax=str(rng.choice([str(dicom_files.EXPLICIT), str(dicom_files.JPEG_LS)])))
    return whole[: int(len(whole) * rng.uniform(0.3, 0.95))]


def _named(rng: np.random.Generator) -> bytes:
    seed = int(rng.integers(1 << 20))
    who = {"PatientName": "TREMBLAY^LOUISE"} if rng.random() < 0.5 else {"PatientBirthDate": "19500101"}
    return dicom(film(seed), seed, **who)


def _print(rng: np.random.Generator) -> bytes:
    seed = int(rng.integers(1 << 20))
    return dicom(_printed(film(seed, size_px=1024), rng), seed)


SPECIAL: dict[str, Callable[[np.random.Generator], bytes]] = {
    "black": lambda rng: png(np.zeros((SIDE, SIDE))),
    "white": lambda rng: png(np.ones((SIDE, SIDE))),
    "noise": lambda rng: png(rng.random((SIDE, SIDE))),
    "8x8": lambda rng: png(film(int(rng.integers(1 << 20)), size_px=64)[::8, ::8]),
    "2000x40": lambda rng: png(ndimage.zoom(film(int(rng.integers(1 << 20))), (2000 / SIDE, 40 / SIDE), order=1)),
    "colour": _colour,
    "truncated": _cut,
    "identity in header": _named,
    "identity in print": _print,
}
PLANTED = ("dog", "hand", "skull", "page", *SPECIAL)
"""What must be refused, all of it."""


def must_be_refused(count: int) -> Iterator[Planted]:
    """Yield ``count`` files of each kind; drawn ones as PNG and, every second one, as DICOM."""
    for kind in PLANTED:
        for number in range(count):
            rng = generator(number, "planted", kind)
            if kind in SPECIAL:
                data = SPECIAL[kind](rng)
            else:
                picture = DRAWN[kind](rng)
                data = dicom(picture, number, view=None) if number % 2 else png(picture)
            yield Planted(kind, f"{PLANTED.index(kind):02d}_{number:04d}", data)


# --- changed films ---------------------------------------------------------------------------------------------------
def _band(share: float, edge: int) -> Callable[[Picture], Picture]:
    def blanked(picture: Picture) -> Picture:
        turned = np.rot90(picture, edge).copy()
        turned[: round(share * len(turned))] = 0.0
        return np.rot90(turned, -edge)

    return blanked


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "inverted": lambda p: 1 - p,
    "turned left": np.rot90,
    "turned right": lambda p: np.rot90(p, 3),
    "lower half blank": _band(0.5, 2),
    "upper half blank": _band(0.5, 0),
    "left half blank": _band(0.5, 3),
    "right half blank": _band(0.5, 1),
    "lower third blank": _band(1 / 3, 2),
    "side third blank": _band(1 / 3, 1),
    "upside down": lambda p: p[::-1, ::-1],
    "mirrored": lambda p: p[:, ::-1],
}


# --- ordinary pictures -----------------------------------------------------------------------------------------------
def _grey(pixels: np.ndarray) -> Picture | None:
    """Return the first plane of what a library delivers, None where it is no picture of 64 px."""
    pixels = np.asarray(pixels, dtype=np.float64)
    if pixels.ndim == 4 or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        pixels = pixels[0]
    if pixels.ndim == 3:
        pixels = pixels[..., :3].mean(axis=2)
    if pixels.ndim != 2 or min(pixels.shape) < 64:
        return None
    return (pixels - pixels.min()) / max(float(np.ptp(pixels)), 1e-9)


def photographs(folders: list[Path]) -> Iterator[tuple[str, Picture]]:
    """Yield the pictures below folders by their names, DICOM test files of other modalities among them."""
    import pydicom

    for folder in folders:
        for path in sorted(folder.rglob("*")):
            try:
                if path.suffix in (".png", ".jpg", ".jpeg", ".tif"):
                    pixels = np.asarray(Image.open(path).convert("L"))
                elif path.suffix == ".dcm":
                    pixels = pydicom.dcmread(path).pixel_array
                else:
                    continue
            except Exception:
                # Test files are broken on purpose; what cannot be decoded is no picture.
                continue
            picture = _grey(pixels)
            if picture is not None:
                yield path.name, picture


def bundled_folders() -> list[Path]:
    """Return where installed libraries keep pictures."""
    import pydicom

    packages = Path(pydicom.__file__).parents[1]
    return [
        packages / name for name in ("pydicom/data/test_files", "sklearn", "matplotlib", "scipy", "networkx", "mlflow")
    ]


def strangers(count: int, more: list[Path]) -> Iterator[Planted]:
    """Yield ``count`` pictures, none a chest radiograph: each whole picture once, then parts of them and drawings."""
    whole = list(photographs([*bundled_folders(), *more]))
    for number in range(count):
        rng = generator(number, "stranger")
        if number < len(whole):
            kind, picture = "picture", whole[number][1]
        elif number % 2:
            kind = str(rng.choice(list(DRAWN)))
            picture = DRAWN[kind](generator(number + 10_000, "stranger", kind))
        else:
            kind, picture = "part of a picture", _part(whole[int(rng.integers(len(whole)))][1], rng)
        yield Planted(kind, f"s{number:04d}", png(picture))


def _part(picture: Picture, rng: np.random.Generator) -> Picture:
    height, width = (max(64, round(side * rng.uniform(0.4, 0.9))) for side in picture.shape)
    top, left = (int(rng.integers(0, max(1, whole - part))) for whole, part in zip(picture.shape, (height, width)))
    part = picture[top : top + height, left : left + width]
    part = part[:, ::-1] if rng.random() < 0.5 else part
    return 1 - part if rng.random() < 0.3 else part

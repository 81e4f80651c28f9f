"""The picture checks of the ingest: learns their linear model from phantoms, and measures their flags on real pictures.

``--learn 24000`` draws phantoms, disturbs them, draws non-chests and writes ``radia_pipeline/dicom/poses.npz``; nothing
is learnt from real data. Without it, false and missed flags are measured on ``../shared/real`` (if there), on phantoms
and on whatever DICOM and PNG files the installed libraries bring along.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from radia_pipeline.dicom import poses
from radia_pipeline.dicom.pixel_checks import remarks
from radia_pipeline.dicom.render import render_native
from radia_pipeline.dicom.resample import thumbnail
from radia_pipeline.errors import DamagedFile
from radia_pipeline.phantom.radiograph import Film, take

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "radia_pipeline" / "dicom" / "poses.npz"
RESULT = Path(__file__).parent / "results" / "ingest_flags.json"
_SIDE = 64
_SHARES = (0.30, 0.17, 0.11, 0.09, 0.09, 0.06, 0.18)
"""How often each of ``poses.POSES`` is drawn."""
_TURNS = {"turned_left": 1, "turned_right": 3, "upside_down": 2}
Picture = np.ndarray


# --- learning --------------------------------------------------------------------------------------------------------
def phantoms(view: str, count: int, seed: int) -> np.ndarray:
    """Return ``count`` phantoms of invented persons, (n, 64, 64) in [0, 1]."""
    rng = np.random.default_rng(seed)
    shots = []
    for number in range(count):
        film = Film(
            view, seed + number, 2 * seed + number, bool(rng.random() < 0.5), int(rng.integers(18, 95)), (), 160
        )
        shots.append(thumbnail((take(film).grey * 65535).astype(np.uint16), _SIDE) / 65535)
    return np.array(shots)


def disturbed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Move, zoom, tilt and mirror a phantom, and change its grey values as devices, disease and collimators do."""
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    angle, zoom = np.deg2rad(rng.uniform(-8, 8)), rng.uniform(0.7, 1.3) * np.array([1.0, rng.uniform(0.86, 1.16)])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / zoom
    middle = np.full(2, _SIDE / 2)
    start = middle - turn @ (middle + rng.uniform(-0.12, 0.12, 2) * _SIDE)
    picture = ndimage.affine_transform(picture, turn, start, order=1, mode=rng.choice(["constant", "nearest"]))
    return shaded(np.clip(picture, 0, 1), rng)


def shaded(picture: Picture, rng: np.random.Generator) -> Picture:
    """Change grey values: gamma, haze, opacities, uneven exposure, collimation, noise."""
    picture = picture ** rng.uniform(0.4, 1.8)
    if rng.random() < 0.5:
        share = rng.uniform(0, 0.85)
        picture = (1 - share) * picture + share * ndimage.gaussian_filter(picture, rng.uniform(3, 14))
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] / (_SIDE - 1)
    if rng.random() < 0.35:
        for _ in range(rng.integers(1, 4)):
            (cy, cx), (ry, rx) = rng.uniform(0.15, 0.85, 2), rng.uniform(0.08, 0.32, 2)
            picture = picture + rng.uniform(0.1, 0.6) * np.exp(-(((y - cy) / ry) ** 2) - ((x - cx) / rx) ** 2)
    for slope in (x, y):
        if rng.random() < 0.35:
            picture = picture + rng.uniform(-0.6, 0.6) * (slope - 0.5) * (picture > 0.02)
    if rng.random() < 0.3:
        turns = int(rng.integers(4))
        picture = np.rot90(picture, turns).copy()
        picture[: rng.integers(1, 9)] = rng.choice([0.0, 0.0, 1.0])
        picture = np.rot90(picture, -turns)
    if rng.random() < 0.3:
        picture = picture + rng.normal(0, rng.uniform(0.01, 0.08), picture.shape)
    return picture


def non_chest(rng: np.random.Generator, chests: np.ndarray) -> Picture:
    """Draw something that is no chest: textures, shapes, pages, bones, slices, trunks of animals, parts of a chest."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] / (_SIDE - 1)
    noise = rng.normal(size=(_SIDE, _SIDE))
    drawn = _DRAWERS[int(rng.integers(len(_DRAWERS)))](rng, x, y, noise, chests)
    drawn = (drawn - drawn.min()) / max(float(np.ptp(drawn)), 1e-6)
    return shaded(drawn, rng)


def _clouds(rng, x, y, noise, chests) -> Picture:
    return ndimage.gaussian_filter(noise, rng.uniform(0, 12))


def _stripes(rng, x, y, noise, chests) -> Picture:
    angle = rng.uniform(0, np.pi)
    return np.cos(rng.uniform(2, 40) * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 6))


def _ellipses(rng, x, y, noise, chests) -> Picture:
    out = np.full_like(x, rng.random())
    for _ in range(rng.integers(1, 9)):
        (cy, cx), (ry, rx) = rng.random(2), rng.uniform(0.04, 0.5, 2)
        out = np.where(((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1, rng.random(), out)
    return ndimage.gaussian_filter(out, rng.uniform(0, 2))


def _page(rng, x, y, noise, chests) -> Picture:
    out = np.full_like(x, rng.choice([0.0, 1.0]))
    for _ in range(rng.integers(2, 25)):
        top, left = rng.integers(0, 60, 2)
        out[top : top + rng.integers(1, 10), left : left + rng.integers(2, 40)] = rng.random()
    return out


def _ramp(rng, x, y, noise, chests) -> Picture:
    return x * rng.normal() + y * rng.normal()


def _bones(rng, x, y, noise, chests) -> Picture:
    out = np.zeros_like(x)
    for _ in range(rng.integers(1, 4)):
        middle, slope, width = rng.uniform(0.2, 0.8), rng.uniform(-0.3, 0.3), rng.uniform(0.03, 0.12)
        away = (x - middle - slope * (y - 0.5)) / width
        out += rng.uniform(0.4, 1) * np.exp(-(away**2)) + 0.3 * np.exp(-((away / 3) ** 2))
    return np.rot90(out, int(rng.integers(4)))


def _slice(rng, x, y, noise, chests) -> Picture:
    (cy, cx), radius = rng.uniform(0.4, 0.6, 2), rng.uniform(0.25, 0.5)
    away = np.hypot(y - cy, (x - cx) * rng.uniform(0.8, 1.3))
    inside = 0.4 * ndimage.gaussian_filter(noise, 4) / 0.05
    return np.where(away < radius, rng.uniform(0.3, 0.6) + 0.2 * inside, 0) + np.where(
        abs(away - radius) < 0.04, 0.5, 0
    )


def _hand(rng, x, y, noise, chests) -> Picture:
    out = np.zeros_like(x)
    for angle in np.linspace(-0.8, 0.8, 5) + rng.uniform(-0.1, 0.1):
        across, along = (
            (x - 0.5) * np.cos(angle) + (y - 1) * np.sin(angle),
            (x - 0.5) * np.sin(angle) + (1 - y) * np.cos(angle),
        )
        out = np.maximum(out, np.exp(-((across / 0.05) ** 2)) * (along < rng.uniform(0.6, 0.95)))
    return out


def _part(rng, x, y, noise, chests) -> Picture:
    picture, size = chests[rng.integers(len(chests))], int(rng.integers(14, 24))
    top, left = rng.integers(0, 40, 2)
    return ndimage.zoom(picture[top : top + size, left : left + size], _SIDE / size, order=1)[:_SIDE, :_SIDE]


def _rough(rng, x, y, noise, chests) -> Picture:
    frequency = np.fft.fftfreq(_SIDE)
    radius = np.hypot(frequency[:, None], frequency[None])
    radius[0, 0] = 1
    return np.real(np.fft.ifft2(np.fft.fft2(noise) / radius ** rng.uniform(0.6, 2)))


def _animal(rng, x, y, noise, chests) -> Picture:
    """A trunk that lies across the picture: spine along one edge, slanted ribs, a dark lung and a heart below it."""
    middle, half = rng.uniform(0.4, 0.6), rng.uniform(0.25, 0.5)
    out = 0.75 * np.exp(-(((y - middle) / half) ** 4))
    spine = middle - half * rng.uniform(0.4, 0.8) + rng.uniform(-0.15, 0.15) * (x - 0.5)
    out += rng.uniform(0.2, 0.6) * np.exp(-(((y - spine) / rng.uniform(0.03, 0.1)) ** 2))
    lung = ((x - rng.uniform(0.3, 0.7)) / rng.uniform(0.2, 0.4)) ** 2 + (
        (y - middle) / (half * rng.uniform(0.4, 0.8))
    ) ** 2
    out -= rng.uniform(0.2, 0.6) * np.exp(-(lung**2))
    heart = ((x - rng.uniform(0.3, 0.7)) / 0.14) ** 2 + ((y - middle - 0.4 * half) / 0.16) ** 2
    out += rng.uniform(0.1, 0.5) * np.exp(-heart)
    ribs = np.cos(rng.uniform(20, 60) * (x + rng.uniform(-0.6, 0.6) * y) + rng.uniform(0, 6))
    return (out + rng.uniform(0, 0.15) * ribs)[:, :: int(rng.choice([1, -1]))]


def _islands(rng, x, y, noise, chests) -> Picture:
    return np.where(ndimage.gaussian_filter(noise, rng.uniform(1, 8)) > 0, 1.0, 0.0) * rng.uniform(0.3, 1)


_DRAWERS = (
    _clouds,
    _stripes,
    _ellipses,
    _page,
    _ramp,
    _bones,
    _slice,
    _hand,
    _part,
    _rough,
    _animal,
    _animal,
    _islands,
)


def examples(count: int, seed: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield (features, place in POSES): a pure function of the arguments."""
    rng = np.random.default_rng(seed)
    chests, laterals = (
        np.concatenate([phantoms("PA", 400, 1000), phantoms("AP", 250, 5000)]),
        phantoms("LATERAL", 500, 9000),
    )
    for _ in range(count):
        pose = int(rng.choice(len(poses.POSES), p=_SHARES))
        name = poses.POSES[pose]
        if name == "other":
            picture = non_chest(rng, chests)
        else:
            stock = laterals if name == "lateral" or (name != "frontal" and rng.random() < 0.25) else chests
            picture = disturbed(stock[rng.integers(len(stock))], rng)
            picture = picture.max() - picture if name == "inverted" else np.rot90(picture, _TURNS.get(name, 0))
        yield poses.features(picture.reshape(32, 2, 32, 2).mean(axis=(1, 3))).ravel(), pose


def learn(count: int) -> None:
    """Fit the linear model and write its weights."""
    from sklearn.linear_model import LogisticRegression

    ranks, targets = zip(*examples(count, 0))
    model = LogisticRegression(C=0.01, max_iter=100).fit(np.array(ranks), np.array(targets))
    np.savez_compressed(WEIGHTS, weights=model.coef_.astype(np.float32), offsets=model.intercept_.astype(np.float32))


# --- measuring -------------------------------------------------------------------------------------------------------
def rendered(paths: list[Path]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, picture uint16) of the files that can be rendered."""
    for path in paths:
        try:
            yield path.name, render_native(path)
        except DamagedFile:
            continue


def bundled() -> Iterator[tuple[str, np.ndarray]]:
    """Yield pictures that installed libraries bring along, none of them a chest radiograph."""
    import pydicom
    from PIL import Image

    packages = Path(pydicom.__file__).parents[1]
    for path in sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*")):
        try:
            pixels = np.asarray(pydicom.dcmread(path).pixel_array, float)
        except Exception:
            # Test files are broken on purpose; what cannot be decoded is no picture.
            continue
        pixels = pixels[0] if pixels.ndim == 4 or (pixels.ndim == 3 and pixels.shape[2] > 4) else pixels
        pixels = pixels.mean(axis=2) if pixels.ndim == 3 else pixels
        if min(pixels.shape) >= 32:
            yield path.name, (65535 * (pixels - pixels.min()) / max(float(np.ptp(pixels)), 1.0)).astype(np.uint16)
    for path in sorted(packages.rglob("*.png")) + sorted(packages.rglob("*.jpg")):
        picture = np.asarray(Image.open(path).convert("L"), np.uint16)
        if min(picture.shape) >= 64:
            yield path.name, picture * 257


def flags_of(pictures: list[np.ndarray], change: Callable[[np.ndarray], np.ndarray] = lambda picture: picture) -> dict:
    """Count flags and pixel views over pictures."""
    counts: dict[str, int] = {"pictures": len(pictures)}
    for picture in pictures:
        found = remarks(np.ascontiguousarray(change(picture)))
        for name in (*found.flags, *(["LATERAL by pixels"] if found.is_lateral else [])):
            counts[name] = counts.get(name, 0) + 1
    return counts


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as it is": lambda p: p,
    "inverted": lambda p: 65535 - p,
    "turned left": np.rot90,
    "turned right": lambda p: np.rot90(p, 3),
    "upside down": lambda p: np.rot90(p, 2),
    "left half": lambda p: p[:, : p.shape[1] // 2],
    "upper third": lambda p: p[: p.shape[0] // 3],
    "lower half": lambda p: p[p.shape[0] // 2 :],
    "blank": lambda p: np.full_like(p, 9000) + (p > 65000),
}


def measure(real: Path) -> dict:
    """Return counts of flags by collection and change."""
    found: dict[str, dict] = {}
    if real.is_dir():
        nih = [picture for _, picture in rendered(sorted((real / "nih_cxr14" / "images").rglob("*.png")))]
        found |= {f"NIH, {name}": flags_of(nih, change) for name, change in CHANGES.items()}
        delivery = dict(rendered(sorted((real / "ccsmtl" / "dicom").glob("*.dcm"))))
        found["dog"] = flags_of([delivery.pop("0011.dcm")])
        found["delivery without the dog"] = flags_of(list(delivery.values()))
    for view in ("PA", "AP", "LATERAL"):
        shots = [(65535 * shot).astype(np.uint16) for shot in phantoms(view, 100, 700_000)]
        found |= {f"phantom {view}, {name}": flags_of(shots, change) for name, change in CHANGES.items()}
    found["bundled with libraries"] = flags_of([picture for _, picture in bundled()])
    return found


def main() -> None:
    """Learn where asked, measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learn", type=int, metavar="N", help="learn from N drawn pictures first")
    parser.add_argument("--real", type=Path, default=ROOT.parent / "shared" / "real")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.learn:
        learn(arguments.learn)
    found = measure(arguments.real)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

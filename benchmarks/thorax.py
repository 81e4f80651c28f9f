"""The outline of the thorax against the phantom's truth; ``--learn`` makes the average chest of which it is found.

The phantoms that it is made of and those that judge it are other persons. ``--films`` draws outlines over films
for a person to look at (the picture goes to ``--picture``, outside the repository).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from radia_pipeline.dicom import thorax
from radia_pipeline.dicom.render import render_native
from radia_pipeline.dicom.resample import area_average, fitted_size
from radia_pipeline.drawing.montage import Tile, fitted, montage
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.radiograph import Film, take, thorax_of
from radia_pipeline.phantom.signs import ORDER, draw_signs

AVERAGE = Path(thorax.__file__).with_name("thorax.npz")
RESULT = Path(__file__).parent / "results" / "thorax.json"
ANGLES = 72


def films(count: int, seed: int, size_px: int = 320) -> Iterator[Film]:
    """Yield frontal films of invented persons, half of them with one to four signs of disease."""
    for number in range(count):
        rng = generator(seed + number, "thorax")
        names = set(rng.choice(ORDER, int(rng.integers(1, 5)), replace=False)) if rng.random() < 0.5 else set()
        view = "AP" if rng.random() < 0.35 else "PA"
        signs = tuple(draw_signs(names, rng))
        person, exposure = seed + 2 * number, seed + 2 * number + 1
        yield Film(view, person, exposure, bool(rng.random() < 0.5), int(rng.integers(18, 95)), signs, size_px)


def outline_of(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return box (centre, half sizes over the longest side) and the radius at each angle, in the box's coordinates."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    low, high = np.array([columns[0], rows[0]], float), np.array([columns[-1] + 1, rows[-1] + 1], float)
    box = np.concatenate([(low + high) / 2, (high - low) / 2]) / max(mask.shape)
    reach = np.linspace(0, 1.6, 400)
    radii = []
    for angle in np.arange(ANGLES) * 2 * np.pi / ANGLES:
        points = (np.outer(reach, [np.cos(angle), np.sin(angle)]) * box[2:] + box[:2]) * max(mask.shape) - 0.5
        inside = ndimage.map_coordinates(mask.astype(float), points.T[::-1], order=1, mode="constant") > 0.5
        radii.append(reach[np.flatnonzero(inside)[-1]])
    return box, np.array(radii)


def learn(count: int) -> None:
    """Average phantoms, each laid out by its own thorax."""
    total, radii = np.zeros(thorax.GRID**2), np.zeros(ANGLES)
    for film in films(count, 1_000_000):
        grey = take(film).grey
        small = area_average((grey * 65535).astype(np.float32), *fitted_size(*grey.shape, thorax.SIDE))
        box, radius = outline_of(thorax_of(film))
        total += thorax.sampled(thorax.ranked(small), box[None], thorax.grid())[0]
        radii += radius
    angles = np.arange(ANGLES) * 2 * np.pi / ANGLES
    outline = (radii / count)[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    np.savez_compressed(AVERAGE, ranks=(total / count).astype(np.float32), outline=outline.astype(np.float32))


def measure(count: int) -> dict:
    """Return the overlap with the truth over phantoms, films that were not found counting 0."""
    overlaps = []
    for film in films(count, 5_000_000):
        grey, truth = take(film).grey, thorax_of(film)
        found = thorax.thorax_of((grey * 65535).astype(np.uint16))
        mask = np.zeros_like(truth) if found is None else found.mask(*truth.shape)
        overlaps.append(float((mask & truth).sum() / max((mask | truth).sum(), 1)))
    values = np.array(overlaps)
    quantiles = {f"quantile {q:g}": round(float(np.quantile(values, q)), 4) for q in (0.0, 0.01, 0.05, 0.5)}
    return {
        "phantoms": count,
        "mean": round(float(values.mean()), 4),
        **quantiles,
        "at least 0.8": int((values >= 0.8).sum()),
        "not found": int((values == 0).sum()),
    }


def draw(folder: Path, every: int, picture: Path) -> dict:
    """Draw outlines over real films; returns how many had one."""
    import cv2

    tiles, found = [], 0
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".dcm"))
    for path in paths[::every]:
        image = render_native(path)
        one = thorax.thorax_of(image)
        shown = cv2.cvtColor((image >> 8).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        if one is not None:
            found += 1
            thick = max(1, max(image.shape) // 160)
            cv2.polylines(shown, [np.rint(one.outline).astype(np.int32)], True, (255, 220, 0), thick)
        scale = 300 / max(image.shape)
        shown = cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        side = np.zeros((300, 300, 3), np.uint8)
        side[: shown.shape[0], : shown.shape[1]] = shown[:300, :300]
        tiles.append(Tile([fitted(side, 300)], [("not found" if one is None else f"fit {one.fit:.2f}", "plain")]))
    picture.write_bytes(montage(tiles, width_px=1560))
    return {"films": len(tiles), "found": found}


def main() -> None:
    """Learn where asked, measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learn", type=int, metavar="N", help="average N phantoms first")
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--films", type=Path)
    parser.add_argument("--every", type=int, default=34)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    if arguments.learn:
        learn(arguments.learn)
    if arguments.films:
        print(draw(arguments.films, arguments.every, arguments.picture))
        return
    found = measure(arguments.count)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

"""Print in the pixels: what of it is found, in which layout, what clean films cost, and how long a picture takes.

Run: ``python benchmarks/print.py --real FOLDER [--each 104] [--fit]``. Prints are set on real chests (NIH's layout, at
1024 pixels) and on phantoms, in twelve layouts, four typefaces and six kinds of text. Pictures fall in turns into two
halves: the floor of confidence is chosen on the one (``--fit`` shows the choice), figures are reported on the other.
Clean films are the same collection as it is. Writes ``benchmarks/results/print.json``; what was read stays in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from radia_pipeline.dicom.render import render_native
from radia_pipeline.phantom.radiograph import Film, take
from radia_pipeline.privacy import prints, reader
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline.privacy.reader import Line

RESULT = Path(__file__).with_name("results") / "print.json"
ROOT = Path(__file__).resolve().parents[1]
SIDE = 1024
FLOORS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8)
SHORT = "short name"


@dataclass(frozen=True)
class Layout:
    """How a text is printed: height in pixels of a 1024 picture, degrees, ground, contrast, place."""

    height_px: int = 30
    degrees: float = 0.0
    ink: str = "white"
    contrast: float = 0.9
    in_the_middle: bool = False
    is_spaced: bool = False


LAYOUTS = {
    "white": Layout(),
    "black": Layout(ink="black"),
    "on a label": Layout(ink="label"),
    "turned 15": Layout(degrees=15),
    "turned 45": Layout(degrees=45, height_px=34),
    "turned 90": Layout(degrees=90),
    "middle": Layout(in_the_middle=True),
    "spaced": Layout(is_spaced=True),
    "20 px": Layout(height_px=20),
    "80 px": Layout(height_px=80),
    "160 px": Layout(height_px=160),
    "low contrast": Layout(contrast=0.22),
}
SURNAMES = ("BRZOSTEK", "OUATTARABI", "VANDERMOLEN", "PIMPARE", "NKEMELU", "SZYMBOREK", "THIBODOUX", "GAUCHER")
GIVEN = ("OKSANA", "KADIA", "Ingeborg", "Julienne", "OBINNA", "Tadeusz", "M", "JEAN")


def digits(rng: np.random.Generator, least: int, most: int, count: int) -> list[str]:
    """Return numbers drawn at random, as text."""
    return [str(number) for number in rng.integers(least, most, count)]


KINDS: dict[str, Callable[[np.random.Generator], str]] = {
    "name": lambda rng: f"{rng.choice(SURNAMES)}{rng.choice([' ', ', ', '^'])}{rng.choice(GIVEN)}",
    "number": lambda rng: str(rng.integers(100_000, 9_999_999)),
    "health number": lambda rng: " ".join(
        ["".join(rng.choice(list("BCDGLMP"), 4)), *map(str, rng.integers(4000, 9999, 2))]
    ),
    "telephone": lambda rng: f"{rng.choice([418, 514, 819])}-{rng.integers(200, 999)}-{rng.integers(1000, 9999)}",
    "date": lambda rng: rng.choice(["-", " ", "/"]).join(
        (str(rng.integers(1930, 2009)), "04", f"{rng.integers(1, 28):02d}")
    ),
    SHORT: lambda rng: str(rng.choice(["NGO", "ROY", "KIM", "LAM", "DUC", "FOY", "VAN", "HUY", "BOZ"])),
}


def typefaces() -> list[Callable[[int], ImageFont.FreeTypeFont]]:
    """Return ways to get a typeface at a size: Pillow's own, and those that matplotlib brings."""
    folder = Path(find_spec("matplotlib").origin).parent / "mpl-data" / "fonts" / "ttf"
    names = ("DejaVuSans.ttf", "DejaVuSansMono-Bold.ttf", "DejaVuSerif.ttf")
    return [
        ImageFont.load_default,
        *(lambda size, name=name: ImageFont.truetype(str(folder / name), size) for name in names),
    ]


def drawn(text: str, layout: Layout, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a text as coverage in [0, 1], turned, and that of its label, if it has one."""
    faces = typefaces()
    font = faces[rng.integers(len(faces))](layout.height_px)
    text = "  ".join(text.replace(" ", "")) if layout.is_spaced else text
    while font.getlength(text) > 0.94 * SIDE:
        text = text[:-1]
    left, top, right, bottom = font.getbbox(text)
    margin = layout.height_px // 3
    size = (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin)
    ink = Image.new("L", size, 0)
    ImageDraw.Draw(ink).text((margin - left, margin - top), text, fill=255, font=font)
    label = Image.new("L", size, 255 if layout.ink == "label" else 0)
    turn = layout.degrees * (1 if rng.random() < 0.5 else -1)
    turned = [
        np.asarray(one.rotate(turn, expand=True, resample=Image.Resampling.BICUBIC), np.float32) / 255
        for one in (ink, label)
    ]
    return turned[0], turned[1] if layout.ink == "label" else None


def printed(picture: np.ndarray, text: str, layout: Layout, rng: np.random.Generator) -> np.ndarray:
    """Print a text on a picture (H, W) in [0, 65535]."""
    ink, label = drawn(text, layout, rng)
    height, width = ink.shape[0], ink.shape[1]
    room = (max(1, picture.shape[0] - height), max(1, picture.shape[1] - width))
    if layout.in_the_middle:
        top, left = (int(side * rng.uniform(0.3, 0.7)) for side in room)
    else:
        top, left = int(rng.choice([0.01, 0.99]) * room[0]), int(rng.uniform(0, 1) * room[1])
    out = picture.copy()
    place = out[top : top + height, left : left + width]
    ink = ink[: place.shape[0], : place.shape[1]]
    if label is not None:
        label = label[: place.shape[0], : place.shape[1]]
        place[:] = place * (1 - label) + 60000.0 * label
    ground = float(place.mean())
    dark = layout.ink in ("black", "label")
    if layout.contrast < 0.5:
        target = ground + 65535 * layout.contrast * (-1 if ground > 40000 else 1)
    else:
        target = 3000.0 if dark else 62500.0
    if layout.ink == "black" and ground < 20000:
        place[:] = np.maximum(place, 32000.0)  # black print needs a ground that is not black
    if layout.ink == "white" and layout.contrast > 0.5 and ground > 50000:
        place[:] = np.minimum(place, 36000.0)
    place[:] = place * (1 - ink) + target * ink
    return np.clip(out, 0, 65535)


def grounds(real: Path, count: int) -> Iterator[np.ndarray]:
    """Yield real chests at 1024 pixels, every eighth picture a phantom."""
    import cv2

    paths = sorted((real / "nih_cxr14" / "images").rglob("*.png"))
    for number in range(count):
        if number % 8 == 7 or not paths:
            film = Film(
                ("PA", "AP", "LATERAL")[number % 3],
                31 * number,
                17 * number,
                bool(number % 2),
                20 + number % 70,
                (),
                SIDE,
            )
            yield (65535 * take(film).grey).astype(np.float32)
            continue
        picture = render_native(paths[number % len(paths)]).astype(np.float32)
        yield np.clip(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), 0, 65535)


@dataclass(frozen=True)
class Planted:
    """One picture with a print, as it was read."""

    layout: str
    kind: str
    half: str
    lines: list[Line]


def plant(real: Path, each: int, seed: int) -> list[Planted]:
    """Print and read ``each`` pictures of every layout."""
    found, rng = [], np.random.default_rng(seed)
    for number, ground in enumerate(grounds(real, each * len(LAYOUTS))):
        name = list(LAYOUTS)[number % len(LAYOUTS)]
        kind = list(KINDS)[(number // len(LAYOUTS)) % len(KINDS)]
        picture = printed(ground, KINDS[kind](rng), LAYOUTS[name], rng)
        turn = number // (len(LAYOUTS) * len(KINDS))
        found.append(Planted(name, kind, "fit" if turn % 2 else "held", reader.lines(picture)))
    return found


def recall(planted: list[Planted], allowed: frozenset[str], floor: float) -> dict:
    """Return the share refused by layout and of all, and of short names the share that is at least flagged."""
    refused, count, flagged = Counter(), Counter(), []
    for one in planted:
        judged = prints.judge(one.lines, allowed, floor)
        if one.kind == SHORT:
            flagged.append(judged.rule is not None or judged.has_initials)
            continue
        count[one.layout] += 1
        refused[one.layout] += judged.rule is not None
    shares = {name: round(refused[name] / count[name], 4) for name in count}
    return {
        "pictures": len(planted),
        "refused": round(sum(refused.values()) / sum(count.values()), 4),
        "by_layout": shares,
        "short_names_flagged": round(float(np.mean(flagged)), 4),
        "short_names": len(flagged),
    }


def clean_films(real: Path, most: int) -> list[list[Line]]:
    """Read the real films as they are, at 1024 pixels; the hospital's delivery apart from its planted prints too."""
    import cv2

    paths = sorted((real / "nih_cxr14" / "images").rglob("*.png"))[:most]
    read = []
    for path in paths:
        picture = render_native(path).astype(np.float32)
        read.append(reader.lines(np.clip(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), 0, 65535)))
    return read


def alarms(read: list[list[Line]], allowed: frozenset[str], floor: float) -> dict:
    """Return how many clean films are refused, and how many get the flag of initials; by rule, never a text."""
    judged = [prints.judge(lines, allowed, floor) for lines in read]
    rules = Counter(one.rule for one in judged if one.rule)
    return {
        "films": len(read),
        "refused": sum(rules.values()),
        "by_rule": dict(rules),
        "flagged": sum(one.has_initials for one in judged),
    }


def seconds(real: Path) -> dict:
    """Return processor seconds for reading a picture, beside decoding the same film from lossless JPEG."""
    from radia_pipeline.dicom import decode, facts
    from radia_pipeline.privacy import container
    from radia_pipeline_tests.dicom import files

    pictures = list(grounds(real, 8))
    syntax = files.LOSSLESS[1]
    parsed = [
        container.parse(files.to_bytes(files.dataset((p / 16).astype(np.uint16), syntax=syntax))) for p in pictures
    ]
    began = time.process_time()
    for one in parsed:
        decode.DECODERS[syntax].decode(bytes(one.pixels), facts.pixel_facts(one))
    decoded = (time.process_time() - began) / len(parsed)
    best = []
    for picture in pictures:
        turns = []
        for _ in range(3):
            began = time.process_time()
            reader.lines(picture)
            turns.append(time.process_time() - began)
        best.append(min(turns))
    return {"read_s": round(float(np.mean(best)), 3), "decode_s": round(decoded, 4), "load": os.getloadavg()[0]}


def main() -> None:
    """Print, read, judge, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", type=Path, default=ROOT.parent / "shared" / "real")
    parser.add_argument("--each", type=int, default=104, help="pictures of each layout")
    parser.add_argument("--films", type=int, default=704, help="clean films at most")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    reader.load()
    planted = plant(arguments.real, arguments.each, arguments.seed)
    films = clean_films(arguments.real, arguments.films)
    found = {"seed": arguments.seed, **summary(planted, films), "time": seconds(arguments.real)}
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


def summary(planted: list[Planted], films: list[list[Line]]) -> dict:
    """Return recall by floor on the half that chooses it and on the held one, and what clean films cost."""
    allowed = policy_of("ccsmtl").ocr_allowed
    halves = defaultdict(list)
    for one in planted:
        halves[one.half].append(one)
    return {
        "side_px": SIDE,
        "looked_for_in_px": reader.DETECTION_SIDE_PX,
        "floor": prints.FLOOR,
        "on the half that chose the floor": {str(floor): recall(halves["fit"], allowed, floor) for floor in FLOORS},
        "held": recall(halves["held"], allowed, prints.FLOOR),
        "held, strict": recall(halves["held"], allowed, 0.5),
        "clean films": {str(floor): alarms(films, allowed, floor) for floor in FLOORS},
    }


if __name__ == "__main__":
    main()

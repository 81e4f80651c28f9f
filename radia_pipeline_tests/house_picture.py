"""The picture of ``docs/architecture.md``: the rooms of the house floor by floor, each with its own first words.

What a room is for stands in its folder; the order of the rooms in ``test_architecture``; here is only where they stand.
"""

from __future__ import annotations

import ast
from pathlib import Path

import radia_pipeline
from radia_pipeline.drawing.diagram import Box
from radia_pipeline.drawing.svg import SMALL_PX, Picture, element, number, words, wrapped

PACKAGE = Path(radia_pipeline.__file__).parent
FLOORS = (
    ("Doors", ("definitions", "cli", "defs", "review")),
    ("Answers", ("pages", "usecases", "monitoring")),
    ("Models", ("detection", "localisation", "readings", "evaluation", "training")),
    ("Studies", ("cohort", "labels", "reports")),
    ("Deliveries", ("dicom", "privacy", "sources")),
    ("Tools", ("drawing", "phantom", "tracking", "servers", "processes")),
    ("Ground", ("lake", "contracts", "errors")),
)
"""From the top down: the floors, and their rooms from left to right, in the order of the house."""
WAY = (
    "sources",
    "privacy",
    "dicom",
    "reports",
    "labels",
    "cohort",
    "training",
    "evaluation",
    "localisation",
    "detection",
    "pages",
)
"""The rooms through which the data goes, in its order."""
TITLE_PX, ROOM_PX, HIGH_PX, GAP_PX, SIDE_PX, SIGN_PX = 84, 190, 92, 12, 70, 10


def first_words(room: str) -> str:
    """Return the first sentence of a room's own description."""
    path = PACKAGE / room / "__init__.py" if (PACKAGE / room).is_dir() else PACKAGE / f"{room}.py"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.replace("``", "").replace("->", "→").split()).split(". ")[0].rstrip(".")


def exists(room: str) -> bool:
    """Tell whether a room of the plan has been built."""
    return (PACKAGE / room / "__init__.py").exists() or (PACKAGE / f"{room}.py").exists()


def draw() -> str:
    """Return the picture as SVG."""
    floors = [(title, [room for room in rooms if exists(room)]) for title, rooms in FLOORS]
    left = SIDE_PX + TITLE_PX
    width = left + max(len(rooms) for _, rooms in floors) * (ROOM_PX + GAP_PX) - GAP_PX + SIDE_PX
    height = len(floors) * (HIGH_PX + GAP_PX) - GAP_PX
    parts = [
        _side(SIDE_PX / 2 - 8, 0, height, "imports point down"),
        _side(width - SIDE_PX / 2 + 8, height, 0, "data goes up"),
    ]
    for row, (title, rooms) in enumerate(floors):
        y = row * (HIGH_PX + GAP_PX)
        parts.append(words(SIDE_PX, y + HIGH_PX / 2 + 4, title, "heading"))
        parts += [_room(room, left + place * (ROOM_PX + GAP_PX), y) for place, room in enumerate(rooms)]
    told = "; ".join(f"{title}: {', '.join(rooms)}" for title, rooms in floors) + ". The data goes " + ", ".join(WAY)
    return Picture(width, height, "The rooms of RadIA", "\n".join(parts), told).alone(has_heading=False) + "\n"


def _room(room: str, x: float, y: float) -> str:
    box = Box(x, y, ROOM_PX, HIGH_PX, "", "s0" if room in WAY else "muted")
    name = words(x + 9, y + 20, room, "heading")
    lines = wrapped(first_words(room), ROOM_PX - 16, SMALL_PX)
    text = [words(x + 9, y + 36 + 13 * place, line, "soft small") for place, line in enumerate(lines)]
    return "".join([box.draw(), name, *text, _sign(room, x + ROOM_PX - 16, y + 16)])


def _sign(room: str, x: float, y: float) -> str:
    """Return the number of a room on the data's way."""
    if room not in WAY:
        return ""
    circle = element("circle", class_="box s1", cx=x, cy=y, r=SIGN_PX)
    return circle + words(x, y + 4, str(WAY.index(room) + 1), "middle")


def _side(x: float, start: float, end: float, text: str) -> str:
    """Return a long arrow beside the house with what it says."""
    sign = 1 if end > start else -1
    line = element("path", class_="arrow", d=f"M{number(x)} {number(start)}V{number(end - 6 * sign)}")
    tip = element(
        "path",
        class_="tip",
        d="M0 0L-7 -3.5V3.5z",
        transform=f"translate({number(x)} {number(end)}) rotate({90 * sign})",
    )
    return line + tip + words(x - 7 if sign > 0 else x + 14, (start + end) / 2, text, "middle soft", turn=-90)

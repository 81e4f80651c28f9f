"""Reads a finished picture back: its elements, and whether texts lie inside it and clear of each other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from radia_pipeline.drawing.svg import Picture

SIZES = {"small": 10, "large": 13, "heading": 13}
DESCENT_PX = 3
SPACE = "{http://www.w3.org/2000/svg}"
_MOVE = re.compile(r"translate\(([-\d.]+)[ ,]([-\d.]+)\)")


@dataclass(frozen=True)
class Text:
    """A text that is not turned: its words, left and right edge and baseline, by the widths of Arial (0.5 em)."""

    words: str
    left: float
    right: float
    y: float

    def meets(self, other: Text) -> bool:
        """Tell whether two texts touch."""
        return abs(self.y - other.y) < 9 and self.left < other.right and other.left < self.right


def read(picture: Picture) -> ElementTree.Element:
    """Parse the picture as a page holds it and as it stands alone; returns the first."""
    alone = ElementTree.fromstring(picture.alone())
    assert alone.tag == f"{SPACE}svg"
    assert alone.get("role") == "img"
    assert "var(" not in picture.alone()
    return ElementTree.fromstring(picture.inline())


def marks(picture: Picture, style: str) -> list[ElementTree.Element]:
    """Return the elements that have a style among their classes."""
    return [node for node in read(picture).iter() if style in (node.get("class") or "").split()]


def texts(picture: Picture) -> list[Text]:
    """Return every text that is not turned, with its place in the picture."""
    found: list[Text] = []

    def walk(node: ElementTree.Element, x: float, y: float) -> None:
        moved = _MOVE.search(node.get("transform") or "")
        if moved and "rotate" not in node.get("transform"):
            x, y = x + float(moved[1]), y + float(moved[2])
        if node.tag == "text" and "rotate" not in (node.get("transform") or ""):
            style = (node.get("class") or "").split()
            width = 0.5 * len(node.text) * next((px for name, px in SIZES.items() if name in style), 11)
            left = x + float(node.get("x")) - (width if "end" in style else width / 2 if "middle" in style else 0)
            found.append(Text(node.text, left, left + width, y + float(node.get("y"))))
        for child in node:
            walk(child, x, y)

    walk(read(picture), 0.0, 0.0)
    return found


def collisions(picture: Picture) -> list[tuple[str, str]]:
    """Return pairs of texts that touch, and texts that reach out of the picture (with an empty partner)."""
    all_texts = texts(picture)
    pairs = [
        (one.words, other.words) for i, one in enumerate(all_texts) for other in all_texts[i + 1 :] if one.meets(other)
    ]
    outside = [
        (text.words, "")
        for text in all_texts
        if text.left < -0.5 or text.right > picture.width + 0.5 or not 8 < text.y <= picture.height - DESCENT_PX
    ]
    return pairs + outside

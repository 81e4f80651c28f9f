"""SVG as text: elements, words and their width, and the finished picture.

A picture bears a title (and perhaps a description) for screen readers and no script. Inside a page its colours are the
page's and follow light and dark; alone, as an image, it carries its own. What does not belong here: what is drawn.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from radia_pipeline.drawing.looks import ALONE_RULES

SMALL_PX, TEXT_PX, HEADING_PX = 10, 11, 13
"""Sizes of text; ``looks`` has them by name."""
_MARGIN_PX = 14
_TIPS = re.compile("<title>[^<]*</title>")
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NARROW, _WIDE = frozenset("iljtfrI.,:;|'!()[]/ -·"), frozenset("mwMW@%—−ODGQNH&")


def escaped(text: str) -> str:
    """Return text as it may stand in XML, also inside an attribute; what XML forbids is left out."""
    return escape(_NO_XML.sub("", text), quote=True)


def number(value: float) -> str:
    """Return a coordinate with at most one decimal: what a screen can show."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def element(name: str, *inner: str, **attributes: str | float | None) -> str:
    """Return an element around markup; ``class_`` is class, ``_`` inside a name is a hyphen, None is left out."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value) if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{shown}>{''.join(inner)}</{name}>" if inner else f"<{name}{shown}/>"


def words(x: float, y: float, text: str, style: str = "", *, turn: float = 0) -> str:
    """Return text with its baseline at a place; ``style``: end, middle, soft …; ``turn`` in degrees, clockwise."""
    turned = f"translate({number(x)} {number(y)}) rotate({number(turn)})" if turn else None
    place = {} if turn else {"x": x, "y": y}
    return element("text", escaped(text), class_=style or None, transform=turned, **place)


def tip(text: str) -> str:
    """Return what a mark says when it is pointed at."""
    return element("title", escaped(text)) if text else ""


def path(points: Iterable[tuple[float, float]]) -> str:
    """Return the path through points, gaps where one is not finite; empty without two points in a row."""
    parts: list[list[str]] = [[]]
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            parts[-1].append(f"{number(x)} {number(y)}")
        else:
            parts.append([])
    return "".join("M" + "L".join(part) for part in parts if len(part) > 1)


def text_px(text: str, size_px: float = TEXT_PX) -> float:
    """Return about how wide a text is, rather too wide than too narrow: fonts differ, labels must not collide."""
    ems = sum(0.36 if c in _NARROW else 0.86 if c in _WIDE else 0.74 if c.isupper() else 0.62 for c in text)
    return ems * size_px


def wrapped(text: str, width_px: float, size_px: float = TEXT_PX) -> list[str]:
    """Return the lines of a text that fit into a width; a word that is wider stands alone."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_px(longer, size_px) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@dataclass(frozen=True)
class Picture:
    """A finished picture: size in px, title, what its marks are as SVG, and a sentence for those who do not see it."""

    width: float
    height: float
    title: str
    body: str
    description: str = ""

    def inline(self, style: str = "") -> str:
        """Return the picture for a page whose style sheet has ``looks.PAGE_RULES``."""
        return element(
            "svg",
            *self._names(),
            self.body,
            class_=f"drawing {style}".strip(),
            role="img",
            aria_label=self.title,
            viewBox=f"0 0 {number(self.width)} {number(self.height)}",
            width=self.width,
            height=self.height,
        )

    def alone(self, *, has_heading: bool = True) -> str:
        """Return a file of its own: on a light sheet, with its colours and, unless told otherwise, its title above.

        An image cannot be pointed at, so its marks say nothing.
        """
        width, lines = self.width + 2 * _MARGIN_PX, []
        if has_heading:
            lines = wrapped(self.title, self.width, HEADING_PX)
        top = _MARGIN_PX + (len(lines) * (HEADING_PX + 5) + 4 if lines else 0)
        height = top + self.height + _MARGIN_PX
        heading = (
            words(_MARGIN_PX, _MARGIN_PX + HEADING_PX - 2 + place * (HEADING_PX + 5), line, "heading")
            for place, line in enumerate(lines)
        )
        return element(
            "svg",
            *self._names(),
            element("style", ALONE_RULES),
            element("rect", class_="sheet", width=width, height=height, rx=8),
            *heading,
            element("g", _TIPS.sub("", self.body), transform=f"translate({_MARGIN_PX} {number(top)})"),
            xmlns="http://www.w3.org/2000/svg",
            class_="drawing",
            role="img",
            aria_label=self.title,
            viewBox=f"0 0 {number(width)} {number(height)}",
            width=width,
            height=height,
        )

    def address(self) -> str:
        """Return the picture, alone, as a data address."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.alone().encode()).decode()

    def _names(self) -> tuple[str, str]:
        return tip(self.title), element("desc", escaped(self.description)) if self.description else ""

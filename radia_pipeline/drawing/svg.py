"""Small pictures of figures as SVG text, coloured by the page's style sheet so that they follow light and dark.

Each picture has a role, a title for screen readers and no script. What does not belong here: where figures come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

PANEL_PX, MARGIN_PX = 150, 22


@dataclass(frozen=True)
class Line:
    """A curve: points in 0..1, a style class of the page, and whether points are marked."""

    x: np.ndarray
    y: np.ndarray
    style: str
    is_marked: bool = False


def _svg(width: float, height: float, title: str, body: str, style: str = "") -> str:
    return (
        f'<svg class="{style}" role="img" aria-label="{escape(title, quote=True)}" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}"><title>{escape(title)}</title>{body}</svg>'
    )


def panel(lines: Sequence[Line], title: str, *, has_diagonal: bool = True, labels: tuple[str, str] = ("", "")) -> str:
    """A unit square with curves; ``labels`` name its x and y axes."""
    size, low = PANEL_PX, MARGIN_PX

    def at(x: float, y: float) -> str:
        return f"{low + x * size:.1f},{6 + (1 - y) * size:.1f}"

    parts = [f'<rect class="frame" x="{low}" y="6" width="{size}" height="{size}"/>']
    for tick in (0.25, 0.5, 0.75):
        parts.append(f'<path class="grid" d="M{at(tick, 0)}L{at(tick, 1)}M{at(0, tick)}L{at(1, tick)}"/>')
    if has_diagonal:
        parts.append(f'<path class="diagonal" d="M{at(0, 0)}L{at(1, 1)}"/>')
    for line in lines:
        points = [at(x, y) for x, y in zip(line.x, line.y)]
        if points:
            parts.append(f'<path class="curve {line.style}" d="M{"L".join(points)}"/>')
        if line.is_marked:
            places = (point.split(",") for point in points)
            parts += [f'<circle class="dot {line.style}" cx="{x}" cy="{y}" r="2.6"/>' for x, y in places]
    bottom = 6 + size
    parts.append(f'<text class="tick" x="{low}" y="{bottom + 11}">0</text>')
    parts.append(f'<text class="tick end" x="{low + size}" y="{bottom + 11}">1</text>')
    parts.append(f'<text class="tick middle" x="{low + size / 2}" y="{bottom + 11}">{escape(labels[0])}</text>')
    turned = f"translate({low - 7},{6 + size / 2}) rotate(-90)"
    parts.append(f'<text class="tick middle" transform="{turned}">{escape(labels[1])}</text>')
    return _svg(size + low + 6, bottom + 16, title, "".join(parts), "panel")


def whisker(
    value: float | None, low: float | None, high: float | None, *, start: float = 0.0, stop: float = 1.0,
    mark: float | None = None, width: int = 150, style: str = "main",
) -> str:  # fmt: skip
    """A dot with its interval on an axis from ``start`` to ``stop``; ``mark`` is a reference such as chance."""
    if value is None:
        return ""

    def at(v: float) -> float:
        return 5 + (width - 10) * (min(max(v, start), stop) - start) / (stop - start)

    parts = [f'<path class="axis" d="M5 9H{width - 5}"/>']
    if mark is not None:
        parts.append(f'<path class="mark" d="M{at(mark):.1f} 2V16"/>')
    if low is not None and high is not None:
        parts.append(f'<path class="range {style}" d="M{at(low):.1f} 9H{at(high):.1f}"/>')
    parts.append(f'<circle class="dot {style}" cx="{at(value):.1f}" cy="9" r="3.6"/>')
    return _svg(width, 18, f"{value:.2f}", "".join(parts), "whisker")


def stacked_bar(counts: Sequence[tuple[str, int]], *, total: int | None = None, width: int = 420) -> str:
    """One bar divided by counts, in the order given; style classes part0, part1, …"""
    whole = max(total or sum(count for _, count in counts), 1)
    parts, x = [], 0.0
    for number, (name, count) in enumerate(counts):
        step = width * count / whole
        label = f"<title>{escape(name)}: {count:,}</title>"
        parts.append(f'<rect class="part{number}" x="{x:.1f}" y="0" width="{step:.1f}" height="16">{label}</rect>')
        x += step
    title = ", ".join(f"{name} {count:,}" for name, count in counts)
    return _svg(width, 16, title, "".join(parts), "bar")

"""Pieces of the data profile's page: ``data_profile`` by key, and small pictures and tables as HTML text.

Everything is drawn from figures of that table. How the pieces stand on the page is in ``profile_page``.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from radia_pipeline.contracts.pools import POOLS
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary

VALUES = ("positives", "uncertain", "negatives")
BAR_PX, POOLS_PX, HISTOGRAM_PX = 84, 180, 90


class Figures:
    """``data_profile`` by measure, source, class and other; sources in alphabetical order."""

    def __init__(self, rows: Sequence[dict]) -> None:
        self.sources = sorted({row["source"] for row in rows if row["measure"] == "images"})
        self._rows = {(row["measure"], row["source"], row["class"], row["other"]): row for row in rows}

    def get(self, measure: str, source: str, name: str | None = None, other: str | None = None) -> float | None:
        """Return a value (a share, ratio, correlation, effect or p), None where the table has none."""
        row = self._rows.get((measure, source, name, other))
        return row["value"] if row else None

    def count(self, measure: str, source: str, name: str | None = None, other: str | None = None) -> int:
        """Return a count, 0 where the table has none."""
        row = self._rows.get((measure, source, name, other))
        return int(row["count"] or 0) if row else 0

    def others(self, measure: str) -> list[str]:
        """Return the bins of a distribution, sorted."""
        return sorted({key[3] for key in self._rows if key[0] == measure and key[3] is not None})

    def effects(self) -> list[tuple[str, str, str, str | None, float, float]]:
        """Return each comparison of two sources, strongest first: (of, source, other, class, effect, adjusted p)."""
        found = []
        for (measure, source, name, other), row in self._rows.items():
            if measure.startswith("shift_") and measure.endswith("_effect"):
                of = measure.removeprefix("shift_").removesuffix("_effect")
                found.append((of, source, other, name, row["value"], self.get(f"shift_{of}_p", source, name, other)))
        return sorted(found, key=lambda row: (-abs(row[4]), row[:3], row[3] or ""))


def percent(value: float | None, digits: int = 0) -> str:
    """Return a share as text; a dash for none."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def table(header: Sequence[str], rows: Sequence[Sequence[str]], style: str = "") -> str:
    """Return an HTML table in a frame that scrolls by itself; cells that begin with ``<`` are our own markup."""

    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}>{text if text.startswith('<') else escape(text)}</{tag}>" for text in cells)

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    head = f"<thead><tr>{line(header, 'th')}</tr></thead>"
    return f"<div class='scroll'><table class='{style}'>{head}<tbody>{body}</tbody></table></div>"


def _bar(parts: Sequence[tuple[str, float, str]], width: float = BAR_PX) -> str:
    """Return a stacked bar of (style, share, words); what is missing to 1 stays empty."""
    x, rects = 0.0, []
    for style, share, words in parts:
        rects.append(
            f"<rect class='{style}' x='{x:.1f}' width='{share * width:.1f}' height='10'><title>{escape(words)}"
            "</title></rect>"
        )
        x += share * width
    return f"<svg class='bar' width='{width:g}' height='10'><rect class='rest' width='{width:g}' height='10'/>" + (
        "".join(rects) + "</svg>"
    )


def value_cell(figures: Figures, source: str, name: str) -> str:
    """Return one class of one source: shares of positive, uncertain and negative images, and how many are positive."""
    if name not in source_sheet(source).labelled and not figures.count("positives", source, name):
        return "<span class='none'>not labelled</span>"
    parts = [
        (value, figures.get(value, source, name) or 0.0, f"{name}, {source}: {figures.count(value, source, name):,} "
         f"{value} ({percent(figures.get(value, source, name), 1)})")
        for value in VALUES
    ]  # fmt: skip
    mark = "" if name in source_sheet(source).labelled else "<abbr title='only through classes below it'>*</abbr>"
    share = figures.get("positives", source, name) or 0.0
    number = f"<span class='number'>{percent(share, 1 if share < 0.1 else 0)}{mark}</span>"
    return f"<span class='cell'>{_bar(parts)}{number}</span>"


def pools_bar(figures: Figures, source: str) -> str:
    """Return how a source's images lie in the pools."""
    whole = max(1, figures.count("images", source))
    counts = {pool: figures.count("images", source, None, pool) for pool in POOLS}
    return _bar([(pool, count / whole, f"{pool}: {count:,} images") for pool, count in counts.items()], POOLS_PX)


def ratio_cell(ratio: float | None) -> str:
    """Return an uncertain-to-positive ratio, the darker the more is uncertain."""
    if not ratio:
        return f"<span class='heat none'>{'–' if ratio is None else '0 %'}</span>"
    strength = min(1.0, ratio)
    colour = f"color-mix(in srgb, var(--uncertain) {100 * strength:.0f}%, transparent)"
    return f"<span class='heat' style='background:{colour}'>{percent(ratio)}</span>"


def histogram(figures: Figures, source: str, measure: str, unit: str) -> str:
    """Return the distribution of a count over one source, each bar with its share."""
    bins = figures.others(measure)
    tallest = max((figures.get(measure, s, None, b) or 0.0 for s in figures.sources for b in bins), default=1.0) or 1.0
    step, bars = 27, []
    for place, name in enumerate(bins):
        share = figures.get(measure, source, None, name) or 0.0
        height = HISTOGRAM_PX * share / tallest
        x, top = 6 + place * step, 16 + HISTOGRAM_PX - height
        words = f"{source}: {percent(share, 1)} have {int(name)} {unit}"
        bars.append(
            f"<rect class='count' x='{x}' y='{top:.1f}' width='{step - 5}' height='{height:.1f}'>"
            f"<title>{escape(words)}</title></rect>"
            f"<text x='{x + (step - 5) / 2}' y='{top - 4:.1f}'>{f'{100 * share:.0f}' if share else ''}</text>"
            f"<text class='tick' x='{x + (step - 5) / 2}' y='{HISTOGRAM_PX + 29}'>{int(name)}</text>"
        )
    size = f"width='{12 + len(bins) * step}' height='{HISTOGRAM_PX + 34}'"
    caption = f"<figcaption>{escape(source)}</figcaption>"
    return f"<figure class='histogram'>{caption}<svg {size}>{''.join(bars)}</svg></figure>"


def _is_telling(one: str, other: str) -> bool:
    """Tell whether a pair says something of patients: both are findings, and none is above the other by definition."""
    words = vocabulary()
    findings = {*words.pathologies, *words.finding_groups}
    return {one, other} <= findings and one not in words.ancestors(other) and other not in words.ancestors(one)


def correlation_map(figures: Figures, source: str) -> str:
    """Return one source's correlation matrix, with the strongest pairs in words."""
    classes = vocabulary().classes
    side, left, top = 13, 166, 142
    squares, pairs = [], []
    for i, one in enumerate(classes):
        y = top + i * side
        squares.append(f"<text class='name' x='{left - 5}' y='{y + 10}'>{escape(one)}</text>")
        turn = f"translate({left + i * side + 10},{top - 5}) rotate(-60)"
        squares.append(f"<text class='name start' transform='{turn}'>{escape(one)}</text>")
        for j, other in enumerate(classes):
            value = None if i == j else figures.get("correlation", source, classes[min(i, j)], classes[max(i, j)])
            style = "empty" if value is None else "plus" if value > 0 else "minus"
            if value is not None and i < j and _is_telling(one, other):
                pairs.append((value, one, other))
            words = "" if value is None else f"<title>{escape(f'{one} / {other}: {value:+.2f}')}</title>"
            opacity = "" if value is None else f" fill-opacity='{min(1.0, abs(value)):.2f}'"
            squares.append(
                f"<rect class='{style}' x='{left + j * side}' y='{y}' width='{side - 1}' height='{side - 1}'{opacity}>"
                f"{words}</rect>"
            )
    strongest = sorted(pairs, key=lambda pair: -abs(pair[0]))[:3]
    words = "; ".join(f"{one} and {other} {value:+.2f}" for value, one, other in strongest)
    size = f"width='{left + side * len(classes) + 62}' height='{top + side * len(classes) + 6}'"
    caption = f"<figcaption>{escape(source)}</figcaption>"
    note = f"<p class='note'>Strongest between findings: {escape(words) or 'none'}.</p>"
    return f"<figure>{caption}<svg {size}>{''.join(squares)}</svg>{note}</figure>"


def effect_bar(effect: float, *, is_shift: bool, width: float = 160, largest: float = 1.5) -> str:
    """Return an effect as a bar to the left or right of zero."""
    middle = width / 2
    length = min(abs(effect), largest) / largest * middle
    x = middle - length if effect < 0 else middle
    style = "shifted" if is_shift else "quiet"
    return (
        f"<svg class='bar' width='{width:g}' height='12'><path class='axis' d='M{middle} 0V12'/>"
        f"<rect class='{style}' x='{x:.1f}' y='2' width='{length:.1f}' height='8'/></svg>"
    )

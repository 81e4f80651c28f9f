"""The data profile as one self-contained HTML page: sources side by side, drawn from ``data_profile`` alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from radia_pipeline.cohort.profile import SMALL_EFFECT, SURE_P
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

_COLOURS = {"positives": "#b3452c", "uncertain": "#e0a63a", "negatives": "#5b8fb0"}
_SOURCE_COLOURS = ("#31688e", "#b3452c", "#5a9e6f", "#e0a63a", "#7b5ea7", "#777777")
_STYLE = (
    "body{font:14px/1.45 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:.6em 0}"
    "td,th{padding:.15em .6em;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}svg text{font:11px system-ui,sans-serif;fill:#222}.row{display:flex;"
    "flex-wrap:wrap;gap:1.5em}.shift{font-weight:bold;color:#b3452c}"
)


class _Figures:
    """``data_profile`` by measure, source, class and other."""

    def __init__(self, rows: Sequence[dict]) -> None:
        self.sources = sorted({row["source"] for row in rows if row["measure"] == "images"})
        self._rows = {(row["measure"], row["source"], row["class"], row["other"]): row for row in rows}

    def get(self, measure: str, source: str, name: str | None = None, other: str | None = None, column: str = "value"):
        row = self._rows.get((measure, source, name, other))
        return row[column] if row else None

    def others(self, measure: str) -> list[str]:
        return sorted({key[3] for key in self._rows if key[0] == measure and key[3] is not None})

    def of(self, prefix: str) -> list[tuple[tuple, dict]]:
        found = [(key, row) for key, row in self._rows.items() if key[0].startswith(prefix)]
        return sorted(found, key=lambda item: tuple(part or "" for part in item[0]))


def write_profile_page(lake: Lake, path: Path) -> Path:
    """Write the page (no scripts, no outside resources) and return its path; raises MissingTable without
    ``data_profile``.
    """
    figures = _Figures(lake.read("data_profile").to_pylist())
    parts = [
        "<h1>Data profile</h1>",
        _overview(figures),
        "<h2>Positive, uncertain and negative images per class</h2>",
        _row(figures, _value_bars),
        "<h2>Pathologies per image</h2>",
        _histogram(figures, "labels_per_image"),
        "<h2>Images per patient</h2>",
        _histogram(figures, "images_per_patient"),
        "<h2>Uncertain to positive, as the source says it</h2>",
        _ratio_table(figures),
        "<h2>Prevalence by pool</h2>",
        _pool_table(figures),
        "<h2>Correlation between classes (uncertain counted as positive)</h2>",
        _row(figures, _correlation_map),
        "<h2>Shifts between sources</h2>",
        _shift_table(figures),
    ]
    head = (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>RadIA data profile</title><style>{_STYLE}</style>"
    )
    atomic.write_text(Path(path), f"{head}<body>{''.join(parts)}</body></html>\n")
    return Path(path)


def _row(figures: _Figures, draw: Callable[[_Figures, str], str]) -> str:
    return f"<div class='row'>{''.join(draw(figures, source) for source in figures.sources)}</div>"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return an HTML table; cells that begin with ``<`` are our own markup, all others are escaped."""

    def cell(text: str, tag: str) -> str:
        return f"<{tag}>{text if text.startswith('<') else escape(text)}</{tag}>"

    lines = ["".join(cell(text, "th") for text in header), *("".join(cell(text, "td") for text in row) for row in rows)]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def _overview(figures: _Figures) -> str:
    rows = []
    for source in figures.sources:
        pools = [figures.get("images", source, None, pool, "count") for pool in ("train", "validation", "test")]
        numbers = [
            figures.get("images", source, None, None, "count"),
            figures.get("patients", source, None, None, "count"),
            *pools,
        ]
        rows.append([source, *(f"{number:,}" if number is not None else "0" for number in numbers)])
    return _table(["source", "images", "patients", "train", "validation", "test"], rows)


def _value_bars(figures: _Figures, source: str) -> str:
    """Return stacked bars of the shares of positive, uncertain and negative images; the rest is not stated."""
    classes, height, width, left = vocabulary().classes, 16, 260, 170
    bars = []
    for line, name in enumerate(classes):
        y, x = 20 + line * height, float(left)
        bars.append(f"<text x='{left - 6}' y='{y + 11}' text-anchor='end'>{escape(name)}</text>")
        for measure, colour in _COLOURS.items():
            share = figures.get(measure, source, name) or 0.0
            count = figures.get(measure, source, name, None, "count") or 0
            title = f"<title>{escape(name)}: {count:,} {measure} ({_percent(share)})</title>"
            bars.append(
                f"<rect x='{x:.1f}' y='{y}' width='{share * width:.1f}' height='{height - 3}' fill='{colour}'>"
                f"{title}</rect>"
            )
            x += share * width
        positives = figures.get("positives", source, name, None, "count") or 0
        bars.append(f"<text x='{left + width + 6}' y='{y + 11}'>{positives:,}</text>")
    legend = "".join(
        f"<rect x='{left + 90 * place}' y='3' width='10' height='10' fill='{colour}'/>"
        f"<text x='{left + 90 * place + 14}' y='12'>{measure}</text>"
        for place, (measure, colour) in enumerate(_COLOURS.items())
    )
    size = f"width='{left + width + 70}' height='{30 + len(classes) * height}'"
    return f"<figure><figcaption>{escape(source)}</figcaption><svg {size}>{legend}{''.join(bars)}</svg></figure>"


def _histogram(figures: _Figures, measure: str) -> str:
    """Return grouped bars, one colour for each source."""
    bins, sources = figures.others(measure), figures.sources
    height, step = 150, 14 * max(1, len(sources)) + 10
    bars = []
    for place, other in enumerate(bins):
        for column, source in enumerate(sources):
            share = figures.get(measure, source, None, other) or 0.0
            x, colour = 40 + place * step + 14 * column, _SOURCE_COLOURS[column % len(_SOURCE_COLOURS)]
            title = f"<title>{escape(source)}: {_percent(share)} with {int(other)}</title>"
            top = height - share * (height - 20)
            bars.append(
                f"<rect x='{x}' y='{top:.1f}' width='12' height='{height - top:.1f}' fill='{colour}'>{title}</rect>"
            )
        bars.append(
            f"<text x='{40 + place * step + 7 * len(sources)}' y='{height + 14}' text-anchor='middle'>"
            f"{int(other)}</text>"
        )
    legend = "".join(
        f"<text x='{60 + len(bins) * step}' y='{20 + 15 * column}' "
        f"fill='{_SOURCE_COLOURS[column % len(_SOURCE_COLOURS)]}'>&#9632; {escape(source)}</text>"
        for column, source in enumerate(sources)
    )
    return f"<svg width='{240 + len(bins) * step}' height='{height + 24}'>{''.join(bars)}{legend}</svg>"


def _ratio_table(figures: _Figures) -> str:
    rows = []
    for name in vocabulary().classes:
        values = [_percent(figures.get("uncertain_to_positive", source, name), 0) for source in figures.sources]
        if any(value != "–" for value in values):
            rows.append([name, *values])
    return _table(["class", *figures.sources], rows)


def _pool_table(figures: _Figures) -> str:
    pools = ("train", "validation", "test")
    header = ["class", *(f"{source}, {pool}" for source in figures.sources for pool in pools)]
    rows = [
        [
            name,
            *(_percent(figures.get("positives", source, name, pool)) for source in figures.sources for pool in pools),
        ]
        for name in vocabulary().classes
    ]
    return _table(header, rows)


def _correlation_map(figures: _Figures, source: str) -> str:
    """Return the correlation matrix as coloured squares, red positive and blue negative."""
    classes, side, left, top = vocabulary().classes, 15, 170, 20
    squares = []
    for i, one in enumerate(classes):
        y = top + i * side
        squares.append(f"<text x='{left - 6}' y='{y + 11}' text-anchor='end'>{escape(one)}</text>")
        for j, other in enumerate(classes):
            value = 1.0 if i == j else figures.get("correlation", source, classes[min(i, j)], classes[max(i, j)])
            if value is None:
                continue
            colour = f"rgba({'179,69,44' if value > 0 else '49,104,142'},{min(1.0, abs(value)):.2f})"
            title = f"<title>{escape(one)} / {escape(other)}: {value:.2f}</title>"
            x = left + j * side
            squares.append(
                f"<rect x='{x}' y='{y}' width='{side - 1}' height='{side - 1}' fill='{colour}'>{title}</rect>"
            )
    size = f"width='{left + side * len(classes) + 10}' height='{top + side * len(classes) + 10}'"
    return f"<figure><figcaption>{escape(source)}</figcaption><svg {size}>{''.join(squares)}</svg></figure>"


def _shift_table(figures: _Figures) -> str:
    """Return the tests between sources; a shift is marked where it is both sure and not small."""
    rows = []
    for (measure, source, name, other), row in figures.of("shift_"):
        if not measure.endswith("_effect"):
            continue
        p = figures.get(measure.replace("_effect", "_p"), source, name, other)
        is_shift = p is not None and p < SURE_P and abs(row["value"]) >= SMALL_EFFECT
        verdict = "<span class='shift'>shift</span>" if is_shift else "none"
        what = measure.removeprefix("shift_").removesuffix("_effect")
        rows.append(
            [f"{what} {name or ''}".strip(), f"{source} – {other}", f"{row['value']:+.2f}", f"{p:.2g}", verdict]
        )
    if not rows:
        return "<p>One source only: nothing to compare.</p>"
    note = (
        "<p>One image per patient; p adjusted (Benjamini–Hochberg); "
        f"marked where p &lt; {SURE_P} and effect ≥ {SMALL_EFFECT}.</p>"
    )
    return note + _table(["measure", "sources", "effect", "p", ""], rows)

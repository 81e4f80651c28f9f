"""Figures as text: aligned tables and intervals, for terminals and plain files."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return an aligned text table; numbers to the right, text to the left."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(name), *(len(row[i]) for row in cells)) if cells else len(name) for i, name in enumerate(header)]
    numeric = [
        bool(rows) and all(isinstance(row[i], int | float) or row[i] is None for row in rows)
        for i in range(len(header))
    ]

    def line(values: Sequence[str]) -> str:
        padded = (v.rjust(w) if n else v.ljust(w) for v, w, n in zip(values, widths, numeric, strict=True))
        return "  ".join(padded).rstrip()

    return "\n".join([line(list(header)), "  ".join("─" * width for width in widths), *(line(row) for row in cells)])


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}".replace(",", " ") if isinstance(value, int) and not isinstance(value, bool) else str(value)


MOST_DIGITS = 6


def digits_apart(low: float, high: float, digits: int) -> int:
    """Return how many digits it takes to tell two figures apart, ``digits`` at least."""
    while digits < MOST_DIGITS and low != high and f"{low:.{digits}f}" == f"{high:.{digits}f}":
        digits += 1
    return digits


def limits(low: float, high: float, digits: int = 3) -> tuple[str, str]:
    """Return both ends of an interval: none is shown as if it had no width."""
    digits = digits_apart(low, high, digits)
    return f"{low:.{digits}f}", f"{high:.{digits}f}"


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """Return ``.912 (.880–.934)``; a dash where there is no figure."""
    if value is None:
        return "–"
    shown = f"{value:.3f}"
    return f"{shown} ({'–'.join(limits(low, high))})" if low is not None and high is not None else shown

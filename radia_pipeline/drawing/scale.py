"""Axes: limits that hold the values, ticks that are round numbers, and the way from values to pixels.

What does not belong here: how an axis looks (``plot``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_WHOLE_STEPS = (1.0, 2.0, 5.0, 10.0)
_SLACK = 1e-9
"""Share of a step by which a limit may miss a tick and still bear it."""
_FINEST, _LEAST = 1e-12, 1e-300
"""Share of its values, and width, below which an axis has none: floats hold no ticks in it."""


@dataclass(frozen=True)
class Scale:
    """The way from values ``low`` … ``high`` to pixels ``start`` … ``stop``; values beyond stay on the edge."""

    low: float
    high: float
    start: float
    stop: float

    def at(self, value: float) -> float:
        """Return the place of a value, px."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)


def ticks(low: float, high: float, *, most: int = 6, is_whole: bool = False) -> tuple[float, ...]:
    """Return round numbers (1, 2, 2.5 or 5 times a power of ten) from ``low`` to ``high``, at most ``most`` (≥ 2)."""
    step, digits = _step(low, high, most, is_whole)
    first, last = math.ceil(low / step - _SLACK), math.floor(high / step + _SLACK)
    return tuple(round(number * step, digits) + 0.0 for number in range(first, last + 1))


def _step(low: float, high: float, most: int, is_whole: bool) -> tuple[float, int]:
    """Return the smallest round step that has at most ``most`` ticks, and the decimals that its multiples need."""
    if not _has_width(low, high) or most < 2:
        raise ValueError(f"an axis from {low} to {high} with {most} ticks is none")
    power = math.floor(math.log10((high - low) / most))
    while True:
        for factor in _WHOLE_STEPS if is_whole else _STEPS:
            step = factor * 10.0**power
            count = math.floor(high / step + _SLACK) - math.ceil(low / step - _SLACK) + 1
            if count <= most and (not is_whole or step >= 1):
                return step, max(0, 1 - power)
        power += 1


def _has_width(start: float, stop: float) -> bool:
    return stop - start > max(_LEAST, _FINEST * max(abs(start), abs(stop)))


def limits(values: Iterable[float], low: float | None = None, high: float | None = None) -> tuple[float, float]:
    """Return the limits of an axis: those given, else round numbers around the finite values; never of zero width.

    Without a finite value the axis goes from 0 to 1.
    """
    if low is not None and high is not None and high > low:
        return low, high
    finite = [float(value) for value in values if math.isfinite(value)]
    start = low if low is not None else min(finite, default=0.0 if high is None else high - 1.0)
    stop = high if high is not None else max(finite, default=start + 1.0)
    for _ in range(2):  # once around the values, once more where every value lies beyond the one limit that is given
        if not _has_width(start, stop):
            room = 1.0 if max(abs(start), abs(stop)) < _LEAST / _FINEST else max(abs(start), abs(stop)) / 10
            start, stop = (
                start if low is not None else min(start, stop) - room,
                stop if high is not None else max(start, stop) + room,
            )
    step, _ = _step(start, stop, 6, False)
    start = start if low is not None else min(start, math.floor(start / step + _SLACK) * step)
    stop = stop if high is not None else max(stop, math.ceil(stop / step - _SLACK) * step)
    return start, stop


def tick_texts(values: Sequence[float]) -> list[str]:
    """Return the ticks' texts: all with the decimals that the finest of them needs, thousands parted by commas."""
    digits = next((d for d in range(7) if all(abs(round(v, d) - v) <= 1e-9 * max(1.0, abs(v)) for v in values)), 6)
    return [f"{value:,.{digits}f}".replace("-", "−") for value in values]

"""Worse, or too few studies to tell? What a difference that refuses says, and how many studies would tell.

The gate asks of a lower end to lie above a bound, so few studies refuse as a worse model does. A person who reads the
verdict must see which of the two it is. Not here: the bounds (``gate_words``), the verdict (``gate_rules``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from radia_pipeline.evaluation.intervals import LEVEL, Interval

POWER = 0.8
"""Chance to pass of an ensemble of the quality that is thought of, at the number of studies that is named."""


@dataclass(frozen=True)
class Shortfall:
    """What stands behind a lower end under its bound: ``words``; ``studies_needed``, None where more would not help."""

    words: str
    studies_needed: int | None = None


def shortfall(found: Interval, bound: float, studies: int) -> Shortfall:
    """Say what a difference comes to whose lower end is not above ``bound``, a negative number.

    ``studies``: behind the interval, whose half width shrinks with their root. An equally good ensemble passes with
    chance POWER where the difference's standard error is −bound / (z(LEVEL) + z(POWER)): the sample size of a test of
    non-inferiority (Chow, Shao & Wang 2008, 3.2).
    """
    if found.high < 0:
        return Shortfall("surely worse")
    half = found.value - found.low
    if not (np.isfinite(half) and half > 0):
        return Shortfall("too few to tell")
    certain = _z((1 + LEVEL) / 2)
    ratio = half * (1 + _z(POWER) / certain) / -bound
    if ratio <= 1:
        return Shortfall("an equally good one would pass on so many studies, four times in five")
    needed = _rounded(studies * ratio**2)
    return Shortfall(f"too few studies to tell: {studies:,} of about {needed:,}", needed)


def _rounded(count: float) -> int:
    """Round up to two digits: nobody knows it better."""
    unit = 10 ** max(math.floor(math.log10(max(count, 1.0))) - 1, 0)
    return math.ceil(count / unit) * unit


def _z(share: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(share))

"""What is usual in a stream: its mean, its spread, how windows differ while nothing is wrong, and what limits follow.

Numbers only, made once from the windows of a frozen reference; a later window is compared with them and never enters
them. Not here: what the streams are (``streams``), which reference stands (``reference``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.monitoring.between import Fitted, fit_offsets, posteriors
from radia_pipeline.monitoring.limits import limit_of, of_share, of_values, quiet_scan
from radia_pipeline.monitoring.scan import Wander
from radia_pipeline.monitoring.season import has_a_year, is_seasonal, waves

TAME = 0.005
"""Values beyond these quantiles of the reference, on either side, count as the quantile: one odd file is no drift."""
LEAST_SPREAD = 1e-9
SAFE = 0.9


@dataclass(frozen=True)
class Past:
    """A stream's reference. ``values``: for each window those of its images, one for each patient; ``weeks``: when each
    window ended, in weeks since a fixed day; ``is_share``: values are 0 or 1."""

    values: Sequence[np.ndarray]
    weeks: np.ndarray
    is_share: bool = False


@dataclass(frozen=True)
class Baseline:
    """The numbers that a stream is compared with. ``centre``, ``spread`` in the stream's unit, all others in spreads.

    ``low``, ``high``: what values are clipped to; ``wave``: coefficients of a yearly wave, empty without one;
    ``offset_variance``: of windows beyond chance, ``memory``: of that offset from week to week; ``long_run_variance``:
    of their sums, ``mean_variance``: of the baseline itself; ``limit``: of the scan.
    """

    centre: float
    spread: float
    low: float
    high: float
    images: int
    windows: int
    per_window: float
    skewness: float
    offset_variance: float
    long_run_variance: float
    mean_variance: float
    memory: float
    limit: float
    wave: tuple[float, ...] = ()

    def shift(self, values: np.ndarray, week: float) -> float:
        """Return how far a window's mean lies from what is usual then, in spreads of one image."""
        found = (float(np.clip(values, self.low, self.high).mean()) - self.centre) / self.spread
        return found - (float(waves(week)[0] @ np.array(self.wave)) if self.wave else 0.0)

    def usual(self, week: float) -> float:
        """Return the mean that is usual at a time, in the stream's unit."""
        wave = float(waves(week)[0] @ np.array(self.wave)) if self.wave else 0.0
        return self.centre + wave * self.spread

    @property
    def wander(self) -> Wander:
        """How quiet windows differ beyond chance."""
        return Wander(self.offset_variance, self.memory, self.mean_variance)

    def variance(self, count: np.ndarray) -> np.ndarray:
        """Return the variance of a quiet window's shift."""
        return 1.0 / count + self.offset_variance + self.mean_variance

    def slow_variance(self, count: np.ndarray) -> np.ndarray:
        """Return the variance that counts over many windows, for evidence."""
        return 1.0 / count + self.long_run_variance + self.mean_variance


@dataclass(frozen=True)
class Strictness:
    """``floor_sd``: shifts without meaning; ``alarm_share``: of quiet windows with any stream beyond its limit."""

    floor_sd: float
    alarm_share: float


def fit_baselines(pasts: Sequence[Past], strict: Strictness, seed: int = 0) -> list[Baseline]:
    """Return each stream's baseline; all of them together say how windows differ, and share the alarms.

    A stream needs two windows. ``seed``: of the simulated quiet windows.
    """
    scaled = [_Scaled(past) for past in pasts]
    fitted, seasonal = _fitted(scaled)
    share = strict.alarm_share / max(len(pasts), 1)
    found = []
    for number, (one, offsets) in enumerate(zip(scaled, posteriors(fitted), strict=True)):
        rng = np.random.default_rng((seed, number))
        nominal = max(1, round(float(np.median(one.counts))))
        coefficients = offsets.mass @ fitted[number].coefficients
        draw = of_values(one.pooled, nominal, rng) if one.share is None else of_share(one.share, nominal, rng)
        figures = quiet_scan(draw, nominal, offsets.wander, strict.floor_sd, rng)
        found.append(
            Baseline(
                centre=one.centre + float(coefficients[0]) * one.spread,
                spread=one.spread,
                low=one.low,
                high=one.high,
                images=len(one.pooled),
                windows=len(one.counts),
                per_window=nominal,
                skewness=one.skewness,
                offset_variance=offsets.spread_squared,
                long_run_variance=offsets.long_run_variance,
                mean_variance=offsets.variance_of_mean,
                memory=offsets.wander.memory,
                limit=limit_of(figures, share),
                wave=tuple(coefficients[1:]) if seasonal[number] else (),
            )
        )
    return found


class _Scaled:
    """A stream's reference in spreads of one image around its mean."""

    def __init__(self, past: Past) -> None:
        together = np.concatenate([np.asarray(values, dtype=float) for values in past.values])
        self.low, self.high = (0.0, 1.0) if past.is_share else map(float, np.quantile(together, [TAME, 1 - TAME]))
        clipped = np.clip(together, self.low, self.high)
        self.counts = np.array([len(values) for values in past.values], dtype=float)
        self.share = share = _safe_share(float(clipped.sum()), len(clipped)) if past.is_share else None
        spread = float(clipped.std(ddof=1)) if share is None else math.sqrt(share * (1 - share))
        self.centre, self.spread = float(clipped.mean()), max(spread, LEAST_SPREAD)
        self.pooled = (clipped - self.centre) / self.spread
        self.skewness = float((self.pooled**3).mean()) if share is None else (1 - 2 * share) / self.spread
        edges = np.cumsum(self.counts)[:-1].astype(int)
        self.means = np.array([part.mean() for part in np.split(self.pooled, edges)])
        self.weeks = np.asarray(past.weeks, dtype=float)


def _safe_share(events: float, count: int) -> float:
    """Return the upper end (Jeffreys, SAFE) of a share; of a rare thing the reference knows little, and a share that is
    taken for too small alarms for ever."""
    from scipy import stats

    return float(stats.beta.ppf(SAFE, events + 0.5, count - events + 0.5))


def _fitted(scaled: Sequence[_Scaled]) -> tuple[list[Fitted], list[bool]]:
    """Return each stream's fit and whether it is with a season; streams with the same windows are fitted together."""
    groups: dict[bytes, list[int]] = {}
    for number, one in enumerate(scaled):
        groups.setdefault(one.counts.tobytes() + one.weeks.tobytes(), []).append(number)
    chosen: dict[int, tuple[Fitted, bool]] = {}
    for numbers in groups.values():
        one = scaled[numbers[0]]
        means = np.stack([scaled[number].means for number in numbers], axis=1)
        places, level = np.round(one.weeks - one.weeks.min()), np.ones((len(one.counts), 1))
        plain = fit_offsets(means, one.counts, places, level)
        waved = (
            fit_offsets(means, one.counts, places, np.concatenate([level, waves(one.weeks)], axis=1))
            if has_a_year(one.weeks)
            else [None] * len(numbers)
        )
        for number, without, with_wave in zip(numbers, plain, waved, strict=True):
            waves_fit = with_wave is not None and is_seasonal(with_wave)
            chosen[number] = (with_wave, True) if with_wave is not None and waves_fit else (without, False)
    found = [chosen[number] for number in range(len(scaled))]
    return [fit for fit, _ in found], [is_waved for _, is_waved in found]

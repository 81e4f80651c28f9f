"""Follow a stream window by window against its baseline: shift, p-value, scan, evidence.

Pure arithmetic over what was seen so far; nothing is kept between calls, so that a day that is computed again gives the
same. An acknowledged alarm starts it anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from radia_pipeline.monitoring.baseline import Baseline, Strictness
from radia_pipeline.monitoring.discoveries import beyond_floor
from radia_pipeline.monitoring.edetector import log_evidence
from radia_pipeline.monitoring.scan import scan

MOST_SHIFT = 10.0
"""Spreads that one window counts for at most."""


@dataclass(frozen=True)
class Seen:
    """One window of a stream after the reference: values of its images, when it ended in weeks."""

    values: np.ndarray
    week: float


@dataclass(frozen=True)
class Track:
    """A stream's way since its reference, or since its last acknowledgement, one entry for each window.

    ``strength``: the scan over its limit, beyond 1 in an alarm; ``began``: row at which the shift that stands out most
    on the newest window began.
    """

    shift: np.ndarray
    p_value: np.ndarray
    strength: np.ndarray
    log_evidence: np.ndarray
    began: int


def follow(baseline: Baseline, seen: Sequence[Seen], strict: Strictness, evidence_floor_sd: float) -> Track:
    """Return a stream's way over these windows, in their order; at least one."""
    counts = np.array([len(one.values) for one in seen])
    shift = np.clip([baseline.shift(one.values, one.week) for one in seen], -MOST_SHIFT, MOST_SHIFT)
    variance, slow = baseline.variance(counts), baseline.slow_variance(counts)
    weeks = np.array([one.week for one in seen])
    gaps = np.maximum(1.0, np.round(np.diff(weeks, prepend=weeks[0] - 1)))
    beyond, began = scan(shift[None], 1.0 / counts, gaps, baseline.wander, strict.floor_sd)
    return Track(
        shift=shift,
        p_value=beyond_floor(shift, variance, strict.floor_sd, baseline.skewness / np.sqrt(counts)),
        strength=np.maximum(beyond[0], 0.0) / baseline.limit,
        log_evidence=log_evidence(shift, slow, evidence_floor_sd),
        began=int(began[0, -1]),
    )

"""From one day's figures of all streams to what each asks for: note, ticket, freeze. Corrected for their number.

A note is a window that stands out (Benjamini-Hochberg), a ticket a scan beyond its limit, a freeze evidence
beyond the floor. Not here: what a layer may ask for at most, rollback, silence (``report``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radia_pipeline.monitoring.discoveries import discovered
from radia_pipeline.monitoring.edetector import log_threshold
from radia_pipeline.monitoring.protocol import ACTIONS, FREEZE, NONE, NOTE, TICKET, StatisticsTerms

RANK = {name: place for place, name in enumerate(ACTIONS)}
"""Of actions: a higher one contains those before it."""


def levels(
    p_values: Sequence[float], strengths: Sequence[float], log_evidence: Sequence[float], terms: StatisticsTerms
) -> list[str]:
    """Return each stream's action (m,) from its newest window: all streams of one day together."""
    stands_out = discovered(p_values, terms.discovery_rate)
    threshold = log_threshold(terms.windows_between_freezes, len(stands_out)) if len(stands_out) else np.inf
    found = []
    for noted, strength, evidence in zip(stands_out, strengths, log_evidence, strict=True):
        if evidence > threshold:
            found.append(FREEZE)
        elif strength > 1.0:
            found.append(TICKET)
        else:
            found.append(NOTE if noted else NONE)
    return found

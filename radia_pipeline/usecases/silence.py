"""Which sources have fallen silent: nothing came within the days that the lake's settings expect.

Not here: who is told (``notices``), the tables (``dicom.deliveries``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import read_settings


@dataclass(frozen=True)
class Freshness:
    """When a source last delivered. ``last_seen``: ISO 8601 in UTC, None where the lake's clock has seen nothing of it;
    ``days``: since then; ``expected_days``: within how many it should, None where nothing is expected."""

    source: str
    last_seen: str | None
    days: float | None
    expected_days: float | None

    @property
    def is_silent(self) -> bool:
        """Whether it delivered once and is late now."""
        return self.days is not None and self.expected_days is not None and self.days > self.expected_days


def freshness(lake: Lake, now_s: float) -> list[Freshness]:
    """Return every source that is there, or of which something is expected, by name. ``now_s``: since 1970."""
    expected = read_settings(lake.root).expected_days
    found = []
    for source in sorted({*lake.partitions("images"), *lake.partitions("deliveries"), *expected}):
        last = _last_seen(lake, source)
        days = None if last is None else (now_s - dt.datetime.fromisoformat(last).timestamp()) / 86_400
        found.append(Freshness(source, last, days, expected.get(source)))
    return found


def _last_seen(lake: Lake, source: str) -> str | None:
    table = lake.last_sound("deliveries", source, ["first_seen"])
    return max(filter(None, table["first_seen"].to_pylist()), default=None) if table is not None else None

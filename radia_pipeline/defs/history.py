"""What a lake's Dagster history says to those who do not look at its page: failed parts, and what runs by itself.

Only read here; nothing is started.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from radia_pipeline.defs.build import build_defs
from radia_pipeline.defs.one_run import instance_of
from radia_pipeline.defs.stale import FAILED, due
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.sources.registry import registered
from radia_pipeline.sources.registry import source as find_source


def failed_runs(lake: Lake) -> list[dict[str, Any]]:
    """Return the parts of the graph that failed when they were last tried, with when."""
    if not lake.history_dir.exists():
        return []
    with instance_of(lake) as instance:
        found = due(build_defs(lake_root=lake.root), instance, delivered(lake), FAILED)
        return [
            {
                "what": f"{one.asset} of {one.partition}" if one.partition else one.asset,
                "why": one.why,
                "at": _day(one.at_s),
            }
            for one in found
        ]


def delivered(lake: Lake) -> list[str]:
    """Return the sources that lie in the deliveries' folder now."""
    root = read_settings(lake.root).sources_root
    return [] if root is None else [name for name in registered() if find_source(name).locate(Path(root)) is not None]


def _day(at_s: float | None) -> str:
    return "an unknown day" if at_s is None else dt.datetime.fromtimestamp(at_s, dt.UTC).strftime("%Y-%m-%d")

"""The partitions of the graph: the source datasets that have an adapter; days, for what is looked at daily."""

from __future__ import annotations

import dagster as dg

from radia_pipeline.sources.registry import registered

FIRST_DAY = "2025-01-01"
SOURCES = dg.StaticPartitionsDefinition(list(registered()))
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)
"""Today has its partition: a report of a day is about what arrived until it."""

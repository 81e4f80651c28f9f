"""The one partition dimension of the graph: the source datasets that have an adapter."""

from __future__ import annotations

import dagster as dg

from radia_pipeline.sources.registry import registered

SOURCES = dg.StaticPartitionsDefinition(list(registered()))

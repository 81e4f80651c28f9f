"""The one module that Dagster loads: the definitions of the lake that RADIA_LAKE names."""

from radia_pipeline.defs.build import defs

__all__ = ["defs"]

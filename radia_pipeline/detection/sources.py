"""Which sources a detector learns from. Light: no torch. Not here: their rows (``data``), versions (``identity``)."""

from __future__ import annotations

from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.errors import EmptyPool
from radia_pipeline.lake.lake import Lake


def training_sources(lake: Lake, config: DetectorConfig) -> tuple[str, ...]:
    """Sources that have both a manifest and pseudo boxes; raises EmptyPool where a wanted one has not."""
    present = sorted(set(lake.partitions("manifest")) & set(lake.partitions("pseudo_boxes")))
    wanted = config.data.sources or tuple(present)
    if not wanted or (absent := [source for source in wanted if source not in present]):
        missing = "no source" if not wanted else f"not {', '.join(absent)}"
        raise EmptyPool(
            f"The detector can learn from {missing}: manifest and pseudo_boxes are needed",
            accepted=", ".join(present) or "none yet",
            do="materialize pseudo_boxes",
        )
    return wanted

"""Which sources a detector learns from, and in which version. Light: no torch. Not here: their rows (``data``)."""

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


def data_versions(lake: Lake, sources: tuple[str, ...], config: DetectorConfig | None = None) -> dict[str, str]:
    """Versions of all tables that a training reads, as ``table/source``; drawn boxes only if the config wants them."""
    tables = ("manifest", "pseudo_boxes", *(("box_annotations",) if config and config.boxes.real else ()))
    there = {table: set(lake.partitions(table)) for table in tables}
    return {
        f"{table}/{source}": lake.version(table, source)
        for table in tables for source in sources if table != "box_annotations" or source in there[table]
    }  # fmt: skip

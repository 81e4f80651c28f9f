"""Assets of the group ``cohort``: links, pools, evaluation sets, manifests and the data profile."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from radia_pipeline.defs.plots import pools_plot, profile_plots
from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.tables import table_assets


@table_assets("image_links", deps=("images", "duplicates"))
def build_image_links(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """Images of the same exposure, over all sources."""
    from radia_pipeline.cohort.links import build_image_links as build

    return build(radia.lake())


@table_assets("splits", deps=("images", "duplicates", "image_links"), plots=pools_plot)
def build_splits(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """Group and pool of every patient, over all sources present. A patient never moves."""
    from radia_pipeline.cohort.official import place_patients

    settings = radia.settings()
    root = Path(settings.sources_root) if settings.sources_root else None
    return place_patients(radia.lake(), radia.pseudonymizer(), root, settings.official_split)


@table_assets("evaluation_sets", deps=("splits", "labels", "image_links", "images"))
def build_evaluation_sets(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """The original's quota sets inside the validation and test pools."""
    from radia_pipeline.cohort.evaluation_sets import build_evaluation_sets as build

    return build(radia.lake())


@table_assets(
    "manifest", deps=("images", "labels", "report_mentions", "report_attributes", "box_annotations", "splits")
)
def build_manifest(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """What training reads: one row per usable image."""
    from radia_pipeline.cohort.manifest import build_manifest as build

    return build(context.partition_key, radia.lake())


@table_assets("data_profile", deps=("manifest", "labels", "images"), plots=profile_plots)
def build_data_profile(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """Counts, correlations and shifts of the labels, sources side by side."""
    from radia_pipeline.pages.data_profile import publish_data_profile

    return publish_data_profile(radia.lake())


ASSETS = [build_image_links, build_splits, build_evaluation_sets, build_manifest, build_data_profile]

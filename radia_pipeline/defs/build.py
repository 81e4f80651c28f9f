"""The assembly: assets, jobs, schedules, sensors and resources of one lake put together. Nothing is defined here."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from radia_pipeline.defs import cohort, ingest, labels, monitoring, review, schedules
from radia_pipeline.defs.champion import champion_assets
from radia_pipeline.defs.evaluation import evaluation_assets
from radia_pipeline.defs.jobs import group_jobs
from radia_pipeline.defs.localisation import build_detector_scorecard, localisation_assets
from radia_pipeline.defs.notices import notices
from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.sensors import build_sensors
from radia_pipeline.defs.training import TERMINATION_S, classifier_asset, detector_asset, pool_of
from radia_pipeline.defs.upkeep import upkeep, upkeep_nightly
from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.lake import default_root
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.recipes import load_recipe, own_recipe_names, recipe_names


def build_defs(
    *,
    lake_root: Path | None = None,
    recipes: tuple[str, ...] | None = None,
    resources: Mapping[str, object] | None = None,
) -> dg.Definitions:
    """Assemble the graph for a lake. ``recipes``: the settings', else all that ship; the lake's own are added."""
    root = (lake_root or default_root()).absolute()
    settings = read_settings(root)
    named = recipes or settings.recipes or recipe_names()
    found = {name: load_recipe(name, root) for name in named} | _own_recipes(root)
    chosen, pool = tuple(found), pool_of(settings.training_pool)
    return dg.Definitions(
        assets=[
            *ingest.ASSETS,
            *review.ASSETS,
            *labels.ASSETS,
            *cohort.ASSETS,
            *(classifier_asset(recipe, pool) for recipe in found.values()),
            *evaluation_assets(chosen),
            *champion_assets(chosen),
            review.review_queue_asset(chosen),
            *localisation_assets(chosen),
            detector_asset(pool),
            build_detector_scorecard,
            *monitoring.ASSETS,
        ],
        asset_checks=ingest.CHECKS,
        jobs=[*group_jobs(), *schedules.JOBS, upkeep],
        schedules=[*schedules.SCHEDULES, upkeep_nightly],
        sensors=[*build_sensors(settings.look_every_s), notices],
        resources={
            "radia": Radia(lake_root=os.fspath(root)),
            "pipes": dg.PipesSubprocessClient(termination_timeout_seconds=TERMINATION_S),
            **(resources or {}),
        },
    )


def _own_recipes(root: Path) -> dict[str, Recipe]:
    """Return the recipes that lie in the lake; one that cannot be followed is said and left out, the others stay."""
    found = {}
    for name in own_recipe_names(root):
        try:
            found[name] = load_recipe(name, root)
        except RadiaError as error:
            logging.getLogger(__name__).warning("a recipe of the lake is left out: %s", error)
    return found


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of the lake that RADIA_LAKE names."""
    return build_defs()

"""Assets of the group ``evaluation``: predictions of each recipe, the ensemble, the scorecard."""

from __future__ import annotations

from typing import Any

import dagster as dg

from radia_pipeline.defs.plots import scorecard_plots
from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.tables import table_assets
from radia_pipeline.defs.tracked_figures import log_ensemble, log_headlines
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.fold_members import fold_members, whole_recipes

RELEASE_BY, RELEASE_WHY = "radia/release_by", "radia/release_why"
"""Tags of a run that releases the ensemble: who does, and why."""


def predictions_asset(recipe: str) -> dg.AssetsDefinition:
    """Return the asset ``predictions/<recipe>``."""

    @table_assets(
        "predictions", deps=("manifest", dg.AssetKey(["classifiers", recipe])), kinds=("pytorch",), partition=recipe
    )
    def predict(context: dg.AssetExecutionContext, radia: Radia) -> object:
        """Probabilities of every study of the validation pool."""
        from radia_pipeline.training.inference import predict_manifest

        return predict_manifest(radia.lake(), recipe)

    return predict


def out_of_fold_asset(recipe: str) -> dg.AssetsDefinition:
    """Return the asset ``predictions_out_of_fold/<recipe>``."""
    members = tuple(dg.AssetKey(["classifiers", name]) for name in fold_members(recipe))

    @table_assets("predictions_out_of_fold", deps=("manifest", *members), kinds=("pytorch",), partition=recipe)
    def predict_out_of_fold(context: dg.AssetExecutionContext, radia: Radia) -> object:
        """Probabilities of every study of the train pool, by the model that left out its fold."""
        from radia_pipeline.training.out_of_fold import predict_out_of_fold as predict

        return predict(radia.lake(), recipe)

    return predict_out_of_fold


def released_by(context: dg.AssetExecutionContext, lake: Lake) -> Any:
    """Return who releases the ensemble and why, by the run's tags; None where nobody does.

    Dagster copies tags when a run is executed again: that goes on with the release of the run before and begins none.
    """
    from radia_pipeline.evaluation.release import Release, is_noted

    who, why = (context.run.tags.get(tag) for tag in (RELEASE_BY, RELEASE_WHY))
    if not who and not why:
        return None
    if context.run.parent_run_id is not None and not is_noted(lake):
        context.log.warning("A run that is executed again releases nothing new: start one with tags of its own")
        return None
    return Release(who or "", why or "")


def evaluation_assets(recipes: tuple[str, ...]) -> list[dg.AssetsDefinition]:
    """Return predictions of every recipe and what is made of them."""
    predictions = tuple(dg.AssetKey(["predictions", recipe]) for recipe in recipes)

    @table_assets("ensemble", deps=predictions)
    def build_ensemble(context: dg.AssetExecutionContext, radia: Radia) -> object:
        """The combination of recipes that is best on the validation pool, with thresholds and calibration."""
        from radia_pipeline.evaluation.answering import answering
        from radia_pipeline.evaluation.ensemble import build_ensemble as build

        result = build(radia.lake(), list(recipes))
        answering(radia.lake())  # so that the first prediction does not wait for it
        try:
            log_ensemble(radia.lake())
        except Exception as error:  # the ensemble stands, whatever befalls MLflow
            context.log.warning(f"MLflow has not taken the ensemble ({type(error).__name__}): materialize it again")
        return result

    @table_assets(
        "scorecard",
        "scorecard_subgroups",
        "test_predictions",
        deps=(
            *predictions,
            "ensemble",
            "evaluation_sets",
            "reading_sets",
            "label_truth",
            "images",
            "labels",
            "report_attributes",
            "splits",
        ),
        plots=scorecard_plots,
    )
    def build_scorecard(context: dg.AssetExecutionContext, radia: Radia) -> object:
        """Figures with intervals of every model on validation; on test of a released ensemble. A run with the tags
        radia/release_by and radia/release_why releases the one that stands."""
        from radia_pipeline.evaluation.scorecard import build_scorecard as build
        from radia_pipeline.pages.evaluation import SCORECARD, write_evaluation_pages

        result = build(radia.lake(), released_by(context, radia.lake()))
        runs = log_headlines(radia.lake(), recipes)
        write_evaluation_pages(radia.lake())
        counts = {"test_releases": result.test_releases, "test_uses": result.test_uses}
        page = dg.MetadataValue.path(SCORECARD)  # in the lake, which may be moved
        return {"models": list(result.models), "mlflow_runs_with_figures": runs, "page": page, **counts}

    parted = (out_of_fold_asset(recipe) for recipe in whole_recipes(recipes))
    return [*(predictions_asset(recipe) for recipe in recipes), *parted, build_ensemble, build_scorecard]

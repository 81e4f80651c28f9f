"""Assets of the group ``review``: what people fill and no run makes, the truth that follows from it by rule, and what
they should read next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from radia_pipeline.defs.plots import queue_plot
from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.tables import table_assets, table_spec
from radia_pipeline.training.fold_members import whole_recipes

if TYPE_CHECKING:
    from radia_pipeline.readings.review_queue import QueueResult

label_reviews = table_spec("label_reviews", kinds=("jsonl",))
reading_sets = table_spec("reading_sets")


@table_assets("label_truth", deps=("label_reviews", "reading_sets"))
def build_label_truth(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """What the readings of each closed set agree on; the store is proved and published as ``label_reviews`` first."""
    from radia_pipeline.readings.truth import build_truth

    return build_truth(radia.lake())


def models_answer(result: QueueResult) -> tuple[bool, Mapping[str, Any]]:
    """Pass where some recipe was trained fold by fold; else the queue is empty, and this says what to do."""
    do = "train a recipe once for each fold: `radia run --by-fold`, then materialize this again"
    return bool(result.models), {"models": list(result.models), **({} if result.models else {"do": do})}


def review_queue_asset(recipes: tuple[str, ...]) -> dg.AssetsDefinition:
    """Return the asset ``label_review_queue`` of the recipes that answer out of fold."""
    answers = tuple(dg.AssetKey(["predictions_out_of_fold", recipe]) for recipe in whole_recipes(recipes))

    @table_assets(
        "label_review_queue",
        deps=(*answers, "labels", "report_mentions", "splits", "label_reviews"),
        notes={"models_answer": models_answer},
        plots=queue_plot,
    )
    def build_review_queue(context: dg.AssetExecutionContext, radia: Radia) -> object:
        """Labels of the train pool that are most likely wrong, in the order in which they should be read again."""
        from radia_pipeline.readings.review_queue import build_review_queue as build

        return build(radia.lake())

    return build_review_queue


ASSETS: list[dg.AssetSpec | dg.AssetsDefinition] = [label_reviews, reading_sets, build_label_truth]

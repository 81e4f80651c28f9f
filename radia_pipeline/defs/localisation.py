"""Assets of the groups ``localisation`` and ``detection``: saliency benchmark, pseudo boxes, detector scorecard."""

from __future__ import annotations

import dagster as dg

from radia_pipeline.defs.plots import saliency_plot
from radia_pipeline.defs.resources import Radia, progress
from radia_pipeline.defs.tables import table_assets


def localisation_assets(recipes: tuple[str, ...]) -> list[dg.AssetsDefinition]:
    """Return what is made of the recipes' saliency maps."""
    classifiers = tuple(dg.AssetKey(["classifiers", recipe]) for recipe in recipes)
    predictions = tuple(dg.AssetKey(["predictions", recipe]) for recipe in recipes)

    @table_assets(
        "saliency_benchmark",
        deps=("manifest", "box_annotations", *classifiers, *predictions),
        kinds=("pytorch",),
        plots=saliency_plot,
    )
    def build_saliency_benchmark(context: dg.AssetExecutionContext, radia: Radia) -> object:
        """Saliency methods by mAP against radiologists' boxes, beside random-map and prior-box controls."""
        from radia_pipeline.localisation.benchmark import build_saliency_benchmark as build

        return build(radia.lake(), list(recipes))

    @table_assets(
        "pseudo_boxes",
        deps=("manifest", "ensemble", "champion", "saliency_benchmark", *classifiers, *predictions),
        kinds=("pytorch",),
    )
    def build_pseudo_boxes(context: dg.AssetExecutionContext, radia: Radia) -> object:
        """Boxes made of the saliency maps of the champion, or of the ensemble where nobody approved one."""
        from radia_pipeline.localisation.pseudo import build_pseudo_boxes as build

        return build(
            context.partition_key, radia.lake(), on_progress=progress(context, f"pseudo_boxes/{context.partition_key}")
        )

    return [build_saliency_benchmark, build_pseudo_boxes]


@table_assets(
    "detector_scorecard", deps=("detector", "box_annotations", "pseudo_boxes", "manifest"), kinds=("pytorch",)
)
def build_detector_scorecard(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """How well the detector's boxes meet radiologists' boxes: per class, per group, class-agnostic."""
    from radia_pipeline.detection.scorecard import build_detector_scorecard as build

    return build(radia.lake())

"""Assets of the group ``review``: what people fill and no run makes, and the truth that follows from it by rule."""

from __future__ import annotations

import dagster as dg

from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.tables import table_assets, table_spec

label_reviews = table_spec("label_reviews", kinds=("jsonl",))
reading_sets = table_spec("reading_sets")


@table_assets("label_truth", deps=("label_reviews", "reading_sets"))
def build_label_truth(context: dg.AssetExecutionContext, radia: Radia):
    """What the readings of each closed set agree on; the store is proved and published as ``label_reviews`` first."""
    from radia_pipeline.readings.truth import build_truth

    return build_truth(radia.lake())


ASSETS = [label_reviews, reading_sets, build_label_truth]

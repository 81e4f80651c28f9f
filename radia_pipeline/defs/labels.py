"""Assets of the group ``labels``: reports and tables -> mentions, labels, boxes; readings lie on top."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from radia_pipeline.defs.plots import labels_plot
from radia_pipeline.defs.resources import Radia, pool_of
from radia_pipeline.defs.tables import MadeWhen, table_assets
from radia_pipeline.reports.french import FRENCH

if TYPE_CHECKING:
    from radia_pipeline.labels.build import LabelsResult
    from radia_pipeline.reports.extract import MentionsResult


def what_moved(result: LabelsResult | MentionsResult) -> tuple[bool, Mapping[str, Any]]:
    """Pass when no label of a known study says otherwise than before; else list class × from × to."""
    rows = [
        dg.TableRecord({"class": row["class"], "from": str(row["from"]), "to": str(row["to"]), "count": row["count"]})
        for row in result.moved
    ]
    cells = sum(row["count"] for row in result.moved)
    return not rows, {"cells": cells, **({"moved": dg.MetadataValue.table(rows)} if rows else {})}


def what_the_rules_moved(result: MentionsResult) -> tuple[bool, Mapping[str, Any]]:
    """Do as ``what_moved``, and name the rules' version before and now."""
    passed, metadata = what_moved(result)
    return passed, {"engine_before": result.engine_before, "engine_version": result.engine_version, **metadata}


@table_assets(
    "report_mentions",
    "report_attributes",
    "unread_sentences",
    deps=("reports",),
    kinds=("python",),
    notes={"moved": what_the_rules_moved},
    code_version=FRENCH.version,
    made=MadeWhen.FOLLOWING,
)
def extract_mentions(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """Read every report by the rules: which findings it names, with what status, and the evidence."""
    from radia_pipeline.reports.extract import extract_mentions as extract

    return extract(context.partition_key, radia.lake(), pool_address=pool_of(context), tell=context.log.info)


@table_assets(
    "labels",
    deps=("images", "reports", "report_mentions", "report_attributes", "label_reviews"),
    notes={"moved": what_moved},
    plots=labels_plot,
    made=MadeWhen.FOLLOWING,
)
def build_labels(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """Study × class: from rules or the source's own table, reviews on top, then No Finding and closure."""
    from radia_pipeline.labels.build import build_labels as build
    from radia_pipeline.readings.in_force import labels_in_force

    adapter, root = radia.delivery(context.partition_key)
    lake = radia.lake()
    days = radia.settings().carry_from_prior_days
    return build(adapter, root, lake, radia.pseudonymizer(), labels_in_force(lake), days)


@table_assets("box_annotations", deps=("images", "label_reviews"), made=MadeWhen.FOLLOWING)
def build_boxes(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """Radiologists' boxes, the source's and those of readings, in pixels of the stored images."""
    from radia_pipeline.labels.box_annotations import build_boxes as build
    from radia_pipeline.readings.in_force import boxes_in_force

    adapter, root = radia.delivery(context.partition_key)
    lake = radia.lake()
    return build(adapter, root, lake, radia.pseudonymizer(), boxes_in_force(lake, context.partition_key))


ASSETS = [extract_mentions, build_labels, build_boxes]

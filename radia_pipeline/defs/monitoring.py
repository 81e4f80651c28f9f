"""Assets of the group ``monitoring``: the drift report of each day, what it is compared with, what it looks at.

The report makes of the other two what it lacks; they stand here to be asked for. When it runs: elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from radia_pipeline.defs.partitions import DAYS
from radia_pipeline.defs.resources import Radia
from radia_pipeline.defs.tables import MadeWhen, table_assets

STEP = "freeze_references"
_TABLES = (
    "images",
    "reports",
    "report_attributes",
    "report_mentions",
    "labels",
    "deliveries",
    "arrivals",
    "splits",
    "manifest",
    "ensemble",
    "champion",
    "label_reviews",
    "scorecard",
)
TOLD = {
    "source": dg.Field(
        str, default_value="", description="Whose reference is frozen anew; empty: those that have none."
    ),
    "by": dg.Field(str, default_value="", description="Who freezes a new one."),
    "reason": dg.Field(str, default_value="", description="Why what was usual is not usual any more."),
}
"""What a person says to ``drift_reference``."""
NOTES = {
    "nothing_asked": "No stream asks for more than a note that nobody has answered.",
    "nothing_silent": "Every source that is watched still delivers.",
}


def _nothing_asked(result: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    return result["demand"] == "none", {"demand": result["demand"], **result["asked"]}


def _nothing_silent(result: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    return not result["silent"], {"silent": list(result["silent"])}


@table_assets(
    "film_readouts",
    deps=("images", "splits", "manifest", "ensemble", "champion", "arrivals"),
    kinds=("pytorch",),
    made=MadeWhen.ASKED_FOR,
)
def read_films_out(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """Look at the films that the drift protocol watches: what they are like, what the models say of them."""
    from radia_pipeline.monitoring.asked import look_ahead

    return look_ahead(radia.lake(), context.partition_key, today())


@table_assets(
    "shadow_scores",
    deps=("images", "splits", "manifest", "ensemble", "champion", "arrivals"),
    kinds=("pytorch",),
    made=MadeWhen.ASKED_FOR,
)
def score_films_in_shadow(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """Let champion and challenger look at films that arrived since both were trained; the challenger answers nobody."""
    from radia_pipeline.monitoring.shadow import shadow_ahead

    return shadow_ahead(radia.lake(), context.partition_key, today())


@table_assets("drift_reference", deps=(*_TABLES, "film_readouts"), made=MadeWhen.ASKED_FOR, config=TOLD)
def freeze_references(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """What is usual in every stream, frozen; a new one needs a name and a reason in the configuration of the run."""
    from radia_pipeline.monitoring.asked import freeze_anew, freeze_missing

    told = context.op_execution_context.op_config
    if told["source"]:
        return freeze_anew(radia.lake(), told["source"], today(), by=told["by"], reason=told["reason"])
    return freeze_missing(radia.lake(), today())


@table_assets(
    "drift_report",
    "drift_examples",
    "drift_performance",
    "shadow_differences",
    deps=(*_TABLES, "film_readouts", "drift_reference", "shadow_scores"),
    days=DAYS,
    notes={"nothing_asked": _nothing_asked, "nothing_silent": _nothing_silent},
    note_words=NOTES,
)
def report_drift(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """What moved until a day, since when, how much, and what that asks for; how a challenger differs; with its page."""
    from radia_pipeline.monitoring.actions import demanded
    from radia_pipeline.monitoring.report import build_report
    from radia_pipeline.pages.drift import PAGE, write_drift_page
    from radia_pipeline.pages.status import refresh_status_page

    lake = radia.lake()
    result = build_report(lake, date.fromisoformat(context.partition_key))
    write_drift_page(lake, lake.root.absolute() / PAGE)
    refresh_status_page(lake, radia.now_s())
    demand = demanded(lake, context.partition_key).action
    return {**vars(result), "demand": demand, "page": dg.MetadataValue.path(PAGE)}


def today() -> date:
    """Return the day by the clock of deliveries."""
    return datetime.now(UTC).date()


ASSETS = [read_films_out, score_films_in_shadow, freeze_references, report_drift]

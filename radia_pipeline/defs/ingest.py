"""Assets of the group ``ingest``: delivered files -> images, quarantine, duplicates, reports, and when they came."""

from collections.abc import Iterator

import dagster as dg

from radia_pipeline.defs.plots import reasons_plot
from radia_pipeline.defs.resources import Radia, pool_of, progress
from radia_pipeline.defs.tables import table_assets
from radia_pipeline.lake.lake import Lake
from radia_pipeline.sources.registry import registered


def refusals(lake: Lake, partition: str) -> dict[str, dg.MetadataValue]:
    """What was refused, by reason, with what to do: counts and keyed ids, no paths."""
    from radia_pipeline.usecases.quarantined import refused

    records = [
        dg.TableRecord({"reason": r.reason, "files": r.files, "what to do": r.do, "first ids": ", ".join(r.file_ids)})
        for r in refused(lake, partition)
    ]
    kinds = {"reason": "string", "files": "int", "what to do": "string", "first ids": "string"}
    schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in kinds.items()])
    return {"refused": dg.MetadataValue.table(records, schema)}


@table_assets(
    "images",
    "quarantine",
    "duplicates",
    kinds=("dicom",),
    laws={"nothing_lost": lambda r: r.found == r.ingested + r.quarantined + r.duplicates},
    plots=reasons_plot,
    facts={"quarantine": refusals},
)
def ingest_images(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """Read every delivered file: store its pixels, refuse it with a reason, or drop it as a duplicate."""
    from radia_pipeline.usecases.retract import ingest_and_withdraw

    adapter, root = radia.delivery(context.partition_key)
    report = progress(context, f"images/{context.partition_key}")
    ocr = radia.settings().ocr
    return ingest_and_withdraw(
        adapter,
        root,
        radia.lake(),
        radia.pseudonymizer(),
        ocr=ocr,
        visit=context.run.run_id,
        on_progress=report,
        pool_address=pool_of(context),
        tell=context.log.info,
    )


@table_assets("reports")
def ingest_reports(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """Read the delivered reports, one row per study; sources without reports publish an empty table."""
    from radia_pipeline.reports.ingest import ingest_reports as ingest

    adapter, root = radia.delivery(context.partition_key)
    return ingest(adapter, root, radia.lake(), radia.pseudonymizer(), visit=context.run.run_id)


@table_assets("deliveries", "arrivals", deps=("images", "quarantine", "duplicates", "reports"))
def build_deliveries(context: dg.AssetExecutionContext, radia: Radia) -> object:
    """What arrived when, by the clock of whoever looks after the lake, and what became of it."""
    from radia_pipeline.dicom.deliveries import build_deliveries as build
    from radia_pipeline.pages.status import STATUS, refresh_status_page

    result = build(context.partition_key, radia.lake())
    refresh_status_page(radia.lake(), radia.now_s())
    return {**vars(result), "page": dg.MetadataValue.path(STATUS)}


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            f"fresh_{source}", asset="deliveries", description=f"{source} delivers within the days that are expected."
        )
        for source in registered()
    ],
    can_subset=True,
)
def fresh(context: dg.AssetCheckExecutionContext, radia: Radia) -> Iterator[dg.AssetCheckResult]:
    """Whether each source has delivered lately; the lake's settings say of which how often it should."""
    from radia_pipeline.usecases.silence import freshness

    found = {one.source: one for one in freshness(radia.lake(), radia.now_s())}
    for key in sorted(context.selected_asset_check_keys, key=lambda key: key.name):
        one = found.get(key.name.removeprefix("fresh_"))
        told = {name: value for name, value in vars(one).items() if value is not None} if one else {}
        yield dg.AssetCheckResult(
            passed=one is None or not one.is_silent,
            check_name=key.name,
            asset_key=key.asset_key,
            severity=dg.AssetCheckSeverity.WARN,
            metadata=told,
        )


ASSETS = [ingest_images, ingest_reports, build_deliveries]
CHECKS = [fresh]
FRESH = dg.AssetSelection.checks(*fresh.check_keys)

"""``radia ingest``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from radia_pipeline.cli.options import FilePath, json_option, lake_option, ocr_option, pool_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.processes.progress import Progress, say

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.sources.base import Source

COUNTS = ("found", "ingested", "quarantined", "duplicates")


@click.command()
@click.argument("directory", type=FilePath())
@click.option("--source", required=True, help="Which dataset's layout it is.")
@ocr_option("auto", "Search pixels for burned-in text.")
@click.option("--workers", type=click.IntRange(1), help="Worker processes (default: the machine's cores).")
@pool_option
@click.option("--dry-run", is_flag=True, help="Only say how many images that stand today's rules would take out.")
@click.option("--take-out", is_flag=True, help="Take out what is refused now, also more than a tenth of the lake.")
@lake_option
@json_option
def ingest(
    directory: Path,
    source: str,
    ocr: str,
    workers: int | None,
    pool_address: str | None,
    dry_run: bool,
    take_out: bool,
    lake_root: Path | None,
    as_json: bool,
) -> None:
    """Ingest one delivery.

    Publishes images, quarantine and duplicates of its source; quarantined files are no failure.
    """
    from radia_pipeline.dicom.deliveries import build_deliveries
    from radia_pipeline.lake.keys import Pseudonymizer
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.sources.registry import locate
    from radia_pipeline.sources.registry import source as find_source
    from radia_pipeline.usecases.retract import ingest_and_withdraw

    adapter = find_source(source)
    root = locate(source, directory)
    if dry_run:
        _preview(adapter, root, Lake.open(lake_root, create=False), as_json, workers=workers, ocr=ocr)
        return
    lake = Lake.open(lake_root)
    bar = Progress()
    result = ingest_and_withdraw(
        adapter,
        root,
        lake,
        Pseudonymizer.from_environment(lake),
        workers=workers,
        ocr=ocr,
        pool_address=pool_address,
        takes_out=take_out,
        on_progress=lambda done, total: bar(f"images/{source}", done, total),
    )
    bar.close()
    build_deliveries(source, lake)
    for warning in result.warnings:
        say(f"Note: {warning}")
    counts = {name: getattr(result, name) for name in (*COUNTS, "reasons")}
    print_result(counts, as_text(counts), as_json)


def _preview(adapter: Source, root: Path, lake: Lake, as_json: bool, **options: Any) -> None:
    """Say what an ingest with the same options would take out of the lake."""
    from radia_pipeline.dicom.rejudge import rejudge
    from radia_pipeline.usecases.retract import foresee

    bar = Progress()
    seen = rejudge(
        adapter, root, lake, on_progress=lambda done, total: bar(f"judged/{adapter.name}", done, total), **options
    )
    bar.close()
    gone = foresee(seen.images, lake)
    told = {name: getattr(seen, name) for name in ("found", "standing", "new", "would_go", "patients")}
    taken = {"images": len(seen.images), **vars(gone), "models": list(gone.models)}
    print_result(told | {"taken_out": taken}, _preview_text(told, taken), as_json)


def _preview_text(told: Mapping[str, Any], taken: Mapping[str, Any]) -> str:
    lines = [
        f"found {told['found']}, of which {told['standing']} stand as images and {told['new']} do not",
        f"today's rules refuse {sum(told['would_go'].values())} of those that stand, of {told['patients']} patients",
        *(f"  {reason}: {count}" for reason, count in told["would_go"].items()),
        f"taken out for good: {taken['images']} images, {taken['pictures']} pictures, "
        f"{taken['versions']} earlier versions",
        *(f"  {table}: {count} rows" for table, count in taken["rows"].items()),
        *(f"  saw them: model {name}" for name in taken["models"]),
    ]
    return "\n".join(lines)


def as_text(counts: Mapping[str, Any]) -> str:
    """Return where the files ended, and one line for each reason of quarantine."""
    reasons = (f"  {reason}: {count}" for reason, count in sorted(counts["reasons"].items()))
    return "\n".join([", ".join(f"{name} {counts[name]}" for name in COUNTS), *reasons])

"""``radia ingest``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from radia_pipeline.cli.options import json_option, lake_option, ocr_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.processes.progress import Progress, say

COUNTS = ("found", "ingested", "quarantined", "duplicates")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--source", required=True, help="Which dataset's layout it is.")
@ocr_option("auto", "Search pixels for burned-in text.")
@click.option("--workers", type=click.IntRange(1), help="Worker processes (default: the machine's cores).")
@click.option("--dry-run", is_flag=True, help="Only say how many images that stand today's rules would take out.")
@lake_option
@json_option
def ingest(
    directory: Path, source: str, ocr: str, workers: int | None, dry_run: bool, lake_root, as_json: bool
) -> None:
    """Ingest one delivery.

    Publishes images, quarantine and duplicates of its source; quarantined files are no failure.
    """
    from radia_pipeline.dicom.ingest import ingest_images
    from radia_pipeline.lake.keys import Pseudonymizer
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.sources.registry import locate
    from radia_pipeline.sources.registry import source as find_source

    adapter = find_source(source)
    root = locate(source, directory)
    if dry_run:
        _preview(adapter, root, Lake.open(lake_root, create=False), as_json)
        return
    lake = Lake.open(lake_root)
    bar = Progress()
    result = ingest_images(
        adapter, root, lake, Pseudonymizer.from_environment(lake), workers=workers, ocr=ocr,
        on_progress=lambda done, total: bar(f"images/{source}", done, total),
    )  # fmt: skip
    bar.close()
    for warning in result.warnings:
        say(f"Note: {warning}")
    counts = {name: getattr(result, name) for name in (*COUNTS, "reasons")}
    print_result(counts, as_text(counts), as_json)


def _preview(adapter, root: Path, lake, as_json: bool) -> None:
    from radia_pipeline.dicom.rejudge import rejudge

    seen = rejudge(adapter, root, lake)
    gone = "".join(f"\n  {reason}: {count}" for reason, count in seen.would_go.items())
    print_result(
        vars(seen),
        f"found {seen.found}, of which {seen.standing} stand as images and {seen.new} do not; by header and codestream "
        f"{sum(seen.would_go.values())} of {seen.patients} patients would go{gone}",
        as_json,
    )


def as_text(counts: Mapping[str, Any]) -> str:
    """Return where the files ended, and one line for each reason of quarantine."""
    reasons = (f"  {reason}: {count}" for reason, count in sorted(counts["reasons"].items()))
    return "\n".join([", ".join(f"{name} {counts[name]}" for name in COUNTS), *reasons])

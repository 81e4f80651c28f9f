"""``radia history``: how large what a lake remembers is, and what of it may go."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from radia_pipeline.cli.options import OneOf, json_option, lake_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.drawing.text import table


def _parts() -> Iterable[str]:
    from radia_pipeline.defs.collecting import PARTS

    return PARTS


@click.group()
def history() -> None:
    """Show how large a lake's history is; delete what is old."""


@history.command("show")
@lake_option
@json_option
def show(lake_root: Path | None, as_json: bool) -> None:
    """Say how much room each part takes."""
    from radia_pipeline.defs.collecting import sizes
    from radia_pipeline.lake.lake import Lake

    found = sizes(Lake.open(lake_root, create=False))
    print_result(found, table(["what", "MB"], [[name, f"{taken / 1e6:.1f}"] for name, taken in found.items()]), as_json)


@history.command("collect")
@click.argument("parts", nargs=-1, type=OneOf(_parts))
@click.option("--dry-run", is_flag=True, help="Only count.")
@lake_option
@json_option
def collect(parts: tuple[str, ...], dry_run: bool, lake_root: Path | None, as_json: bool) -> None:
    """Delete what is old and not needed.

    All PARTS if none is named. The newest of each table and partition stays, with what is stale and what failed; of
    trainings what was ever a champion, what is registered newest, and what a table or such a model was made with.
    Days: `radia settings`, keep_…_days.
    """
    from radia_pipeline.defs.collecting import collect_parts
    from radia_pipeline.lake.lake import Lake

    found = collect_parts(Lake.open(lake_root, create=False), parts, dry_run=dry_run)
    verb = "would go" if dry_run else "went"
    rows = [
        [
            name,
            _there(counts),
            counts.get("deleted", 0),
            counts.get("events", 0) + counts.get("ticks", 0),
            f"{counts['freed_bytes'] / 1e6:.1f}",
        ]
        for name, counts in found.items()
    ]
    print_result(found, table(["part", "there were", verb, "events and ticks", "MB freed"], rows), as_json)


def _there(counts: dict) -> int:
    return counts.get("runs", counts.get("versions", counts.get("folders", 0)))

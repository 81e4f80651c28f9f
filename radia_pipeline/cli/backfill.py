"""``radia backfill``: make what is stale or has failed, in the graph's order."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option, sources_option
from radia_pipeline.cli.output import print_result


@click.command()
@click.option("--stale", "what", flag_value="stale", help="What was made from data or by rules that have changed.")
@click.option("--failed", "what", flag_value="failed", help="What failed when it was last tried.")
@click.option("--group", "groups", multiple=True, help="Only this group of assets; may be given several times.")
@click.option("--dry-run", is_flag=True, help="Say what is due, why and what it takes, and make nothing.")
@sources_option
@lake_option
@json_option
def backfill(
    what: str | None,
    groups: tuple[str, ...],
    dry_run: bool,
    sources: tuple[str, ...],
    lake_root: Path | None,
    as_json: bool,
) -> None:
    """Make what is stale, or what has failed.

    Trainings are made again only with --group training or --group detection. Exit code 1 where a run failed.
    """
    from radia_pipeline.defs.backfill import backfill as make
    from radia_pipeline.lake.lake import Lake

    if what is None:
        raise click.UsageError("Say what is to be made again: --stale or --failed.")
    lake = Lake.open(lake_root, create=False)
    told, text = make(lake, what, groups=groups, sources=sources, is_dry=dry_run)
    print_result(told, text, as_json)
    if told.get("failed"):
        raise click.exceptions.Exit(1)

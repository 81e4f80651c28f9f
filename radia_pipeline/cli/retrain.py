"""``radia retrain``: the champion's recipes on today's data."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result


@click.command()
@click.option("--why", default="asked for", show_default=True, help="Why; stands in the lake's list of retrainings.")
@click.option("--if-due", is_flag=True, help="Where something speaks against it, that is no failure: for schedules.")
@click.option("--dry-run", is_flag=True, help="Say what would be trained and on what new data, and train nothing.")
@lake_option
@json_option
def retrain(why: str, if_due: bool, dry_run: bool, lake_root: Path | None, as_json: bool) -> None:
    """Retrain the champion's recipes.

    Trains them on today's manifests, then predictions, ensemble, scorecard and the gate; nobody is released or approved
    by it. Killed, the same command goes on. Exit code 1 where the lake's settings forbid it now.
    """
    from radia_pipeline.defs.retraining import as_text
    from radia_pipeline.defs.retraining import retrain as do
    from radia_pipeline.lake.lake import Lake

    told = do(Lake.open(lake_root, create=False), why, is_dry=dry_run)
    print_result(told, as_text(told), as_json)
    if told["against"] and not (dry_run or if_due):
        raise click.exceptions.Exit(1)

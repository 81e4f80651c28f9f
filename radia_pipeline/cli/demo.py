"""``radia demo``."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import demo_lake_option, json_option
from radia_pipeline.cli.output import print_result


@click.command()
@click.option("--small", is_flag=True, help="A few dozen patients and short trainings: to see it run, not to judge it.")
@demo_lake_option
@click.option("--fresh", is_flag=True, help="Delete an earlier demo first.")
@click.option("--rehearse", is_flag=True, help="Let changed films come to the demo that stands, to try drift.")
@json_option
def demo(small: bool, lake_root: Path, fresh: bool, rehearse: bool, as_json: bool) -> None:
    """Run everything on invented patients.

    Their truth is known, so what came out is shown beside it and beside controls. With --rehearse the demo that stands
    gets a past of weekly deliveries, and then films that have changed.
    """
    if rehearse:
        from radia_pipeline.defs.rehearsal import rehearse as let_come

        print_result(*let_come(lake_root), as_json)
        return
    from radia_pipeline.defs.demo import run_demo

    summary, text = run_demo(lake_root, is_small=small, is_fresh=fresh)
    print_result(summary, text, as_json)
    if summary["failed"]:
        raise click.exceptions.Exit(1)

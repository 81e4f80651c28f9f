"""``radia sweep``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.processes.progress import say


@click.command()
@click.argument("recipe")
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True, help="Trials in all; done ones count.")
@lake_option
@json_option
def sweep(recipe: str, trials: int, lake_root, as_json: bool) -> None:
    """Search the ranges that a recipe declares.

    They stand in its section sweep. Interrupted, the same command goes on with the same trial.
    """
    from radia_pipeline.defs.sweep import sweep_tracked
    from radia_pipeline.defs.training_lines import ProgressLines
    from radia_pipeline.lake.lake import Lake

    lake = Lake.open(lake_root, create=False)
    found = sweep_tracked(recipe, lake, trials=trials, on_event=ProgressLines(say))
    print_result(found, as_text(found), as_json)


def as_text(found: Mapping[str, Any]) -> str:
    """Return the best trial's figure and options."""
    options = (f"  {option}: {value}" for option, value in found["best_options"].items())
    return "\n".join([f"best of {found['trials']} trials: {found['best_metric']:.4f}", *options])

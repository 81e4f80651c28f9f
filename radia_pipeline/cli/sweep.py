"""``radia sweep``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result
from radia_pipeline.processes.progress import say
from radia_pipeline.training.pruning import RULES


@click.command()
@click.argument("recipe")
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True, help="Trials in all; done ones count.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Trials at once, each on a GPU.")
@click.option("--threads", type=click.IntRange(1), help="Of arithmetic for each trial; all processors are shared else.")
@click.option("--prune", type=click.Choice(list(RULES)), default="none", show_default=True, help="Ends trials early.")
@click.option(
    "--round", "round_size", type=click.IntRange(1), default=4, show_default=True, help="Trials asked at once."
)
@click.option("--as-they-come", is_flag=True, help="No rounds: each trial learns from all that have ended.")
@lake_option
@json_option
def sweep(
    recipe: str,
    trials: int,
    workers: int,
    threads: int | None,
    prune: str,
    round_size: int,
    as_they_come: bool,
    lake_root: Path | None,
    as_json: bool,
) -> None:
    """Search the ranges that a recipe declares.

    They stand in its section sweep. Trials are asked in rounds, from what earlier rounds came to: the result does not
    depend on how many run at once. Interrupted, the same command goes on with the trials that were under way.
    """
    from radia_pipeline.defs.sweep import sweep_tracked
    from radia_pipeline.defs.training_lines import TrialLines
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.training.sweeps import Abreast, Search

    lake = Lake.open(lake_root, create=False)
    search = Search(None if as_they_come else round_size, prune)
    found = sweep_tracked(
        recipe, lake, trials=trials, on_event=TrialLines(say), search=search, abreast=Abreast(workers, threads)
    )
    print_result(found, as_text(found), as_json)


def as_text(found: Mapping[str, Any]) -> str:
    """Return the best trial's figure and options."""
    options = (f"  {option}: {value}" for option, value in found["best_options"].items())
    others = [
        f"{found[kind]} {words}"
        for kind, words in (("ended_early", "ended early"), ("diverged", "diverged"))
        if found[kind]
    ]
    among = f" ({', '.join(others)})" if others else ""
    return "\n".join([f"best of {found['trials']} trials{among}: {found['best_metric']:.4f}", *options])

"""``radia train``."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import pairs, print_result
from radia_pipeline.contracts.pools import TRAIN_FOLDS
from radia_pipeline.processes.progress import say


@click.command()
@click.argument("recipe")
@click.option("--fold", type=click.IntRange(0, TRAIN_FOLDS - 1), help="Train the member that leaves out this fold.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="OPTION=VALUE",
    help="Replace an option of the recipe, e.g. optimizer.lr=1e-4.",
)
@click.option("--force", is_flag=True, help="Train again even if this recipe is finished on this manifest.")
@lake_option
@json_option
def train(
    recipe: str, fold: int | None, settings: tuple[str, ...], force: bool, lake_root: Path | None, as_json: bool
) -> None:
    """Train a recipe on the manifest, or a detector.

    RECIPE: the name of a recipe, shipped or in the lake's folder recipes, or a file (./my.yaml); or detector/NAME,
    shipped or in the lake's folder detectors (detector alone: the lake's own choice). With --set it is trained under a
    name of its own.

    Recorded as an MLflow run; what was interrupted goes on where it stopped.
    """
    from radia_pipeline.defs.training_lines import ProgressLines
    from radia_pipeline.defs.training_process import ToTrain, train_tracked
    from radia_pipeline.lake.lake import Lake

    lake = Lake.open(lake_root, create=False)
    options = dict(_parted(setting) for setting in settings)
    kind, name = _kind(recipe, lake.root)
    if fold is not None and kind == "detector":
        raise click.BadParameter("a detector has no folds", param_hint="--fold")
    wanted = ToTrain(kind, name, fold, options)
    figures = train_tracked(wanted, lake, on_event=ProgressLines(say), force=force)
    print_result(figures, pairs(figures), as_json)


def _kind(given: str, lake_root: Path) -> tuple[str, str]:
    """Return what is trained, classifier or detector, and its name."""
    from radia_pipeline.lake.settings import read_settings

    kind, _, name = given.partition("/")
    if kind != "detector":
        return "classifier", given
    return "detector", name or read_settings(lake_root).detector


def _parted(setting: str) -> tuple[str, str]:
    name, sign, value = setting.partition("=")
    if not sign or not name:
        raise click.BadParameter(f"{setting!r}: give OPTION=VALUE, e.g. optimizer.lr=1e-4", param_hint="--set")
    return name.strip(), value

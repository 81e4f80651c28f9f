"""``radia run``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from radia_pipeline.cli.options import FilePath, OneOf, json_option, lake_option, ocr_option, sources_option
from radia_pipeline.cli.output import print_result


def _official_splits() -> Iterable[str]:
    from radia_pipeline.cohort.placement import OFFICIAL_SPLITS

    return OFFICIAL_SPLITS


@click.command()
@click.option("--sources-root", type=FilePath(), help="Folder that holds the datasets in their published layouts.")
@sources_option
@click.option("--until", help="Stop after this asset (and make what it needs), e.g. manifest.")
@click.option(
    "--recipe", "recipes", multiple=True, help="Recipe of this lake's classifiers; may be given several times."
)
@click.option(
    "--folds",
    "by_fold",
    is_flag=True,
    help="Train each recipe once for each fold of the training pool: five members for one.",
)
@ocr_option(None, "Search pixels for burned-in text (default: auto).")
@click.option(
    "--official-split",
    type=OneOf(_official_splits),
    help="Follow the publishers' own splits (fixed for a lake at its first placement; default: ignore).",
)
@lake_option
@json_option
def run(lake_root: Path | None, as_json: bool, **wish: Any) -> None:
    """Run the pipeline, from deliveries to models.

    Each source first, then the cohort, then the models. Absent sources are named and skipped.
    """
    from radia_pipeline.defs.run import RunWish, run_pipeline

    summary, text = run_pipeline(lake_root, RunWish(**wish))
    print_result(summary, text, as_json)
    if summary["failed"]:
        raise click.exceptions.Exit(1)

"""``radia model``: models for other programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from radia_pipeline.cli.options import FilePath, OneOf, json_option, lake_option
from radia_pipeline.cli.output import pairs, print_result


def _formats() -> Iterable[str]:
    from radia_pipeline.evaluation.export_formats import FORMATS

    return FORMATS


@click.group()
def model() -> None:
    """Hand models to other programs."""


@model.command("export")
@click.argument("name", metavar="RECIPE|ensemble")
@click.option("--to", "form", required=True, type=OneOf(_formats), help="The other program's format.")
@click.option("--out", required=True, type=FilePath(), help="New folder to write to.")
@lake_option
@json_option
def export(name: str, form: str, out: Path, lake_root: Path | None, as_json: bool) -> None:
    """Write a model with its card in another program's format.

    A recipe's newest model, or what answers in the lake: its champion, else its ensemble. No data of anybody goes out.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.model_export import export_model

    result = export_model(Lake.open(lake_root, create=False), name, form, out)
    shown = {**asdict(result), "path": str(result.path)}
    print_result(
        shown, pairs({**shown, "members": ", ".join(result.members), "files": ", ".join(result.files)}), as_json
    )

"""``radia boxes``: boxes for other tools."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from radia_pipeline.cli.options import FilePath, OneOf, json_option, lake_option, sources_option
from radia_pipeline.cli.output import pairs, print_result


def _formats() -> Iterable[str]:
    from radia_pipeline.detection.export_boxes import FORMATS

    return FORMATS


def _tables() -> Iterable[str]:
    from radia_pipeline.detection.export_boxes import TABLES

    return TABLES


@click.group()
def boxes() -> None:
    """Hand boxes to other tools."""


@boxes.command("export")
@click.option("--to", "form", required=True, type=OneOf(_formats), help="The other tool's format.")
@click.option("--out", required=True, type=FilePath(), help="Folder to write to.")
@click.option("--table", type=OneOf(_tables), default="pseudo_boxes", show_default=True, help="Whose boxes.")
@sources_option
@lake_option
@json_option
def export(form: str, out: Path, table: str, sources: tuple[str, ...], lake_root, as_json: bool) -> None:
    """Write boxes in another tool's format.

    Each image stands with its pool, so that nobody trains on the test pool.
    """
    from radia_pipeline.detection.export_boxes import export_table
    from radia_pipeline.lake.lake import Lake

    result = export_table(Lake.open(lake_root, create=False), table, form, out, sources=sources)
    shown = {**asdict(result), "path": str(result.path)}
    print_result(shown, pairs(shown), as_json)

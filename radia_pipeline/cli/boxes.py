"""``radia boxes``: boxes to other tools, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from radia_pipeline.cli.options import FilePath, OneOf, json_option, lake_option, sources_option
from radia_pipeline.cli.output import pairs, print_result


def _formats() -> Iterable[str]:
    from radia_pipeline.labels.box_files.formats import FORMATS

    return FORMATS


def _tables() -> Iterable[str]:
    from radia_pipeline.labels.box_export import TABLES

    return TABLES


@click.group()
def boxes() -> None:
    """Hand boxes to other tools, take them back."""


@boxes.command("export")
@click.option("--to", "form", required=True, type=OneOf(_formats), help="The other tool's format.")
@click.option("--out", required=True, type=FilePath(), help="Folder to write to.")
@click.option("--table", type=OneOf(_tables), default="pseudo_boxes", show_default=True, help="Whose boxes.")
@sources_option
@lake_option
@json_option
def export(form: str, out: Path, table: str, sources: tuple[str, ...], lake_root: Path | None, as_json: bool) -> None:
    """Write boxes in another tool's format.

    Each image stands with its pool, so that nobody trains on the test pool.
    """
    from radia_pipeline.labels.box_export import export_table
    from radia_pipeline.lake.lake import Lake

    result = export_table(Lake.open(lake_root, create=False), table, form, out, sources=sources)
    shown = {**asdict(result), "path": str(result.path)}
    print_result(shown, pairs(shown), as_json)


@boxes.command("import")
@click.argument("path", type=FilePath(exists=True))
@click.option("--from", "form", required=True, type=OneOf(_formats), help="The other tool's format.")
@click.option("--reader", default="import", show_default=True, help="A code for who drew them.")
@lake_option
@json_option
def import_(path: Path, form: str, reader: str, lake_root: Path | None, as_json: bool) -> None:
    """Take boxes that were drawn or mended in another tool.

    They become box annotations of origin `import`. PATH is the file or folder; its images are named by the lake's ids,
    as `radia boxes export` names them. What this reader imported before on the same images is replaced; boxes that are
    refused are counted by reason.
    """
    from radia_pipeline.labels.box_import import import_boxes
    from radia_pipeline.lake.lake import Lake

    result = asdict(import_boxes(Lake.open(lake_root, create=False), form, path, reader=reader))
    print_result(result, pairs(result), as_json)

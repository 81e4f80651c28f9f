"""``radia manifest``: the manifest for other tools."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from radia_pipeline.cli.options import FilePath, OneOf, json_option, lake_option, sources_option
from radia_pipeline.cli.output import pairs, print_result


def _formats() -> Iterable[str]:
    from radia_pipeline.cohort.export_formats import FORMATS

    return FORMATS


@click.group()
def manifest() -> None:
    """Hand the manifest to other tools."""


@manifest.command("export")
@click.option("--to", "form", required=True, type=OneOf(_formats), help="The other tool's format.")
@click.option("--out", required=True, type=FilePath(), help="Folder to write to.")
@sources_option
@lake_option
@json_option
def export(form: str, out: Path, sources: tuple[str, ...], lake_root: Path | None, as_json: bool) -> None:
    """Write the manifest in another format.

    Its Croissant description is written beside it; both say what the format loses.
    """
    from radia_pipeline.cohort.export import export_manifest
    from radia_pipeline.lake.lake import Lake

    result = export_manifest(Lake.open(lake_root, create=False), form, out, sources=sources or None)
    shown = {name: value if isinstance(value, int | str) else str(value) for name, value in asdict(result).items()}
    print_result(shown, pairs(shown), as_json)

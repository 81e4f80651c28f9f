"""``radia audit``."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, ocr_option
from radia_pipeline.cli.output import print_json


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--source", default="ccsmtl", show_default=True, help="Whose de-identification policy applies.")
@ocr_option("auto", "Search pixels for burned-in text; off looks at headers only.")
@json_option
def audit(files: tuple[Path, ...], source: str, ocr: str, as_json: bool) -> None:
    """Are these files de-identified? Exit code 1 if not.

    FILES are DICOM files and report tables (CSV). A line for each finding names place and rule, never the value.
    """
    from radia_pipeline.usecases.audit import audit_files

    found = {}
    for file, findings in audit_files(files, source, ocr_mode=ocr):
        found[str(file)] = findings
        if not as_json:
            click.echo(f"{file}: " + (f"{len(findings)} findings" if findings else "de-identified"))
            for finding in findings:
                click.echo(f"  {finding}")
    if as_json:
        print_json({"files": found})
    if any(found.values()):
        raise click.exceptions.Exit(1)

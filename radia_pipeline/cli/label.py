"""``radia label``."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import FilePath
from radia_pipeline.cli.output import print_json


@click.command()
@click.argument("file", type=FilePath(allow_dash=True))
@click.option("--evidence", is_flag=True, help="Print the texts with findings coloured by status instead of JSON.")
@click.option("--encoding", help="How FILE is encoded where it is neither UTF-8 nor UTF-16 with a mark, e.g. cp1252.")
@click.option("--json", "as_json", is_flag=True, help="Errors as JSON; results are JSON lines anyway.")
def label(file: Path, evidence: bool, encoding: str | None, as_json: bool) -> None:
    """Label French reports.

    FILE holds JSON lines or CSV with id and text (- is standard input); JSON lines come out.
    """
    from radia_pipeline.reports.engine import Labeler
    from radia_pipeline.reports.evidence import as_record, colour
    from radia_pipeline.reports.files import read_report_file

    labeler = Labeler.default()
    for report_id, text in read_report_file(file, encoding=encoding):
        reading = labeler.read(text)
        if evidence:
            click.echo(f"── {report_id}\n{colour(text, reading)}\n")
        else:
            print_json({"id": report_id, **as_record(reading)})

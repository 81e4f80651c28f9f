"""``radia predict``."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--source", default="ccsmtl", show_default=True, help="Whose de-identification policy applies.")
@click.option("--identified", is_flag=True, help="Files straight from a PACS: headers are not judged nor echoed.")
@lake_option
@json_option
def predict(images: tuple[Path, ...], source: str, identified: bool, lake_root, as_json: bool) -> None:
    """Predict pathologies of delivered images.

    IMAGES are DICOM, PNG or JPEG files; the lake's ensemble reads them, and nothing is stored.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.predict import as_text, predict_files

    answer = predict_files(Lake.open(lake_root, create=False), list(images), source=source, identified=identified)
    print_result(answer, as_text(answer), as_json)

"""``radia predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from radia_pipeline.cli.options import FilePath, json_option, lake_option, ocr_option, pool_option
from radia_pipeline.cli.output import print_result

_FILE = FilePath(dir_okay=False)


@click.command()
@click.argument("images", nargs=-1, required=True, type=FilePath())
@click.option("--study", "one_study", is_flag=True, help="All files are films of one study.")
@click.option("--source", default="ccsmtl", show_default=True, help="Whose de-identification policy applies.")
@click.option("--identified", is_flag=True, help="Files straight from a PACS: headers are not judged nor echoed.")
@ocr_option(None, "Search pixels for burned-in text (default: auto); off: a person says that there is none.")
@click.option("--maps", type=FilePath(), help="Folder for heat maps and boxes as pictures.")
@click.option("--dicom-out", type=FilePath(), help="Folder for a Structured Report and presentation states (DICOM).")
@click.option("--dicom", metavar="KINDS", help="Of --dicom-out: sr, gsps or both (default: sr,gsps).")
@click.option("--out", type=_FILE, help="File of JSON lines; a killed call goes on there.")
@pool_option
@lake_option
@json_option
def predict(images: tuple[Path, ...], lake_root: Path | None, as_json: bool, **wish: Any) -> None:
    """Predict pathologies of chest radiographs.

    IMAGES are DICOM, PNG or JPEG files, and folders of them. Films of one study are read together. What is no sound
    chest film gets a reason and no number; nothing is stored. Exit code 1 where no study got an answer. Research, not
    for diagnosis.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.processes.progress import Progress
    from radia_pipeline.usecases.answer_text import as_text, counts_text
    from radia_pipeline.usecases.predict import predict as answer_for
    from radia_pipeline.usecases.predict import predict_into

    progress = Progress()
    out = wish.pop("out")
    given = {name: value for name, value in wish.items() if value is not None}
    try:
        lake = Lake.open(lake_root, create=False)
        if out is None:
            answer = answer_for(list(images), lake, on_progress=progress, **given)
        else:
            answer = predict_into(out, list(images), lake, on_progress=progress, **given)
    finally:
        progress.close()
    print_result(answer, as_text(answer) if out is None else counts_text(answer), as_json)
    if not answer["counted"]["answered"]:
        raise click.exceptions.Exit(1)

"""``radia forget``."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result


@click.command()
@click.argument("patient_keys", nargs=-1, required=True)
@lake_option
@json_option
def forget(patient_keys: tuple[str, ...], lake_root: Path | None, as_json: bool) -> None:
    """Remove patients for good (Law 25).

    Pixels, rows in all versions, packed data, predictions and review marks go. PATIENT_KEYS are keyed hashes, as in the
    tables' column patient_key. What cannot be reached is listed.
    """
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.forget import as_text, forget_patients

    result = forget_patients(patient_keys, Lake.open(lake_root, create=False))
    print_result(vars(result), as_text(result), as_json)

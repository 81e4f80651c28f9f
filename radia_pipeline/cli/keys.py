"""``radia keys``: the key under which a lake's pseudonyms are made."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result


@click.group()
def keys() -> None:
    """Rotate the pseudonym key of a lake."""


@keys.command("rotate")
@lake_option
@json_option
def rotate(lake_root: Path | None, as_json: bool) -> None:
    """Give every patient, study and image an id of a new key.

    Pools stay. RADIA_PSEUDONYM_KEY is the lake's key, RADIA_NEW_PSEUDONYM_KEY the one that follows. Back the lake up
    first and stop what works on it. Killed, the same command continues. Afterwards RADIA_PSEUDONYM_KEY is the new key
    everywhere.
    """
    from radia_pipeline.errors import BadInput
    from radia_pipeline.lake.keys import DEMO_KEY, KEY_VARIABLE, NEW_KEY_VARIABLE, Pseudonymizer
    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.usecases.rotation import rotate as rotate_key

    new = Pseudonymizer.named(NEW_KEY_VARIABLE)
    if new is None:
        raise BadInput(
            f"{NEW_KEY_VARIABLE} is not set",
            accepted="the new key, 16 characters or more",
            do="draw one (`openssl rand -hex 32`), put it into the vault, then into the environment",
        )
    old = Pseudonymizer.named(KEY_VARIABLE) or Pseudonymizer(DEMO_KEY)
    found = rotate_key(Lake.open(lake_root, create=False), old, new)
    text = (
        f"Key {found.before[:12]}… gave way to {found.after[:12]}…: {found.ids} ids, {found.tables} tables, "
        f"{found.versions} earlier versions and {found.pictures} pictures bear new names; {found.deleted} earlier "
        "versions were deleted, and what is derived.\nLedgers and readings are as they were; their old ids are mapped. "
        f"Set {KEY_VARIABLE} to the new key everywhere, keep both in the vault, and make a backup."
    )
    print_result(asdict(found), text, as_json)

"""``radia automation``: what a lake does by itself, and switching it on and off."""

from __future__ import annotations

from pathlib import Path

import click

from radia_pipeline.cli.options import json_option, lake_option
from radia_pipeline.cli.output import print_result

_NAME = click.argument("name")


@click.group()
def automation() -> None:
    """Say what runs by itself, start or stop it."""


@automation.command("list")
@lake_option
@json_option
def listed(lake_root: Path | None, as_json: bool) -> None:
    """Say what there is, what it does and whether it is on."""
    from radia_pipeline.defs.switches import as_text, switches
    from radia_pipeline.lake.lake import Lake

    found = switches(Lake.open(lake_root, create=False))
    print_result({"automation": [vars(one) for one in found]}, as_text(found), as_json)


@automation.command("start")
@_NAME
@lake_option
@json_option
def start(name: str, lake_root: Path | None, as_json: bool) -> None:
    """Switch one on; it acts while Dagster runs (`radia ui`)."""
    _switch(name, True, lake_root, as_json)


@automation.command("stop")
@_NAME
@lake_option
@json_option
def stop(name: str, lake_root: Path | None, as_json: bool) -> None:
    """Switch one off; what it has started goes on."""
    _switch(name, False, lake_root, as_json)


def _switch(name: str, is_on: bool, lake_root: Path | None, as_json: bool) -> None:
    from radia_pipeline.defs.switches import switch
    from radia_pipeline.lake.lake import Lake

    switch(Lake.open(lake_root, create=False), name, is_on)
    print_result({"name": name, "is_on": is_on}, f"{name} is {'on' if is_on else 'off'}.", as_json)

"""Options that several commands of ``radia`` share, and choices whose names stand in a table of the domain.

No command is defined here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object] | click.Command)


class FilePath(click.Path):
    """A path that somebody gave; an empty one is refused, which would mean the folder where the command runs."""

    def __init__(self, **kinds: bool) -> None:
        super().__init__(path_type=Path, **kinds)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or raise click's usage error."""
        if not os.fspath(value):
            self.fail("the path is empty; was a variable in the command not set? The folder here is written as .")
        return super().convert(value, param, ctx)


lake_option = click.option(
    "--lake",
    "lake_root",
    type=FilePath(),
    default=None,
    help="Folder of the lake (default: $RADIA_LAKE, else .radia/lake).",
)
demo_lake_option = click.option(
    "--lake",
    "lake_root",
    type=FilePath(),
    default=Path(".radia/demo"),
    show_default=True,
    help="Folder of the lake.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object last on standard output.")
sources_option = click.option(
    "--source", "sources", multiple=True, help="Only this source; may be given several times."
)


pool_option = click.option(
    "--pool", "pool_address", metavar="ADDRESS", help="Where files are worked on: local, or a Ray cluster."
)


class OneOf(click.ParamType):
    """One name of a table that the domain keeps; it is looked up when the command runs or its own help is shown."""

    name = "choice"

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        self._names = names

    def _choice(self) -> click.Choice:
        return click.Choice(tuple(self._names()))

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """Return the names as ``--help`` shows them."""
        return self._choice().get_metavar(param, ctx)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name, or raise click's usage error, which lists the table."""
        return self._choice().convert(value, param, ctx)


def _ocr_modes() -> Iterable[str]:
    from radia_pipeline.privacy.policy import OCR_MODES

    return OCR_MODES


def ocr_option(default: str | None, text: str) -> Callable[[Command], Command]:
    """Return the option ``--ocr``; without a default the lake's own setting holds."""
    return click.option("--ocr", type=OneOf(_ocr_modes), default=default, show_default=default is not None, help=text)

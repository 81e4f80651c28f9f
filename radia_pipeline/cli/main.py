"""The command ``radia``: its group, its errors and its exit codes. A command is a file of this folder, not a line here.

Exit code 0: done (also with quarantine); 1: the answer is no, or the run failed; 2: bad usage or input. With ``--json``
the last line of standard output is one JSON object; an error is ``{"error": …}``.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import warnings
from pathlib import Path
from typing import Any, TextIO

import click

from radia_pipeline import __version__, cli
from radia_pipeline.cli.output import print_json
from radia_pipeline.errors import RadiaError
from radia_pipeline.processes.progress import say

NOT_COMMANDS = {"main", "options", "output", "review_queue"}
"""Modules of this folder that define no command, or one of a group; every other defines the command of its name."""


class Folder(click.Group):
    """The commands of this folder: ``radia NAME`` is ``NAME`` in ``NAME.py``, imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the files."""
        found = {module.name for module in pkgutil.iter_modules(cli.__path__)} - NOT_COMMANDS
        return sorted(found | set(super().list_commands(ctx)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command, None where no file bears its name."""
        if cmd_name not in self.commands and cmd_name in self.list_commands(ctx):
            module = importlib.import_module(f"{cli.__name__}.{cmd_name}")
            self.add_command(getattr(module, cmd_name), cmd_name)
        return super().get_command(ctx, cmd_name)


@click.group(cls=Folder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="radia")
def radia() -> None:
    """From de-identified chest radiographs and French reports to a pathology detector."""


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show our own warnings as a sentence; those of libraries are for developers (RADIA_DEBUG=1)."""
    if category.__module__.startswith("radia_pipeline") or os.environ.get("RADIA_DEBUG"):
        say(f"Note: {message}")


def _error_code(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Return exit code and JSON form of an error; nothing but our own words is shown of unexpected ones."""
    if isinstance(error, RadiaError):
        return error.exit_code, {"error": str(error), "kind": error.kind}
    if isinstance(error, click.ClickException):
        return 2, {"error": error.format_message(), "kind": "Usage"}
    if isinstance(error, KeyboardInterrupt | click.exceptions.Abort):
        return 1, {"error": "Stopped; what was published is intact, and the same command continues", "kind": "Stopped"}
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else "unknown place"
    text = f"Unexpected {type(error).__name__} at {where}. Do: run again with RADIA_DEBUG=1 and report it"
    return 1, {"error": text, "kind": "Unexpected"}


def _report(error: BaseException, as_json: bool) -> int:
    """Say what went wrong, on standard output as JSON or on standard error in words; returns the exit code."""
    code, content = _error_code(error)
    if as_json:
        print_json(content)
        return code
    say(f"Error: {content['error']}")
    if isinstance(error, click.UsageError) and error.ctx is not None:
        say(f"Try: {error.ctx.command_path} --help")
    return code


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    warnings.showwarning = _show_warning
    try:
        code = radia.main(arguments, prog_name="radia", standalone_mode=False)
        return code if isinstance(code, int) else 0  # click hands back what Exit asked for
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit:
        raise
    except BaseException as error:
        if os.environ.get("RADIA_DEBUG") and not isinstance(error, RadiaError | click.ClickException):
            raise
        return _report(error, "--json" in arguments)


if __name__ == "__main__":
    sys.exit(main())

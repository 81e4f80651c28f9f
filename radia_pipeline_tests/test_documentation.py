"""README and guides: every command in them is one that the tool takes, and every link leads somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from radia_pipeline.cli.main import radia

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "SECURITY.md"]
FENCE = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")


def commands(page: Path) -> list[str]:
    """Return the shell commands of a page's bash blocks, one a line."""
    lines = [line.strip() for block in FENCE.findall(page.read_text(encoding="utf-8")) for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


ALL = [command for page in PAGES for command in commands(page)]


def test_the_documentation_has_commands_and_all_of_a_known_kind():
    assert len(ALL) >= 20
    assert {command.split()[0] for command in ALL} <= {"radia", "make", "export"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("command", sorted({command for command in ALL if command.startswith("make")}))
def test_make_targets_exist(command):
    done = subprocess.run(["make", "-n", *shlex.split(command)[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_command_of_the_tool_says_what_it_does():
    context = click.Context(radia)
    assert all(radia.get_command(context, name).help for name in radia.list_commands(context))


@pytest.mark.parametrize("command", sorted({command for command in ALL if command.startswith("radia")}))
def test_commands_are_such_as_the_tool_takes(command, tmp_path, monkeypatch):
    """Sub-commands, options and arguments in the documentation exist; click raises UsageError where one does not."""
    found, rest, context = radia, shlex.split(command)[1:], None
    monkeypatch.chdir(tmp_path)
    for word in rest:
        if re.fullmatch(r"\w[\w/-]*\.\w+", word):  # a file that a command before has written
            (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / word).touch()
    while isinstance(found, click.Group):
        context = found.make_context(found.name, list(rest), parent=context)
        if found.invoke_without_command and not [*context._protected_args, *context.args]:
            return  # a group that does something by itself
        name, found, rest = found.resolve_command(context, [*context._protected_args, *context.args])
    parsed = found.make_context(name, list(rest), parent=context)
    assert parsed.command is found

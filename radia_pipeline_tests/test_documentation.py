"""README and guides: every command in them is run, in their order, on a small phantom; every link leads somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
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
    from radia_pipeline.cli import cli

    assert all(command.help for command in cli.commands.values())


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Return a folder with what the pages speak of: deliveries, reports.csv, image.dcm."""
    folder = tmp_path_factory.mktemp("documentation")
    code = (
        "from radia_pipeline.phantom.write import write_phantom\n"
        "write_phantom('deliveries', seed=5, patients={'ccsmtl': 60, 'nih_cxr14': 50}, size_px=128, workers=1)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    shutil.copy(folder / "deliveries" / "ccsmtl" / "reports.csv", folder)
    sizes = {path: path.stat().st_size for path in (folder / "deliveries" / "ccsmtl" / "dicom").rglob("*.dcm")}
    shutil.copy(max(sizes, key=sizes.__getitem__), folder / "image.dcm")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_command_of_the_documentation_runs(workspace):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("RADIA_LAKE", None)
    ran = 0
    for command in dict.fromkeys(command for command in ALL if not command.startswith("make")):
        if command.startswith("export "):
            name, value = shlex.split(command)[1].split("=", 1)
            environment[name] = value
            continue
        done = subprocess.run(
            shlex.split(command), cwd=workspace, env=environment, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-800:]}\n{done.stderr[-2000:]}"
        ran += 1
    assert ran >= 15

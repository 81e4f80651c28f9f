"""``docs/how_to.md`` is true: its changes are made in a copy of the repository, and what it says is run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from radia_pipeline_tests.test_explains_itself import ROOT

PAGE = ROOT / "docs" / "how_to.md"
COPIED = ("radia_pipeline", "radia_pipeline_tests", "data_contracts", "docs", "pyproject.toml")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
TASKS = (
    "dataset",
    "class",
    "cue",
    "saliency method",
    "metric",
    "reason",
    "column",
    "check",
    "option",
    "command",
    "schedule",
    "language",
)
MAIN = "from radia_pipeline.cli.main import main; main()"
HELP = '''
import tempfile
from pathlib import Path

lake = Path(tempfile.mkdtemp()) / "lake"


def write_town() -> Path:
    """Write three films with their table in the layout of the dataset that the page invents."""
    folder = Path(tempfile.mkdtemp())
    (folder / "films").mkdir()
    rows = ["film,study,patient,view,Cardiomegaly,Pneumothorax"]
    for number, values in enumerate(("1,0", "0,", "-1,0")):
        (folder / "films" / f"f{number}.png").write_bytes(b"not opened here")
        rows.append(f"f{number}.png,s{number},p{number},PA,{values}")
    (folder / "town.csv").write_text("\\n".join(rows) + "\\n")
    return folder
'''


def sections() -> dict[str, list[tuple[str, str]]]:
    """Return heading → (kind, content) of its blocks, in their order."""
    _, *parts = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return {part.partition("\n")[0]: BLOCK.findall(part) for part in parts}


def blocks(*kinds: str) -> list[tuple[str, str]]:
    return [(kind, content) for found in sections().values() for kind, content in found if kind in kinds]


@pytest.mark.parametrize("task", TASKS)
def test_each_change_has_a_section_with_something_that_is_run(task):
    (heading,) = [heading for heading in sections() if re.search(rf"\b{task}\b", heading.split(":")[0])]
    assert {kind for kind, _ in sections()[heading]} & {"python", "sh"}


def test_every_place_that_the_table_names_is_changed_in_its_section():
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[[^\]]+\]\(#([\w-]+)\) \|(.*)\|$", page, flags=re.M)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-"): heading for heading in sections()}
    assert len(rows) == len(TASKS)
    for anchor, words in rows:
        made = "\n".join(content for kind, content in sections()[anchors[anchor]] if kind in ("diff", "sh"))
        places = re.findall(r"`([\w./]+)`", words)
        assert places, anchor
        for place in places:
            # of a folder that is copied the command says where it is and what is copied there
            folder, _, name = place.rstrip("/").rpartition("/")
            assert place in made or (folder in made and name in made), (anchor, place)


@pytest.fixture(scope="module")
def changed(tmp_path_factory) -> Path:
    """Return a copy of what the changes touch, with all of them made."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    copy = tmp_path_factory.mktemp("changed")
    for name in COPIED:
        one = ROOT / name
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(
            one, copy / name, ignore=shutil.ignore_patterns("__pycache__")
        ) if one.is_dir() else shutil.copy(one, copy / name)
    for kind, content in blocks("diff", "sh"):
        if kind == "diff":
            command = ["git", "apply", "--whitespace=nowarn", "-"]
            done = subprocess.run(command, cwd=copy, input=content, text=True, capture_output=True)
            assert done.returncode == 0, f"{done.stderr}\n{content}"
            continue
        for line in content.splitlines():
            command = ["radia", *line.split()[1:]] if line.startswith("radia ") else ["bash", "-euc", line]
            done = run(MAIN, copy, *command[1:]) if command[0] == "radia" else subprocess.run(command, cwd=copy)
            assert done.returncode == 0, f"{line}\n{done.stderr}"
    return copy


def run(code: str, copy: Path, *words: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *words],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )


def test_what_it_says_of_the_changes_holds_once_they_are_made(changed):
    said = [content for _, content in blocks("python")]
    done = run("\n".join([HELP, *said]), changed)
    assert done.returncode == 0, done.stderr[-2000:]


def test_nothing_of_it_holds_before():
    """Each piece fails on the repository as it is: what it asserts is the change's doing."""
    each = """
for said in sys.argv[1:]:
    try:
        exec(said)
    except Exception:
        continue
    print(said)
"""
    pieces = [content for _, content in blocks("python")]
    done = run(f"import sys\n{HELP}\n{each}", ROOT, *pieces)
    assert (done.returncode, done.stdout, len(pieces)) == (0, "", 11), done.stdout + done.stderr[-1000:]


COMPLAIN = (
    "contracts/test_tables.py",
    "defs/test_automation.py::test_what_costs_is_off_in_a_new_lake_and_everything_is_described",
    "evaluation/test_class_figures.py::test_every_figure_has_an_oracle",
    "sources/test_deliveries.py::test_every_adapter_has_a_sheet_and_every_sheet_an_adapter",
    "training/test_choices.py",
)
"""Tests that fail where a change of these kinds is not whole."""


def test_nothing_is_missing_of_the_changes(changed):
    places = [f"radia_pipeline_tests/{one}" for one in COMPLAIN]
    done = run(
        "import pytest, sys; sys.exit(pytest.main(sys.argv[1:]))", changed, "-q", "-p", "no:cacheprovider", *places
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_every_python_file_of_a_change_is_in_style(changed):
    command = [sys.executable, "-m", "ruff", "check", "--config", ROOT / "pyproject.toml", "radia_pipeline"]
    done = subprocess.run(command, cwd=changed, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]

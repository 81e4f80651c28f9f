"""The repository explains itself: every file, page and module that its pages, comments and docstrings name is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from radia_pipeline_tests.naming import ROOT, absent_modules, absent_neighbours, absent_paths, texts

KINDS = ("*.py", "*.md", "*.yaml", "*.toml", "results/*.json", "Makefile", ".ci/*")
WRITTEN = sorted(
    path
    for kind in KINDS
    for path in ROOT.rglob(kind)
    if path.is_file() and not any(part in (".venv", ".radia", ".git") for part in path.relative_to(ROOT).parts)
)
PACKAGE = sorted((ROOT / "radia_pipeline").rglob("*.py"))


def test_there_is_something_to_look_at():
    assert len(WRITTEN) > 300


@pytest.mark.parametrize("folder", sorted({path.relative_to(ROOT).parts[0] for path in WRITTEN}))
def test_what_is_named_lies_in_the_repository(folder):
    files = [path for path in WRITTEN if path.relative_to(ROOT).parts[0] == folder]
    absent = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in files
        for text in texts(path)
        for name in (*absent_paths(text, path), *absent_modules(text, path))
    }
    assert absent == set()


def test_the_head_of_a_module_sends_nobody_to_a_module_that_is_gone():
    absent = {(path.relative_to(ROOT).as_posix(), name) for path in PACKAGE for name in absent_neighbours(path)}
    assert absent == set()


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("as docs/gone.md says", ["docs/gone.md"]),
        ("see GONE.md", ["GONE.md"]),
        ("what lies in ``ship/`` is for production", ["ship/"]),
        ("chosen by ``benchmarks/gone.py``", ["benchmarks/gone.py"]),
        ("any of data_contracts/sources/<source>_gone.yaml", ["data_contracts/sources/<source>_gone.yaml"]),
        ("``lake.gone`` and ``cohort.splits.gone_function`` do it", ["lake.gone", "cohort.splits.gone_function"]),
        ("docs/ingest.md, README.md, data_contracts/<table>.yaml, benchmarks/, test_generated.py", []),
        ("``lake.lake.Lake``, ``_versions/``, ``NAME.py``, 3/4 of them, and/or, km/h", []),
    ],
)
def test_planted_names_are_told_apart(text, absent):
    place = Path(__file__)
    assert [*absent_paths(text, place), *absent_modules(text, place)] == absent


def test_a_head_that_names_a_lost_neighbour_is_seen(tmp_path):
    (tmp_path / "here.py").write_text(
        '"""Sums. What does not belong here: drawing (``drawing``), rows (``lost``)."""\n'
    )
    assert list(absent_neighbours(tmp_path / "here.py")) == ["lost"]

"""Tests begin in an order that keeps every core busy, and what shares something dear stays in one process."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from radia_pipeline_tests.order import FIRST, QUICK_BUT_FOR_SLOW, TOGETHER, is_long, piece_of, place_of

TESTS = Path(__file__).parent


def session_fixtures() -> Iterator[tuple[Path, str]]:
    """Yield folder and name of what the tests below it share for a whole session, but for what is read from a disk."""
    for conftest in TESTS.glob("*/**/conftest.py"):
        for node in ast.parse(conftest.read_text(encoding="utf-8")).body:
            words = [ast.unparse(one) for one in getattr(node, "decorator_list", ())]
            if any("scope='session'" in word and "autouse" not in word for word in words):
                yield conftest.parent, node.name


def users(folder: Path, name: str) -> set[str]:
    """Return the files below a folder in which a test or a fixture asks for this one."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and name in {one.arg for one in node.args.args}:
                found.add(path.relative_to(TESTS).as_posix())
    return {path for path in found if Path(path).name.startswith("test_")}


@pytest.mark.parametrize(("folder", "name"), [pytest.param(*one, id=one[1]) for one in session_fixtures()])
def test_those_who_share_something_for_a_session_are_one_piece(folder, name):
    found = users(folder, name)
    assert len({piece_of(path) for path in found}) == 1, found


def test_every_piece_that_is_named_is_there():
    named = {*FIRST, *TOGETHER, *TOGETHER.values()}
    assert [name for name in named if not (TESTS / name).exists()] == []
    assert set(FIRST) > QUICK_BUT_FOR_SLOW
    assert len(FIRST) == len(set(FIRST)) and set(FIRST) <= {piece_of(name) for name in FIRST}


def test_the_longest_begin_first_and_a_file_stays_whole():
    names = [
        f"radia_pipeline_tests/{name}::test_{one}" for name in ("cli/test_main.py", FIRST[1], FIRST[0]) for one in "ab"
    ]
    assert [place_of(name) for name in names] == [len(FIRST), len(FIRST), 1, 1, 0, 0]
    assert piece_of("radia_pipeline_tests/review/page/test_canvas.py::test_a[1]") == "review/"


def test_tests_of_long_pieces_are_left_to_the_full_run_and_those_of_quick_ones_are_not(request):
    assert is_long("radia_pipeline_tests/review/page/test_canvas.py::test_a")  # of a folder that shares a browser
    assert not is_long("radia_pipeline_tests/dicom/test_ingest.py::test_a")
    assert not is_long("radia_pipeline_tests/test_order.py::test_a")
    marked = {bool(item.get_closest_marker("long")) == is_long(item.nodeid) for item in request.session.items}
    assert marked == {True}

"""Doors or nothing: no code that only tests call, no piece of code that stands twice; or it is listed with a reason."""

from __future__ import annotations

import ast
import functools
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pylint.checkers.symilar import Symilar
from vulture import Vulture

from radia_pipeline.reports.sentence.reader import HANDLERS

ROOT = Path(__file__).resolve().parents[1]
CALLERS = ("radia_pipeline", "benchmarks", "radia_pipeline_tests/generated.py", "radia_pipeline_tests/graph_picture.py")
"""Who may call what the package defines; tests do not count."""
BY_DECORATOR = (
    "@*.command",
    "@atexit.register",
    "@click.command",
    "@click.group",
    "@dg.*",
    "@field_validator",
    "@model_serializer",
    "@model_validator",
)
"""What a framework calls."""
BY_DAGSTER = frozenset(
    {
        "ProcessRunLauncher",
        "config_type",
        "from_config_value",
        "launch_run",
        "supports_check_run_worker_health",
        "check_run_worker_health",
    }
)
"""What Dagster calls of the launcher that its settings name."""
BY_PYTEST = frozenset(
    {
        "pytest_runtest_logfinish",
        "pytest_runtest_logreport",
        "pytest_runtest_logstart",
        "pytest_runtest_setup",
        "pytest_runtest_teardown",
    }
)
"""What pytest calls of a plugin."""
BY_NAME = re.compile(r"(?:.*:)?([A-Za-z_]\w*)(?:\.\w+)?")
"""A string that a table or a worker looks something up by: ``name`` or ``module:name``."""
SURE, LIKELY = 80, 60
"""Vulture's confidence in per cent: of imports, arguments and code that cannot be reached; of everything else."""
UNUSED: dict[str, str] = {}
"""Names that vulture is sure nobody uses, and why they stand."""
WAITING: dict[str, str] = {
    "__getattr__": "Python calls it for the package's public names",
    "__dir__": "Python calls it for the package's public names",
    "apply_to_bboxes": "albumentations calls it, as the next",
    "get_params_dependent_on_data": "a transform of ours draws here",
    "detect_array": "the detector's ONNX file without torch, for whoever serves it; the round trip is tested",
    "f1_interval": "the interval of an F1 on a weighted set, beside those of AUC and of shares",
    "version_by_alias": "answering by the champion instead of the lake's latest ensemble",
}
"""Functions, methods and classes without a caller, and what they wait for."""
TWICE: dict[frozenset[str], str] = {}
"""Pairs of modules with eight equal lines, and why they are better so."""
AT_MOST = 10


@functools.cache
def looked_at(*paths: str) -> Vulture:
    """Return vulture after it has read these files and folders."""
    finder = Vulture(ignore_decorators=list(BY_DECORATOR))
    finder.scavenge(paths)
    return finder


def unused(paths: list[str], confidence: int) -> dict[str, str]:
    """Return name -> place of what vulture finds unused in these files."""
    code = ("class", "function", "method", "property")
    return {
        item.name: f"{Path(item.filename).name}:{item.first_lineno}"
        for item in looked_at(*paths).get_unused_code(min_confidence=confidence)
        if confidence == SURE or item.typ in code
    }


def named_in_strings(folder: Path) -> set[str]:
    """Return the names that stand in string constants: whatever is called by one of these has a caller."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py"))
    texts = {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {found[1] for text in texts if (found := BY_NAME.fullmatch(text))}


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a module, those of its classes, and those within them."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from functions_of(node)


def without_imports_and_signatures(text: str) -> list[str]:
    """Return a module's lines, those of imports empty, and those of each function up to its first statement, too.

    As pylint does by astroid, in a thirtieth of the time.
    """
    tree, lines = ast.parse(text), text.splitlines(keepends=True)
    spans = [(one.lineno, one.end_lineno) for one in ast.walk(tree) if isinstance(one, ast.Import | ast.ImportFrom)]
    for one in functions_of(tree):
        said = one.body[1:] if ast.get_docstring(one, clean=False) is not None else one.body
        first = min(part.lineno for part in (one, *one.decorator_list))
        spans.append((first, said[0].lineno - 1 if said else one.end_lineno))
    for first, last in spans:
        lines[first - 1 : last] = ["\n"] * (last - first + 1)
    return lines


def pairs_of_clones(folder: Path) -> set[frozenset[str]]:
    """Return the pairs of modules that share eight lines or more (pylint wants one fewer); imports, comments,
    docstrings and signatures do not count."""
    finder = Symilar(min_lines=7, ignore_comments=True, ignore_docstrings=True)
    for path in sorted(folder.rglob("*.py")):
        lines = without_imports_and_signatures(path.read_text(encoding="utf-8"))
        finder.append_stream(
            ".".join(path.relative_to(folder.parent).with_suffix("").parts), io.StringIO("".join(lines))
        )
    return {frozenset(lines.name for lines, *_ in alike) for _, alike in finder._compute_sims()}


@pytest.fixture(scope="module")
def callers() -> list[str]:
    return [str(ROOT / name) for name in CALLERS]


def test_nothing_is_surely_unused_but_what_is_listed(callers):
    assert unused(callers, SURE).keys() == UNUSED.keys()
    assert len(UNUSED) <= AT_MOST


def test_every_function_has_a_caller_or_a_reason_to_wait(callers):
    """The reader of reports calls its handlers by the kinds of the rules, commands are called by their file's name."""
    called = named_in_strings(ROOT / "radia_pipeline")
    called |= {path.stem for path in (ROOT / "radia_pipeline" / "cli").glob("*.py")}
    called |= {handler.__name__ for handler in HANDLERS if handler is not None} | BY_DAGSTER | BY_PYTEST
    found = {name: place for name, place in unused(callers, LIKELY).items() if name not in called}
    assert {name: found[name] for name in found.keys() - WAITING.keys()} == {}
    assert len(WAITING) <= AT_MOST


def test_what_waits_is_there():
    package = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "radia_pipeline").rglob("*.py"))
    assert [name for name in WAITING if f"def {name}(" not in package] == []


@pytest.mark.slow
def test_nothing_stands_twice_but_what_is_listed():
    assert pairs_of_clones(ROOT / "radia_pipeline") == set(TWICE)
    assert len(TWICE) <= AT_MOST


def test_a_planted_function_without_a_caller_is_seen(tmp_path):
    (tmp_path / "a.py").write_text(
        "import os\n\n\ndef called():\n    return 1\n\n\ndef alone():\n    return called()\n"
    )
    assert unused([str(tmp_path)], LIKELY) == {"alone": "a.py:8"}
    assert unused([str(tmp_path)], SURE) == {"os": "a.py:1"}


def test_a_planted_clone_is_seen(tmp_path):
    text = "\n".join(f"value_{number} = compute(value_{number}, {number})" for number in range(8)) + "\n"
    package = tmp_path / "planted"
    package.mkdir()
    for name in ("__init__", "a", "b", "c"):
        (package / f"{name}.py").write_text({"a": text, "b": "x = 1\n" + text}.get(name, ""))
    assert pairs_of_clones(package) == {frozenset({"planted.a", "planted.b"})}

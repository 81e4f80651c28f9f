"""The rules of the house, proved module by module over the import graph of the package."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import radia_pipeline
from radia_pipeline_tests.imports import circles, graph_of, imported_names, modules_of

ROOT = Path(__file__).resolve().parents[1]

PACKAGE = Path(radia_pipeline.__file__).parent
TESTS = Path(__file__).parent
HOUSE = (
    "definitions", "cli", "defs", "review", "pages", "usecases", "monitoring", "detection", "localisation", "readings",
    "evaluation", "training", "cohort", "labels", "reports", "dicom", "privacy", "sources", "drawing", "phantom",
    "tracking", "servers", "processes", "lake", "contracts", "errors",
)  # fmt: skip
"""From the top down: each may import those that stand after it."""
ONLY = {"phantom": {"contracts"}, "lake": {"contracts"}}
"""Packages that may import less than all below them; ``errors`` is open to everybody."""
AT_THE_ROOT = {"__init__.py", "definitions.py", "errors.py"}
FRAMEWORKS = {
    "dagster": "defs",
    "dagster_pipes": "defs",
    "mlflow": "tracking",
    "fastapi": "review",
    "starlette": "review",
    "uvicorn": "servers",
    "ray": "processes",
}
"""Each framework and the one package that knows it."""
ONLY_THERE = {
    "pickle": set(),
    "multiprocessing": {"phantom.write", "defs.training"},
    "subprocess.Popen": {"processes.children"},
    "concurrent.futures.ProcessPoolExecutor": {"phantom.write"},
    "all_gather_object": set(),
    "broadcast_object_list": set(),
    "os.fork": {"processes.worker"},
    "os.killpg": {"processes.children"},
    "fcntl": {"lake.atomic"},
}
"""Processes are started and ended in one way and nothing that arrives is unpickled. The phantom may know contracts
alone, and its workers read nothing of strangers; Dagster's step asks who its parent is."""
TRAINING_NEEDS = {
    "torch",
    "timm",
    "numpy",
    "pyarrow",
    "albumentations",
    "cv2",
    "scipy",
    "sklearn",
    "yaml",
    "pydantic",
    "safetensors",
    "optuna",
    "PIL",
    "torchvision",
    "torchmetrics",
}
HEAVY = ("torch", "timm", "albumentations", "mlflow", "cv2", "sklearn", "rapidocr", "onnxruntime", "spellchecker")


def room_of(module: str) -> str | None:
    """Return the package (or loose module) that a module lies in; None for the house's own ``__init__``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def upward(graph: dict[str, set[str]]) -> list[str]:
    """Return every import that does not point down the house."""
    found = []
    for module, imported in sorted(graph.items()):
        for other in sorted(imported):
            here, there = room_of(module), room_of(other)
            if here is None or there is None or here == there:
                continue
            allowed = ONLY.get(here, set(HOUSE[HOUSE.index(here) + 1 :])) | {"errors"}
            if there not in allowed:
                found.append(f"{module} imports {other}")
    return found


def strangers(package: Path) -> list[str]:
    """Return what lies at the package's root and does not belong there."""
    files = {path.name for path in package.glob("*.py")} - AT_THE_ROOT
    rooms = {path.parent.name for path in package.glob("*/__init__.py")} - set(HOUSE)
    return sorted(files | rooms)


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return graph_of(PACKAGE)


def test_no_two_modules_import_each_other(graph):
    assert circles(graph) == []


def test_imports_point_down_the_house(graph):
    assert upward(graph) == []


def test_nothing_is_loose_at_the_root():
    assert strangers(PACKAGE) == []


@pytest.mark.parametrize(("framework", "room"), FRAMEWORKS.items())
def test_each_framework_is_known_in_one_package(framework, room):
    knowing = {
        room_of(module)
        for module, path in modules_of(PACKAGE).items()
        if framework in {name.split(".")[0] for name in imported_names(path, module)}
    }
    assert knowing <= {room}


@pytest.mark.parametrize(("name", "rooms"), ONLY_THERE.items())
def test_each_way_to_another_process_is_known_where_it_belongs(name, rooms):
    modules = modules_of(PACKAGE).items()
    knowing = {module for module, path in modules if name in imported_names(path, module)}
    calling = {module for module, path in modules if f"{name}(" in path.read_text(encoding="utf-8")}
    assert {module.removeprefix(f"{PACKAGE.name}.") for module in knowing | calling} == rooms


def test_training_needs_no_more_than_a_bare_gpu_machine_has():
    for module, path in modules_of(PACKAGE / "training").items():
        used = {name.split(".")[0] for name in imported_names(path, module)} - set(sys.stdlib_module_names)
        assert used <= TRAINING_NEEDS | {"radia_pipeline"}, module


def plant(tmp_path: Path, files: dict[str, str]) -> Path:
    """Return a small package named as ours with these files (path -> text)."""
    package = tmp_path / "radia_pipeline"
    for name, text in {"__init__.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(text)
    return package


def test_a_planted_circle_is_seen(tmp_path):
    files = {
        "lake/a.py": "from radia_pipeline.lake import b\n",
        "lake/b.py": "def f():\n    from radia_pipeline.lake.c import x\n",
        "lake/c.py": "from . import a\nx = 1\n",
    }
    names = [f"radia_pipeline.lake.{name}" for name in "abc"]
    assert circles(graph_of(plant(tmp_path, files))) == [names]


@pytest.mark.parametrize(
    "text",
    [
        "from radia_pipeline.cohort.b import x\n",
        "def f():\n    from radia_pipeline.cohort import b\n",
        "import radia_pipeline.cohort.b\n",
        "from ..cohort import b\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from radia_pipeline.cohort.b import x\n",
    ],
)
def test_a_planted_upward_import_is_seen(tmp_path, text):
    graph = graph_of(plant(tmp_path, {"lake/a.py": text, "cohort/b.py": "x = 1\n"}))
    assert upward(graph) == ["radia_pipeline.lake.a imports radia_pipeline.cohort.b"]


def test_the_phantom_may_know_contracts_alone(tmp_path):
    files = {"phantom/a.py": "from radia_pipeline.lake import b\n", "lake/b.py": "", "contracts/c.py": ""}
    assert upward(graph_of(plant(tmp_path, files))) == ["radia_pipeline.phantom.a imports radia_pipeline.lake.b"]


def test_a_planted_loose_module_is_seen(tmp_path):
    assert strangers(plant(tmp_path, {"run.py": "", "utils/a.py": "", "lake/b.py": ""})) == ["run.py", "utils"]


def test_definitions_load_without_heavy_libraries():
    code = (
        "import sys, radia_pipeline.definitions, radia_pipeline.defs.build as d; d.build_defs(); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_definitions_module_stays_small():
    assert len((PACKAGE / "definitions.py").read_text(encoding="utf-8").splitlines()) <= 5


def test_every_module_says_what_belongs_in_it():
    for module, path in modules_of(PACKAGE).items():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{module} has no docstring"


def test_tests_mirror_the_package():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    folders = {path.parent.name for path in TESTS.glob("*/__init__.py")}
    assert packages == folders
    for package in packages:
        assert list((TESTS / package).glob("test_*.py")), f"no tests for {package}"


def test_mypy_judges_every_module_and_each_thing_that_it_overlooks_says_why():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert not [one["module"] for one in table["overrides"] if one.get("ignore_errors")]
    for path in sorted(PACKAGE.rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for above, line in zip(["", *lines], lines):
            if "type: ignore" in line:
                assert re.search(r"# type: ignore\[[a-z-]+\]", line), f"{path.name}: {line}"
                assert line.count("#") > 1 or above.lstrip().startswith("#"), f"{path.name} does not say why: {line}"

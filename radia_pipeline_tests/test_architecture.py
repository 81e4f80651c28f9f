"""DESIGN's rules of the house, proved over the import graph of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import radia_pipeline

PACKAGE = Path(radia_pipeline.__file__).parent
FOUNDATION = ("errors", "contracts", "lake")
CHAIN = (
    ("sources",),
    ("dicom", "reports"),
    ("cohort",),
    ("learning",),
    ("evaluation",),
    ("localisation",),
    ("detection",),
)
DOMAIN = [name for level in CHAIN for name in level] + ["contracts", "lake", "phantom", "review"]
FRAMEWORKS = {"dagster", "dagster_pipes", "mlflow", "fastapi"}
HEAVY = ("torch", "timm", "mlflow", "cv2", "sklearn")


def imports_of(path: Path) -> set[str]:
    """Return every module that a file imports, at its top or inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def package_of(module: str) -> str | None:
    """Return the sub-package (or module) of radia_pipeline that a dotted name lies in."""
    parts = module.split(".")
    return parts[1] if parts[0] == "radia_pipeline" and len(parts) > 1 else None


def files(package: str) -> list[Path]:
    return sorted((PACKAGE / package).rglob("*.py"))


def edges() -> dict[str, set[str]]:
    """Return, for every sub-package, the other sub-packages that it imports."""
    names = [path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    return {
        name: {p for file in files(name) for m in imports_of(file) if (p := package_of(m)) in names and p != name}
        for name in names
    }


@pytest.mark.parametrize("package", DOMAIN)
def test_the_domain_knows_no_framework(package):
    for file in files(package):
        used = {module.split(".")[0] for module in imports_of(file)} & FRAMEWORKS
        if package == "review":
            used -= {"fastapi"}
        assert not used, f"{file.relative_to(PACKAGE)} imports {used}"


def test_only_tracking_imports_mlflow():
    for file in PACKAGE.rglob("*.py"):
        if "mlflow" in {module.split(".")[0] for module in imports_of(file)}:
            assert file.relative_to(PACKAGE).parts[0] == "tracking", file


def test_only_defs_and_definitions_import_dagster():
    for file in PACKAGE.rglob("*.py"):
        if {"dagster", "dagster_pipes"} & {module.split(".")[0] for module in imports_of(file)}:
            assert file.relative_to(PACKAGE).parts[0] in ("defs", "definitions.py"), file


def test_imports_point_one_way_along_the_chain():
    rank = {name: position for position, level in enumerate(CHAIN) for name in level}
    for package, imported in edges().items():
        if package not in rank:
            continue
        for other in imported & rank.keys():
            assert rank[other] < rank[package], f"{package} imports {other}"


def test_foundations_import_no_domain_package():
    graph = edges()
    assert graph["contracts"] == set()
    assert graph["lake"] <= {"contracts"}
    assert graph["phantom"] <= {"contracts"}


def test_there_are_no_circles():
    graph = edges()
    left = dict(graph)
    while left:
        free = [name for name, imported in left.items() if not imported & left.keys()]
        assert free, f"circle among {sorted(left)}"
        for name in free:
            del left[name]


def test_definitions_load_without_heavy_libraries():
    code = (
        "import sys, radia_pipeline.definitions as d; d.build_defs(); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_definitions_module_stays_small():
    assert len((PACKAGE / "definitions.py").read_text(encoding="utf-8").splitlines()) < 60


def test_every_module_says_what_belongs_in_it():
    for file in PACKAGE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))), f"{file} has no docstring"


def test_tests_mirror_the_package():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    folders = {path.parent.name for path in Path(__file__).parent.glob("*/__init__.py")}
    assert packages == folders
    for package in packages:
        assert list((Path(__file__).parent / package).glob("test_*.py")), f"no tests for {package}"

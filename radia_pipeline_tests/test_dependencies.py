"""What is imported is declared; what is declared is imported, or named here with its reason; the lock holds it all."""

from __future__ import annotations

import functools
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from radia_pipeline_tests.imports import imported_names, modules_of

ROOT = Path(__file__).resolve().parents[1]
NOT_IMPORTED = {
    "onnx": "torch writes the detector's ONNX file with it",
    "pylibjpeg": "pydicom compresses the phantom's JPEG 2000 files with it",
    "pylibjpeg-openjpeg": "pylibjpeg's encoder of JPEG 2000",
    "websockets": "uvicorn's web sockets, by which Dagster's page follows a run",
}
"""Dependencies that no module imports, and who needs them."""
TOOLS = {
    "cyclonedx-bom",
    "editables",
    "hatchling",
    "mypy",
    "pandas-stubs",
    "pip-audit",
    "pre-commit",
    "pytest-timeout",
    "ruff",
    "scipy-stubs",
    "types-pyyaml",
    "uv",
}
"""Programs and plug-ins of the extra ``dev``; nobody imports them."""
APART = {"edsnlp", "medspacy", "mlcroissant", "spacy", "torchxrayvision"}
"""What single benchmarks compare with, each in an environment of its own; they say so when it is absent."""
NAMED_OTHERWISE = {"pytorch_grad_cam": "grad-cam"}
"""Modules and the distribution that brings them, where that is not installed and cannot be asked."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def normal(name: str) -> str:
    """Return a distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    return {normal(re.match(r"[\w.-]+", line)[0]) for line in requirements}


NEEDED, DEV = declared(PROJECT["dependencies"]), declared(PROJECT["optional-dependencies"]["dev"])
POSTGRES, RAY = (declared(PROJECT["optional-dependencies"][extra]) for extra in ("postgres", "ray"))


@functools.cache
def imported(folder: str) -> dict[str, set[str]]:
    """Return the distributions that may stand behind each foreign module that a folder's files import."""
    files = modules_of(ROOT / folder)
    local = {"radia_pipeline", "radia_pipeline_tests", *(path.stem for path in (ROOT / "benchmarks").glob("*.py"))}
    tops = {name.split(".")[0] for module, path in files.items() for name in imported_names(path, module)}
    owners = packages_distributions()
    return {
        top: {normal(name) for name in owners.get(top, [NAMED_OTHERWISE.get(top, top)])}
        for top in tops - set(sys.stdlib_module_names) - local - {""}
    }


def test_what_the_package_imports_is_declared():
    strangers = {top for top, owners in imported("radia_pipeline").items() if not owners & (NEEDED | RAY)}
    assert strangers == set(), "declare these under dependencies"


@pytest.mark.parametrize("folder", ["radia_pipeline_tests", "benchmarks"])
def test_what_tests_and_benchmarks_import_is_declared(folder):
    strangers = {top for top, owners in imported(folder).items() if not owners & (NEEDED | DEV | RAY | APART)}
    assert strangers == set(), "declare these in the extra dev"


def test_what_is_declared_is_imported():
    used = set().union(*imported("radia_pipeline").values())
    assert used >= RAY
    assert NEEDED - used == set(NOT_IMPORTED), "take it out, or say here who needs it"
    tried = set().union(*imported("radia_pipeline_tests").values(), *imported("benchmarks").values())
    assert DEV - tried == TOOLS


def test_nothing_is_declared_twice():
    names = [re.match(r"[\w.-]+", line)[0] for line in PROJECT["dependencies"]]
    assert len(names) == len(NEEDED) and not NEEDED & DEV


def test_the_lock_holds_what_is_declared_with_hashes_and_names_no_index():
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = {normal(match[1]) for line in lines if (match := re.match(r"([\w.-]+)==[\w.!+]+( ;.*)? \\$", line))}
    assert pinned >= NEEDED | DEV | POSTGRES | RAY
    assert all(re.match(r"([\w.-]+==| {4}--hash=sha256:)", line) for line in lines)
    assert len(pinned) <= sum(line.strip().startswith("--hash=") for line in lines)

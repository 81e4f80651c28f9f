"""The import graph of a package, module by module, read from its source: what the architecture test holds against.

Imports inside functions count, and so do relative ones and those under ``TYPE_CHECKING``.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Set
from pathlib import Path

Graph = dict[str, set[str]]


def modules_of(package: Path) -> dict[str, Path]:
    """Return every module of a package by its dotted name; a folder's ``__init__`` bears the folder's name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_names(path: Path, module: str) -> frozenset[str]:
    """Return every dotted name that a file imports, with and without the names that it takes from a module."""
    return _imported(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")


@functools.cache
def _imported(text: str, module: str, is_package: bool) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, is_package)
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def _base(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".") if is_package else module.split(".")[:-1]
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def graph_of(package: Path) -> Graph:
    """Return, for every module of a package, the modules of the same package that it imports."""
    modules = modules_of(package)
    return {module: _deepest(imported_names(path, module), modules) - {module} for module, path in modules.items()}


def _deepest(names: Set[str], modules: dict[str, Path]) -> set[str]:
    """Keep the modules among the names; ``from package import module`` means the module, not its package."""
    found = names & modules.keys()
    return {name for name in found if not (modules[name].name == "__init__.py" and _has_inner(name, found))}


def _has_inner(name: str, found: Set[str]) -> bool:
    return any(other.startswith(name + ".") for other in found)


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or not (Tarjan's components of more than one)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            place = stack.index(module)
            component = stack[place:]
            del stack[place:]
            if len(component) > 1:
                found.append(sorted(component))

    for module in sorted(graph):
        if module not in number:
            visit(module)
    return found

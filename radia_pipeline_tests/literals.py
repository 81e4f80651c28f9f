"""The string literals of a module's source: what tests of language hold against."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def literals(source: str) -> Iterator[str]:
    """Yield the string literals of a module that are no docstring, and the fixed parts of its f-strings."""
    tree = ast.parse(source)
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value

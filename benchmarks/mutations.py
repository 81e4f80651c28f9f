"""Where and how a module's source may be changed so that its meaning changes: one place, one change, by operator.

Comparisons, arithmetic, and/or, not, numbers, truth values, opposite names (min/max, any/all, floor/ceil, …),
conditions and statements left out. Left alone: docstrings, annotations, what only type checkers read, what stands in a
raise, and text, since messages are no behaviour that a test should pin. Not here: choosing among changes and
running tests (``mutants``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARED = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
COMBINED = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "/",
    ast.Mod: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.LShift: ">>",
    ast.RShift: "<<",
    ast.Pow: "*",
}
_PAIRS = (
    ("min", "max"),
    ("any", "all"),
    ("argmin", "argmax"),
    ("minimum", "maximum"),
    ("floor", "ceil"),
    ("startswith", "endswith"),
    ("nanmin", "nanmax"),
    ("union", "intersection"),
    ("add", "discard"),
    ("logical_and", "logical_or"),
    ("zeros", "ones"),
    ("cumsum", "cumprod"),
    ("lstrip", "rstrip"),
)
OPPOSITE = {name: other for pair in _PAIRS for name, other in (pair, pair[::-1])}


@dataclass(frozen=True, order=True)
class Mutation:
    """One change of one file: the text from ``start`` to ``end`` (characters) becomes ``new``; ``line`` counts from 1.

    ``inside``: whether it stands in a function, whose lines coverage sees a test run.
    """

    file: str
    line: int
    start: int
    end: int
    old: str
    new: str
    kind: str
    inside: bool

    def applied(self, source: str) -> str:
        """Return the changed source."""
        return source[: self.start] + self.new + source[self.end :]

    @property
    def words(self) -> str:
        """The change for a person: ``file:line: old → new``."""
        return f"{self.file}:{self.line}: {' '.join(self.old.split())} → {' '.join(self.new.split())}"


def mutations_of(path: Path, name: str) -> list[Mutation]:
    """Return every change of a file, in order; ``name``: how the file is called in them. A few give no valid Python."""
    source = path.read_text(encoding="utf-8")
    return sorted(set(_Finder(source, name).found(ast.parse(source))))


class _Finder:
    """Walks a tree and notes changes by the places that its nodes have in the source."""

    def __init__(self, source: str, name: str) -> None:
        self.source, self.name = source, name
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.lines = source.splitlines(keepends=True)

    def _at(self, line: int, column: int) -> int:
        """Return the character that (line from 1, column in UTF-8 bytes) names."""
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def _span(self, node: ast.AST) -> tuple[int, int]:
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def found(self, node: ast.AST, inside: bool = False) -> Iterator[Mutation]:
        for kind, place, new in self._changes(node):
            start, end = place
            old = self.source[start:end]
            if old != new:
                line = self.source.count("\n", 0, start) + 1
                yield Mutation(self.name, line, start, end, old, new, kind, inside)
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in self._children(node):
            yield from self.found(child, inside)

    @staticmethod
    def _children(node: ast.AST) -> Iterator[ast.AST]:
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert):
            return
        skipped = {"annotation", "returns", "decorator_list"}
        if _is_for_types(node):
            return
        for field, value in ast.iter_fields(node):
            if field not in skipped:
                yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, ast.AST))

    def _changes(self, node: ast.AST) -> Iterator[tuple[str, tuple[int, int], str]]:
        if isinstance(node, ast.Compare):
            left = node.left
            for operator, right in zip(node.ops, node.comparators):
                yield (
                    "comparison",
                    (self._span(left)[1], self._span(right)[0]),
                    self._between(left, right, COMPARED[type(operator)]),
                )
                left = right
        elif isinstance(node, ast.BinOp) and type(node.op) in COMBINED:
            yield (
                "arithmetic",
                (self._span(node.left)[1], self._span(node.right)[0]),
                self._between(node.left, node.right, COMBINED[type(node.op)]),
            )
        elif isinstance(node, ast.BoolOp):
            word = "or" if isinstance(node.op, ast.And) else "and"
            first, second = node.values[:2]
            yield "and/or", (self._span(first)[1], self._span(second)[0]), self._between(first, second, word)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            yield "sign", self._span(node), self.source[slice(*self._span(node.operand))]
        elif isinstance(node, ast.Constant) and not isinstance(node.value, str | bytes | None):
            yield from self._constant(node)
        elif isinstance(node, ast.Name | ast.Attribute):
            word = node.id if isinstance(node, ast.Name) else node.attr
            if word in OPPOSITE and isinstance(node.ctx, ast.Load):
                end = self._span(node)[1]
                yield "opposite name", (end - len(word), end), OPPOSITE[word]
        elif isinstance(node, ast.If | ast.While | ast.IfExp) and not _is_for_types(node):
            yield "condition", self._span(node.test), f"(not ({self.source[slice(*self._span(node.test))]}))"
        elif isinstance(node, ast.Continue | ast.Break):
            yield "loop", self._span(node), "break" if isinstance(node, ast.Continue) else "continue"
        elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            yield "statement", self._span(node), "pass"

    def _between(self, left: ast.AST, right: ast.AST, operator: str) -> str:
        """Return what stands between two operands with another operator, brackets kept."""
        text = self.source[self._span(left)[1] : self._span(right)[0]]
        return f"{text.count(')') * ')'} {operator} {text.count('(') * '('}"

    def _constant(self, node: ast.Constant) -> Iterator[tuple[str, tuple[int, int], str]]:
        place = self._span(node)
        if isinstance(node.value, bool):
            yield "truth value", place, str(not node.value)
        elif isinstance(node.value, int):
            yield "number", place, str(node.value + 1)
        elif isinstance(node.value, float):
            yield "number", place, repr(node.value * 1.5 + 0.1 * (node.value == 0))


def _is_for_types(node: ast.AST) -> bool:
    """Tell whether a block is read by type checkers alone: to turn it round loads modules and changes nothing."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def is_valid(source: str) -> bool:
    """Tell whether a changed source is Python at all."""
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True

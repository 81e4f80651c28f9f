"""Every refusal names a reason of the closed list, on whatever branch it stands."""

from __future__ import annotations

import ast
from pathlib import Path

import radia_pipeline
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons

PACKAGE = Path(radia_pipeline.__file__).parent


def refusals() -> dict[str, ast.expr]:
    """Return the first argument of every ``Refusal(…)`` in the package, by place."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == Refusal.__name__:
                found[f"{path.relative_to(PACKAGE)}:{node.lineno}"] = node.args[0]
    return found


def test_every_refusal_names_a_reason_of_the_closed_list():
    named = {place: ast.unparse(argument) for place, argument in refusals().items()}
    assert len(named) > 30
    listed = {f"reasons.{name}" for name, value in vars(reasons).items() if name.isupper() and value in reasons.REASONS}
    assert {place: text for place, text in named.items() if text not in listed} == {}


def test_a_refusal_is_its_reason_and_detail():
    assert str(Refusal(reasons.TRUNCATED)) == "truncated"
    assert str(Refusal(reasons.TRUNCATED, "(7FE0,0010) ends early")) == "truncated: (7FE0,0010) ends early"

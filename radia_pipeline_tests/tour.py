"""The tour of a lake as a notebook: the cells of ``docs/tour.py`` run in order, with what each shows.

``python -m radia_pipeline_tests.tour LAKE`` writes ``docs/tour.ipynb`` anew; LAKE is a full demo's, whose patients are
invented. Not here: what the tour says and shows. No notebook program is needed: the form is JSON (nbformat 4.5).
"""

from __future__ import annotations

import ast
import base64
import contextlib
import hashlib
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

SCRIPT = Path(__file__).resolve().parents[1] / "docs" / "tour.py"
NOTEBOOK = SCRIPT.with_suffix(".ipynb")
LAKE_VARIABLE = "RADIA_LAKE"
_MARK = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)


class Cell(NamedTuple):
    """One cell of the script: words for people, or code."""

    is_code: bool
    text: str


def cells() -> list[Cell]:
    """Return the cells of the script, in order."""
    _, *parts = _MARK.split(SCRIPT.read_text(encoding="utf-8"))
    return [_cell(mark is None, text) for mark, text in zip(parts[::2], parts[1::2], strict=True)]


def _cell(is_code: bool, text: str) -> Cell:
    if is_code:
        return Cell(True, text.strip("\n"))
    return Cell(False, "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.strip("\n").splitlines()))


def run(lake: Path) -> Iterator[tuple[Cell, Any]]:
    """Run the code cells on a lake; yields each cell with the value of its last expression, None where it has none."""
    names: dict[str, Any] = {"__name__": "tour"}
    with _lake_named(lake):
        for cell in cells():
            yield cell, _value(cell.text, names) if cell.is_code else None


@contextlib.contextmanager
def _lake_named(lake: Path) -> Iterator[None]:
    before = os.environ.get(LAKE_VARIABLE)
    os.environ[LAKE_VARIABLE] = os.fspath(lake)
    try:
        yield
    finally:
        os.environ.pop(LAKE_VARIABLE)
        if before is not None:
            os.environ[LAKE_VARIABLE] = before


def _value(code: str, names: dict[str, Any]) -> Any:
    body = ast.parse(code).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), SCRIPT.name, "exec"), names)
    return eval(compile(ast.Expression(last.value), SCRIPT.name, "eval"), names) if last else None


def notebook(lake: Path) -> dict[str, Any]:
    """Return the notebook with its outputs."""
    found = []
    for place, (cell, value) in enumerate(run(lake)):
        name = hashlib.sha256(f"{place} {cell.text}".encode()).hexdigest()[:8]
        both = {"id": name, "metadata": {}, "source": cell.text.splitlines(keepends=True)}
        if not cell.is_code:
            found.append({"cell_type": "markdown", **both})
            continue
        shown = [] if value is None else [_output(value, place)]
        found.append({"cell_type": "code", "execution_count": place, "outputs": shown, **both})
    language = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": found, "metadata": language, "nbformat": 4, "nbformat_minor": 5}


def _output(value: Any, place: int) -> dict[str, Any]:
    data: dict[str, Any] = {"text/plain": repr(value).splitlines(keepends=True)[:20]}
    if hasattr(value, "_repr_png_"):
        data = {"image/png": base64.b64encode(png_of(value)).decode(), "text/plain": [f"picture of {value.size}"]}
    elif hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_().splitlines(keepends=True)
    return {"output_type": "execute_result", "execution_count": place, "metadata": {}, "data": data}


def png_of(picture: Any) -> bytes:
    """Return a picture as a small PNG: 64 shades are enough for a page."""
    sink = io.BytesIO()
    picture.convert("RGB").quantize(64, dither=0).save(sink, "PNG", optimize=True)
    return sink.getvalue()


def main() -> None:
    """Write the notebook of a lake."""
    content = notebook(Path(sys.argv[1]))
    NOTEBOOK.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"{NOTEBOOK}: {NOTEBOOK.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()

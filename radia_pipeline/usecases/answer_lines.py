"""Answers into a file of JSON lines, one study a line, durably; a call that was killed goes on where it stopped.

The first line says which models answer, how files are taken in and how many are asked for: a file of answers is gone on
with by the same models, for the same files taken in alike. Identified files bear no name by which they could be told
again, so their answers are never gone on with. Memory does not grow with the files but for their names.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from radia_pipeline.errors import BadInput, RadiaError
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile
from radia_pipeline.usecases.asking import Call, Counted, Progress, Wish

MOST_WAITING, LONGEST_S = 64, 10.0
"""Answers and seconds after which what is known is written: what a kill costs at most."""
_FORM = LineForm("answer of a prediction", dict, drops_cut_end=True)


def write_answers(
    out: Path, lake: Lake, given: Sequence[Path | str], wish: Wish, on_progress: Progress
) -> dict[str, Any]:
    """Answer into ``out`` and return its first line, where it lies and how many studies came to what.

    Raises BadInput where ``out`` holds something else than answers of these models to these files.
    """
    if not out.absolute().parent.is_dir():
        raise BadInput("The folder of --out does not exist", accepted="a file in a folder that is there")
    lines: LinesFile[dict[str, Any]] = LinesFile(out, _FORM, _damaged)
    call = Call(lake, given, wish, on_progress)
    head = call.head() | {"files": len(call.list.paths), "intake": wish.intake()}
    counted, number = Counted(), -1
    for number, record in enumerate(lines):
        if wish.identified:
            raise BadInput("Answers to identified files are not gone on with", do="name another file for --out")
        if record is None:
            continue
        if number == 0:
            _require_same(record, head)
        else:
            counted.with_(record)
            _require_same_files(record, call, number - 1)
    if number < 0:
        lines.append([head])
    _write(lines, call, counted)
    return {**head, "out": str(out), "counted": vars(counted)}


def _write(lines: LinesFile, call: Call, counted: Counted) -> None:
    waiting: list[dict[str, Any]] = []
    since = time.monotonic()
    for answer in call.answers(counted.studies):
        waiting.append(counted.with_(answer))
        if len(waiting) >= MOST_WAITING or time.monotonic() - since > LONGEST_S:
            lines.append(waiting)
            waiting, since = [], time.monotonic()
    lines.append(waiting)


def _damaged(number: int, what: str) -> RadiaError:
    return BadInput(f"Line {number} of --out is damaged: {what}", do="name another file, or remove this one")


def _require_same(record: dict[str, Any], head: dict[str, Any]) -> None:
    named = {
        "model": "other models",
        "versions": "another version",
        "files": "another list of files",
        "intake": "files taken in otherwise (source, print, study)",
    }
    for name, words in named.items():
        if record.get(name) != head[name]:
            raise BadInput(f"--out holds answers of {words}", do="name another file")


def _require_same_files(record: dict[str, Any], call: Call, place: int) -> None:
    names = [file["file"] for file in record["files"]]
    if place >= len(call.list.studies) or names != call.names(place):
        raise BadInput("--out holds answers to another list of files", do="name another file")

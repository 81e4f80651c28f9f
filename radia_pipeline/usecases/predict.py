"""``radia predict``: delivered files -> answers, one for each study; a file that is no sound chest film gets no number.

The function that programs call. How it comes about stands in ``asking``, what an answer holds in ``answers``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from radia_pipeline.errors import BadInput
from radia_pipeline.lake.lake import Lake
from radia_pipeline.usecases.asking import Call, Progress, Wish


def predict(
    paths: Sequence[Path | str] | Path | str,
    lake: Lake | Path | str | None = None,
    *,
    source: str = "ccsmtl",
    identified: bool = False,
    one_study: bool = False,
    ocr: str = "auto",
    maps: Path | str | None = None,
    out: Path | str | None = None,
    workers: int | None = None,
    on_progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Return what a lake's ensemble says of files and folders, as the contract ``answer.schema.json`` has it.

    ``lake``: a lake or its folder (default: $RADIA_LAKE, else ``.radia/lake``). ``out``: a file of JSON lines that
    takes the answers one by one, instead of memory; a killed call goes on there. ``maps``: a folder for heat maps.
    Raises NotTrained before there is an ensemble, BadInput where a path leads nowhere or ``out`` or ``maps`` among the
    films.
    """
    lake = lake if isinstance(lake, Lake) else Lake.open(lake, create=False)
    given = [paths] if isinstance(paths, Path | str) else list(paths)
    wish = Wish(source, identified, one_study, ocr, None if maps is None else Path(maps), workers)
    _require_outside("out", out, given)
    _require_outside("maps", maps, given)
    if out is not None:
        from radia_pipeline.usecases.answer_lines import predict_into

        return predict_into(Path(out), lake, given, wish, on_progress)
    call = Call(lake, given, wish, on_progress)
    return {**call.head(), "studies": list(call.answers())}


def _require_outside(option: str, path: Path | str | None, given: Sequence[Path | str]) -> None:
    """What is written among the films would be asked about as a film by the next call."""
    inside = path is not None and any(Path(path).resolve().is_relative_to(Path(one).resolve()) for one in given)
    if inside:
        raise BadInput(f"--{option} lies inside a folder of films", do="name a place outside it")

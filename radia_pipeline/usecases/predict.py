"""``radia predict``: delivered files -> answers, one for each study; a file that is no sound chest film gets no number.

The functions that programs call: one returns the answers, the other writes them into a file. How they come about
stands in ``asking``, what an answer holds in ``answers``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from radia_pipeline.errors import BadInput
from radia_pipeline.lake.lake import Lake
from radia_pipeline.usecases.asking import Call, Progress, Wish, together

DEFAULT_KINDS = "sr,gsps"


def predict(
    paths: Sequence[Path | str] | Path | str,
    lake: Lake | Path | str | None = None,
    *,
    source: str = "ccsmtl",
    identified: bool = False,
    one_study: bool = False,
    ocr: str = "auto",
    maps: Path | str | None = None,
    dicom_out: Path | str | None = None,
    dicom: str | None = None,
    workers: int | None = None,
    pool_address: str | None = None,
    on_progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Return what a lake's ensemble says of files and folders, as the contract ``answer.schema.json`` has it.

    ``lake``: a lake or its folder (default: $RADIA_LAKE, else ``.radia/lake``). ``maps``: a folder for heat maps.
    ``dicom_out``: a folder for DICOM objects of answered studies, of the kinds that ``dicom`` lists ("sr,gsps" if it is
    not given); an identified film's patient and study modules go there and nowhere else. ``pool_address``: where files
    are looked at, None as the lake's settings say. Raises NotTrained before there is an ensemble, BadInput where a path
    leads nowhere or a folder to write into lies among the films.
    """
    lake, given = _opened(lake), _listed(paths)
    made = _outputs(given, maps=maps, dicom_out=dicom_out, dicom=dicom)
    wish = Wish(source, identified, one_study, ocr, workers=workers, pool_address=pool_address, **made)
    call = Call(lake, given, wish, on_progress)
    return together(call.head(), call.answers())


def predict_into(
    out: Path | str,
    paths: Sequence[Path | str] | Path | str,
    lake: Lake | Path | str | None = None,
    *,
    on_progress: Progress = lambda *_: None,
    **wish: Any,
) -> dict[str, Any]:
    """Write the answers one by one into ``out``, JSON lines, instead of memory; a killed call goes on there.

    ``wish``: as of ``predict``. Returns what stands above the answers, where they are (``out``) and how many came to
    what (``counted``). Raises as ``predict`` does, and BadInput where ``out`` lies among the films or holds something
    else.
    """
    from radia_pipeline.usecases.answer_lines import write_answers

    lake, given = _opened(lake), _listed(paths)
    _require_outside("out", out, given)
    made = _outputs(given, **{name: wish.pop(name) for name in ("maps", "dicom_out", "dicom") if name in wish})
    return write_answers(Path(out), lake, given, Wish(**{"pool_address": None, **wish}, **made), on_progress)


def _opened(lake: Lake | Path | str | None) -> Lake:
    return lake if isinstance(lake, Lake) else Lake.open(lake, create=False)


def _listed(paths: Sequence[Path | str] | Path | str) -> list[Path | str]:
    return [paths] if isinstance(paths, Path | str) else list(paths)


def _outputs(
    given: Sequence[Path | str],
    *,
    maps: Path | str | None = None,
    dicom_out: Path | str | None = None,
    dicom: str | None = None,
) -> dict[str, Any]:
    """Return what a wish says of folders to write into; raises BadInput where one lies among the films."""
    _require_outside("maps", maps, given)
    _require_outside("dicom-out", dicom_out, given)
    found: dict[str, Any] = {"maps": None if maps is None else Path(maps)}
    if dicom is not None and dicom_out is None:
        raise BadInput("--dicom says what is made and nothing says where", do="name a folder with --dicom-out")
    if dicom_out is not None:
        from radia_pipeline.usecases.dicom_objects import kinds_of, opened_folder

        found |= {"dicom_out": opened_folder(Path(dicom_out)), "dicom": kinds_of(dicom or DEFAULT_KINDS)}
    return found


def _require_outside(option: str, path: Path | str | None, given: Sequence[Path | str]) -> None:
    """What is written among the films would be asked about as a film by the next call."""
    inside = path is not None and any(Path(path).resolve().is_relative_to(Path(one).resolve()) for one in given)
    if inside:
        raise BadInput(f"--{option} lies inside a folder of films", do="name a place outside it")

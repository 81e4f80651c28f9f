"""What crosses between the ingest and its workers: tasks and verdicts as records, checked on the way back.

The worker has read a stranger's file with codecs written in C: nothing that it says is believed unless it has the form
of a verdict. Here: that form, and the two functions that workers call. Not here: workers (``processes.pool``), judging.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import pyarrow as pa

from radia_pipeline.contracts.tables import contract
from radia_pipeline.dicom.examine import NO_HASH, Task, Verdict, examine
from radia_pipeline.errors import BadFrame, LakeUnwritable
from radia_pipeline.privacy.limits import Limits
from radia_pipeline.privacy.reasons import REASONS
from radia_pipeline.processes import pool
from radia_pipeline.processes.frames import Caps, Frame
from radia_pipeline.processes.items import map_items
from radia_pipeline.processes.pool import Lost
from radia_pipeline.processes.where import HERE, Where

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 1 << 20
"""A verdict takes about a kilobyte; a header whose words are longer than this is not worth having."""


def judged(
    tasks: Iterable[Task],
    *,
    workers: int,
    limits: Limits,
    reads_text: bool = False,
    window: int | None = None,
    where: Where = HERE,
) -> Generator[tuple[int, Verdict | LakeUnwritable | Lost], None, None]:
    """Examine files in worker processes; yields (number of the task, what came of it) in the order of completion.

    ``window``: as of ``pool.map_tasks``. ``reads_text``: whether tasks ask for print, so that its reader is loaded once
    for all workers.
    LakeUnwritable stands for a machine that fails, Lost for a file that took its worker down or that did not come back
    with a verdict.
    """
    warm = f"{__name__}:{'warm_up_reader' if reads_text else 'warm_up'}"
    work = pool.Work(
        f"{__name__}:examine_frame",
        warm,
        seconds=limits.seconds,
        memory_bytes=limits.memory_bytes,
        caps=Caps(json_bytes=_MOST_BYTES, array_bytes=0),
    )
    asked: dict[int, Task] = {}

    def frames() -> Iterator[Frame]:
        for number, task in enumerate(tasks):
            asked[number] = task
            yield Frame(task_record(task))

    for number, answer in map_items(work, frames(), workers=workers, window=window, where=where):
        yield number, _read(answer, asked.pop(number))


def _read(answer: pool.Answer, task: Task) -> Verdict | LakeUnwritable | Lost:
    if isinstance(answer, Frame):
        try:
            return verdict_of(answer.body, task)
        except BadFrame as error:
            answer = error
    if isinstance(answer, Lost | LakeUnwritable):
        return answer
    return Lost(answer.kind)


def examine_frame(task: Frame) -> Frame:
    """Judge the file of a task's record; runs in a worker."""
    return Frame(verdict_record(examine(task_of(task.body))))


def warm_up() -> None:
    """Import the codecs before the first file, so that its time limit is about the file; runs in the nursery."""
    import imagecodecs
    import jpeg_ls
    import rle
    import scipy.sparse

    assert all((imagecodecs, jpeg_ls, rle, scipy.sparse))


def warm_up_reader() -> None:
    """Load the models of the reader of print besides; workers are forked from here and share them."""
    from radia_pipeline.privacy import reader

    warm_up()
    reader.load()


def task_record(task: Task) -> list[Any]:
    """Return a task as what JSON holds: its fields in their order."""
    return [list(vars(value).values()) if isinstance(value, Limits) else value for value in vars(task).values()]


def task_of(record: list[Any]) -> Task:
    """Return the task of a record."""
    said: dict[str, Any] = dict(zip(Task.__dataclass_fields__, record, strict=True))
    return Task(**said | {"limits": _limits(*said["limits"])})


@lru_cache(maxsize=8)
def _limits(*values: Any) -> Limits:
    return Limits(*values)


def verdict_record(verdict: Verdict) -> list[Any]:
    """Return a verdict as what JSON holds: its fields in their order."""
    return list(vars(verdict).values())


def verdict_of(record: Any, task: Task) -> Verdict:
    """Return the verdict of a record; raises BadFrame unless it holds what a verdict on the task's file must hold."""
    is_whole = isinstance(record, list) and len(record) == len(_FITS)
    if not (is_whole and all(fits(value) for fits, value in zip(_FITS.values(), record, strict=True))):
        raise BadFrame("A record that is no verdict on a file")
    verdict = Verdict(*record)
    if verdict.native_ids is not None:
        image, study, patient = verdict.native_ids  # a list, as JSON has it
        verdict = replace(verdict, native_ids=(image, study, patient))
    if verdict.reason is None and not task.only_pixels and not _names_its_file(verdict, task):
        raise BadFrame("A verdict that lets a file in without saying which it is")
    return verdict


def _names_its_file(verdict: Verdict, task: Task) -> bool:
    return "pixel_sha256" in verdict.row and (task.has_facts or verdict.native_ids is not None)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    return type(value) is int


def _is_reason(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value in REASONS)


def _is_detail(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_native(value: Any) -> bool:
    return value is None or (isinstance(value, list) and [type(part) for part in value] == [str] * 3)


def _is_row(value: Any) -> bool:
    """Whether each column is one of ``images`` and of its type."""
    if not isinstance(value, dict) or not _is_digest(value.get("pixel_sha256", NO_HASH)):
        return False
    try:
        return all(_is_of(part, _types()[name]) for name, part in value.items())
    except (KeyError, pa.ArrowException, TypeError, OverflowError):
        return False


def _is_of(value: Any, kind: pa.DataType) -> bool:
    """Whether a column of this type can hold the value; raises pyarrow's errors where it cannot."""
    is_right_depth = value is None or isinstance(value, list) == pa.types.is_list(kind)  # a text is no list of letters
    return is_right_depth and len(pa.array([value], kind)) == 1


@cache
def _types() -> dict[str, pa.DataType]:
    return {name: column.type for name, column in contract("images").columns.items()}


_FITS = {
    "file_sha256": _is_digest,
    "size_bytes": _is_number,
    "mtime_ns": _is_number,
    "reason": _is_reason,
    "detail": _is_detail,
    "native_ids": _is_native,
    "row": _is_row,
}
"""What may stand in each field of a verdict, in their order."""

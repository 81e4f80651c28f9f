"""Portions of tasks and of their answers as they cross between machines: Arrow's stream, whose cells are frames.

Here: their form, checked on both sides. Not here: who sends them (``cluster``) and who works them (``node``).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable

import pyarrow as pa

from radia_pipeline.errors import BadFrame, RadiaError
from radia_pipeline.processes.failures import as_record, from_record
from radia_pipeline.processes.frames import Caps, Frame, decode, encode
from radia_pipeline.processes.pool import Answer, Lost, Work
from radia_pipeline.processes.worker import ANSWERED, FAILED, RAISED

Tasks = list[tuple[int, Frame]]
_ORDER = pa.schema([("number", pa.int64()), ("frame", pa.binary())])
_RESULT = pa.schema([("number", pa.int64()), ("how", pa.string()), ("frame", pa.binary())])
_WORK = b"radia.work"
_OURS = "radia_pipeline"
"""What a node may be asked to call begins with this."""


def order_of(work: Work, tasks: Tasks) -> bytes:
    """Return a portion of tasks, with what is done with them."""
    said = json.dumps(dataclasses.asdict(work)).encode()
    numbers, frames = zip(*((number, encode(task, work.caps)) for number, task in tasks), strict=True)
    return _stream(pa.table([numbers, frames], schema=_ORDER.with_metadata({_WORK: said})))


def tasks_of(order: bytes) -> tuple[Work, Tasks]:
    """Return the work and the tasks of a portion; raises BadFrame for what is none."""
    table = _table(order)
    try:
        said = json.loads(table.schema.metadata[_WORK])
        work = Work(**{**said, "caps": Caps(**said["caps"])})
    except (KeyError, TypeError, ValueError):
        raise BadFrame("A portion that does not say what is done with it") from None
    named = [name for name in (work.function, work.warm_up) if name is not None]
    if table.schema.remove_metadata() != _ORDER or not all(name.startswith(_OURS) for name in named):
        raise BadFrame("A portion of another form, or work that is not this package's")
    rows = zip(table["number"].to_pylist(), table["frame"].to_pylist(), strict=True)
    return work, [(number, decode(frame, work.caps)) for number, frame in rows]


def result_of(answers: Iterable[tuple[int, Answer]], caps: Caps) -> bytes:
    """Return what came of a portion."""
    rows = [(number, *_cell(answer, caps)) for number, answer in answers]
    return _stream(pa.table([[row[place] for row in rows] for place in range(len(_RESULT))], schema=_RESULT))


def answers_of(result: bytes, asked: Tasks, caps: Caps) -> list[tuple[int, Answer]]:
    """Return what came of a portion; raises BadFrame unless each task that was asked has exactly one answer."""
    table = _table(result)
    if table.schema != _RESULT or sorted(table["number"].to_pylist()) != sorted(number for number, _ in asked):
        raise BadFrame("A result that does not answer each task of its portion once")
    return [(row["number"], _answer(row["how"], row["frame"], caps)) for row in table.to_pylist()]


def _cell(answer: Answer, caps: Caps) -> tuple[str, bytes]:
    if isinstance(answer, Frame):
        return ANSWERED, encode(answer, caps)
    if isinstance(answer, RadiaError):
        return FAILED, encode(Frame(as_record(answer)))
    return RAISED, encode(Frame(answer.how))


def _answer(how: str, frame: bytes, caps: Caps) -> Answer:
    if how == ANSWERED:
        return decode(frame, caps)
    said = decode(frame).body
    if how == FAILED:
        return from_record(said)
    if how == RAISED and isinstance(said, str):
        return Lost(said)
    raise BadFrame("An answer of no known kind")


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _table(content: bytes) -> pa.Table:
    try:
        return pa.ipc.open_stream(pa.py_buffer(content)).read_all()
    except pa.ArrowException:
        raise BadFrame("Bytes that are no portion") from None

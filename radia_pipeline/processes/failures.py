"""Errors across processes: an error of the tree as a plain record, and back, whole, with its kind and its exit code.

A record is what JSON holds: ``{"kind": "BadInput", "received": …, "accepted": …, "do": …}``, or whatever fields the
class has (``RadiaError.fields``). The tree is read off ``errors``, so that a new class crosses without a word here.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from radia_pipeline import errors
from radia_pipeline.errors import RadiaError, RunFailed

Record = dict[str, str | None]

UNREADABLE = "Another process failed and did not say how"


def kinds() -> dict[str, type[RadiaError]]:
    """Return every class of the tree by its name."""
    found = vars(errors).items()
    return {name: kind for name, kind in found if isinstance(kind, type) and issubclass(kind, RadiaError)}


def as_record(error: BaseException) -> Record:
    """Return an error as a record; of one outside the tree only its class and the place where it was raised.

    The words of an unforeseen error could hold what it stumbled over.
    """
    if isinstance(error, RadiaError):
        return {"kind": error.kind, **{name: getattr(error, name) for name in error.fields}}
    frames = traceback.extract_tb(error.__traceback__)
    place = f", at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return {"kind": type(error).__name__, "received": f"unforeseen{place}"}


def from_record(record: Any) -> RadiaError:
    """Return the error of a record. What is not of the tree, or not whole, is RunFailed in the words that are there."""
    if not isinstance(record, Mapping):
        return RunFailed(UNREADABLE)
    kind = kinds().get(str(record.get("kind")))
    fields = {name: record.get(name) for name in (kind or RadiaError).fields}
    is_text = all(value is None or isinstance(value, str) for value in fields.values())
    if kind is not None and is_text and isinstance(fields[kind.fields[0]], str):
        made: Callable[..., RadiaError] = kind
        return made(**fields)
    words = record.get("received")
    return RunFailed(words if isinstance(words, str) else UNREADABLE)

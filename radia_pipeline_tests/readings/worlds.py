"""Readings for tests: one that is accepted, changed as a test needs it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.chain import READ, file_of, record_of
from radia_pipeline.readings.membership import read_sets, sha256_of
from radia_pipeline.readings.reading import Reading, Shown, as_record
from radia_pipeline.readings.store import Store

STUDY, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
SOURCE = "nih_cxr14"
SET = "test-1234abcd"
_numbers = itertools.count(1)


def reading(answers: Mapping[str, int] | None = None, **changes) -> Reading:
    """Return a blind reading of ``STUDY``, each with a request key of its own."""
    answers = {"Mass": 1} if answers is None else answers
    fields = {
        "source": SOURCE,
        "study_id": STUDY,
        "reader": "r1",
        "phase": "blind",
        "set_id": SET,
        "request_key": f"click-{next(_numbers)}",
        "answers": answers,
        "asked": tuple(answers),
    }
    return Reading(**{**fields, **changes})


def revealed(answers: Mapping[str, int] | None = None, **changes) -> Reading:
    """Return a reading after its reader saw the report."""
    return reading(answers, phase="reread", shown=Shown(visible={"report": "1"}), **changes)


def unset(answers: Mapping[str, int] | None = None, **changes) -> Reading:
    """Return a blind reading of a study that stands in no set."""
    return reading(answers, **{"phase": "monitor", "set_id": None, **changes})


def append_at_once(lake: Lake, readings: Iterable[Reading]) -> None:
    """Append readings with one write to the disk, as a store would have one by one."""
    first = Store(lake).head.lines + 1
    file_of(lake).append(record_of(first + n, READ, as_record(one)) for n, one in enumerate(readings))
    Store(lake)


def with_set(
    lake: Lake, *studies: str, set_id: str = SET, source: str = SOURCE, vocabulary_version: str | None = None
) -> Lake:
    """Close a set of these studies in a lake, of STUDY and OTHER where none are named; returns the lake."""
    fixed = {
        "set_id": set_id,
        "source": source,
        "pool": "test",
        "stratum": "rest",
        "inclusion_probability": 0.5,
        "frame_studies": 9,
        "frame_groups": 9,
        "seed": 0,
        "vocabulary_version": vocabulary_version or vocabulary().version,
    }
    rows = [{**fixed, "study_id": study, "group_id": study} for study in studies or (STUDY, OTHER)]
    sha256 = sha256_of(rows)
    Store(lake).close_set(set_id, sha256)
    others = [row for known, rows_ in read_sets(lake).items() if known != set_id for row in rows_]
    lake.write("reading_sets", [*others, *({**row, "members_sha256": sha256} for row in rows)])
    return lake

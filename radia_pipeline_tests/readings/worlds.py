"""Readings for tests: one that is accepted, changed as a test needs it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from radia_pipeline.readings.reading import Reading, Shown

STUDY, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
SOURCE = "nih_cxr14"
SET = "test-1234abcd"
_numbers = itertools.count(1)


def reading(answers: Mapping[str, int] | None = None, **changes) -> Reading:
    """Return a blind reading of ``STUDY``, each with a request key of its own."""
    answers = {"Mass": 1} if answers is None else answers
    fields = {
        "source": SOURCE, "study_id": STUDY, "reader": "r1", "phase": "blind", "set_id": SET,
        "request_key": f"click-{next(_numbers)}", "answers": answers, "asked": tuple(answers),
    }  # fmt: skip
    return Reading(**{**fields, **changes})


def revealed(answers: Mapping[str, int] | None = None, **changes) -> Reading:
    """Return a reading after its reader saw the report."""
    return reading(answers, phase="reread", shown=Shown(visible={"report": "1"}), **changes)

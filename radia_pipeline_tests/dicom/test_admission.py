"""One judgement for every door: the same bytes get the same reason from a path and from memory, by either intake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radia_pipeline.dicom.admission import Intake, admit
from radia_pipeline.dicom.examine import Task, examine
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline_tests.dicom import files

POLICY = policy_of("ccsmtl")
NAMED = files.clean_file(1, PatientName="LAVOIE^OCTAVE", PatientID="4185550177")
BAD = {
    "empty": (b"", reasons.EMPTY_FILE),
    "page": (b"<html>" * 60, reasons.NOT_AN_IMAGE),
    "headerless": (files.clean_file(1)[132:], reasons.HEADERLESS_DICOM),
    "cut": (files.clean_file(1)[:600], reasons.TRUNCATED),
    "named": (NAMED, reasons.IDENTITY_IN_HEADER),
    "of another kind": (files.clean_file(1, Modality="CT"), reasons.NOT_A_RADIOGRAPH),
    "in colours": (files.clean_file(1, PhotometricInterpretation="RGB"), reasons.NOT_GREY),
}


def reason(data: bytes, **intake: bool) -> str | None:
    try:
        admit(data, Intake(POLICY, **intake))
    except Refusal as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize(("data", "expected"), BAD.values(), ids=BAD)
def test_bytes_and_files_are_refused_for_the_same_reason(data: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(data)
    task = Task(str(path), str(tmp_path / "staged.png"), "ccsmtl", 1024, reads_text=False)
    assert reason(data) == examine(task).reason == expected


def test_an_identified_intake_passes_over_the_header_alone() -> None:
    assert reason(NAMED, is_identified=True) is None
    for name, (data, expected) in BAD.items():
        assert reason(data, is_identified=True) == (None if name == "named" else expected)


def test_what_is_told_of_an_identified_file_names_nobody() -> None:
    cut = NAMED[: len(NAMED) - 900]
    with pytest.raises(Refusal) as refused:
        admit(cut, Intake(POLICY, is_identified=True))
    assert not any(word in str(refused.value) for word in ("LAVOIE", "OCTAVE", "4185550177"))
    admitted = admit(NAMED, Intake(POLICY, is_identified=True))
    assert (admitted.facts.rows, admitted.facts.columns) == (96, 80)
    assert np.asarray(admitted.parsed.pixels).size

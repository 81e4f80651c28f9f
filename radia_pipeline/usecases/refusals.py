"""What to do about a file that a prediction does not answer: a sentence for each reason of refusal.

Doubts about the picture bring their own (``dicom.doubts``); here are the reasons for which a file is not let in
(``privacy.reasons``), all of them: a test holds both lists together.
"""

from __future__ import annotations

from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.privacy import reasons

_AGAIN = "export the file again from its archive"
_FILM = "send a chest radiograph as DICOM, PNG or JPEG, one film a file"
WHAT_TO_DO = {
    reasons.EMPTY_FILE: _AGAIN,
    reasons.UNREADABLE: "look at the file's rights and at the disk",
    reasons.NOT_AN_IMAGE: _FILM,
    reasons.HEADERLESS_DICOM: "export it as a DICOM file with preamble and file meta information (PS3.10)",
    reasons.BROKEN_CONTAINER: _AGAIN,
    reasons.TRUNCATED: _AGAIN,
    reasons.UNSUPPORTED_SYNTAX: "export it in another transfer syntax, such as Explicit VR Little Endian",
    reasons.DECODE_FAILED: _AGAIN,
    reasons.LYING_HEADER: _AGAIN,
    reasons.TOO_LARGE: _FILM,
    reasons.TOO_MANY_FRAMES: _FILM,
    reasons.NOT_GREY: "send the radiograph itself, not a coloured rendering of it",
    reasons.NOT_A_RADIOGRAPH: "send a frontal chest radiograph",
    reasons.IDENTITY_IN_HEADER: "de-identify it, look with `radia audit`; straight from a PACS: use --identified",
    reasons.IDENTITY_IN_PIXELS: "remove the print from the picture; straight from a PACS: use --identified",
    reasons.UNAUDITED_PIXELS: "look for print with `radia audit`, or say with --ocr off that there is none",
    reasons.MISSING_IDENTIFIER: "export it with its study, series and instance UIDs",
    reasons.UNKNOWN_TO_TABLE: "bring the table that lists the file",
    reasons.UID_CONFLICT: "look which of the files with this UID is right",
    reasons.DECODER_CRASHED: _AGAIN,
    reasons.DECODER_TIMEOUT: _AGAIN,
    reasons.CHANGED_WHILE_READ: "ask again when nobody writes the file",
}


def what_to_do(reason: str) -> str:
    """Return what to do about a reason or a doubt."""
    return DOUBTS[reason].do if reason in DOUBTS else WHAT_TO_DO[reason]


def meaning(reason: str) -> str:
    """Return a reason in words."""
    return DOUBTS[reason].means if reason in DOUBTS else reason.replace("_", " ")

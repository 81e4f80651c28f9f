"""What a refusal means and what to do about it: two sentences for each reason, for one who asks about a film.

Doubts about the picture bring their own (``dicom.doubts``); here are the reasons for which a file is not let in
(``privacy.reasons``), all of them: a test holds both lists together.
"""

from __future__ import annotations

from typing import NamedTuple

from radia_pipeline.contracts.choices import Table
from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.privacy import reasons


class Words(NamedTuple):
    """``means``: what was found. ``do``: what somebody can do about it."""

    means: str
    do: str


_AGAIN = "export the file again from its archive"
_FILM = "send a chest radiograph as DICOM, PNG or JPEG, one film a file"
REFUSALS: Table[Words] = Table(
    "reason of a refusal",
    {
        reasons.EMPTY_FILE: Words("the file holds no byte", _AGAIN),
        reasons.UNREADABLE: Words(
            "the file cannot be read", "look at its rights, at where a link leads, and at the disk"
        ),
        reasons.NOT_AN_IMAGE: Words("the file is no image of a kind that is taken in", _FILM),
        reasons.HEADERLESS_DICOM: Words(
            "a DICOM data set without the head of a file",
            "export it with preamble and file meta information (PS3.10)",
        ),
        reasons.BROKEN_CONTAINER: Words("the file's structure is damaged", _AGAIN),
        reasons.TRUNCATED: Words("the file ends before its picture does", _AGAIN),
        reasons.UNSUPPORTED_SYNTAX: Words(
            "the picture is compressed in a way that is not read",
            "export it in another transfer syntax, such as Explicit VR Little Endian",
        ),
        reasons.DECODE_FAILED: Words("the compressed picture is damaged", _AGAIN),
        reasons.LYING_HEADER: Words("the header says something else than the file holds", _AGAIN),
        reasons.TOO_LARGE: Words("the file or its picture is larger than any radiograph", _FILM),
        reasons.TOO_MANY_FRAMES: Words("the file holds several pictures", _FILM),
        reasons.NOT_GREY: Words(
            "the picture has colours", "send the radiograph itself, not a coloured rendering of it"
        ),
        reasons.NOT_A_RADIOGRAPH: Words("the header says that it is no radiograph", "send a frontal chest radiograph"),
        reasons.IDENTITY_IN_HEADER: Words(
            "something in the header may say who the patient is",
            "de-identify it, look with `radia audit`; straight from a PACS: use --identified",
        ),
        reasons.IDENTITY_IN_PIXELS: Words(
            "print in the picture may say who the patient is",
            "remove the print; if it names nobody: `radia quarantine settle`; straight from a PACS: use --identified",
        ),
        reasons.UNAUDITED_PIXELS: Words(
            "nobody has looked for print in the picture",
            "look for print with `radia audit`, or say with --ocr off that there is none",
        ),
        reasons.MISSING_IDENTIFIER: Words(
            "the file does not say which instance, study or patient it is of",
            "export it with its UIDs and the patient's pseudonym",
        ),
        reasons.UNKNOWN_TO_TABLE: Words(
            "the dataset's own table does not name the file", "bring the table that lists it"
        ),
        reasons.UID_CONFLICT: Words("another file says that it is the same instance", "look which of the two is right"),
        reasons.DECODER_CRASHED: Words("the file ended the process that read it", _AGAIN),
        reasons.DECODER_TIMEOUT: Words("reading the file took too long", _AGAIN),
        reasons.CHANGED_WHILE_READ: Words(
            "somebody wrote the file while it was read", "ask again when nobody writes it"
        ),
    },
)
"""By reason, all of the closed list."""


def what_to_do(reason: str) -> str:
    """Return what to do about a reason or a doubt."""
    return DOUBTS[reason].do if reason in DOUBTS else REFUSALS[reason].do


def meaning(reason: str) -> str:
    """Return a reason or a doubt in words."""
    return DOUBTS[reason].means if reason in DOUBTS else REFUSALS[reason].means

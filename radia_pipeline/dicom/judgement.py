"""One file's bytes -> its picture and what is to be said of it, or a refusal: the one judgement of every caller.

Belongs here: the fixed order (admission, decoding, print, view, remarks) and the flags that come of it. Ingest, audit
and prediction ask here, so that the same bytes under the same terms have the same fate everywhere. Does not belong
here: reading files, what a caller makes of the picture, and what is written (``examine``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from radia_pipeline.dicom import facts as header_facts
from radia_pipeline.dicom import render, views
from radia_pipeline.dicom.admission import Admitted, Intake, admit
from radia_pipeline.dicom.pixel_checks import Remarks, remarks
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import container, reasons
from radia_pipeline.privacy.container import Container
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline.privacy.prints import INITIALS, find_text

STORED_SIDE_PX = 1024
"""Longest side of a stored picture unless an ingest says otherwise: models are trained on images of this size."""

UNREAD_CAPTURE = "unread_capture"
"""Flag of a secondary capture that a person let in with OCR switched off: text may stand anywhere in it."""

SETTLED = "settled_by_person"
"""Flag of a picture whose print a person has called clean."""


@dataclass(frozen=True)
class Terms:
    """What a judgement depends on beside the bytes.

    ``source``: whose policy holds. ``reads_text``: whether print is looked for. ``is_identified``, ``takes_rasters``,
    ``is_listed``, ``limits``: as in ``admission.Intake``. ``is_settled``: a person has called the print of these bytes
    clean. ``table_view``: the projection by the source's own table, if it has one. ``threads``: that decoding may use;
    nothing else depends on it.
    """

    source: str
    reads_text: bool
    max_side_px: int = STORED_SIDE_PX
    is_identified: bool = False
    takes_rasters: bool = False
    is_listed: bool = False
    is_settled: bool = False
    table_view: str | None = None
    limits: Limits = DEFAULT_LIMITS
    threads: int = 1


@dataclass(frozen=True)
class Judged:
    """A file that may come in. ``image``: the picture as the lake would store it, (H, W) uint16, bright means dense.

    ``view`` and ``view_origin`` as in the table ``images``; ``flags`` in its order too. ``native_ids``: instance, study
    and patient as delivered, of a DICOM file that must name them itself.
    """

    admitted: Admitted
    picture: render.Picture
    image: np.ndarray
    view: str
    view_origin: str
    remarks: Remarks
    flags: tuple[str, ...]
    native_ids: tuple[str, str, str] | None

    @property
    def scores(self) -> Mapping[str, float]:
        """Scores 0 to 1 of the checks on pixels, by flag."""
        return self.remarks.scores


def judge(data: bytes, terms: Terms) -> Judged:
    """Judge a file's bytes whole; raises Refusal with a reason of the closed list, MemoryError beyond the cap."""
    intake = Intake(
        policy_of(terms.source),
        is_identified=terms.is_identified,
        takes_rasters=terms.takes_rasters,
        is_listed=terms.is_listed,
        limits=terms.limits,
    )
    admitted = admit(data, intake)
    parsed = admitted.parsed
    # A table names what its files do not; an identified file may come without a patient's number, and nothing is kept.
    is_named_elsewhere = terms.is_listed or terms.is_identified
    native = None if parsed is None or is_named_elsewhere else header_facts.identifiers(parsed)
    picture = (
        render.picture_of_raster(data, admitted.kind, terms.limits)
        if parsed is None or admitted.facts is None
        else render.picture_of_dicom(parsed, admitted.facts, terms.threads)
    )
    of_print = _flags_of_print(picture, terms)
    of_header = header_facts.flags(parsed) if parsed is not None else ()
    image = render.stored_image(picture.shown, terms.max_side_px)
    notes = _remarks(image, parsed)
    view, origin = _view(parsed, notes, terms.table_view)
    flags = (*notes.flags, *of_header, *of_print, *_flags_of_silence(admitted, terms))
    return Judged(admitted, picture, image, view, origin, notes, flags, native)


def judge_print(data: bytes, terms: Terms) -> None:
    """Look for print alone, in a DICOM file whose header was judged already; raises as ``judge`` does."""
    parsed = container.parse(data, terms.limits)
    _flags_of_print(render.picture_of_dicom(parsed, header_facts.pixel_facts(parsed, terms.limits)), terms)


def _flags_of_print(picture: render.Picture, terms: Terms) -> tuple[str, ...]:
    """Refuse print that may name a person; return the flag of a lone short word, or of a person's word on the file."""
    if terms.is_settled:
        return (SETTLED,)
    if not terms.reads_text:
        return ()
    policy = policy_of(terms.source)
    found = find_text(picture.shown, policy.ocr_allowed, policy.print_floor)
    rule = found.rule or (INITIALS if found.has_initials and policy.refuses_initials else None)
    if rule is not None:
        raise Refusal(reasons.IDENTITY_IN_PIXELS, rule)
    return (INITIALS,) if found.has_initials else ()


def _flags_of_silence(admitted: Admitted, terms: Terms) -> tuple[str, ...]:
    """Return the flag of a capture of which nobody, neither machine nor person, has said what is printed in it."""
    is_asked_for = policy_of(terms.source).reads_burned_in_text and not terms.is_identified
    was_read = terms.reads_text or terms.is_settled
    return (UNREAD_CAPTURE,) if admitted.is_secondary and is_asked_for and not was_read else ()


def _remarks(image: np.ndarray, parsed: Container | None) -> Remarks:
    words = ("BodyPartExamined", "AcquisitionDeviceProcessingDescription")
    part, description = (header_facts.text(parsed.dataset, word) if parsed is not None else "" for word in words)
    return remarks(image, body_part=part, description=description)


def _view(parsed: Container | None, notes: Remarks, table_view: str | None) -> tuple[str, str]:
    """Ask the header, the source's table, then the pixels, which say lateral at most."""
    told = views.view_of_header(parsed.dataset) if parsed is not None else (views.UNKNOWN, "none")
    if told[0] == views.UNKNOWN and table_view:
        told = (table_view, "table")
    is_frontal = parsed is not None and views.is_frontal_orientation(parsed.dataset)
    if told[0] == views.UNKNOWN and notes.is_lateral and not is_frontal:
        return views.LATERAL, "pixels"
    return told

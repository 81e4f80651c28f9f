"""One delivered file -> one verdict, whole and alone: this is what a worker process does.

The order is fixed: bytes, container, caps, header audit, decoding, pixel audit, picture. Nothing of a refused file is
written. Identifiers leave this module natively and are keyed by the caller before anything is stored.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from radia_pipeline.dicom import facts as header_facts
from radia_pipeline.dicom import png16, render, views
from radia_pipeline.dicom.admission import Admitted, Intake, admit
from radia_pipeline.dicom.delivered import read_whole
from radia_pipeline.dicom.pixel_checks import remarks
from radia_pipeline.errors import LakeUnwritable, Refusal
from radia_pipeline.lake import atomic
from radia_pipeline.lake.hashing import pixel_sha256
from radia_pipeline.privacy import container as dicom_container
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import Container
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits
from radia_pipeline.privacy.policy import Policy, policy_of
from radia_pipeline.privacy.prints import INITIALS, Print, find_text

UNREAD_CAPTURE = "unread_capture"
"""Flag of a secondary capture that a person let in with OCR switched off: text may stand anywhere in it."""

SETTLED = "settled_by_person"
"""Flag of a picture whose print a person has called clean."""

NO_HASH = "0" * 64
"""Stands for the hash of a file that could not be read."""


@dataclass(frozen=True)
class Task:
    """What a worker needs for one file. ``table_view``: the projection by the source's own table, if it has one.

    ``only_pixels``: an audit that has read the header already and wants no picture. ``settled``: hash of the bytes
    whose print a person has called clean.
    """

    path: str
    staged: str
    source: str
    max_side_px: int
    reads_text: bool
    has_facts: bool = False
    table_view: str | None = None
    only_pixels: bool = False
    settled: str | None = None
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True)
class Verdict:
    """What came of one file. ``reason`` None means ingestible.

    ``native_ids`` are SOP, study and patient identifiers.
    """

    file_sha256: str
    size_bytes: int
    mtime_ns: int
    reason: str | None = None
    detail: str | None = None
    native_ids: tuple[str, str, str] | None = None
    row: dict = field(default_factory=dict)
    text_was_read: bool = False


def examine(task: Task) -> Verdict:
    """Judge one delivered file and stage its picture at ``task.staged`` unless it is refused.

    Raises LakeUnwritable where the machine fails, which is no verdict on the file.
    """
    try:
        data, before = read_whole(task.path, task.limits)
    except Refusal as refusal:
        return Verdict(NO_HASH, 0, 0, refusal.reason, refusal.detail)
    digest = hashlib.sha256(data).hexdigest()
    common = {"file_sha256": digest, "size_bytes": before.st_size, "mtime_ns": before.st_mtime_ns}
    if task.settled != digest:
        task = replace(task, settled=None)
    try:
        return Verdict(**common, **_examined(data, task))
    except Refusal as refusal:
        return Verdict(**common, reason=refusal.reason, detail=refusal.detail)
    except MemoryError:
        return Verdict(**common, reason=reasons.TOO_LARGE, detail="memory limit")


def _examined(data: bytes, task: Task) -> dict:
    policy = policy_of(task.source)
    if task.only_pixels:
        return _only_pixels(data, task, policy)
    admitted = admit(data, Intake(policy, takes_rasters=task.has_facts, is_listed=task.has_facts, limits=task.limits))
    if admitted.parsed is not None:
        return _examined_dicom(admitted, task, policy)
    picture = render.picture_of_raster(data, admitted.kind, task.limits)
    read = _check_pixels(picture, task, policy)
    row = _picture_row(picture, task, view=(task.table_view or views.UNKNOWN, "table" if task.table_view else "none"))
    row["flags"] += _flags_of_print(read, task)
    return {"row": row, "text_was_read": read is not None}


def _only_pixels(data: bytes, task: Task, policy: Policy) -> dict:
    """Look for print alone: the audit has told all findings of the header already."""
    parsed = dicom_container.parse(data, task.limits)
    picture = render.picture_of_dicom(parsed, header_facts.pixel_facts(parsed, task.limits))
    return {"text_was_read": _check_pixels(picture, task, policy) is not None}


def _examined_dicom(admitted: Admitted, task: Task, policy: Policy) -> dict:
    parsed = admitted.parsed
    native = None if task.has_facts else header_facts.identifiers(parsed)
    picture = render.picture_of_dicom(parsed, admitted.facts)
    read = _check_pixels(picture, task, policy)
    is_unread = admitted.is_secondary and policy.reads_burned_in_text and read is None
    view = views.view_of_header(parsed.dataset)
    if view[0] == views.UNKNOWN and task.table_view:
        view = (task.table_view, "table")
    row = _picture_row(picture, task, view=view, parsed=parsed)
    row["flags"] += [
        *header_facts.flags(parsed),
        *_flags_of_print(read, task),
        *((UNREAD_CAPTURE,) if is_unread else ()),
    ]
    row.update(header_facts.describe(parsed))
    return {"row": row, "native_ids": native, "text_was_read": read is not None}


def _flags_of_print(read: Print | None, task: Task) -> list[str]:
    if task.settled is not None:
        return [SETTLED]
    return [INITIALS] if read is not None and read.has_initials else []


def _check_pixels(picture: render.Picture, task: Task, policy: Policy) -> Print | None:
    """Refuse print in the pixels that may name a person; None where it was not looked for."""
    if not task.reads_text:
        return None
    if task.settled is not None:
        return Print()
    found = find_text(picture.shown, policy.ocr_allowed, policy.print_floor)
    rule = found.rule or (INITIALS if found.has_initials and policy.refuses_initials else None)
    if rule is not None:
        raise Refusal(reasons.IDENTITY_IN_PIXELS, rule)
    return found


def _picture_row(
    picture: render.Picture, task: Task, *, view: tuple[str, str], parsed: Container | None = None
) -> dict:
    """Stage the picture and return its columns."""
    image = render.stored_image(picture.shown, task.max_side_px)
    dataset = parsed.dataset if parsed is not None else None
    notes = remarks(
        image,
        body_part=header_facts.text(dataset, "BodyPartExamined") if dataset is not None else "",
        description=header_facts.text(dataset, "AcquisitionDeviceProcessingDescription") if dataset is not None else "",
    )
    if view[0] == views.UNKNOWN and notes.is_lateral and not (dataset and views.is_frontal_orientation(dataset)):
        view = (views.LATERAL, "pixels")
    _stage(Path(task.staged), png16.encode(image))
    return {
        "pixel_sha256": pixel_sha256(picture.stored),
        "view": view[0],
        "view_origin": view[1],
        "width_px": image.shape[1],
        "height_px": image.shape[0],
        "original_width_px": picture.stored.shape[1],
        "original_height_px": picture.stored.shape[0],
        "bits_stored": picture.bits_stored,
        "photometric": picture.photometric,
        "transfer_syntax": picture.transfer_syntax,
        "window_center": picture.window_center,
        "window_width": picture.window_width,
        "flags": list(notes.flags),
        **{f"{name}_score": score for name, score in notes.scores.items()},
    }


def _stage(path: Path, content: bytes) -> None:
    """Write the picture whole or not at all; its name becomes durable when ``publish`` moves it into place."""
    try:
        with atomic.replacing(path, sync_name=False) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise LakeUnwritable(
            f"A picture could not be written into the lake ({error.errno}); earlier tables are intact",
            do="free space or rights in the lake, then run again: it continues where it stopped",
        ) from None

"""One file that a prediction is asked for -> what may be shown to the models: judged as the ingest judges it.

Belongs here: the order (admission, decoding, print, doubts about the picture); it runs in a worker. A file that is
refused or silenced comes back without a single pixel. Does not belong here: models, studies and words for people.
Nothing is written; of an identified file nothing comes back but numbers and the view.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

from radia_pipeline.dicom import facts as header_facts
from radia_pipeline.dicom import render, views
from radia_pipeline.dicom.admission import Admitted, Intake, admit
from radia_pipeline.dicom.delivered import opened, read_whole
from radia_pipeline.dicom.doubts import DOUBTS, doubts_of
from radia_pipeline.dicom.pixel_checks import remarks
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.policy import policy_of, reads_pixels
from radia_pipeline.processes.frames import Frame
from radia_pipeline.training.inputs import letterbox
from radia_pipeline.usecases.looking import Asked, Looked

STORED_SIDE_PX = 1024
"""The ingest's default: the models were trained on images of this size."""
_HEAD_BYTES = 1 << 16
"""Where a data set's study stands in all but deflated files."""
_DIGEST_BYTES = 16


def look_frame(task: Frame) -> Frame:
    """Look at the file of a task's record; runs in a worker."""
    path, source, is_identified, ocr, sides, *rest = task.body
    asked = Asked(path, source, is_identified, ocr, tuple(sides), *rest)
    found = Looked(study=_study_of_head(asked)) if asked.only_study else look(asked)
    *body, squares, picture = vars(found).values()
    return Frame([body, picture is not None], (*squares, *([] if picture is None else [picture])))


def look(asked: Asked) -> Looked:
    """Judge one file and render it; a refusal or a silencing doubt is the answer and no exception."""
    try:
        data, _ = read_whole(asked.path)
        policy = policy_of(asked.source)
        admitted = admit(data, Intake(policy, is_identified=asked.is_identified, takes_rasters=True))
        picture = (
            render.picture_of_raster(data, admitted.kind)
            if admitted.parsed is None
            else render.picture_of_dicom(admitted.parsed, admitted.facts)
        )
        return _judged(picture, admitted, asked, _print_in(picture, asked))
    except Refusal as refusal:
        return Looked(refusal.reason, refusal.detail)
    except MemoryError:
        return Looked(reasons.TOO_LARGE, "memory limit")


def _print_in(picture: render.Picture, asked: Asked) -> dict[str, float]:
    """Refuse print that may name a person; return the doubt that a lone short word raises."""
    from radia_pipeline.privacy.prints import INITIALS, find_text

    # The header of an identified file names the person anyway.
    if asked.is_identified or not reads_pixels(asked.source, asked.ocr):
        return {}
    policy = policy_of(asked.source)
    found = find_text(picture.shown, policy.ocr_allowed, policy.print_floor)
    rule = found.rule or (INITIALS if found.has_initials and policy.refuses_initials else None)
    if rule is not None:
        raise Refusal(reasons.IDENTITY_IN_PIXELS, rule)
    return {INITIALS: 1.0} if found.has_initials else {}


def _judged(picture: render.Picture, admitted: Admitted, asked: Asked, printed: dict[str, float]) -> Looked:
    image = render.stored_image(picture.shown, STORED_SIDE_PX)
    dataset = admitted.parsed.dataset if admitted.parsed is not None else None
    words = ("BodyPartExamined", "AcquisitionDeviceProcessingDescription")
    part, description = (header_facts.text(dataset, word) if dataset is not None else "" for word in words)
    notes = remarks(image, body_part=part, description=description)
    view = views.view_of_header(dataset) if dataset is not None else (views.UNKNOWN, "none")
    if view[0] == views.UNKNOWN and notes.is_lateral and not (dataset and views.is_frontal_orientation(dataset)):
        view = (views.LATERAL, "pixels")
    doubts = doubts_of(image, notes) | printed
    about: dict[str, Any] = {
        "doubts": tuple(doubts.items()), "view": view[0], "view_origin": view[1], "native": picture.shown.shape,
        "study": _digest(asked.salt, header_facts.text(dataset, "StudyInstanceUID")) if dataset is not None else None,
        "stored": image.shape,
    }  # fmt: skip
    silencing = next((name for name in doubts if DOUBTS[name].silences), None)
    if silencing is not None:
        return Looked(silencing, **about)
    squares = tuple(letterbox(image, side) for side in asked.sides_px)
    content = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
    return Looked(**about, content=content, squares=squares, picture=image if asked.wants_picture else None)


def _study_of_head(asked: Asked) -> str | None:
    """Return the study of a file without judging it: what a reader of headers sees first, else None."""
    try:
        handle, _ = opened(asked.path)
        with handle:
            head = handle.read(_HEAD_BYTES)
        if head[128:132] != b"DICM":
            return None
        uid = _study_in(head) or _study_in(read_whole(asked.path)[0])
    except (Refusal, OSError, MemoryError):
        return None
    return _digest(asked.salt, uid)


def _study_in(data: bytes) -> str:
    """Return the study's UID, empty where these bytes do not tell: cut short, they cannot be inflated."""
    from pydicom import dcmread

    try:
        dataset = dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
        return header_facts.text(dataset, "StudyInstanceUID")
    except Exception:
        # A stranger's header: pydicom's errors vary, and the judgement of this file will name what is wrong.
        return ""


def _digest(salt: str, uid: str) -> str | None:
    uid = uid.strip()
    return hashlib.blake2b(uid.encode(), key=salt.encode()[:64], digest_size=_DIGEST_BYTES).hexdigest() if uid else None

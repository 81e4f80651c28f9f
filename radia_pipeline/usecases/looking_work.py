"""One file that a prediction is asked for -> what may be shown to the models: judged as the ingest judges it.

Belongs here: what a worker makes of the judgement (``dicom.judgement``) for a prediction. A file that is refused or
silenced comes back without a single pixel. Does not belong here: models, studies and words for people. Nothing is
written; of an identified file nothing comes back but numbers and the view.
"""

from __future__ import annotations

import contextlib
import hashlib
from io import BytesIO
from typing import Any

import numpy as np

from radia_pipeline.dicom import facts as header_facts
from radia_pipeline.dicom import work
from radia_pipeline.dicom.delivered import opened, read_whole
from radia_pipeline.dicom.doubts import DOUBTS, doubts_of
from radia_pipeline.dicom.judgement import Judged, Terms, judge
from radia_pipeline.dicom.settlements import SETTLEABLE
from radia_pipeline.dicom.sides import laid_out
from radia_pipeline.dicom.views import LATERAL
from radia_pipeline.errors import Refusal
from radia_pipeline.phantom.dicom_files import DEVICES, EXPLICIT, Encoding, Header, dicom_bytes, phantom_uid
from radia_pipeline.privacy import reasons
from radia_pipeline.processes.frames import Frame
from radia_pipeline.training.inputs import letterbox
from radia_pipeline.usecases.looking import Asked, Looked, frame_of, sealed

_HEAD_BYTES = 1 << 16
"""Where a data set's study stands in all but deflated files."""
_DIGEST_BYTES = 16
_DRAWN_PX, _DRAWN_SOURCE = 512, "ccsmtl"
"""Side of the film that warms a nursery up, and whose policy it reads."""


def warm_up() -> None:
    """Import and read what judging a first film needs, so that no worker does; runs where workers are forked."""
    work.warm_up()
    _take_through(reads_text=False)


def warm_up_reader() -> None:
    """Do as ``warm_up`` does, and load the models of the reader of print besides."""
    work.warm_up_reader()
    _take_through(reads_text=True)


def _take_through(*, reads_text: bool) -> None:
    """Judge a drawn film and lay it out; whether it is let in does not matter."""
    picture = (np.add.outer(np.arange(_DRAWN_PX), np.arange(_DRAWN_PX)) * 7).astype(np.uint16)
    study, series, image = (phantom_uid(part) for part in ("study", "series", "image"))
    about = Header("0", study, series, image, "F", 50, "20200101", "PA", DEVICES[0], 0.2)
    with contextlib.suppress(Refusal):
        judge(dicom_bytes(picture, about, Encoding(EXPLICIT, is_inverted=False)), Terms(_DRAWN_SOURCE, reads_text))
    doubts_of(picture, {}, ())
    laid_out(picture)
    letterbox(picture, _DRAWN_PX // 2)


def look_frame(task: Frame) -> Frame:
    """Look at the file of a task's record; runs in a worker."""
    path, source, is_identified, reads_text, sides, *rest = task.body
    asked = Asked(path, source, is_identified, reads_text, tuple(sides), *rest)
    found = Looked(study=_study_of_head(asked)) if asked.only_study else look(asked)
    return frame_of(found)


def look(asked: Asked) -> Looked:
    """Judge one file and render it; a refusal or a silencing doubt is the answer and no exception."""
    digest = None
    try:
        data, _ = read_whole(asked.path)
        # An identified file's hash would tell it again.
        digest = None if asked.is_identified else hashlib.sha256(data).hexdigest()
        is_settled = asked.settled is not None and asked.settled == digest
        seal = sealed(data, asked.salt) if asked.wants_seal else None
        return _looked(judge(data, _terms(asked, is_settled=is_settled)), asked, seal)
    except Refusal as refusal:
        is_askable = refusal.reason in SETTLEABLE
        return Looked(refusal.reason, refusal.detail, digest=digest if is_askable else None)
    except MemoryError:
        return Looked(reasons.TOO_LARGE, "memory limit")


def _terms(asked: Asked, *, is_settled: bool) -> Terms:
    """Return how a file is judged: any kind of picture may be asked about, and no table says what it is."""
    return Terms(
        asked.source,
        asked.reads_text,
        is_identified=asked.is_identified,
        takes_rasters=True,
        is_settled=is_settled,
        threads=asked.threads,
    )


def _looked(judged: Judged, asked: Asked, seal: str | None) -> Looked:
    """Return what the models may be shown of a picture that was let in, or the doubt that silences it."""
    image, parsed = judged.image, judged.admitted.parsed
    doubts = doubts_of(image, judged.scores, judged.flags)
    about: dict[str, Any] = {
        "doubts": tuple(doubts.items()),
        "view": judged.view,
        "view_origin": judged.view_origin,
        "stored": image.shape,
        "native": judged.picture.shown.shape,
        "matrix": judged.picture.stored.shape,
        "seal": seal,
        "study": _digest(asked.salt, header_facts.text(parsed.dataset, "StudyInstanceUID")) if parsed else None,
    }
    silencing = next((name for name in doubts if DOUBTS[name].silences), None)
    if silencing is not None:
        return Looked(silencing, **about)
    squares = tuple(letterbox(image, side) for side in asked.sides_px)
    content = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
    lies = laid_out(image) if judged.view != LATERAL and squares else None
    picture = image if asked.wants_picture else None
    return Looked(**about, content=content, squares=squares, laid_out=lies, picture=picture)


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

"""What crosses between a prediction and the workers that look at its files: what is asked, what came of it.

A worker has read a stranger's file with codecs written in C: nothing that it says is believed unless it has the form of
it. Light: the parent reads no file and decodes nothing. What workers do stands in ``looking_work``.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.errors import BadFrame, RadiaError, Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS
from radia_pipeline.processes import pool
from radia_pipeline.processes.ahead import ahead
from radia_pipeline.processes.frames import Caps, Frame
from radia_pipeline.processes.items import map_items
from radia_pipeline.processes.where import HERE, Where

VIEWS = ("PA", "AP", "LATERAL", "UNKNOWN")
_MOST_JSON, _MOST_PIXELS = 1 << 16, 64 << 20
_AHEAD, _WINDOW = 4, 32
"""Files of each worker that wait to be answered, and that may be looked at while an earlier one takes its time."""
GRID_PX = 64
"""Side of what ``dicom.sides`` lays out, which imports more than this module may."""
_WORK = "radia_pipeline.usecases.looking_work"


@dataclass(frozen=True)
class Asked:
    """What a worker needs for one file. ``reads_text``: whether print is looked for. ``sides_px``: of the squares that
    the models want; ``wants_picture``: the stored picture too. ``salt``: of this call, under which studies are told
    apart. ``only_study``: nothing but the study. ``settled``: hash of bytes whose print a person has called clean.
    ``threads``: that decoding may use. ``wants_seal``: what tells these bytes again within this call."""

    path: str
    source: str
    is_identified: bool
    reads_text: bool
    sides_px: tuple[int, ...] = ()
    wants_picture: bool = False
    salt: str = ""
    only_study: bool = False
    settled: str | None = None
    threads: int = 1
    wants_seal: bool = False


@dataclass(frozen=True)
class Looked:
    """What came of one file. ``reason`` is of ``privacy.reasons`` or a silencing doubt; None: it may be shown.

    ``study``: salted digest of the study's UID, None where the file names none. ``content``: digest of the picture as
    the lake would store it, the same for every way to encode it. ``digest``: of the bytes of a file that a person's
    word could let in. ``native`` and ``stored`` are (height, width); ``matrix`` is (rows, columns) as delivered, which
    differs from ``native`` where pixels are not square. ``laid_out``: a frontal film as ``dicom.sides`` lays it out.
    ``seal``: of the file's bytes, by ``sealed``, where it was asked for.
    """

    reason: str | None = None
    detail: str | None = None
    doubts: tuple[tuple[str, float], ...] = ()
    view: str = "UNKNOWN"
    view_origin: str = "none"
    study: str | None = None
    content: str = ""
    digest: str | None = None
    native: tuple[int, int] = (0, 0)
    stored: tuple[int, int] = (0, 0)
    matrix: tuple[int, int] = (0, 0)
    seal: str | None = None
    squares: tuple[np.ndarray, ...] = ()
    laid_out: np.ndarray | None = None
    picture: np.ndarray | None = None

    def stored_picture(self) -> np.ndarray:
        """Return the picture (H, W) of a film that was looked at whole and let in."""
        return cast(np.ndarray, self.picture)  # looks of which nothing is shown ask for none


def looked_at(
    asked: Iterable[Asked],
    *,
    workers: int,
    reads_text: bool,
    settled: frozenset[str] = frozenset(),
    where: Where = HERE,
) -> Iterator[Looked]:
    """Look at files in worker processes; yields in the order of the files. A crash or a hang costs its own file.

    ``reads_text``: whether print may be looked for, so that its reader is loaded once for all workers. ``settled``:
    hashes of the bytes whose print a person has called clean; such a file is looked at again with that word. Workers go
    on while the caller is busy, a bounded number of files ahead.
    """
    if where.is_local:
        get_ready(reads_text=reads_text)  # by this thread: the workers' origin ends with the one that has started it
    return ahead(_looked_at(asked, workers, reads_text, settled, where), depth=_AHEAD * workers)


def _looked_at(
    asked: Iterable[Asked], workers: int, reads_text: bool, settled: frozenset[str], where: Where = HERE
) -> Generator[Looked, None, None]:
    waiting: deque[Asked] = deque()

    def frames() -> Iterator[Frame]:
        for one in asked:
            waiting.append(one)
            yield Frame([list(value) if isinstance(value, tuple) else value for value in vars(one).values()])

    answers = map_items(_work(reads_text), frames(), workers=workers, window=_WINDOW * workers, where=where)
    for answer in pool.in_order(answers):
        looked, one = _received(answer), waiting.popleft()
        if looked.digest in settled and one.settled is None:
            again = replace(one, settled=looked.digest)
            (looked,) = _looked_at([again], 1, reads_text, frozenset())
        yield looked


def get_ready(*, reads_text: bool) -> None:
    """Start the process that workers come from, so that it imports its codecs while models are opened."""
    pool.get_ready(_work(reads_text))


def _work(reads_text: bool) -> pool.Work:
    warm_up = "warm_up_reader" if reads_text else "warm_up"
    return pool.Work(
        f"{_WORK}:look_frame",
        f"{_WORK}:{warm_up}",
        seconds=DEFAULT_LIMITS.seconds,
        memory_bytes=DEFAULT_LIMITS.memory_bytes,
        caps=Caps(json_bytes=_MOST_JSON, array_bytes=_MOST_PIXELS),
    )


def _received(answer: pool.Answer) -> Looked:
    if isinstance(answer, Frame):
        try:
            return looked_of(answer)
        except BadFrame:
            return Looked(reasons.DECODER_CRASHED)
    if isinstance(answer, pool.Lost) and answer.how == pool.TIMED_OUT:
        return Looked(reasons.DECODER_TIMEOUT)
    if isinstance(answer, RadiaError) and not isinstance(answer, Refusal | BadFrame):
        raise answer
    return Looked(reasons.DECODER_CRASHED)


def frame_of(looked: Looked) -> Frame:
    """Return what a worker says of a file: fields and, apart, the pictures and which of them there are."""
    *fields, squares, laid_out, picture = vars(looked).values()
    named = [one for one in (laid_out, picture) if one is not None]
    return Frame([fields, laid_out is not None, picture is not None], (*squares, *named))


def looked_of(frame: Frame) -> Looked:
    """Return what a worker said; raises BadFrame unless it has the form of it."""
    match frame.body:
        case [
            [reason, detail, [*doubts], str(view), str(origin), study, str(content), digest, *sizes, seal],
            bool(is_laid_out),
            bool(has),
        ]:
            is_sound = (
                all(value is None or isinstance(value, str) for value in (reason, detail, study, digest, seal))
                and (reason is None or reason in reasons.REASONS or reason in DOUBTS)
                and all(_is_doubt(one) for one in doubts)
                and view in VIEWS
                and len(sizes) == 3
                and all(isinstance(size, list) and [type(side) for side in size] == [int, int] for size in sizes)
                and all(array.dtype == np.uint16 and array.ndim == 2 for array in frame.arrays)
                and not (reason is not None and frame.arrays)
                and len(frame.arrays) >= is_laid_out + has
                and (reason is not None or not frame.arrays or min(map(min, sizes)) > 0)
            )
            if is_sound:
                named = tuple((name, float(score)) for name, score in doubts)
                native, stored, matrix = (tuple(size) for size in sizes)
                pictures = list(frame.arrays)
                picture = pictures.pop() if has else None
                laid_out = pictures.pop() if is_laid_out else None
                if laid_out is None or laid_out.shape == (GRID_PX, GRID_PX):
                    return Looked(
                        reason,
                        detail,
                        named,
                        view,
                        origin,
                        study,
                        content,
                        digest,
                        native,
                        stored,
                        matrix,
                        seal,
                        tuple(pictures),
                        laid_out,
                        picture,
                    )
    raise BadFrame("A record that is not about a picture")


def sealed(data: bytes, salt: str) -> str:
    """Return what tells bytes again to whoever knows the salt (32 characters), which stands at its head."""
    return salt + hashlib.blake2b(data, key=salt.encode()).hexdigest()


def _is_doubt(one: object) -> bool:
    return (
        isinstance(one, list)
        and len(one) == 2
        and isinstance(one[0], str)
        and one[0] in DOUBTS
        and isinstance(one[1], int | float)
        and np.isfinite(one[1])
    )

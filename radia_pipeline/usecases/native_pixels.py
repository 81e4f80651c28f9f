"""A delivered film at its own resolution as a viewer windows it: values, and the grey curve that its header asks for.

Here: what crosses to the worker that decodes and back; the file is decoded in a process of its own, with a limit of
memory and a deadline. Not here: the curve itself (``dicom.greyscale``), what is made of it (``native_work``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radia_pipeline.errors import BadFrame, RadiaError, Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS
from radia_pipeline.processes import pool
from radia_pipeline.processes.frames import Caps, Frame

_WORK = pool.Work(
    "radia_pipeline.usecases.native_work:native_frame",
    "radia_pipeline.dicom.work:warm_up",
    seconds=DEFAULT_LIMITS.seconds,
    memory_bytes=DEFAULT_LIMITS.memory_bytes,
    caps=Caps(json_bytes=1 << 12, array_bytes=DEFAULT_LIMITS.pixel_bytes + (1 << 20)),
)
FULL = 65535
STORED_WINDOW = (FULL / 2, float(FULL))
"""Centre and width that show a stored image as it is."""


@dataclass(frozen=True)
class Film:
    """A film as values and a curve: ``shown = table[value]`` in 0…65535, bright means dense.

    ``values``: uint16 (H, W), square pixels. ``table``: uint16 (n,), empty where values are shown as they are.
    ``window``: centre and width of the default window in values; ``slopes``: of the curve before its first and after
    its last entry, per value; ``units``: slope and intercept to modality values, None where a table maps them;
    ``padding``: closed range of values that stay black, None where there are none.
    """

    values: np.ndarray
    table: np.ndarray
    window: tuple[float, float] = STORED_WINDOW
    slopes: tuple[float, float] = (1.0, 1.0)
    units: tuple[float, float] | None = None
    padding: tuple[int, int] | None = None


def stored_film(image: np.ndarray) -> Film:
    """Return a stored image, uint16 (H, W), as a film."""
    return Film(image, np.zeros(0, dtype=np.uint16))


def native_film(path: Path | str, sha256: str | None = None) -> Film:
    """Decode a file that was let in before; ``sha256``: of its bytes then, where that is known.

    Raises Refusal: the file is away, changed, or cannot be decoded.
    """
    task = Frame([str(path), sha256, pool.default_workers()])
    (answer,) = (answer for _, answer in pool.map_tasks(_WORK, [task], workers=1))
    if isinstance(answer, Frame):
        try:
            return _film_of(answer)
        except BadFrame:
            raise Refusal(reasons.DECODER_CRASHED) from None
    if isinstance(answer, RadiaError) and not isinstance(answer, BadFrame):
        raise answer
    if isinstance(answer, pool.Lost) and answer.how == pool.TIMED_OUT:
        raise Refusal(reasons.DECODER_TIMEOUT)
    raise Refusal(reasons.DECODER_CRASHED)


def get_ready() -> None:
    """Start the process that workers come from."""
    pool.get_ready(_WORK)


def _film_of(frame: Frame) -> Film:
    match frame.body, frame.arrays:
        case [[list(window), list(slopes), units, padding], (values, table)]:
            numbers = [*window, *slopes, *(units or ()), *(padding or ())]
            is_sound = (
                (values.dtype, values.ndim, table.dtype, table.ndim) == (np.uint16, 2, np.uint16, 1)
                and values.size > 0
                and (table.size == 0 or int(values.max()) < table.size)
                and len(window) == len(slopes) == 2
                and all(one is None or (isinstance(one, list) and len(one) == 2) for one in (units, padding))
                and all(type(one) in (int, float) and np.isfinite(one) for one in numbers)
            )
            if is_sound:
                return Film(
                    values, table, tuple(window), tuple(slopes), units and tuple(units), padding and tuple(padding)
                )
    raise BadFrame("A record that is not about a film")

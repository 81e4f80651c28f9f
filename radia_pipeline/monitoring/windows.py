"""Windows of time: which week an image belongs to, one image for each patient and window, windows with enough of them.

Several films of one patient are alike, and counting them all makes chance look like drift (``benchmarks/drift.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

Span = tuple[date, date]
"""First and last day."""


@dataclass(frozen=True)
class Window:
    """Rows of one window, one for each patient; ``start`` and ``end`` are days of it."""

    start: date
    end: date
    rows: np.ndarray


def one_each(patients: Sequence[str] | np.ndarray, images: Sequence[str] | np.ndarray) -> np.ndarray:
    """Return the row of one image for each patient, in order; a hash of the image chooses, and nothing else."""
    chosen: dict[str, tuple[bytes, int]] = {}
    for row, (patient, image) in enumerate(zip(patients, images, strict=True)):
        mark = (hashlib.blake2b(image.encode(), digest_size=8).digest(), row)
        if patient not in chosen or mark < chosen[patient]:
            chosen[patient] = mark
    return np.array(sorted(row for _, row in chosen.values()), dtype=int)


def monday(day: date) -> date:
    """Return the first day of a day's week."""
    return day - timedelta(days=day.weekday())


def cut(
    days: Sequence[date],
    patients: Sequence[str],
    images: Sequence[str],
    *,
    span: Span,
    length: int,
    least: int,
) -> list[Window]:
    """Return windows of ``length`` days from the first day of ``span`` that are over by its last, one image a patient.

    A window with fewer than ``least`` patients goes on into the next, until it has enough; where the last has not, it
    is none yet. Later days never change an earlier window.
    """
    start, until = span
    numbers = np.array([(day - start).days // length for day in days], dtype=int)
    names, ids = np.asarray(patients, dtype=object), np.asarray(images, dtype=object)
    order = np.argsort(numbers, kind="stable")
    found: list[Window] = []
    waiting, opened = np.zeros(0, dtype=int), 0
    for number in range(((until - start).days + 1) // length):
        low, high = np.searchsorted(numbers[order], [number, number + 1])
        waiting = np.concatenate([waiting, order[low:high]])
        rows = waiting[one_each(names[waiting], ids[waiting])] if len(waiting) >= least else waiting
        if len(rows) and len(rows) >= least and len(waiting) >= least:
            end = start + timedelta(days=(number + 1) * length - 1)
            found.append(Window(start + timedelta(days=opened * length), end, np.sort(rows)))
            waiting, opened = np.zeros(0, dtype=int), number + 1
        elif not len(waiting):
            opened = number + 1
    return found

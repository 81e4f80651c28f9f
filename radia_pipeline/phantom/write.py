"""Writes a whole phantom: each source in its published layout, and the truth beside them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from radia_pipeline.errors import BadInput, UnknownName
from radia_pipeline.phantom.layouts import ccsmtl, chexpert, mimic_cxr, nih_cxr14, padchest, vindr_cxr
from radia_pipeline.phantom.layouts.batch import Batch, Order
from radia_pipeline.phantom.signs import undrawn
from radia_pipeline.phantom.truth import write_truth

LAYOUTS = {layout.SOURCE: layout for layout in (ccsmtl, chexpert, mimic_cxr, nih_cxr14, padchest, vindr_cxr)}
DEFAULT_PATIENTS = {"ccsmtl": 900, "nih_cxr14": 600}
SMALLEST_PX = 64
CHUNK = 8
"""Patients that a worker draws before it reports back."""


@dataclass(frozen=True)
class PhantomResult:
    """What was written, by source: files, images, studies, report rows, and each kind of planted fault.

    ``undrawn``: pathologies of the vocabulary that have no sign: no study has them, no report names them.
    """

    root: Path
    counts: Mapping[str, Mapping[str, int]]
    undrawn: tuple[str, ...] = ()


def write_phantom(
    root: Path | str,
    *,
    seed: int = 0,
    patients: Mapping[str, int] | None = None,
    size_px: int = 320,
    large_patients: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> PhantomResult:
    """Write synthetic deliveries under ``root`` and their truth under ``root/truth``.

    ``patients``: how many of each source (default 900 of the hospital, 600 of NIH). ``size_px``: longest side;
    ``large_patients``: how many of the hospital's first have films at a radiograph's size.
    ``on_progress``: called with patients done and patients in all. The files depend on ``seed``, ``patients`` and
    sizes only, not on ``workers``. Raises UnknownName for a source that has no layout here, BadInput for sizes that
    cannot be drawn.
    """
    checked = _checked(dict(DEFAULT_PATIENTS if patients is None else patients))
    order = Order(Path(root), seed, checked, size_px, large_patients)
    if size_px < SMALLEST_PX:
        raise BadInput(f"Images of {size_px} pixels", accepted=f"at least {SMALLEST_PX} pixels on the longest side")
    for source in order.patients:
        LAYOUTS[source].begin(order)
    jobs = [(source, n) for source, count in order.patients.items() for n in range(1, count + 1)]
    chunks = [jobs[i : i + CHUNK] for i in range(0, len(jobs), CHUNK)]
    whole = {source: Batch() for source in order.patients}
    done = 0
    for chunk, batches in zip(chunks, _run(order, chunks, workers), strict=True):
        for (source, _), batch in zip(chunk, batches, strict=True):
            whole[source].join(batch)
        done += len(chunk)
        if on_progress:
            on_progress(done, len(jobs))
    for source, batch in whole.items():
        LAYOUTS[source].finish(order, batch)
    write_truth(
        order.root / "truth",
        [row for b in whole.values() for row in b.boxes],
        [row for b in whole.values() for row in b.labels],
    )
    return PhantomResult(order.root, {source: batch.counts for source, batch in whole.items()}, undrawn())


def _checked(patients: dict[str, int]) -> dict[str, int]:
    for source, count in patients.items():
        if source not in LAYOUTS:
            raise UnknownName(f"Unknown phantom source {source!r}", accepted=", ".join(LAYOUTS))
        if count < 0:
            raise BadInput(f"{count} patients of {source}", accepted="zero or more")
    return patients


def _run(order: Order, chunks: list[list[tuple[str, int]]], workers: int | None) -> Iterable[list[Batch]]:
    """Yield the batches of each chunk in order, from a pool of processes if there is more than one worker."""
    workers = min(workers or len(os.sched_getaffinity(0)), len(chunks))
    if workers <= 1:
        for chunk in chunks:
            yield write_chunk(order, chunk)
        return
    # Forked workers would inherit locks of threads that the caller runs (Dagster, torch); spawned ones do not.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread_each) as pool:
        waiting, rest = [], iter(chunks)
        for chunk in islice(rest, 4 * workers):
            waiting.append(pool.submit(write_chunk, order, chunk))
        while waiting:
            yield waiting.pop(0).result()
            for chunk in islice(rest, 1):
                waiting.append(pool.submit(write_chunk, order, chunk))


def write_chunk(order: Order, chunk: list[tuple[str, int]]) -> list[Batch]:
    """Write the patients of a chunk; runs in a worker."""
    return [LAYOUTS[source].write_patient(order, number) for source, number in chunk]


def _one_thread_each() -> None:
    import cv2

    cv2.setNumThreads(1)

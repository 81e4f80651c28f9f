"""Rows of ``data_profile`` about where a source's images and values come from: devices, who said what, what contradicts
itself, how many patients its images are worth, and distributions and correlations by pool.

Counts of single sources and shifts between them are in ``profile``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from radia_pipeline.cohort.profile_rows import correlation_rows, row
from radia_pipeline.contracts.label_values import POSITIVE, UNCERTAIN
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import BY_CLOSURE, ORIGINS
from radia_pipeline.labels.table import positions, read_matrices
from radia_pipeline.lake.lake import Lake

if TYPE_CHECKING:
    import pyarrow as pa

LEAST_IMAGES_OF_A_DEVICE = 10
"""Devices with fewer images are counted together: a rare one tells a place, and no figure rests on it."""
OTHER_DEVICES, NO_DEVICE = "other devices", "not told"
MOST_BIN = 9


def effective_patients(patients: np.ndarray) -> float:
    """Return how many patients with one image each these images are worth at most: (Σ n)² / Σ n² over patients.

    Kish, Survey Sampling (1965), with images of a patient as copies of one another.
    """
    _, images = np.unique(patients.astype(str), return_counts=True)
    return float(images.sum() ** 2 / (images**2).sum()) if len(images) else 0.0


def provenance_rows(lake: Lake, source: str) -> Iterator[dict]:
    """Yield a source's rows about devices, origins and contradictions; counts are of images of the manifest."""
    manifest = lake.read("manifest", source, columns=["image_id", "study_id", "patient_key", "pool", "excluded"])
    held = pc.sum(pc.equal(manifest.column("excluded"), "held")).as_py() or 0
    yield row("held_images", source, held / len(manifest) if len(manifest) else None, held)
    manifest = manifest.filter(pc.is_null(manifest.column("excluded")))
    patients = manifest.column("patient_key").to_numpy(zero_copy_only=False).astype(object)
    yield row("effective_patients", source, effective_patients(patients), len(set(patients.tolist())))
    yield from _devices(lake, source, manifest)
    yield from _origins(lake, source, manifest)


def _devices(lake: Lake, source: str, manifest: pa.Table) -> Iterator[dict]:
    images = lake.read("images", source, columns=["image_id", "manufacturer", "device_model"])
    rows = positions(manifest.column("image_id"), images.column("image_id"))
    makers, models = (images.column(name).to_pylist() for name in ("manufacturer", "device_model"))
    names = np.array([" ".join(filter(None, (makers[row], models[row]))) or NO_DEVICE for row in rows], dtype=object)
    found, counts = np.unique(names.astype(str), return_counts=True)
    told = {name: int(count) for name, count in zip(found, counts) if count >= LEAST_IMAGES_OF_A_DEVICE}
    rest = int(counts.sum()) - sum(told.values())
    for name, count in sorted({**told, **({OTHER_DEVICES: rest} if rest else {})}.items()):
        yield row("device", source, count / len(rows), count, other=name)


def _origins(lake: Lake, source: str, manifest: pa.Table) -> Iterator[dict]:
    """Yield, for each class, images by where its value comes from; and how many contradict what was said."""
    studies, (matrix,) = read_matrices(lake, source, ["origin"])
    of_image = positions(manifest.column("study_id"), studies)
    cells = matrix[of_image[of_image >= 0]]
    for column, name in enumerate(vocabulary().classes):
        counts = np.bincount(cells[:, column], minlength=len(ORIGINS)).tolist()
        for origin, count in zip(ORIGINS, counts):
            if count:
                yield row("origin", source, count / len(cells), count, name, origin)
        if name in source_sheet(source).labels:
            closed = sum(counts[ORIGINS.index(origin)] for origin in BY_CLOSURE)
            yield row("by_closure", source, closed / len(cells) if len(cells) else None, closed, name)


def rows_by_pool(
    source: str, values: np.ndarray, patients: np.ndarray, studies: np.ndarray, pools: np.ndarray
) -> Iterator[dict]:
    """Yield distributions and correlations inside each pool, and images of an examination over all of them.

    ``values``: int8 (images, 21); the others (images,).
    """
    yield from _bins("images_per_study", source, _sizes(studies))
    columns = [vocabulary().index(name) for name in vocabulary().pathologies]
    found = np.isin(values, (POSITIVE, UNCERTAIN))
    for pool in sorted(set(pools.tolist())):
        inside = pools == pool
        yield row(
            "effective_patients",
            source,
            effective_patients(patients[inside]),
            len(set(patients[inside].tolist())),
            other=pool,
        )
        yield from _bins(f"labels_per_image_{pool}", source, found[inside][:, columns].sum(axis=1))
        yield from _bins(f"images_per_patient_{pool}", source, _sizes(patients[inside]))
        yield from _bins(f"images_per_study_{pool}", source, _sizes(studies[inside]))
        yield from correlation_rows(f"correlation_{pool}", source, found[inside])


def _sizes(names: np.ndarray) -> np.ndarray:
    return np.unique(names.astype(str), return_counts=True)[1]


def _bins(measure: str, source: str, numbers: np.ndarray) -> Iterator[dict]:
    for number, count in enumerate(np.bincount(np.minimum(numbers, MOST_BIN)).tolist() if len(numbers) else ()):
        if count:
            yield row(measure, source, count / len(numbers), int(count), other=f"{number:02d}")

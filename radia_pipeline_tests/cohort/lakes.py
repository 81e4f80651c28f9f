"""Small lakes for the cohort's tests: invented images, labels and links, written through the real lake."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.tables import conform
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import ORIGIN_CODE
from radia_pipeline.labels.table import long_table
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake

KEYS = Pseudonymizer(b"a key for tests only")


def new_lake(folder: Path) -> Lake:
    """Return an empty lake."""
    return Lake.open(folder / "lake")


def image_row(source: str, name: str, patient: str, study: str | None = None, **changes) -> dict:
    """Return an ``images`` row of an invented image; its pixels are its name unless ``pixels`` is given."""
    pixels = hashlib.sha256(str(changes.pop("pixels", f"{source}/{name}")).encode()).hexdigest()
    image_id = KEYS.image_id(source, name)
    row = {
        "source": source,
        "image_id": image_id,
        "study_id": KEYS.study_id(source, study or name),
        "patient_key": KEYS.patient_key(source, patient),
        "path": f"pixels/{source}/{image_id[:2]}/{image_id}.png",
        "pixel_sha256": pixels,
        "file_sha256": pixels,
        "delivered_path": name,
        "view": "PA",
        "view_origin": "table",
        "width_px": 512,
        "height_px": 512,
        "original_width_px": 1024,
        "original_height_px": 1024,
        "bits_stored": 8,
        "flags": [],
    }
    return {**row, **changes}


def put_images(lake: Lake, source: str, rows: Iterable[dict]) -> None:
    """Publish a source's ``images``."""
    lake.write("images", conform("images", list(rows)), source)


def put_labels(
    lake: Lake, source: str, studies: Mapping[str, tuple[str, Mapping[str, int]]], origin: str = "table"
) -> None:
    """Publish a source's ``labels``: study name → (patient name, class → value); said and value are the same."""
    import pyarrow as pa

    names = sorted(studies)
    values = np.full((len(names), len(vocabulary().classes)), MISSING, dtype=np.int8)
    for row, name in enumerate(names):
        for label, value in studies[name][1].items():
            values[row, vocabulary().index(label)] = value
    codes = np.where(values == MISSING, ORIGIN_CODE["none"], ORIGIN_CODE[origin]).astype(np.int8)
    ids = pa.array([KEYS.study_id(source, name) for name in names], pa.string())
    patients = pa.array([KEYS.patient_key(source, studies[name][0]) for name in names], pa.string())
    lake.write("labels", long_table(source, ids, patients, values, values, codes), source)


def put_links(
    lake: Lake, links: Iterable[tuple[tuple[str, str, str], tuple[str, str, str]]], kind: str = "same_pixels"
) -> None:
    """Publish ``image_links``: pairs of (source, image name, patient name)."""
    rows = []
    for one, other in links:
        rows.append(
            {
                **{f"{key}_a": value for key, value in _end(*one).items()},
                **{f"{key}_b": value for key, value in _end(*other).items()},
                "kind": kind,
                "distance": 0.0,
            }
        )
    lake.write("image_links", conform("image_links", rows))


def _end(source: str, name: str, patient: str) -> dict:
    return {"source": source, "image_id": KEYS.image_id(source, name), "patient_key": KEYS.patient_key(source, patient)}


def one_image_per_patient(lake: Lake, source: str, patients: Iterable[str]) -> None:
    """Publish one image for each patient of a source."""
    put_images(lake, source, [image_row(source, f"{patient}.png", patient) for patient in patients])


def pools_of(lake: Lake) -> dict[str, str]:
    """Return patient_key → pool as published."""
    table = lake.read("splits", columns=["patient_key", "pool"])
    return dict(zip(table.column(0).to_pylist(), table.column(1).to_pylist()))

"""A lake with the phantom's pixels and labels, made without ingest or report rules: what the training benchmarks read.

Run by itself it writes the lake: ``python benchmarks/training_lake.py FOLDER [CCSMTL_PATIENTS NIH_PATIENTS]``.
"""

from __future__ import annotations

import hashlib
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from radia_pipeline.contracts.pools import TEST, TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom.canvas import generator
from radia_pipeline.phantom.layouts.nih_cxr14 import said_by_table
from radia_pipeline.phantom.people import draw_patient
from radia_pipeline.phantom.radiograph import take
from radia_pipeline.phantom.reports import write_report
from radia_pipeline.phantom.truth import label_rows

SIZE_PX = 320
PATIENTS = {"ccsmtl": 900, "nih_cxr14": 600}


def key(*parts: object) -> str:
    """32 hexadecimal digits, shaped like the lake's keyed identifiers."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:32]


def patient_rows(root: Path, seed: int, size_px: int, task: tuple[str, int]) -> list[dict]:
    """Draw one patient's images into the lake; return the manifest rows."""
    source, number = task
    patient = draw_patient(seed, source, number, size_px)
    bucket = int(key("pool", source, number)[:4], 16) % 10
    pool = TEST if bucket == 0 else VALIDATION if bucket == 1 else TRAIN
    rows = []
    for study in patient.studies:
        labels = _labels(source, study)
        if all(labels[name] is None for name in vocabulary().classes):
            continue
        for image in study.images:
            grey = take(image.film).grey
            image_id = key(source, number, study.number, image.number)
            path = Path("pixels") / source / image_id[:2] / f"{image_id}.png"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / path), np.round(grey * 65535).astype(np.uint16), [cv2.IMWRITE_PNG_COMPRESSION, 1])
            rows.append(
                {
                    "source": source,
                    "image_id": image_id,
                    "study_id": key(source, number, study.number, "study"),
                    "patient_key": key(source, number),
                    "group_id": key(source, number),
                    "path": path.as_posix(),
                    "view": image.film.view,
                    "width_px": grey.shape[1],
                    "height_px": grey.shape[0],
                    **labels,
                    "pool": pool,
                    "fold": bucket % 5 if pool == TRAIN else None,
                    "weight": 1.0,
                    "excluded": None,
                    "boxes": [],
                }
            )
    return rows


def _labels(source: str, study) -> dict[str, int | None]:
    if source == "ccsmtl":
        places = {sign.name: (sign.side, sign.zone) for sign in study.images[0].film.signs}
        said = write_report(places, generator(study.text_seed, "report")).said
    else:
        said = said_by_table(study)
    return {row["class"]: row["value"] for row in label_rows(source, "", said, study.pathologies)}


def write_training_lake(
    root: Path, patients: dict[str, int] | None = None, seed: int = 0, workers: int = 2, size_px: int = SIZE_PX
) -> Lake:
    """Write the lake unless it stands there already."""
    lake = Lake.open(root)
    for source, count in (patients or PATIENTS).items():
        if lake.exists("manifest", source):
            continue
        with ProcessPoolExecutor(workers) as pool:
            tasks = [(source, number) for number in range(1, count + 1)]
            parts = pool.map(partial(patient_rows, lake.root, seed, size_px), tasks, chunksize=16)
            lake.write("manifest", [row for part in parts for row in part], partition=source)
    return lake


if __name__ == "__main__":
    folder, *counts = sys.argv[1:]
    wanted = dict(zip(PATIENTS, map(int, counts))) if counts else PATIENTS
    made = write_training_lake(Path(folder), wanted)
    print({source: made.read("manifest", source).num_rows for source in wanted})

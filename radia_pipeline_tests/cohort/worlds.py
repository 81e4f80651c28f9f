"""A small cohort of two sources with labels, links and pools, for sets, manifest, profile and exports."""

from __future__ import annotations

import numpy as np

from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline_tests.cohort.lakes import image_row, new_lake, put_images, put_labels, put_links

SOURCES = ("chexpert", "nih_cxr14")
PATIENTS = 220


def cohort(tmp_path, *, link: bool = True):
    """Return a lake with ``images``, ``labels``, ``image_links`` and ``splits`` of two sources."""
    lake = new_lake(tmp_path)
    rng = np.random.default_rng(5)
    names = [*vocabulary().pathologies[:6], "No Finding"]
    for source in SOURCES:
        share = 0.2 if source == "chexpert" else 0.6
        rows, studies = [], {}
        for patient in range(PATIENTS):
            for image in range(1 + patient % 3):
                name = f"{source}-{patient}-{image}"
                flags = ["not_a_chest"] if (patient, image) == (7, 0) else []
                view = "LATERAL" if source == "chexpert" and image else "PA"
                age = float(rng.integers(20, 60) + (25 if source == "chexpert" else 0))
                rows.append(image_row(source, name, f"p{patient}", name, flags=flags, view=view, patient_age_years=age))
                values = {label: int(rng.random() < share * (place + 1) / 8) for place, label in enumerate(names[:-1])}
                values["No Finding"] = int(not any(values.values()))
                studies[name] = (f"p{patient}", {} if patient == 9 else values)
        put_images(lake, source, rows)
        put_labels(lake, source, studies)
    if link:
        put_links(
            lake,
            [
                ((SOURCES[0], f"{SOURCES[0]}-{n}-0", f"p{n}"), (SOURCES[1], f"{SOURCES[1]}-{n}-0", f"p{n}"))
                for n in range(30)
            ],
        )
    build_splits(lake)
    return lake

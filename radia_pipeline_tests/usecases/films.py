"""A lake of phantom films with models of fresh weights and their ensemble, and files to ask it about."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom import png16
from radia_pipeline.evaluation.ensemble import build_ensemble
from radia_pipeline.lake.lake import Lake
from radia_pipeline.phantom import dicom_files
from radia_pipeline.phantom.radiograph import Film, take
from radia_pipeline.training.inference import predict_manifest
from radia_pipeline_tests.evaluation.worlds import key
from radia_pipeline_tests.localisation.lakes import save_model

SOURCE = "nih_cxr14"
RECIPES = {"one": "linear", "two": "pcam"}
SIDE_PX = 160


def film(seed: int, view: str = "PA", size_px: int = SIDE_PX) -> np.ndarray:
    """Return a phantom, uint16."""
    grey = take(Film(view, 10 + seed, 3 * seed, bool(seed % 2), 20 + seed % 70, (), size_px)).grey
    return (grey * 65535).astype(np.uint16)


def make_lake(root: Path, count: int = 150) -> Lake:
    """Every third study has a lateral film too; Mass by turns; pools as three to one to one."""
    lake, rows = Lake.open(root), []
    for number in range(count):
        pool = ("train", "train", "train", "validation", "test")[number % 5]
        has_mass = number % 2
        values = {"Mass": has_mass, "Lung Lesion": has_mass, "Lung Opacity": has_mass, "No Finding": 1 - has_mass}
        for view in ("PA", "LATERAL")[: 1 + (number % 3 == 0)]:
            image = film(number, view)
            image_id = key("i", f"{number}{view}")
            path = lake.pixels_dir / SOURCE / f"{image_id}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png16.encode(image))
            rows.append(
                {
                    "source": SOURCE,
                    "image_id": image_id,
                    "study_id": key("s", number),
                    "patient_key": key("p", number),
                    "group_id": key("p", number),
                    "path": str(path.relative_to(lake.root)),
                    "view": view,
                    "width_px": image.shape[1],
                    "height_px": image.shape[0],
                    **values,
                    "pool": pool,
                    "fold": 0 if pool == "train" else None,
                    "weight": 1.0,
                    "boxes": [],
                }
            )
    lake.write("manifest", rows, SOURCE)
    for seed, (name, head) in enumerate(RECIPES.items()):
        save_model(lake, name, head, seed)
        predict_manifest(lake, name)
    build_ensemble(lake, list(RECIPES))
    return lake


def dicom(
    image: np.ndarray,
    number: int,
    *,
    view: str | None = "PA",
    study: int | None = None,
    syntax: str = "",
    **identity: str,
) -> bytes:
    """Return a DICOM file of 12 bits, de-identified unless ``identity`` says who it is."""
    uids = [
        dicom_files.phantom_uid(number if study is None else study, "study"),
        dicom_files.phantom_uid(number, "se"),
        dicom_files.phantom_uid(number, "im"),
    ]
    header = dicom_files.Header(
        f"CC{number:04d}", *uids, "F", 50, "20220202", view, dicom_files.DEVICES[0], 0.2, identity=identity
    )
    encoding = dicom_files.Encoding(syntax or str(dicom_files.EXPLICIT), is_inverted=False)
    return dicom_files.dicom_bytes(image >> 4, header, encoding)


def coloured(image: np.ndarray) -> bytes:
    """Return a colour PNG."""
    held, level = BytesIO(), (image >> 8).astype(np.uint8)
    Image.fromarray(np.stack([level, level // 2, 255 - level], axis=-1)).save(held, "PNG")
    return held.getvalue()


def classes_of(study: dict) -> dict[str, float]:
    """Return every class's probability of an answered study."""
    rows = [study["normal"], *study["groups"], *study["classes"]]
    assert {row["class"] for row in rows} == set(vocabulary().classes)
    return {row["class"]: row["probability"] for row in rows}

"""The manifest in the formats that others read: CSV, Parquet, COCO, TorchXRayVision, each with Croissant metadata.

Only de-identified columns leave; image files are named by path relative to the lake and stay where they are.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from radia_pipeline.cohort.croissant import croissant as describe
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import MissingTable, UnknownName
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

XRV_NAMES = {
    "Pleural Effusion": "Effusion", "Pleural Other": "Pleural_Thickening", "Atelectasis": "Atelectasis",
    "Consolidation": "Consolidation", "Infiltration": "Infiltration", "Pneumothorax": "Pneumothorax", "Edema": "Edema",
    "Emphysema": "Emphysema", "Pneumonia": "Pneumonia", "Cardiomegaly": "Cardiomegaly", "Nodule": "Nodule",
    "Mass": "Mass",
    "Hernia": "Hernia", "Lung Lesion": "Lung Lesion", "Fracture": "Fracture", "Lung Opacity": "Lung Opacity",
    "Enlarged Cardiomediastinum": "Enlarged Cardiomediastinum",
}  # fmt: skip
"""TorchXRayVision's names of the classes that it shares with the vocabulary (its default_pathologies)."""
_XRV_KEYS = {
    "imgpath": "path", "source": "source", "patientid": "patient_key", "studyid": "study_id", "view": "view",
    "pool": "pool", "fold": "fold",
}  # fmt: skip
"""TorchXRayVision's names of the manifest's columns."""


@dataclass(frozen=True)
class ExportResult:
    """What was written: the data file, its metadata, and how many images and boxes it holds."""

    format: str
    path: Path
    croissant: Path
    images: int
    boxes: int
    sources: tuple[str, ...]


def export_manifest(
    lake: Lake, to: str, folder: Path, *, sources: Iterable[str] | None = None, with_excluded: bool = False
) -> ExportResult:
    """Write the manifests of some sources (default: all) to ``folder`` as ``to``, with Croissant metadata beside them.

    Rows excluded by a late link are left out unless asked for. Raises UnknownName for another format, MissingTable
    where there is no manifest.
    """
    if to not in FORMATS:
        raise UnknownName(f"Unknown export format {to!r}", accepted=", ".join(FORMATS))
    names = tuple(sources or lake.partitions("manifest"))
    if not names:
        raise MissingTable("The table manifest has not been made", do="materialize it, or run `radia run` up to it")
    table = pa.concat_tables([lake.read("manifest", name) for name in names])
    if not with_excluded:
        table = table.filter(pc.is_null(table.column("excluded")))
    name, write = FORMATS[to]
    path = Path(folder) / name
    content = write(table)
    atomic.write_bytes(path, content)
    croissant = Path(folder) / "croissant.json"
    metadata = describe(name, content, _columns(to, table), names, lake)
    atomic.write_text(croissant, json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
    boxes = int(pc.sum(pc.list_value_length(table.column("boxes"))).as_py() or 0)
    return ExportResult(to, path, croissant, len(table), boxes, names)


def _columns(to: str, table: pa.Table) -> list[str]:
    """Return the columns of the exported file that Croissant can describe: none of a file that is no table.

    Its readers know no lists of structs, so that Parquet's boxes are left to Parquet's own schema.
    """
    nested = [
        name for name in table.column_names if to == "parquet" and pa.types.is_list(table.schema.field(name).type)
    ]
    columns = [name for name in table.column_names if name not in nested]
    return {"coco": [], "torchxrayvision": [*_XRV_KEYS, *XRV_NAMES.values()]}.get(to, columns)


def _csv(table: pa.Table) -> bytes:
    """Return one line per image; boxes as JSON in their cell, nulls empty."""
    rows = ((row | {"boxes": json.dumps(row["boxes"])}).values() for row in table.to_pylist())
    return _lines(table.column_names, rows)


def _lines(header: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    """Return CSV; nulls are empty."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue().encode("utf-8")


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()


def _coco(table: pa.Table) -> bytes:
    """Return COCO JSON: categories in vocabulary order from 1, boxes (x, y, width, height) in stored pixels."""
    classes = vocabulary().classes
    images, annotations = [], []
    for number, row in enumerate(table.to_pylist(), start=1):
        values = {name: row[name] for name in classes if row[name] is not None}
        keys = ("source", "image_id", "study_id", "patient_key", "group_id", "view", "pool", "fold")
        size = {"width": row["width_px"], "height": row["height_px"]}
        images.append({"id": number, "file_name": row["path"], **size, **{k: row[k] for k in keys}, "labels": values})
        for box in row["boxes"]:
            corner = [box[name] for name in ("x_px", "y_px", "width_px", "height_px")]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": classes.index(box["class"]) + 1,
                 "bbox": corner, "area": corner[2] * corner[3], "iscrowd": 0}
            )  # fmt: skip
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
    info = {"description": "RadIA manifest", "vocabulary_version": vocabulary().version}
    content = {"info": info, "categories": categories, "images": images, "annotations": annotations}
    return (json.dumps(content) + "\n").encode("utf-8")


def _torchxrayvision(table: pa.Table) -> bytes:
    """Return a CSV in TorchXRayVision's terms: its class names, 1, 0 or empty (uncertain and unknown: masked)."""
    rows = []
    for row in table.to_pylist():
        values = [row.get(name) if row.get(name) in (0, 1) else "" for name in XRV_NAMES]
        rows.append([*(row[name] for name in _XRV_KEYS.values()), *values])
    return _lines([*_XRV_KEYS, *XRV_NAMES.values()], rows)


FORMATS: dict[str, tuple[str, Callable[[pa.Table], bytes]]] = {
    "csv": ("manifest.csv", _csv),
    "parquet": ("manifest.parquet", _parquet),
    "coco": ("annotations.json", _coco),
    "torchxrayvision": ("torchxrayvision.csv", _torchxrayvision),
}

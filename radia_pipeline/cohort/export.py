"""The manifest in the formats that others read: CSV, Parquet, COCO, TorchXRayVision, each with Croissant metadata.

Only de-identified columns leave; image files are named by path relative to the lake and stay where they are.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.tables import contract
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
_CROISSANT_TYPES = {"string": "sc:Text", "int": "sc:Integer", "float": "sc:Float", "double": "sc:Float"}


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
    metadata = _croissant(to, path, content, names, lake)
    atomic.write_text(croissant, json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
    boxes = int(pc.sum(pc.list_value_length(table.column("boxes"))).as_py() or 0)
    return ExportResult(to, path, croissant, len(table), boxes, names)


def _csv(table: pa.Table) -> bytes:
    """Return one line per image; boxes as JSON in their cell, nulls empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.column_names)
    for row in table.to_pylist():
        row["boxes"] = json.dumps(row["boxes"])
        writer.writerow(["" if value is None else value for value in row.values()])
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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["imgpath", "source", "patientid", "studyid", "view", "pool", "fold", *XRV_NAMES.values()])
    for row in table.to_pylist():
        values = [row[name] if row[name] in (0, 1) else "" for name in XRV_NAMES]
        fold = "" if row["fold"] is None else row["fold"]
        writer.writerow(
            [row["path"], row["source"], row["patient_key"], row["study_id"], row["view"], row["pool"], fold, *values]
        )
    return text.getvalue().encode("utf-8")


FORMATS: dict[str, tuple[str, Callable[[pa.Table], bytes]]] = {
    "csv": ("manifest.csv", _csv),
    "parquet": ("manifest.parquet", _parquet),
    "coco": ("annotations.json", _coco),
    "torchxrayvision": ("torchxrayvision.csv", _torchxrayvision),
}
_MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/x-parquet", "json": "application/json"}


def _croissant(to: str, path: Path, content: bytes, sources: tuple[str, ...], lake: Lake) -> dict:
    """Return Croissant 1.0 JSON-LD (mlcommons.org/croissant): the file, its hash, and the fields of a tabular one."""
    sheets = [source_sheet(name) for name in sources]
    file = {
        "@type": "cr:FileObject", "@id": path.name, "name": path.name, "contentUrl": path.name,
        "encodingFormat": _MEDIA_TYPES[path.suffix[1:]], "sha256": hashlib.sha256(content).hexdigest(),
        "contentSize": f"{len(content)} B",
    }  # fmt: skip
    fields = []
    if to in ("csv", "parquet"):
        for column in contract("manifest").columns.values():
            kind = next(
                (name for prefix, name in _CROISSANT_TYPES.items() if str(column.type).startswith(prefix)), "sc:Text"
            )
            extract = {"fileObject": {"@id": path.name}, "extract": {"column": column.name}}
            fields.append(
                {"@type": "cr:Field", "@id": f"images/{column.name}", "name": column.name,
                 "description": column.description,
                 "dataType": kind, "source": extract}
            )  # fmt: skip
    records = [{"@type": "cr:RecordSet", "@id": "images", "name": "images", "field": fields}] if fields else []
    return {
        "@context": {"@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/",
                     "dct": "http://purl.org/dc/terms/", "conformsTo": "dct:conformsTo", "recordSet": "cr:recordSet",
                     "field": "cr:field", "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "source": "cr:source",
                     "extract": "cr:extract", "column": "cr:column", "fileObject": "cr:fileObject"},
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "RadIA manifest",
        "description": "De-identified chest radiographs with study labels, pools and boxes: "
        + ", ".join(sheet.title for sheet in sheets),
        "license": [sheet.licence for sheet in sheets],
        "citeAs": " ".join(" ".join(sheet.citation.split()) for sheet in sheets),
        "version": " ".join(f"{name}:{lake.version('manifest', name)}" for name in sources),
        "distribution": [file],
        "recordSet": records,
    }  # fmt: skip

"""How a manifest is written as CSV, Parquet, COCO and in TorchXRayVision's terms, and what each of them loses.

A format is one line of ``FORMATS``; rows come in parts and leave as they come. Not here: where they come from
(``export``), the metadata's frame (``croissant``).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from radia_pipeline.cohort.croissant import record_set
from radia_pipeline.contracts.sheets import known_sources, source_sheet
from radia_pipeline.contracts.tables import contract
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.sources.label_map import targets_of

Parts = Callable[[], Iterator[pa.Table]]
"""The manifest's rows, a part at a time; may be asked for again."""

XRV_NAMES = {
    "Atelectasis": "Atelectasis", "Consolidation": "Consolidation", "Infiltration": "Infiltration",
    "Pneumothorax": "Pneumothorax", "Edema": "Edema", "Emphysema": "Emphysema", "Fibrosis": None,
    "Effusion": "Pleural Effusion", "Pneumonia": "Pneumonia", "Pleural_Thickening": "Pleural Other",
    "Cardiomegaly": "Cardiomegaly", "Nodule": "Nodule", "Mass": "Mass", "Hernia": "Hernia",
    "Lung Lesion": "Lung Lesion", "Fracture": "Fracture", "Lung Opacity": "Lung Opacity",
    "Enlarged Cardiomediastinum": "Enlarged Cardiomediastinum",
}  # fmt: skip
"""TorchXRayVision's default_pathologies, in its order → our class; None where the vocabulary has none."""
_THICKENING = "Pleural_Thickening"
_XRV_KEYS = {
    "imgpath": "path",
    "source": "source",
    "patientid": "patient_key",
    "studyid": "study_id",
    "view": "view",
    "pool": "pool",
    "fold": "fold",
}
"""TorchXRayVision's names of the manifest's columns."""
_XRV_VIEWS = {"PA": "PA", "AP": "AP", "LATERAL": "L"}
"""Its views; a view that is not known is empty, which it reads as UNKNOWN."""
_COCO_KEYS = (
    "source", "image_id", "study_id", "patient_key", "group_id", "view", "pool", "fold", "weight", "excluded",
    "by_closure", "expert", "asked",
)  # fmt: skip
_CORNER = ("x_px", "y_px", "width_px", "height_px")


@dataclass(frozen=True)
class Format:
    """One format: its file, its writer, its Croissant record sets by file name, and what it loses, for people."""

    file_name: str
    write: Callable[[Parts, Path], None]
    record_sets: Callable[[str], list[dict]]
    lost: str


def _csv(parts: Parts, path: Path) -> None:
    """One line per image; lists as JSON in their cell, nulls empty."""
    names = list(contract("manifest").columns)
    lists = [name for name in names if pa.types.is_list(contract("manifest").columns[name].type)]

    def rows() -> Iterator[Iterable[object]]:
        for part in parts():
            for row in part.to_pylist():
                yield (row | {name: json.dumps(row[name] or []) for name in lists}).values()

    _lines(path, names, rows())


def _lines(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _parquet(parts: Parts, path: Path) -> None:
    schema = contract("manifest").schema.remove_metadata()
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for part in parts():
            writer.write_table(part.cast(schema))


def _coco(parts: Parts, path: Path) -> None:
    """COCO JSON: categories in vocabulary order from 1, boxes (x, y, width, height) in stored pixels."""
    categories = [{"id": number, "name": name} for number, name in enumerate(vocabulary().classes, start=1)]
    info = {"description": "RadIA manifest", "vocabulary_version": vocabulary().version}
    with path.open("w", encoding="utf-8") as handle:
        handle.write(f'{{"info": {json.dumps(info)}, "categories": {json.dumps(categories)}, "images": [')
        handle.writelines(_joined(_coco_images(parts)))
        handle.write('], "annotations": [')
        handle.writelines(_joined(_coco_boxes(parts)))
        handle.write("]}\n")


def _joined(records: Iterable[dict]) -> Iterator[str]:
    for number, record in enumerate(records):
        yield (", " if number else "") + json.dumps(record)


def _coco_images(parts: Parts) -> Iterator[dict]:
    number = 0
    for part in parts():
        for row in part.to_pylist():
            number += 1
            values = {name: row[name] for name in vocabulary().classes if row[name] is not None}
            size = {"width": row["width_px"], "height": row["height_px"]}
            keys = {name: row[name] for name in _COCO_KEYS}
            yield {"id": number, "file_name": row["path"], **size, **keys, "labels": values}


def _coco_boxes(parts: Parts) -> Iterator[dict]:
    number = image = 0
    place = {name: index for index, name in enumerate(vocabulary().classes, start=1)}
    for part in parts():
        for boxes in part.column("boxes").to_pylist():
            image += 1
            for box in boxes:
                number += 1
                corner = [box[name] for name in _CORNER]
                yield {"id": number, "image_id": image, "category_id": place[box["class"]], "bbox": corner,
                       "area": corner[2] * corner[3], "iscrowd": 0}  # fmt: skip


def _torchxrayvision(parts: Parts, path: Path) -> None:
    """A CSV in TorchXRayVision's terms: its class names and views; 1, 0 or empty (uncertain and unknown: masked)."""
    _lines(path, [*_XRV_KEYS, *XRV_NAMES], (row for part in parts() for row in _xrv_rows(part)))


def _xrv_rows(part: pa.Table) -> Iterator[list[object]]:
    thickens = {source: says_thickening(source) for source in set(part.column("source").to_pylist())}
    for row in part.to_pylist():
        keys = row | {"view": _XRV_VIEWS.get(row["view"])}
        values = {name: row.get(ours) if row.get(ours) in (0, 1) else "" for name, ours in XRV_NAMES.items()}
        if not thickens[row["source"]]:
            values[_THICKENING] = ""
        yield [*(keys[name] for name in _XRV_KEYS.values()), *values.values()]


def says_thickening(source: str) -> bool:
    """Tell whether Pleural Other of a source is pleural thickening and nothing else: every token of it says so."""
    entries = source_sheet(source).label_map.items() if source in known_sources() else ()
    tokens = [str(token) for token, entry in entries if any(name == "Pleural Other" for name, _ in targets_of(entry))]
    return bool(tokens) and all("thickening" in token.casefold() for token in tokens)


def _whole(names: Iterable[str]) -> Callable[[str], list[dict]]:
    columns = list(names)
    return lambda file: [record_set("images", file, {name: {"column": name} for name in columns})]


def _coco_sets(file: str) -> list[dict]:
    images = ("id", "file_name", "width", "height", *_COCO_KEYS[:7])
    boxes = {name: f"$.annotations[*].{name}" for name in ("id", "image_id", "category_id", "area")}
    boxes |= {name: f"$.annotations[*].bbox[{place}]" for place, name in enumerate(("x", "y", "width", "height"))}
    paths = {
        "images": {name: f"$.images[*].{name}" for name in images},
        "annotations": boxes,
        "categories": {name: f"$.categories[*].{name}" for name in ("id", "name")},
    }
    return [
        record_set(name, f"{name}-of-{file}", {field: {"jsonPath": path} for field, path in fields.items()})
        for name, fields in paths.items()
    ]


_COLUMNS = tuple(contract("manifest").columns)
FORMATS: dict[str, Format] = {
    "csv": Format("manifest.csv", _csv, _whole(_COLUMNS), "Nothing; lists are JSON in their cells, and null is empty."),
    "parquet": Format(
        "manifest.parquet",
        _parquet,
        _whole(name for name in _COLUMNS if not pa.types.is_list(contract("manifest").columns[name].type)),
        "Nothing. Croissant knows no lists of records, so that its description leaves out the boxes.",
    ),
    "coco": Format(
        "annotations.json",
        _coco,
        _coco_sets,
        "Nothing that the manifest says; but readers of COCO look at boxes alone: values of studies, uncertain ones as "
        "-1, stand in each image's labels.",
    ),
    "torchxrayvision": Format(
        "torchxrayvision.csv",
        _torchxrayvision,
        _whole((*_XRV_KEYS, *XRV_NAMES)),
        "Uncertain values are empty, as unknown ones are; No Finding and the unions Air, Liquid and Opacity have no "
        "name there; Pleural Other stands as Pleural_Thickening only of sources that say thickening and nothing else; "
        "boxes, weights and what holds by closure alone are left out.",
    ),
}

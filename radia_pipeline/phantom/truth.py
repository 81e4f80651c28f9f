"""What is true of the phantom: boxes by image and labels by study, as rows and as the two Parquet files of ``truth/``.

Coordinates are pixels of the file as delivered; ``drawn`` is what the picture shows, ``value`` what the report or table
says after closure. Only the demo's scoring reads this folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from radia_pipeline.contracts.label_values import (
    MISSING,
    NEGATIVE,
    POSITIVE,
    close_up,
    no_finding,
    resolve,
)
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary

BOX_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("native_image_id", pa.string()),
        ("class", pa.string()),
        ("x_px", pa.float64()),
        ("y_px", pa.float64()),
        ("width_px", pa.float64()),
        ("height_px", pa.float64()),
        ("image_width_px", pa.int32()),
        ("image_height_px", pa.int32()),
        ("view", pa.string()),
    ]
)
LABEL_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("native_study_id", pa.string()),
        ("class", pa.string()),
        ("value", pa.int8()),
        ("drawn", pa.int8()),
    ]
)


def box_rows(
    source: str, image_id: str, boxes: Iterable[tuple[str, tuple]], shape: tuple[int, int], view: str
) -> list[dict]:
    """Return rows of ``boxes.parquet``; a box of a class is also one of its parents among the pathologies."""
    words, rows = vocabulary(), []
    for name, (x, y, width, height) in boxes:
        for named in (name, *(parent for parent in words.ancestors(name) if parent in words.pathologies)):
            rows.append(
                {
                    "source": source,
                    "native_image_id": image_id,
                    "class": named,
                    "x_px": x,
                    "y_px": y,
                    "width_px": width,
                    "height_px": height,
                    "image_width_px": shape[1],
                    "image_height_px": shape[0],
                    "view": view,
                }
            )
    return rows


def label_rows(source: str, study_id: str, said: Mapping[str, int], drawn: Iterable[str]) -> list[dict]:
    """Return the 21 rows of a study: what its source says of it, resolved by the source's sheet, and what is drawn."""
    words = vocabulary()
    values = np.full((1, len(words.classes)), MISSING, dtype=np.int8)
    for name, status in said.items():
        values[0, words.index(name)] = status
    values = resolve(values, source_sheet(source).labelled)[0]
    shown = np.full((1, len(words.classes)), NEGATIVE, dtype=np.int8)
    for name in drawn:
        shown[0, words.index(name)] = POSITIVE
    shown = close_up(shown)[0]
    shown[words.index(words.no_finding)] = no_finding(shown.any(), is_clear=True)
    return [
        {
            "source": source,
            "native_study_id": study_id,
            "class": name,
            "drawn": int(shown[i]),
            "value": None if values[i] == MISSING else int(values[i]),
        }
        for i, name in enumerate(words.classes)
    ]


def write_truth(folder: Path, boxes: list[dict], labels: list[dict]) -> None:
    """Write both tables, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    by = {
        "boxes": [
            ("source", "ascending"),
            ("native_image_id", "ascending"),
            ("class", "ascending"),
            ("x_px", "ascending"),
        ],
        "labels": [("source", "ascending"), ("native_study_id", "ascending")],
    }
    for name, rows, schema in (("boxes", boxes, BOX_SCHEMA), ("labels", labels, LABEL_SCHEMA)):
        table = pa.Table.from_pylist(rows, schema=schema).sort_by(by[name])
        pq.write_table(table, folder / f"{name}.parquet")

"""What the models say of films that stand in the lake already: the answer and the maps, as of files that are sent.

A film of the lake was let in by the ingest and is not judged again; it goes to the models as its stored picture. Files
in an answer are called by their image ids. Not here: files from outside (``asking``), tables (``lake_studies``).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from radia_pipeline.dicom import png16
from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.dicom.sides import laid_out
from radia_pipeline.training.inputs import letterbox
from radia_pipeline.training.studies import LATERAL
from radia_pipeline.usecases.answers import Reader
from radia_pipeline.usecases.asking import head_of, together
from radia_pipeline.usecases.film_maps import Explained
from radia_pipeline.usecases.looking import Looked

MOST_MAP_SIDE_PX = 128
"""Of a map as a page gets it: models see no finer."""


def looked_of(row: Mapping[str, Any], stored: Path, sides_px: Sequence[int]) -> Looked:
    """Return an image of the lake, by its row of ``images``, as the models want it.

    A flag that silences a file from outside silences it here too. Raises Refusal where its picture cannot be read.
    """
    image = png16.decode(stored.read_bytes())
    flags = [name for name in row["flags"] or () if name in DOUBTS]
    silencing = next((name for name in flags if DOUBTS[name].silences), None)
    matrix = row["original_height_px"], row["original_width_px"]
    size = {"native": matrix, "matrix": matrix, "stored": image.shape}
    doubts = tuple((name, float(row.get(f"{name}_score") or 1.0)) for name in flags)
    about = {"doubts": doubts, "view": row["view"], "view_origin": row.get("view_origin") or "header", **size}
    if silencing is not None:
        return Looked(silencing, **about)
    return Looked(
        **about,
        content=hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest(),
        squares=tuple(letterbox(image, side) for side in sides_px),
        picture=image,
        laid_out=laid_out(image) if row["view"] != LATERAL else None,
    )


def answer_of(reader: Reader, named: Sequence[tuple[str, Looked]]) -> dict[str, Any]:
    """Return the answer to one study of the lake, as ``answer.schema.json`` has it."""
    return together(head_of(reader), [reader.answer(1, named)])


def told_maps(image_id: str, looked: Looked, seen: Explained) -> dict[str, Any]:
    """Return a film's maps as a page gets them: bytes of each over its peak, the outline in shares of the film."""
    height, width = looked.stored
    scale = min(1.0, MOST_MAP_SIDE_PX / max(height, width))
    shape = (max(1, round(height * scale)), max(1, round(width * scale)))
    outline = [] if seen.thorax is None else (seen.thorax.outline / np.array([width, height])).round(4).tolist()
    return {
        "image_id": image_id,
        "shape": list(shape),
        "thorax": outline,
        "thorax_found": seen.thorax is not None,
        "maps": [
            {
                "class": one.class_name,
                "data": _data(one.shown, shape),
                "warning": one.warning,
                "outside_thorax": None if one.outside is None else round(one.outside, 4),
            }
            for one in seen.maps
        ],
    }


def _data(shown: np.ndarray, shape: tuple[int, int]) -> str:
    fine = cv2.resize(np.clip(shown, 0, None), shape[::-1], interpolation=cv2.INTER_AREA)
    level = fine / max(float(fine.max()), 1e-9)
    return base64.b64encode(np.rint(level * 255).astype(np.uint8).tobytes()).decode("ascii")

"""The wrong calls that the ensemble was surest of: a table for the page, a sheet of their films in ``previews/``.

The sheet shows pixels, so it lies where pixels may be erased, and the page names it. Not here: which calls those are
(``evaluation.decisions``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from radia_pipeline.drawing.montage import Tile, empty_picture, fitted, montage
from radia_pipeline.evaluation.decisions import Error, worst
from radia_pipeline.evaluation.judged import Judged
from radia_pipeline.lake.atomic import write_bytes
from radia_pipeline.lake.lake import Lake
from radia_pipeline.pages.render import SHOWN_DIGITS

SIDE_PX = 220
SHEET = Path("previews") / "scorecard" / "worst_misses.png"
"""In the lake."""
_FRONTAL = ("PA", "AP")


def misses(lake: Lake, judged: Judged | None, pool: str) -> dict[str, Any]:
    """Return the rows of the page and the sheet's name; the sheet is written where the lake holds the films."""
    errors = worst(judged) if judged is not None else []
    rows = [
        {
            "number": number,
            "study": one.study_id[:SHOWN_DIGITS],
            "source": one.source,
            "class": one.name,
            "kind": one.kind,
            "probability": f"{one.probability:.3f}",
            "threshold": f"{one.threshold:.3f}",
        }
        for number, one in enumerate(errors, start=1)
    ]
    return {"rows": rows, "sheet": SHEET.as_posix() if errors and _draw(lake, errors, pool) else None}


def _draw(lake: Lake, errors: Sequence[Error], pool: str) -> bool:
    films = _films(lake, {one.study_id for one in errors})
    if not films:
        return False
    tiles = []
    for number, one in enumerate(errors, start=1):
        path = films.get(one.study_id)
        picture = _picture(lake.root / path) if path else None
        shown = empty_picture("no film", SIDE_PX) if picture is None else picture
        words = f"{number}. {one.name}: {one.kind}, P {one.probability:.3f} (cut {one.threshold:.3f})"
        tiles.append(Tile([shown], [(words, "accent"), (one.study_id[:SHOWN_DIGITS], "muted")]))
    (lake.root / SHEET).parent.mkdir(parents=True, exist_ok=True)
    heading = [f"Surest wrong calls of the ensemble on {pool}. Research use only."]
    write_bytes(lake.root / SHEET, montage(tiles, heading=heading, width_px=4 * (SIDE_PX + 8)))
    return True


def _films(lake: Lake, studies: set[str]) -> dict[str, str]:
    """Return one film of each study, a frontal one where there is one, as a path in the lake."""
    found: dict[str, tuple[bool, str]] = {}
    for source in lake.partitions("manifest"):
        for row in lake.read("manifest", source, columns=["study_id", "path", "view"]).to_pylist():
            if row["study_id"] in studies:
                one = (row["view"] not in _FRONTAL, row["path"])
                found[row["study_id"]] = min(one, found.get(row["study_id"], one))
    return {study: path for study, (_, path) in found.items() if (lake.root / path).is_file()}


def _picture(path: Path) -> np.ndarray | None:
    """Return a stored film (16-bit grey) as a square of 8 bits, None where it cannot be read."""
    import cv2

    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if found is None or found.ndim != 2:
        return None
    low, high = (float(x) for x in np.quantile(found, [0.01, 0.99]))
    grey = np.clip((found.astype(np.float32) - low) / max(high - low, 1.0), 0, 1)
    side = max(found.shape)
    square = np.zeros((side, side), dtype=np.uint8)
    top, left = ((side - length) // 2 for length in found.shape)
    square[top : top + found.shape[0], left : left + found.shape[1]] = np.round(255 * grey)
    return fitted(square, SIDE_PX)

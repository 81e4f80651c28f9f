"""Boxes that somebody drew or mended in another tool become ``box_annotations`` of origin ``import``.

A file says all that its reader drew on its images: what the same reader's earlier imports said of them is replaced.
What stands already under another origin is not doubled. Refused, with counts: boxes on images that the lake does not
have, of no class of the vocabulary, that are degenerate, flipped, turned or reach beyond their image. Not here: formats
(``box_files``), building the table from a source (``box_annotations``, which keeps what was imported).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput
from radia_pipeline.labels.box_annotations import IMPORTED, SMALLEST_SIDE_PX, numbered
from radia_pipeline.labels.box_files.formats import FORMATS
from radia_pipeline.labels.box_files.shared import EDGES, FileBox
from radia_pipeline.lake.lake import Lake

BEYOND_PX = 0.5
"""How far a box may reach beyond its image: tools round to whole pixels."""
SAME_PX = 1e-6
_READER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


@dataclass(frozen=True)
class ImportResult:
    """What was taken: new boxes, the reader's boxes that they replace, those that stood already, and every refused box
    by reason. ``sources``: whose tables were written, with their versions."""

    boxes: int
    images: int
    replaced: int
    already_there: int
    refused: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def import_boxes(lake: Lake, form: str, path: Path, *, reader: str = IMPORTED) -> ImportResult:
    """Take the boxes of a file or folder in one of ``FORMATS``.

    ``reader``: who drew them, a code. Raises UnknownName for another format, BadTable for a file that is not of it,
    BadInput for a reader's code of other characters.
    """
    if not _READER.fullmatch(reader):
        raise BadInput("That is no code of a reader", accepted="up to 40 letters, digits, '.', '_' and '-'")
    said = FORMATS[form].read(Path(path))
    images, refused = _known_images(lake), Counter[str]()
    taken: dict[str, list[tuple[FileBox, tuple[float, ...]]]] = {}
    for box in said.boxes:
        problem, edges = _judged(box, images.get(box.image_id))
        if problem:
            refused[problem] += 1
        else:
            taken.setdefault(images[box.image_id]["source"], []).append((box, edges))
    spoken = {image for image in said.images if image in images}
    counts, versions = Counter[str](), {}
    for source in sorted({images[image]["source"] for image in spoken}):
        rows, found = _merged(lake, source, taken.get(source, []), spoken, images, reader)
        counts.update(found)
        if found["boxes"] or found["replaced"]:
            versions[source] = lake.write("box_annotations", rows, source).version
    return ImportResult(
        counts["boxes"], len(spoken), counts["replaced"], counts["already_there"], dict(+refused), versions
    )


def _known_images(lake: Lake) -> dict[str, dict[str, Any]]:
    columns = ["source", "image_id", "study_id", "width_px", "height_px"]
    return {row["image_id"]: row for row in lake.read("images", columns=columns).to_pylist()}


def _judged(box: FileBox, image: Mapping[str, Any] | None) -> tuple[str | None, tuple[float, ...]]:
    """Return why a box is refused, or None, and its x, y, width and height in stored-image pixels."""
    if image is None:
        return "unknown_image", ()
    if box.name not in vocabulary().classes or box.name == vocabulary().no_finding:
        return "unknown_class", ()
    if box.problem:
        return box.problem, ()
    size = float(image["width_px"]), float(image["height_px"])
    frame = box.frame or size
    if not all(math.isfinite(number) for number in (*box.edges, *frame)) or min(frame) <= 0:
        return "degenerate", ()
    if min(box.edges[2:]) < 0:
        return "flipped", ()
    scale = [1.0 if theirs == ours else ours / theirs for theirs, ours in zip(frame, size, strict=True)]
    low = [edge * by for edge, by in zip(box.edges[:2], scale, strict=True)]
    side = [edge * by for edge, by in zip(box.edges[2:], scale, strict=True)]
    if min(side) < SMALLEST_SIDE_PX:
        return "degenerate", ()
    high = [start + length for start, length in zip(low, side, strict=True)]
    if min(low) < -BEYOND_PX or any(end > limit + BEYOND_PX for end, limit in zip(high, size, strict=True)):
        return "outside", ()
    if min(low) >= 0 and all(end <= limit + SAME_PX for end, limit in zip(high, size, strict=True)):
        return None, (*low, *side)
    low = [max(start, 0.0) for start in low]
    return None, (*low, *(min(end, limit) - start for start, end, limit in zip(low, high, size, strict=True)))


def _merged(
    lake: Lake,
    source: str,
    taken: list[tuple[FileBox, tuple[float, ...]]],
    spoken: set[str],
    images: Mapping[str, Mapping[str, Any]],
    reader: str,
) -> tuple[list[dict], Counter]:
    """Return a source's rows with what was taken, and how many are new, replaced and stood already."""
    before = lake.read("box_annotations", source).to_pylist() if lake.exists("box_annotations", source) else []
    kept: list[dict] = []
    replaced: list[dict] = []
    for row in before:
        is_replaced = row["origin"] == IMPORTED and row["reader"] == reader and row["image_id"] in spoken
        (replaced if is_replaced else kept).append(row)
    standing: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    for row in kept:
        standing.setdefault((row["image_id"], row["class"]), []).append(tuple(row[name] for name in EDGES))
    counts = Counter(replaced=len(replaced))
    for box, edges in taken:
        others = standing.setdefault((box.image_id, box.name), [])
        if any(max(abs(a - b) for a, b in zip(edges, one, strict=True)) <= SAME_PX for one in others):
            counts["already_there"] += 1
            continue
        others.append(edges)
        counts["boxes"] += 1
        kept.append(
            {
                "source": source,
                "image_id": box.image_id,
                "study_id": images[box.image_id]["study_id"],
                "class": box.name,
                **dict(zip(EDGES, edges, strict=True)),
                "reader": reader,
                "origin": IMPORTED,
            }
        )
    return numbered(kept), counts

"""Radiologists' boxes in pixels of the stored images. The source's own coordinates end here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from radia_pipeline.contracts.tables import conform
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.sources.base import Source
from radia_pipeline.sources.registry import source as registered_source

SMALLEST_SIDE_PX = 0.5
"""A box that keeps less than this inside the stored image shows nothing and would divide by zero in IoU."""


IMPORTED = "import"
"""Origin of boxes that came in another tool's file (``box_import``): a new table of the source keeps them."""


@dataclass(frozen=True)
class BoxesResult:
    """Boxes written, those of them that were imported, images that have any, and every box left out by reason."""

    source: str
    boxes: int
    imported: int
    images: int
    boxes_without_image: int
    problems: Mapping[str, int] = field(default_factory=dict)
    version: str = ""


def build_boxes(
    source: Source | str, root: Path | None, lake: Lake, keys: Pseudonymizer, read: Iterable[Mapping] = ()
) -> BoxesResult:
    """Write the ``box_annotations`` partition of a source, empty where it has no boxes.

    ``read``: boxes that readers drew or confirmed, in pixels of the stored image; they follow the source's own, and
    what was imported before follows them.

    A box is scaled from the frame in which the source published it (the adapter's ``box_frame_px``, else the delivered
    image's own size) and cut at the image's edge. Needs ``images``.
    """
    adapter = registered_source(source) if isinstance(source, str) else source
    delivered = adapter.boxes(Path(root)) if root is not None else None
    problems = Counter(delivered.problems) if delivered else Counter()
    rows = _scaled(delivered.table.to_pylist(), adapter, lake, keys, problems) if delivered else []
    rows += _of_readers(list(read), adapter.name, lake, Counter(row["image_id"] for row in rows), problems)
    imported = _imported(adapter.name, lake, problems)
    rows = numbered(rows + imported)
    written = lake.write("box_annotations", conform("box_annotations", rows), adapter.name)
    return BoxesResult(
        source=adapter.name,
        boxes=len(rows),
        imported=len(imported),
        images=len({row["image_id"] for row in rows}),
        boxes_without_image=problems.pop("boxes_without_image", 0),
        problems=dict(+problems),
        version=written.version,
    )


def _scaled(boxes: list[dict], adapter: Source, lake: Lake, keys: Pseudonymizer, problems: Counter) -> list[dict]:
    if not boxes:
        return []
    columns = ["image_id", "study_id", "width_px", "height_px", "original_width_px", "original_height_px"]
    images = {row["image_id"]: row for row in lake.read("images", adapter.name, columns=columns).to_pylist()}
    frame = adapter.box_frame_px
    rows = []
    index: Counter = Counter()
    order = ("native_image_id", "class", "x_px", "y_px", "width_px", "height_px", "reader")
    for box in sorted(boxes, key=lambda box: tuple(box[name] for name in order)):
        image_id = keys.image_id(adapter.name, box["native_image_id"])
        image = images.get(image_id)
        if image is None:
            problems["boxes_without_image"] += 1
            continue
        frame_width, frame_height = frame or (image["original_width_px"], image["original_height_px"])
        corner = in_stored_pixels(box, image["width_px"] / frame_width, image["height_px"] / frame_height, image)
        if corner is None:
            problems["boxes_outside_image"] += 1
            continue
        rows.append(
            {
                "source": adapter.name,
                "image_id": image_id,
                "study_id": image["study_id"],
                "box_index": index[image_id],
                "class": box["class"],
                **corner,
                "reader": box["reader"],
                "origin": adapter.box_origin,
            }
        )
        index[image_id] += 1
    return rows


def _of_readers(boxes: list[Mapping], source: str, lake: Lake, index: Counter, problems: Counter) -> list[dict]:
    """Return readers' boxes as rows; ``index``: how many boxes each image has already."""
    if not boxes:
        return []
    columns = ["image_id", "study_id", "width_px", "height_px"]
    images = {row["image_id"]: row for row in lake.read("images", source, columns=columns).to_pylist()}
    rows = []
    for box in boxes:
        image = images.get(box["image_id"])
        corner = in_stored_pixels(box, 1.0, 1.0, image) if image else None
        if image is None or corner is None or box["class"] not in vocabulary().classes:
            problems["read_boxes_left_out"] += 1
            continue
        rows.append(
            {
                "source": source,
                "image_id": box["image_id"],
                "study_id": image["study_id"],
                "box_index": index[box["image_id"]],
                "class": box["class"],
                **corner,
                "reader": box["reader"],
                "origin": "review",
            }
        )
        index[box["image_id"]] += 1
    return rows


def _imported(source: str, lake: Lake, problems: Counter) -> list[dict]:
    """Return the imported boxes of the table as it last stood whole, without those of images that are gone."""
    table = lake.last_sound("box_annotations", source)
    rows = [row for row in table.to_pylist() if row["origin"] == IMPORTED] if table is not None else []
    if not rows:
        return []
    present = set(lake.read("images", source, columns=["image_id"]).column(0).to_pylist())
    kept = [row for row in rows if row["image_id"] in present]
    problems["imported_boxes_without_image"] += len(rows) - len(kept)
    return kept


def numbered(rows: Iterable[Mapping]) -> list[dict]:
    """Number each image's boxes from 0, in order."""
    index: Counter = Counter()
    found = []
    for row in rows:
        found.append({**row, "box_index": index[row["image_id"]]})
        index[row["image_id"]] += 1
    return found


def in_stored_pixels(box: Mapping, scale_x: float, scale_y: float, image: Mapping) -> dict[str, float] | None:
    """Return a box scaled and cut to the stored image, None where next to nothing of it lies inside."""
    left, top = max(0.0, box["x_px"] * scale_x), max(0.0, box["y_px"] * scale_y)
    right = min(float(image["width_px"]), (box["x_px"] + box["width_px"]) * scale_x)
    bottom = min(float(image["height_px"]), (box["y_px"] + box["height_px"]) * scale_y)
    if right - left < SMALLEST_SIDE_PX or bottom - top < SMALLEST_SIDE_PX:
        return None
    return {"x_px": left, "y_px": top, "width_px": right - left, "height_px": bottom - top}

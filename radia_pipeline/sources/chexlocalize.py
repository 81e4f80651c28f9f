"""CheXlocalize: radiologists' outlines of findings in CheXpert's validation and test images, as boxes.

Read are the annotations, ``gt_annotations_{val,test}.json``: image → ``img_size`` (height, width) and, for each
finding, polygons of (x, y) in pixels of the published image (Saporta et al., Nature Machine Intelligence 2022). Where a
split's annotations are not there, its ``gt_segmentations_{val,test}.json`` are: image → finding → one mask as run
lengths. A polygon is a box, and so is each connected piece of a mask: outlines that touch are one piece there. Does not
belong here: CheXpert's own tables (``chexpert``), how run lengths are read (``run_lengths``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from radia_pipeline.errors import BadTable
from radia_pipeline.sources import layout
from radia_pipeline.sources.base import BOX_SCHEMA, Delivered
from radia_pipeline.sources.label_map import targets_of
from radia_pipeline.sources.run_lengths import mask_of, pieces

SPLITS = ("val", "test")
ANNOTATIONS, SEGMENTATIONS = "gt_annotations_{}.json", "gt_segmentations_{}.json"
_FOLDERS = ("", "CheXlocalize", "CheXlocalize/CheXlocalize", "CheXpert")
SIZE = "img_size"
LEAST_PIECE_SIDE_PX = 4
"""Narrower pieces of a mask are its ragged edge, no outline of their own."""
OTHER_NAMES = {"Airspace Opacity": "Lung Opacity"}
"""What CheXlocalize calls otherwise than CheXpert's tables."""
READER = "chexlocalize"


def boxes(root: Path, images: Mapping[str, tuple[str, str, str]], label_map: Mapping[str, Any]) -> Delivered:
    """Return one box for each outline, in pixels of the published image; an empty table where there are no files.

    ``images``: patient_study_view → the image's key. Outlines of images that are not there, of findings that are no
    class, and outlines that enclose nothing are counted. Raises BadTable for a file that is no such JSON.
    """
    problems: Counter = Counter()
    columns: dict[str, list] = {name: [] for name in BOX_SCHEMA.names}
    for name, finding, corner in _outlines(root, problems):
        key = images.get(name)
        targets = targets_of(label_map.get(OTHER_NAMES.get(finding, finding)))
        if key is None:
            problems["boxes_without_image"] += 1
        elif finding not in OTHER_NAMES and finding not in label_map:
            problems["unknown_label_tokens"] += 1
        elif targets and min(corner[2:]) <= 0:
            problems["rows_that_are_no_box"] += 1
        else:
            for target, _ in targets:
                row = ("/".join(key), "/".join(key[:2]), target, *corner, READER)
                for column, value in zip(BOX_SCHEMA.names, row):
                    columns[column].append(value)
    return layout.box_table(columns, dict(+problems))


def _outlines(root: Path, problems: Counter) -> Iterator[tuple[str, str, tuple[float, float, float, float]]]:
    """Yield image, finding and (left, top, width, height) of each outline of every split."""
    for split in SPLITS:
        for form, read in ((ANNOTATIONS, _polygons), (SEGMENTATIONS, _pieces)):
            path = next((path for folder in _FOLDERS if (path := root / folder / form.format(split)).is_file()), None)
            if path is not None:
                yield from read(path, problems)
                break


def _polygons(path: Path, problems: Counter) -> Iterator[tuple[str, str, tuple[float, float, float, float]]]:
    try:
        for name, finding, polygons in _findings(path):
            for polygon in polygons:
                xs, ys = zip(*((float(x), float(y)) for x, y in polygon))
                yield name, finding, (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    except (ValueError, TypeError):
        raise _unreadable(path, "image -> img_size and, for each finding, polygons of [x, y]") from None


def _pieces(path: Path, problems: Counter) -> Iterator[tuple[str, str, tuple[float, float, float, float]]]:
    try:
        for name, finding, run_lengths in _findings(path):
            for corner in pieces(mask_of(run_lengths)):
                if min(corner[2:]) < LEAST_PIECE_SIDE_PX:
                    problems["specks_of_masks"] += 1
                else:
                    left, top, width, height = map(float, corner)
                    yield name, finding, (left, top, width, height)
    except (ValueError, TypeError, KeyError):
        raise _unreadable(path, "image -> finding -> size [height, width] and counts, as COCO packs them") from None


def _findings(path: Path) -> Iterator[tuple[str, str, Any]]:
    """Yield (image, finding, what stands there) of one file; raises BadTable where it is no such JSON."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = [
            (name, finding, what) for name, part in content.items() for finding, what in part.items() if finding != SIZE
        ]
    except (OSError, ValueError, AttributeError):
        raise _unreadable(path, "a JSON object of images, each an object of findings") from None
    yield from found


def _unreadable(path: Path, accepted: str) -> BadTable:
    return BadTable(f"{path.name} cannot be read as CheXlocalize's", accepted=accepted, do="copy it again")

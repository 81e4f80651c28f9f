"""CheXlocalize: radiologists' outlines of findings in CheXpert's validation and test images, as boxes.

Read are the annotations, ``gt_annotations_{val,test}.json``: image → ``img_size`` (height, width) and, for each
finding, polygons of (x, y) in pixels of the published image (Saporta et al., Nature Machine Intelligence 2022). Does
not belong here: CheXpert's own tables (``chexpert``).
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

FILES = ("gt_annotations_val.json", "gt_annotations_test.json")
_FOLDERS = ("", "CheXlocalize", "CheXlocalize/CheXlocalize", "CheXpert")
SIZE = "img_size"
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
    for path in _files(root):
        for name, finding, polygon in _outlines(path):
            key = images.get(name)
            targets = targets_of(label_map.get(OTHER_NAMES.get(finding, finding)))
            if key is None:
                problems["boxes_without_image"] += 1
            elif finding not in OTHER_NAMES and finding not in label_map:
                problems["unknown_label_tokens"] += 1
            elif targets:
                left, top = (min(point[axis] for point in polygon) for axis in (0, 1))
                width, height = max(p[0] for p in polygon) - left, max(p[1] for p in polygon) - top
                if min(width, height) <= 0:
                    problems["rows_that_are_no_box"] += 1
                    continue
                for target, _ in targets:
                    row = ("/".join(key), "/".join(key[:2]), target, left, top, width, height, READER)
                    for column, value in zip(BOX_SCHEMA.names, row):
                        columns[column].append(value)
    return layout.box_table(columns, dict(+problems))


def _files(root: Path) -> Iterator[Path]:
    for name in FILES:
        found = next((path for folder in _FOLDERS if (path := root / folder / name).is_file()), None)
        if found is not None:
            yield found


def _outlines(path: Path) -> Iterator[tuple[str, str, list]]:
    """Yield (image, finding, polygon) of one file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for name, findings in content.items():
            for finding, polygons in findings.items():
                if finding != SIZE:
                    yield from ((name, finding, [(float(x), float(y)) for x, y in polygon]) for polygon in polygons)
    except (OSError, ValueError, TypeError, AttributeError):
        raise BadTable(
            f"{path.name} cannot be read as annotations of CheXlocalize",
            accepted="image -> img_size and, for each finding, polygons of [x, y]",
            do="copy it again",
        ) from None

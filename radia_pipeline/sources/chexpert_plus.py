"""CheXpert Plus: the same images with other tables, as rows of CheXpert's own columns.

``df_chexpert_plus_*.csv`` says what each image is; the values of its reports, by a learned labeler (CheXbert), stand in
JSON lines beside it. Chambon et al., 2024, arXiv 2405.19538. Its English reports are not read, and the values of
``valid`` are the labeler's too, not radiologists'. Does not belong here: what rows mean (``chexpert``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from radia_pipeline.errors import BadTable
from radia_pipeline.sources.delivered_tables import TextTable, header_of, read_table

IMAGE_FOLDER = "PNG"
SIGN = {"path_to_image", "deid_patient_id"}
_COLUMNS = {"Path": "path_to_image", "Sex": "sex", "Age": "age", "Frontal/Lateral": "frontal_lateral", "AP/PA": "ap_pa"}
_LABELS = ("impression_fixed.json", "report_fixed.json", "findings_fixed.json")
"""Of these the first that is there: what was read in the impression, as CheXpert's own tables; in the whole report, its
history among it; in its findings, which most reports lack."""
_FOLDERS = ("", "chexbert_labels")
_SPLITS = ("train", "valid")


def table_of(root: Path) -> Path | None:
    """Return the table of images, None where there is none."""
    return next((path for path in sorted(root.glob("df_chexpert_plus_*.csv*")) if set(header_of(path)) >= SIGN), None)


def parts_of(root: Path, classes: tuple[str, ...]) -> Iterator[tuple[str, TextTable]]:
    """Yield each split's rows under CheXpert's columns; nothing where there are no tables.

    ``classes``: the published names of the label columns. Raises BadTable without the labels, or where a line of them
    is no JSON object.
    """
    path = table_of(root)
    if path is None:
        return
    table = read_table(path, only=(*_COLUMNS.values(), "split"))
    values = _values(root, classes)
    told = [table.column(_COLUMNS["Path"]), *(table.optional(name) for name in list(_COLUMNS.values())[1:])]
    splits = table.optional("split")
    header = (*_COLUMNS, *classes)
    silent = [""] * len(classes)
    for split in _SPLITS:
        own = [row for row in range(len(table)) if _split(splits[row], told[0][row]) == split]
        rows = [[column[row] for column in told] + values.get(told[0][row], silent) for row in own]
        lines = [table.lines[row] for row in own]
        problems = table.problems if split == _SPLITS[0] else Counter()  # of the file, counted once
        yield split, TextTable(table.name, header, rows, lines, table.delimiter, problems=problems)


def _split(said: str, path: str) -> str:
    return said if said in _SPLITS else path.split("/", 1)[0]


def _values(root: Path, classes: tuple[str, ...]) -> Mapping[str, list[str]]:
    """Return path → the text of each class's value, as CheXpert's tables write it."""
    path = next((path for name in _LABELS for folder in _FOLDERS if (path := root / folder / name).is_file()), None)
    if path is None:
        raise BadTable(
            "CheXpert Plus has its table of images, but no labels",
            accepted=" or ".join(f"chexbert_labels/{name}" for name in _LABELS),
            do="unpack its labels beside the table, or add CheXpert's train.csv and valid.csv in its place",
        )
    found: dict[str, list[str]] = {}
    with path.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            if not line.strip():
                continue
            try:
                one = json.loads(line)
                found[one["path_to_image"]] = ["" if one.get(name) is None else f"{one[name]}" for name in classes]
            except (ValueError, TypeError, KeyError, AttributeError):
                raise BadTable(
                    f"{path.name} cannot be read at line {number}",
                    accepted="one JSON object a line, with path_to_image and a value for each class",
                    do="copy it again",
                ) from None
    return found

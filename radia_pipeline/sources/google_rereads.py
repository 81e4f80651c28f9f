"""NIH's images that four radiologists read again for Google: ``google2019_nih-chest-xray-labels.csv``.

Four findings were asked (Majkowska et al., Radiology 2020), each answered YES or NO: what they mean in the vocabulary
stands here. Does not belong here: NIH's own table (``nih_cxr14``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.sources.delivered_tables import TextTable, find_table, read_table
from radia_pipeline.sources.identifiers import identifiers

TABLES = ("google2019_nih-chest-xray-labels.csv",)
_SETS = {"val": "google_val", "test": "google_test"}
_YES: dict[str, dict[str, int]] = {
    "Fracture": {"Fracture": POSITIVE},
    "Pneumothorax": {"Pneumothorax": POSITIVE},
    "Airspace opacity": {"Lung Opacity": POSITIVE},
    "Nodule or mass": {"Lung Lesion": POSITIVE},
}
_NO: dict[str, dict[str, int]] = {
    "Fracture": {"Fracture": NEGATIVE},
    "Pneumothorax": {"Pneumothorax": NEGATIVE},
    "Airspace opacity": {"Consolidation": NEGATIVE},
    "Nodule or mass": {"Lung Lesion": NEGATIVE, "Nodule": NEGATIVE, "Mass": NEGATIVE},
}
"""A lung without airspace opacity may hold other opacities, but nothing that is consolidated."""
_WHICH_IS_OPEN = ("Nodule", "Mass")
"""Where "nodule or mass" is answered YES, an absence that the table states of either is known no more."""
_ANSWERS = {"YES": _YES, "NO": _NO}


def held_in(root: Path) -> dict[str, str]:
    """Return image name → held split of the sheet; nothing where the table is not there."""
    found = _table(root)
    if found is None:
        return {}
    table, names = found
    return {
        name: _SETS[text.casefold()] for name, text in zip(names, table.column("Set Id")) if text.casefold() in _SETS
    }


def on_top(
    root: Path, names: Sequence[str], classes: Sequence[str], said: np.ndarray, problems: Counter
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Return classes, values and which cells radiologists said: int8 and bool (n, classes).

    ``names``: the images of ``said``'s rows. Classes that only radiologists were asked for are added, null elsewhere.
    Rows of images that the table does not know are counted, and so are answers that are neither YES nor NO.
    """
    found = _table(root)
    if found is None:
        return tuple(classes), said, np.zeros(said.shape, dtype=bool)
    table, images = found
    problems.update(table.problems)
    added = [name for name in ("Fracture", "Lung Opacity", "Lung Lesion") if name not in classes]
    every = (*classes, *added)
    said = np.concatenate([said, np.full((len(said), len(added)), MISSING, dtype=np.int8)], axis=1)
    is_expert = np.zeros(said.shape, dtype=bool)
    column = {name: index for index, name in enumerate(every)}
    rows = {name: row for row, name in enumerate(names)}
    for finding in _YES:
        for image, text in zip(images, table.column(finding)):
            answer, row = _ANSWERS.get(text.upper()), rows.get(image)
            if answer is None or row is None:
                problems["unreadable_label_values" if answer is None else "expert_rows_without_study"] += 1
                continue
            if answer is _YES and finding == "Nodule or mass":
                for name in _WHICH_IS_OPEN:
                    if said[row, column[name]] == NEGATIVE:
                        said[row, column[name]] = MISSING
            for name, value in answer[finding].items():
                said[row, column[name]] = value
                is_expert[row, column[name]] = True
    return every, said, is_expert


def _table(root: Path) -> tuple[TextTable, list[str]] | None:
    path = find_table(root, TABLES)
    if path is None:
        return None
    table = read_table(path)
    return table, identifiers(table, source_sheet("nih_cxr14"), "Image Index")

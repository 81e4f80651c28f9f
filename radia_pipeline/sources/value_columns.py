"""Label tables with one column per label and 1, 0, −1 or blank in it: what CheXpert and MIMIC-CXR share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE, UNCERTAIN
from radia_pipeline.contracts.sheets import SourceSheet
from radia_pipeline.sources.delivered_tables import TextTable
from radia_pipeline.sources.label_map import targets_of

_VALUES = {
    "": MISSING,
    "nan": MISSING,
    "1": POSITIVE,
    "1.0": POSITIVE,
    "0": NEGATIVE,
    "0.0": NEGATIVE,
    "-1": UNCERTAIN,
    "-1.0": UNCERTAIN,
}


def said_by_columns(
    table: TextTable,
    sheet: SourceSheet,
    also: Mapping[str, Sequence[str]] | None = None,
    *,
    absent: set[str] | None = None,
) -> tuple[np.ndarray, Counter]:
    """Return int8 (rows, labels) of the columns that the sheet maps, and counts of values that are none of 1, 0, −1,
    blank.

    ``also``: further names of columns. Raises BadTable where a mapped column is missing, unless ``absent`` is given:
    then its classes are put in there. An unreadable value makes no label.
    """
    said = np.full((len(table), len(sheet.labels)), MISSING, dtype=np.int8)
    problems: Counter = Counter()
    for token, entry in sheet.label_map.items():
        names = (token, *(also or {}).get(token, ()))
        for name, _ in targets_of(entry):
            if absent is not None and table.position(*names) is None:
                absent.add(name)
                continue
            texts = table.column(*names)
            column = sheet.labels.index(name)
            said[:, column] = [_VALUES.get(text.lower(), MISSING) for text in texts]
            problems["unreadable_label_values"] += sum(text.lower() not in _VALUES for text in texts)
    return said, +problems

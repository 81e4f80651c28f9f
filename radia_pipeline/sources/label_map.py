"""From a dataset's own tokens to the vocabulary, by exact token and nothing else: the sheet's ``label_map`` applied.

Substrings are never searched: *pseudonodule* holds "nodule", *subcutaneous emphysema* holds "emphysema".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE, UNCERTAIN, stronger
from radia_pipeline.contracts.sheets import SourceSheet
from radia_pipeline.errors import BadTable
from radia_pipeline.sources.base import LABEL_SCHEMA, Delivered


def targets_of(entry: Any) -> list[tuple[str, int]]:
    """Return (class, value) pairs of one entry of a label map: a class, a list of entries, or {class, value}."""
    if entry is None:
        return []
    if isinstance(entry, str):
        return [(entry, POSITIVE)]
    if isinstance(entry, Mapping):
        return [(entry["class"], int(entry.get("value", POSITIVE)))]
    return [pair for part in entry for pair in targets_of(part)]


class TokenMap:
    """Exact tokens of one source → values of the classes that the source labels."""

    def __init__(self, sheet: SourceSheet) -> None:
        self.classes = tuple(sheet.labels)
        self._column = {name: index for index, name in enumerate(self.classes)}
        self._targets = {str(token).strip(): targets_of(entry) for token, entry in sheet.label_map.items()}
        for token, pairs in self._targets.items():
            for name, value in pairs:
                if name not in self._column or value not in (POSITIVE, NEGATIVE, UNCERTAIN):
                    raise BadTable(
                        f"{sheet.source}.yaml maps {token!r} to a class or value that it does not label",
                        accepted=", ".join(self.classes) + "; values 1, 0, -1",
                        do="list the class under labels, or mend the map",
                    )

    def said(self, rows: Iterable[Sequence[str]]) -> tuple[np.ndarray, Counter]:
        """Return int8 (n, labels) from each row's tokens, and the number of rows with tokens that the map lacks.

        A class that no token names is 0; of several tokens the strongest value holds.
        """
        cache: dict[tuple[str, ...], np.ndarray] = {}
        problems: Counter = Counter()
        matrix = []
        for row in rows:
            tokens = tuple(token.strip() for token in row)
            if tokens not in cache:
                cache[tokens] = self._one(tokens)
            problems["unknown_label_tokens"] += sum(1 for token in tokens if token and token not in self._targets)
            matrix.append(cache[tokens])
        empty = np.zeros((0, len(self.classes)), dtype=np.int8)
        return (np.stack(matrix) if matrix else empty), +problems

    def _one(self, tokens: Sequence[str]) -> np.ndarray:
        values = np.full(len(self.classes), NEGATIVE, dtype=np.int8)
        for token in tokens:
            for name, value in self._targets.get(token, ()):
                column = self._column[name]
                values[column] = stronger(values[column], value)
        return values


def said_table(
    studies: Sequence[str],
    patients: Sequence[str],
    said: np.ndarray,
    classes: Sequence[str],
    problems: Mapping[str, int],
) -> Delivered:
    """Return LABEL_SCHEMA rows for every cell of ``said`` (n, classes) that is not MISSING.

    A study of which every cell is MISSING keeps one row with a null, so that it is known to have been in the table.
    """
    keep = said != MISSING
    silent = ~keep.any(axis=1)
    keep[silent, 0] = True
    rows, columns = np.nonzero(keep)
    values = said[rows, columns]
    study_column = pa.array(studies, pa.string()).take(pa.array(rows))
    patient_column = pa.array(patients, pa.string()).take(pa.array(rows))
    class_column = pa.array(classes, pa.string()).take(pa.array(columns))
    value_column = pa.array(values, pa.int8(), mask=values == MISSING)
    table = pa.table([study_column, patient_column, class_column, value_column], schema=LABEL_SCHEMA)
    return Delivered(table, {name: count for name, count in problems.items() if count})

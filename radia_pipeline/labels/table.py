"""Between the long ``labels`` table and dense arrays (studies × classes). What a value means is in ``contracts``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import ORIGINS
from radia_pipeline.lake.lake import Lake


@dataclass(frozen=True)
class StudyLabels:
    """``values``: int8 (studies, 21), MISSING where null; ``study_ids`` has one entry per row."""

    study_ids: pa.Array
    values: np.ndarray

    def rows_of(self, study_ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Return each study's row, −1 where it has none."""
        return positions(study_ids, self.study_ids)


def positions(wanted: pa.Array | pa.ChunkedArray, among: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return the first place of each value of ``wanted`` in ``among``, −1 where it is not there: int64 (n,)."""
    if isinstance(among, pa.ChunkedArray):
        among = among.combine_chunks()
    if isinstance(wanted, pa.ChunkedArray):
        wanted = wanted.combine_chunks()
    found = pc.index_in(wanted, value_set=among)
    return found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def codes_of(column: pa.ChunkedArray | pa.Array, names: Sequence[str]) -> np.ndarray:
    """Return the place of each value in ``names``, −1 for others, by way of the column's few distinct values."""
    encoded = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    place = {name: index for index, name in enumerate(names)}
    lookup = np.array([place.get(value, -1) for value in encoded.dictionary.to_pylist()] + [-1], dtype=np.int64)
    return lookup[encoded.indices.fill_null(len(lookup) - 1).to_numpy(zero_copy_only=False)]


def read_labels(lake: Lake, source: str, column: str = "value") -> StudyLabels:
    """Read one source's ``labels`` as a dense matrix of ``value`` (or ``said``); raises MissingTable."""
    table = lake.read("labels", source, columns=["study_id", "class", column])
    return dense(table, column)


def dense(table: pa.Table, column: str) -> StudyLabels:
    """Return rows study_id, class, ``column`` as a matrix; classes outside the vocabulary are left out."""
    if len(table) == 0:
        nothing = pa.array([], pa.string())
        return StudyLabels(nothing, np.zeros((0, len(vocabulary().classes)), dtype=np.int8))
    encoded = table.column("study_id").combine_chunks().dictionary_encode()
    rows = encoded.indices.to_numpy(zero_copy_only=False)
    return StudyLabels(encoded.dictionary, _matrix(table, column, rows, len(encoded.dictionary)))


def matrix_of(table: pa.Table, column: str, study_ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return rows study_id, class, ``column`` as int8 (studies, 21), in the order of ``study_ids``; others are left
    out.
    """
    return _matrix(table, column, positions(table.column("study_id"), study_ids), len(study_ids))


def _matrix(table: pa.Table, column: str, rows: np.ndarray, studies: int) -> np.ndarray:
    """Return the values of a long table in their rows (−1: none) and classes: int8 (studies, 21)."""
    matrix = np.full((studies, len(vocabulary().classes)), MISSING, dtype=np.int8)
    columns = codes_of(table.column("class"), vocabulary().classes)
    values = table.column(column).fill_null(MISSING).to_numpy().astype(np.int8)
    known = (rows >= 0) & (columns >= 0)
    matrix[rows[known], columns[known]] = values[known]
    return matrix


def first_rows(codes: np.ndarray, count: int) -> np.ndarray:
    """Return the first place of each code 0 … count − 1 in ``codes``, 0 where it is not there: int64 (count,)."""
    first = np.zeros(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def long_table(
    source: str, study_ids: pa.Array, patient_keys: pa.Array, said: np.ndarray, value: np.ndarray, origin: np.ndarray
) -> pa.Table:
    """Return the ``labels`` rows of a source: study × class, ordered by study and class name.

    ``said``, ``value``: int8 (studies, 21); ``origin``: int8 codes into ORIGINS, same shape.
    """
    classes = vocabulary().classes
    by_name = np.argsort(np.array(classes))
    order = pc.sort_indices(study_ids).to_numpy()
    count, width = len(study_ids), len(classes)
    study_rows = pa.array(np.repeat(order, width))

    def cells(matrix: np.ndarray) -> np.ndarray:
        return matrix[order][:, by_name].reshape(-1)

    def nullable(matrix: np.ndarray) -> pa.Array:
        flat = cells(matrix)
        return pa.array(flat, pa.int8(), mask=flat == MISSING)

    return pa.table(
        {
            "source": pa.array([source], pa.string()).take(pa.array(np.zeros(count * width, dtype=np.int64))),
            "study_id": study_ids.take(study_rows),
            "patient_key": patient_keys.take(study_rows),
            "class": pa.array(classes, pa.string()).take(pa.array(np.tile(by_name, count))),
            "said": nullable(said),
            "value": nullable(value),
            "origin": pa.array(ORIGINS, pa.string()).take(pa.array(cells(origin).astype(np.int64))),
        }
    )

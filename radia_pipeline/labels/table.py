"""Between the long ``labels`` table and dense arrays (studies × classes). What a value means is in ``contracts``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.tables import contract
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import ORIGINS
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.rows import ROWS_OF_A_PART

_ROWS_READ = 1 << 20


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
    study_ids, (values,) = read_matrices(lake, source, [column])
    return StudyLabels(study_ids, values)


def read_matrices(lake: Lake, source: str, columns: Sequence[str]) -> tuple[pa.Array, list[np.ndarray]]:
    """Read one source's ``labels``: its studies in order, and of each column int8 (studies, 21), MISSING where there is
    nothing. Of ``origin``: codes into ORIGINS.

    The long table is never in memory at once. Classes outside the vocabulary are left out. Raises MissingTable.
    """
    ids: list[pa.Array] = [pa.array([], pa.string())]
    blocks: list[list[np.ndarray]] = [[np.full((0, len(vocabulary().classes)), MISSING, np.int8)] for _ in columns]
    last = None
    for part in lake.batches("labels", source, ["study_id", "class", *columns], _ROWS_READ):
        encoded = part.column("study_id").combine_chunks().dictionary_encode()
        names, rows = encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False)
        if not len(names):
            continue
        goes_on = names[0].as_py() == last  # rows are in order of their studies: only a part's first can have begun
        for column, found in zip(columns, blocks):
            matrix = _matrix(part, column, rows, len(names))
            if goes_on:
                end = found[-1][-1]
                end[:] = np.where(matrix[0] == MISSING, end, matrix[0])
            found.append(matrix[1:] if goes_on else matrix)
            if not len(found[-1]):
                found.pop()
        ids.append(names[1:] if goes_on else names)
        last = names[-1].as_py()
    return pa.concat_arrays(ids), [np.concatenate(found) for found in blocks]


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
    said = table.column(column)
    if column == "origin":
        values = codes_of(said, ORIGINS).astype(np.int8)
    else:
        values = said.fill_null(MISSING).to_numpy().astype(np.int8)
    known = (rows >= 0) & (columns >= 0)
    matrix[rows[known], columns[known]] = values[known]
    return matrix


def first_rows(codes: np.ndarray, count: int) -> np.ndarray:
    """Return the first place of each code 0 … count − 1 in ``codes``, 0 where it is not there: int64 (count,)."""
    first = np.zeros(count, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


class LongRows:
    """The ``labels`` rows of a source, study × class, ordered by study and class name: made a part at a time, since
    there are 21 for each study.

    ``study_ids``, ``patient_keys``: (studies,); ``said``, ``value``: int8 (studies, 21); ``origin``: int8 codes into
    ORIGINS, same shape.
    """

    def __init__(
        self,
        source: str,
        study_ids: pa.Array,
        patient_keys: pa.Array,
        said: np.ndarray,
        value: np.ndarray,
        origin: np.ndarray,
    ) -> None:
        self._source, self._texts = source, {"study_id": study_ids, "patient_key": patient_keys}
        self._values, self._origin = {"said": said, "value": value}, origin
        self._order = pc.sort_indices(study_ids).to_numpy()
        self._by_name = np.argsort(np.array(vocabulary().classes))
        self.schema, self.num_rows = contract("labels").schema, len(study_ids) * len(self._by_name)

    def parts(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows of some studies at a time."""
        schema = self.schema if columns is None else pa.schema([self.schema.field(name) for name in columns])
        step = max(1, ROWS_OF_A_PART // len(self._by_name))
        for start in range(0, len(self._order), step):
            studies = self._order[start : start + step]
            yield pa.table([self._column(name, studies) for name in schema.names], schema=schema)

    def _column(self, name: str, studies: np.ndarray) -> pa.Array:
        """Return a column's cells of these studies, given by their places."""
        width = len(self._by_name)
        if name == "source":
            return pa.repeat(pa.scalar(self._source, pa.string()), len(studies) * width)
        if name in self._texts:
            return self._texts[name].take(pa.array(np.repeat(studies, width)))
        if name == "class":
            names = pa.array(vocabulary().classes, pa.string())
            return names.take(pa.array(np.tile(self._by_name, len(studies))))
        cells = self._values.get(name, self._origin)[studies][:, self._by_name].reshape(-1)
        if name == "origin":
            return pa.array(ORIGINS, pa.string()).take(pa.array(cells.astype(np.int64)))
        return pa.array(cells, pa.int8(), mask=cells == MISSING)


def long_table(
    source: str, study_ids: pa.Array, patient_keys: pa.Array, said: np.ndarray, value: np.ndarray, origin: np.ndarray
) -> pa.Table:
    """Return ``LongRows`` as a table in memory."""
    rows = LongRows(source, study_ids, patient_keys, said, value, origin)
    return pa.concat_tables([rows.schema.empty_table(), *rows.parts()])

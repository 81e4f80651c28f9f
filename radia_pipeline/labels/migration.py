"""Brings a lake from the vocabulary that it speaks to the installed one: its labels across, the rest to be made again.

What a migration is stands in ``contracts.migrations``; what becomes of people's readings in ``readings``. Pools never
look at labels, so that no patient moves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from radia_pipeline.contracts.label_values import MISSING, merged, resolve
from radia_pipeline.contracts.migrations import ADD, RETIRE, Migration, renamed, steps_of
from radia_pipeline.contracts.sheets import known_sources, source_sheet
from radia_pipeline.contracts.tables import contract, contract_names
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import ORIGINS, base_origins, origins
from radia_pipeline.labels.table import codes_of, first_rows, long_table
from radia_pipeline.lake import marker, proof
from radia_pipeline.lake.lake import Lake

RENAMED = ("report_mentions", "box_annotations", "pseudo_boxes")
"""Tables whose rows each name one class: they follow it, or go with it."""
KEPT = ("label_reviews",)
"""What people said stays in the words in which they said it."""


@dataclass(frozen=True)
class VocabularyMigration:
    """``migrated``: tables brought across; ``rebuild``: withdrawn ones, to be made again by ``radia run``."""

    before: str
    after: str
    applied: tuple[str, ...]
    migrated: tuple[str, ...] = ()
    rebuild: tuple[str, ...] = ()
    rows_of_retired_classes: int = 0


@dataclass(frozen=True)
class _Said:
    """What was said of each class: ``said`` and ``origin`` by class name, int8 (studies,)."""

    said: dict[str, np.ndarray]
    origin: dict[str, np.ndarray]


def migrate_lake(lake: Lake) -> VocabularyMigration:
    """Bring a lake to the installed vocabulary; a lake that speaks it already is left as it is.

    Labels, mentions and boxes are brought across. Labels of a source that labels an added class cannot be: what it says
    of that class stands in its delivery, so they are withdrawn, as is everything made from labels; ``radia run`` makes
    it again. Versions stay. Safe to repeat after a kill: the lake's own version changes last. Raises VocabularyMismatch
    where no migration leads here.
    """
    words = vocabulary()
    before = lake.vocabulary_version
    path = words.way_from(before)
    if not path:
        return VocabularyMigration(before, before, ())
    migrated, rebuild, lost = [], [], 0
    with lake.lock("vocabulary"):
        for table, partition in _speaking(lake):
            data = _across(lake, table, partition, path)
            if data is None:
                lake.withdraw(table, partition)
                rebuild.append(f"{table}/{partition}")
                continue
            lost += proof.count(lake.place(table, partition)) - len(data) if table in RENAMED else 0
            lake.write(table, data, partition)
            migrated.append(f"{table}/{partition}")
        applied = tuple(migration.name for migration in path)
        marker.note_migrations(lake.root, words.version, applied)
    return VocabularyMigration(before, words.version, applied, tuple(migrated), tuple(rebuild), lost)


def _speaking(lake: Lake) -> Iterator[tuple[str, str]]:
    for table in contract_names():
        if contract(table).speaks_vocabulary:
            yield from ((table, partition) for partition in lake.partitions(table))


def _across(lake: Lake, table: str, partition: str, path: Sequence[Migration]) -> pa.Table | None:
    """Return a table in the installed vocabulary, None where it has to be made again."""
    data = proof.read(lake.place(table, partition)).replace_schema_metadata(None)
    if table in KEPT:
        return data
    added = {name for step in steps_of(path) if step.kind == ADD for name in step.names}
    is_new_to_source = partition in known_sources() and bool(added & source_sheet(partition).labelled)
    if table == "labels":
        return None if is_new_to_source else labels_across(data, partition, path)
    if table not in RENAMED or is_new_to_source:
        return None
    names = [name and renamed(name, path) for name in data.column("class").to_pylist()]
    kept = [new is not None or old is None for new, old in zip(names, data.column("class").to_pylist())]
    column = data.schema.get_field_index("class")
    return data.set_column(column, "class", pa.array(names, pa.string())).filter(pa.array(kept, pa.bool_()))


def labels_across(data: pa.Table, source: str, path: Sequence[Migration]) -> pa.Table:
    """Return a source's ``labels`` in the installed vocabulary: said values merged, values resolved anew."""
    words, sheet = vocabulary(), source_sheet(source)
    studies = data.column("study_id").combine_chunks().dictionary_encode()
    rows = studies.indices.to_numpy(zero_copy_only=False)
    patients = pa.array(first_rows(rows, len(studies.dictionary)))
    old = _old_columns(data, rows, len(studies.dictionary))
    new = said_across(old, path)
    shape = (len(studies.dictionary), len(words.classes))
    said = np.full(shape, MISSING, dtype=np.int8)
    base = base_origins(source, shape)
    for column, name in enumerate(words.classes):
        if name in new.said:
            said[:, column] = new.said[name]
            base[:, column] = np.where(new.said[name] == MISSING, base[:, column], new.origin[name])
    value = resolve(said, sheet.labelled)
    keys = data.column("patient_key").combine_chunks().take(patients)
    return long_table(source, studies.dictionary, keys, said, value, origins(said, value, base))


def _old_columns(data: pa.Table, rows: np.ndarray, studies: int) -> _Said:
    names = data.column("class").to_numpy(zero_copy_only=False)
    said = data.column("said").fill_null(MISSING).to_numpy().astype(np.int8)
    origin = codes_of(data.column("origin"), ORIGINS)
    columns = _Said({}, {})
    for name in sorted(set(names.tolist())):
        mine = names == name
        for target, values in ((columns.said, said), (columns.origin, origin)):
            target[name] = np.full(studies, MISSING, dtype=np.int8)
            target[name][rows[mine]] = values[mine]
    return columns


def said_across(old: _Said, path: Sequence[Migration]) -> _Said:
    """Follow what was said of each class along a way; an added class has no entry at its end."""
    said, origin = dict(old.said), dict(old.origin)
    for step in steps_of(path):
        parts = [name for name in step.names if name in said]
        if step.kind == ADD or not parts:
            continue
        if step.kind != RETIRE and step.into is not None:
            own = said.get(step.into)
            together = merged([said[name] for name in parts], own)
            source = np.full(len(together), MISSING, dtype=np.int8)
            for name in (*([step.into] if own is not None else []), *parts)[::-1]:
                source = np.where(said[name] == together, origin[name], source)
            said[step.into], origin[step.into] = together, source
        for name in parts:
            del said[name], origin[name]
    return _Said(said, origin)

"""The lake: one plain Parquet file per table and partition, replaced atomically, earlier versions kept by content."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.checks import require_parts
from radia_pipeline.contracts.columnar import is_strictly_ordered
from radia_pipeline.contracts.tables import conform, contract, contract_names
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, BadTable, DamagedFile, LakeUnwritable, MissingTable
from radia_pipeline.lake import atomic, marker, proof, publishing, renamed
from radia_pipeline.lake.frames import to_frame
from radia_pipeline.lake.row_hash import rows_sha256
from radia_pipeline.lake.rows import Rows, TableRows, waiting
from radia_pipeline.lake.table_file import HASH_CHARACTERS, VOCABULARY_KEY
from radia_pipeline.lake.versions import Place, VersionRecord, kept_file, published_records, sound_records

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_ROOT = Path(".radia/lake")
LAKE_VARIABLE = "RADIA_LAKE"
WHOLE = "all"
_ROWS_WAITING = 1 << 12
"""Rows that are brought into form together where they come one after the other: some 10 MB of Python's objects."""
_MIGRATE = "run `radia vocabulary migrate` on this lake"


@dataclass(frozen=True)
class WriteResult:
    """What a write did: the data version, its rows, and whether it differs from what stood there."""

    version: str
    rows: int
    changed: bool


def default_root() -> Path:
    """Return $RADIA_LAKE, else ``.radia/lake``."""
    return Path(os.environ.get(LAKE_VARIABLE) or DEFAULT_ROOT)


class Lake:
    """A folder of tables (``<table>/<partition>.parquet``), pixels, models and previews."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @classmethod
    def open(cls, root: Path | str | None = None, *, create: bool = True) -> Lake:
        """Open a lake, making it unless ``create`` is false; refuses one that speaks another vocabulary."""
        lake = cls(Path(root) if root is not None else default_root())
        if marker.stands(lake.root):
            vocabulary().require(lake.vocabulary_version, "The lake", do=_MIGRATE)
            marker.bring_up_to_date(lake.root, lake.places())
            return lake
        if not create:
            raise MissingTable(
                f"There is no lake at {lake.root}", do="run `radia demo` or `radia run` first, or use --lake"
            )
        if lake.root.exists() and not lake.root.is_dir():
            raise BadInput(f"The lake {lake.root} is a file", accepted="a folder")
        with atomic.writable(lake.root):
            try:
                lake.root.mkdir(parents=True, exist_ok=True)
            except FileExistsError:
                raise LakeUnwritable(f"The lake {lake.root} cannot be made: a file stands in its path") from None
            marker.begin(lake.root)
        return lake

    @property
    def vocabulary_version(self) -> str:
        """The version of the vocabulary that the lake speaks; raises MissingTable where there is no lake."""
        return marker.vocabulary_of(self.root)

    # --- where things lie -------------------------------------------------------------------------------------------
    @property
    def pixels_dir(self) -> Path:
        """Stored images: ``pixels/<source>/<3 characters>/<image_id>.png``, of earlier releases below 2 characters."""
        return self.root / "pixels"

    @property
    def previews_dir(self) -> Path:
        """Everything that shows pixels to people; may be erased at any time."""
        return self.root / "previews"

    @property
    def models_dir(self) -> Path:
        """Trained models: ``models/<recipe>/<fingerprint>/``."""
        return self.root / "models"

    @property
    def packed_dir(self) -> Path:
        """Images packed at training size; derived, may be erased."""
        return self.root / "packed"

    @property
    def history_dir(self) -> Path:
        """Dagster's and MLflow's history of this lake, beside it."""
        return self.root.parent / f"{self.root.name}.history"

    @property
    def ledger_path(self) -> Path:
        """The append-only ledger of pools."""
        return self.root / "ledger" / "pools.jsonl"

    @property
    def champions_path(self) -> Path:
        """The append-only history of champions; each line names under ``pins`` the versions that it needs."""
        return self.ledger_path.with_name("champions.jsonl")

    @property
    def comparisons_path(self) -> Path:
        """The append-only notes of people on two models."""
        return self.ledger_path.with_name("comparisons.jsonl")

    @property
    def reviews_path(self) -> Path:
        """The review store of the first release, which the store of readings takes in."""
        return self.root / "reviews" / "reviews.jsonl"

    @property
    def readings_path(self) -> Path:
        """The append-only store of readings; its witness lies beside it."""
        return self.root / "reviews" / "readings.jsonl"

    def path(self, table: str, partition: str = WHOLE) -> Path:
        """Return the Parquet file of a table's partition."""
        contract(table)
        if "/" in partition or partition.startswith((".", "_")) or not partition:
            raise BadInput(f"Bad partition name {partition!r}", accepted="letters, digits, '-' and '_'")
        return self.root / table / f"{partition}.parquet"

    def lock(self, name: str, *, wait_s: float = atomic.LOCK_WAIT_S) -> AbstractContextManager:
        """Return a context manager that holds the lake's lock of that name; raises LakeLocked after ``wait_s``."""
        return atomic.file_lock(self.root / "_locks" / f"{name}.lock", wait_s=wait_s)

    # --- tables -----------------------------------------------------------------------------------------------------
    def write(self, table: str, data: object, partition: str = WHOLE) -> WriteResult:
        """Publish a table: conform, sort by key, check the contract, keep the version, replace the file.

        Raises BadTable or ContractViolation before anything is replaced; unchanged rows leave the file untouched.
        """
        return self.write_rows(table, TableRows(_in_order(table, conform(table, data))), partition)

    def write_rows(self, table: str, rows: Rows, partition: str = WHOLE) -> WriteResult:
        """Publish rows that need not be in memory at once; they have the contract's schema and come in order of its
        key.

        Raises ContractViolation as ``write`` does, and where they are in another order.
        """
        require_parts(table, rows.parts())
        version = rows_sha256(rows)[:HASH_CHARACTERS]
        place = self.place(table, partition)
        with self.lock(f"{table}.{partition}"):
            publishing.settle(place)
            if publishing.standing(place) == version and not _is_of_other_words(place, table):
                publishing.mend(place, version)
                return WriteResult(version, rows.num_rows, False)
            publishing.publish(place, version, rows, vocabulary().version)
        return WriteResult(version, rows.num_rows, True)

    def write_each(self, table: str, rows: Iterable[Mapping[str, Any]], partition: str = WHOLE) -> WriteResult:
        """Publish rows that come one after the other, in order of the contract's key; memory does not grow with them.

        They wait in a file without a name. Raises as ``write_rows`` does.
        """
        folder = self.path(table, partition).parent
        with atomic.writable(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with waiting(_in_parts(table, rows), contract(table).schema, folder) as found:
                return self.write_rows(table, found, partition)

    def read(
        self, table: str, partition: str | None = None, columns: Sequence[str] | None = None, filters: object = None
    ) -> pa.Table:
        """Read one partition, or all of them one after the other; raises MissingTable where there is none.

        ``filters``: as in ``pyarrow.parquet.read_table``. A column that the contract has given up since a partition was
        made is left out; one that it has gained is null there, where it may be.
        """
        names = self.partitions(table) if partition is None else [partition]
        if not names:
            raise MissingTable(f"The table {table} has not been made", do="materialize it, or run `radia run` up to it")
        parts = [self._read(self.place(table, name), columns, filters) for name in names]
        parts = [_promised(part, table).replace_schema_metadata(None) for part in parts]
        return pa.concat_tables(parts if columns is not None else [_whole(part, table) for part in parts])

    def batches(self, table: str, partition: str, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """Yield a partition's rows in parts of so many, in memory that does not grow with them; columns as ``read``.

        Raises as ``read`` does. What was made of the parts may only be used once all of them have come: damage may be
        found at the end.
        """
        known, place = contract(table).columns, self.place(table, partition)
        if unknown := [name for name in columns if name not in known]:
            raise _lacking(place.name, table, unknown)
        for part in proof.batches(place, columns, rows):
            _require_words(part, table)
            absent = [known[name] for name in columns if name not in part.column_names]
            if required := [column.name for column in absent if column.is_required]:
                raise _lacking(place.name, table, required)
            for column in absent:
                part = part.append_column(column.name, pa.nulls(len(part), column.type))
            yield part.select(list(columns)).replace_schema_metadata(None)

    def last_sound(self, table: str, partition: str = WHOLE, columns: Sequence[str] | None = None) -> pa.Table | None:
        """Read what stood so far, for the step that is about to replace it; None where there was nothing.

        Where the published file is damaged: the newest kept version that is whole, None where there is none either.
        """
        if not self.exists(table, partition):
            return None
        try:
            return self.read(table, partition, columns)
        except DamagedFile:
            for record in reversed(sound_records(self.place(table, partition))[0]):
                with contextlib.suppress(DamagedFile, MissingTable, BadTable):
                    return self.read_version(table, partition, record.version, columns)
            return None

    def last_sound_parts(self, table: str, partition: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield what ``last_sound`` reads, in parts, in memory that does not grow with the rows of a sound file."""
        if not self.exists(table, partition):
            return
        try:
            self.version(table, partition)
        except DamagedFile:
            found = self.last_sound(table, partition, columns)
            yield from (found,) if found is not None else ()
            return
        yield from self.batches(table, partition, columns, _ROWS_WAITING)

    def frame(self, table: str, partition: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read one partition, or all of them, as a pandas frame with the types of ``frames.to_frame``.

        Restricted columns (free text, delivered paths) come only when ``columns`` names them. Raises as ``read`` does.
        """
        kept = columns if columns is not None else contract(table).open_columns
        return to_frame(self.read(table, partition, columns=kept))

    def settle(self, table: str, partition: str = WHOLE) -> None:
        """Finish a publication that a killed writer had begun, and clear what it left."""
        with self.lock(f"{table}.{partition}"):
            publishing.settle(self.place(table, partition))

    def withdraw(self, table: str, partition: str = WHOLE) -> None:
        """Take back a published partition; its version stays under ``_versions``, its history too."""
        place = self.place(table, partition)
        with self.lock(f"{table}.{partition}"), atomic.writable(place.path.parent):
            place.next.unlink(missing_ok=True)
            place.path.unlink(missing_ok=True)
            atomic.sync_folder(place.path.parent)

    def exists(self, table: str, partition: str = WHOLE) -> bool:
        """Tell whether a partition has been published."""
        return self.path(table, partition).exists()

    def partitions(self, table: str) -> list[str]:
        """Return the published partitions of a table, sorted."""
        contract(table)
        return sorted(path.stem for path in (self.root / table).glob("*.parquet") if not path.name.startswith("."))

    def version(self, table: str, partition: str = WHOLE) -> str:
        """Return the data version of a published partition: the logical hash of its sorted rows.

        Raises MissingTable, and DamagedFile where the file is not what was published.
        """
        return proof.version(self.place(table, partition))

    def first_version(self, table: str, partition: str = WHOLE) -> str:
        """Return the data version as it was called when it was first published: a rotation of the key renames it."""
        return renamed.before(self.root, self.version(table, partition))

    def versions(self, table: str) -> dict[str, str]:
        """Return the data versions of all published partitions of a table."""
        return {name: self.version(table, name) for name in self.partitions(table)}

    def read_version(self, table: str, partition: str, version: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read an earlier version by its hash, or by as many of its first characters as name one version only.

        Raises BadInput for what is no such beginning, MissingTable where the version was never kept or was collected,
        DamagedFile where its file does not hold the rows that its name says.
        """
        place = self.place(table, partition)
        with _speaking_of(table):
            found = proof.read_kept(place, kept_file(place, version), columns)
        _require_words(found, table)
        return found.replace_schema_metadata(None)

    def history(self, table: str, partition: str = WHOLE) -> list[VersionRecord]:
        """Return what was published under a partition's name, oldest first; raises DamagedFile."""
        return published_records(self.place(table, partition))

    def place(self, table: str, partition: str = WHOLE) -> Place:
        """Return where a partition lies, with its versions."""
        path = self.path(table, partition)
        return Place(f"{table}/{path.stem}", path, self.root / "_versions" / table / path.stem)

    def places(self) -> Iterator[Place]:
        """Yield the place of everything that is published."""
        yield from (self.place(table, partition) for table in contract_names() for partition in self.partitions(table))

    def _read(self, place: Place, columns: Sequence[str] | None, filters: object) -> pa.Table:
        table = place.path.parent.name
        with _speaking_of(table):
            names, gained = list(columns) if columns is not None else None, list[str]()
            try:
                found = proof.read(place, names, filters)
            except KeyError as error:
                gained = [name for name in error.args if _may_be_absent(table, name)]
                if names is None or len(gained) < len(error.args):
                    raise _lacking(place.name, table, error.args) from None
                found = proof.read(place, [name for name in names if name not in gained], filters)
            for name in gained:
                found = found.append_column(name, pa.nulls(len(found), contract(table).columns[name].type))
        _require_words(found, table)
        return found.select(names) if gained else found


def _in_order(table: str, rows: pa.Table) -> pa.Table:
    """Return rows in the order of their key."""
    key = contract(table).key
    if rows.num_rows < 2 or not key or is_strictly_ordered(rows, key):
        return rows
    order = pc.sort_indices(rows.select(list(key)), sort_keys=[(name, "ascending") for name in key])
    return rows.take(order)


def _in_parts(table: str, rows: Iterable[Mapping[str, Any]]) -> Iterator[pa.Table]:
    rows = iter(rows)
    while part := list(islice(rows, _ROWS_WAITING)):
        yield conform(table, part)


def _lacking(name: str, table: str, columns: Iterable[str]) -> BadTable:
    """Return the error of a file without columns: of the contract, which another release did not know, or of none."""
    known = contract(table).columns
    missing = sorted(map(str, columns))
    if any(column not in known for column in missing):
        return BadTable(f"Table {table} has no column {', '.join(missing)}", accepted=", ".join(known))
    return BadTable(
        f"The table {name} lacks {', '.join(missing)}, which contract {contract(table).version} asks for",
        do="it was made by another release: materialize it again",
    )


def _may_be_absent(table: str, name: str) -> bool:
    columns = contract(table).columns
    return name in columns and not columns[name].is_required


@contextlib.contextmanager
def _speaking_of(table: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowKeyError, KeyError):
        raise BadTable(f"Table {table} has no such column", accepted=", ".join(contract(table).columns)) from None


def _require_words(found: pa.Table, table: str) -> None:
    """Raise VocabularyMismatch for rows that name classes of another vocabulary than the installed one."""
    said = (found.schema.metadata or {}).get(VOCABULARY_KEY)
    if said is not None and contract(table).speaks_vocabulary:
        vocabulary().require(said.decode(), f"The table {table}", do=_MIGRATE)


def _is_of_other_words(place: Place, table: str) -> bool:
    """Tell whether a file names classes of another vocabulary than the installed one."""
    said = proof.stamp(place, VOCABULARY_KEY)
    return contract(table).speaks_vocabulary and said is not None and said != vocabulary().version


def _promised(data: pa.Table, table: str) -> pa.Table:
    """Leave out columns of an older contract: partitions stand until they are made again, and go with newer ones."""
    names = [name for name in data.column_names if name in contract(table).columns]
    return data if len(names) == data.num_columns else data.select(names)


def _whole(data: pa.Table, table: str) -> pa.Table:
    """Give a partition of an older contract the columns that it has gained since, as nulls; raises BadTable."""
    columns = contract(table).columns
    if len(data.column_names) == len(columns):
        return data
    absent = [column for name, column in columns.items() if name not in data.column_names]
    if required := [column.name for column in absent if column.is_required]:
        raise _lacking(table, table, required)
    for column in absent:
        data = data.append_column(column.name, pa.nulls(len(data), column.type))
    return data.select(list(columns))

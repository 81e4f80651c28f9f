"""The lake: one plain Parquet file per table and partition, replaced atomically, earlier versions kept by content."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from radia_pipeline.contracts.checks import require
from radia_pipeline.contracts.tables import conform, contract
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, BadTable, DamagedFile, LakeUnwritable, MissingTable
from radia_pipeline.lake import atomic
from radia_pipeline.lake.frames import to_frame
from radia_pipeline.lake.hashing import table_sha256
from radia_pipeline.lake.versions import HASH_CHARACTERS, VersionRecord, history_of, kept_file

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_ROOT = Path(".radia/lake")
LAKE_VARIABLE = "RADIA_LAKE"
WHOLE = "all"
_VERSION_KEY = b"radia.version"
_VOCABULARY_KEY = b"radia.vocabulary"
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
        marker = lake.root / "lake.json"
        if marker.exists():
            vocabulary().require(lake.vocabulary_version, "The lake", do=_MIGRATE)
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
            atomic.write_text(marker, json.dumps({"vocabulary_version": vocabulary().version}) + "\n")
        return lake

    @property
    def vocabulary_version(self) -> str:
        """The version of the vocabulary that the lake speaks; raises MissingTable where there is no lake."""
        marker = self.root / "lake.json"
        try:
            return json.loads(marker.read_text(encoding="utf-8"))["vocabulary_version"]
        except FileNotFoundError:
            raise MissingTable(f"There is no lake at {self.root}", do="name another with --lake") from None
        except (ValueError, KeyError, TypeError):
            raise DamagedFile("lake.json of the lake cannot be read", do="restore it from a backup") from None

    # --- where things lie -------------------------------------------------------------------------------------------
    @property
    def pixels_dir(self) -> Path:
        """Stored images: ``pixels/<source>/<2 characters>/<image_id>.png``."""
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
        rows = conform(table, data)
        key = contract(table).key
        if key and rows.num_rows > 1:
            order = pc.sort_indices(rows.select(list(key)), sort_keys=[(name, "ascending") for name in key])
            rows = rows.take(order)
        require(table, rows)
        version = table_sha256(rows)[:HASH_CHARACTERS]
        path = self.path(table, partition)
        with self.lock(f"{table}.{partition}"):
            if path.exists() and self.version(table, partition) == version and not _is_of_other_words(path, table):
                return WriteResult(version, rows.num_rows, False)
            history = history_of(self._versions_dir(table, partition))
            history.require_sound_end()
            kept = history.path.with_name(f"{version}.parquet")
            stamped = rows.replace_schema_metadata(
                {_VERSION_KEY: version.encode(), _VOCABULARY_KEY: vocabulary().version.encode()}
            )
            with atomic.replace_file(kept) as temporary:
                pq.write_table(stamped, temporary, compression="zstd")
            with atomic.replace_file(path) as temporary:
                temporary.unlink()
                _link_or_copy(kept, temporary)
            history.append([asdict(VersionRecord(version, rows.num_rows, time.time()))])
        return WriteResult(version, rows.num_rows, True)

    def read(
        self, table: str, partition: str | None = None, columns: Sequence[str] | None = None, filters: object = None
    ) -> pa.Table:
        """Read one partition, or all of them one after the other; raises MissingTable where there is none.

        ``filters``: as in ``pyarrow.parquet.read_table``. A column that the contract has given up since a partition was
        made is left out.
        """
        names = self.partitions(table) if partition is None else [partition]
        paths = [self.path(table, name) for name in names]
        if not paths or not all(path.exists() for path in paths):
            which = f"{table}/{partition}" if partition else table
            raise MissingTable(f"The table {which} has not been made", do="materialize it, or run `radia run` up to it")
        wanted = list(columns) if columns is not None else None
        parts = [_read_parquet(path, table, wanted, filters) for path in paths]
        return pa.concat_tables([_promised(part, table).replace_schema_metadata(None) for part in parts])

    def frame(self, table: str, partition: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read one partition, or all of them, as a pandas frame with the types of ``frames.to_frame``.

        Restricted columns (free text, delivered paths) come only when ``columns`` names them. Raises as ``read`` does.
        """
        kept = columns if columns is not None else contract(table).open_columns
        return to_frame(self.read(table, partition, columns=kept))

    def withdraw(self, table: str, partition: str = WHOLE) -> None:
        """Take back a published partition; its version stays under ``_versions``, its history too."""
        with self.lock(f"{table}.{partition}"), atomic.writable(self.root / table):
            self.path(table, partition).unlink(missing_ok=True)
            atomic.sync_folder(self.root / table)

    def exists(self, table: str, partition: str = WHOLE) -> bool:
        """Tell whether a partition has been published."""
        return self.path(table, partition).exists()

    def partitions(self, table: str) -> list[str]:
        """Return the published partitions of a table, sorted."""
        contract(table)
        return sorted(path.stem for path in (self.root / table).glob("*.parquet") if not path.name.startswith("."))

    def version(self, table: str, partition: str = WHOLE) -> str:
        """Return the data version of a published partition: the logical hash of its sorted rows."""
        path = self.path(table, partition)
        if not path.exists():
            raise MissingTable(f"The table {table}/{partition} has not been made", do="materialize it first")
        try:
            metadata = pq.read_schema(path).metadata or {}
        except (pa.ArrowInvalid, OSError):
            raise DamagedFile(f"The table {table}/{partition} is damaged", do="materialize it again") from None
        if _VERSION_KEY in metadata:
            return metadata[_VERSION_KEY].decode()
        return table_sha256(self.read(table, partition))[:HASH_CHARACTERS]

    def versions(self, table: str) -> dict[str, str]:
        """Return the data versions of all published partitions of a table."""
        return {name: self.version(table, name) for name in self.partitions(table)}

    def read_version(self, table: str, partition: str, version: str) -> pa.Table:
        """Read an earlier version by its hash, or by as many of its first characters as name one version only.

        Raises BadInput for what is no such beginning, MissingTable where the version was never kept or was collected.
        """
        kept = kept_file(self._versions_dir(table, partition), version)
        return _read_parquet(kept, table, None, None).replace_schema_metadata(None)

    def history(self, table: str, partition: str = WHOLE) -> list[VersionRecord]:
        """Return what was published under a partition's name, oldest first."""
        return [record for record in history_of(self._versions_dir(table, partition)) if record is not None]

    def _versions_dir(self, table: str, partition: str) -> Path:
        return self.root / "_versions" / table / self.path(table, partition).stem


def _link_or_copy(source: Path, target: Path) -> None:
    """Give one file two names where the file system can; published and kept version then share their bytes."""
    try:
        os.link(source, target)
    except OSError:
        target.write_bytes(source.read_bytes())


def _is_of_other_words(path: Path, table: str) -> bool:
    """Tell whether a file names classes of another vocabulary than the installed one."""
    stamp = (pq.read_schema(path).metadata or {}).get(_VOCABULARY_KEY)
    return contract(table).speaks_vocabulary and stamp is not None and stamp.decode() != vocabulary().version


def _promised(data: pa.Table, table: str) -> pa.Table:
    """Leave out columns of an older contract: partitions stand until they are made again, and go with newer ones."""
    names = [name for name in data.column_names if name in contract(table).columns]
    return data if len(names) == data.num_columns else data.select(names)


def _whole_file(path: Path, columns: list[str] | None) -> pa.Table:
    """Read a file as it is; ``read_table`` would import pandas first, which takes longer than reading."""
    with pq.ParquetFile(path) as file:
        if missing := set(columns or ()) - set(file.schema_arrow.names):
            raise KeyError(*missing)
        return file.read(columns=columns)


def _read_parquet(path: Path, table: str, columns: list[str] | None, filters: object) -> pa.Table:
    try:
        if filters is None:
            found = _whole_file(path, columns)
        else:
            found = pq.read_table(path, columns=columns, filters=filters, partitioning=None)
        stamp = (found.schema.metadata or {}).get(_VOCABULARY_KEY)
        if stamp is not None and contract(table).speaks_vocabulary:
            vocabulary().require(stamp.decode(), f"The table {table}", do=_MIGRATE)
        return found
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise DamagedFile(f"The table {table} is damaged", do="materialize it again, or restore a version") from None
    except (pa.ArrowKeyError, KeyError):
        raise BadTable(f"Table {table} has no such column", accepted=", ".join(contract(table).columns)) from None

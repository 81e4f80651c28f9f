"""Rotating the pseudonym key of a lake: every keyed id becomes what the new key makes of it; pools stay.

A new id is HMAC(new key, old id), so that nothing has to be read from deliveries again; whoever knows the old key alone
can no longer compute it. Tables, the versions that models and champions need, pictures' names and journals are
rewritten. Ledgers, readings and logs are chains and are never rewritten: ``lake.renamed`` maps what they say. Groups
take the name of their smallest member, as always. Killed anywhere, the same call goes on: ids are collected once, and
renaming what is renamed already changes nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.tables import conform, contract, contract_names
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom.publish import PICTURE_FOLDERS
from radia_pipeline.errors import BadInput, DamagedFile, KeyMismatch
from radia_pipeline.lake import atomic, proof, publishing, renamed
from radia_pipeline.lake.collect import pinned_versions
from radia_pipeline.lake.keys import ROTATING, Pseudonymizer, fingerprint_path
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.row_hash import table_sha256
from radia_pipeline.lake.rows import TableRows
from radia_pipeline.lake.table_file import HASH_CHARACTERS, VOCABULARY_KEY, TableFile
from radia_pipeline.lake.versions import Place
from radia_pipeline.readings.membership import TABLE as SETS
from radia_pipeline.readings.membership import sha256_of
from radia_pipeline.usecases.backup_content import standing_still
from radia_pipeline.usecases.erasure import journals

_TOKEN = re.compile(r"(?<![0-9a-f])(?:([0-9a-f]{2,3})/)?([0-9a-f]{64}|[0-9a-f]{32})(?![0-9a-f])")
_ID_COLUMN = re.compile(r"(?:^|_)(?:id|key)(?:_[ab])?$")
_GROUP = "group_id"
_MOST_PASSES = 12
WAIT_S = 60.0


@dataclass(frozen=True)
class Rotated:
    """What a rotation did. ``ids``: how many were renamed; ``tables``: partitions that were rewritten; ``versions``:
    earlier versions that models or champions need and that were rewritten; ``deleted``: other earlier versions."""

    before: str
    after: str
    ids: int
    tables: int
    versions: int
    pictures: int
    deleted: int


def rotate(lake: Lake, old: Pseudonymizer, new: Pseudonymizer, *, wait_s: float = WAIT_S) -> Rotated:
    """Rotate a lake from one key to another; nothing else may work on it meanwhile.

    Raises KeyMismatch where ``old`` is not the lake's key, or another rotation was begun and not ended; BadInput where
    both are one; LakeLocked where somebody works on the lake; DamagedFile where a table is not what was published.
    """
    plan = _Plan(lake, old, new)
    if old.fingerprint == new.fingerprint:
        raise BadInput("The new key is the old one", do="draw another: `openssl rand -hex 32`")
    with lake.lock("rotation", wait_s=wait_s):
        if not plan.is_begun:
            old.bind(lake)
            with standing_still(lake, wait_s):
                plan.begin()
        plan.require_same()
        pictures = _rename_pictures(lake, plan.ids)
        for path in journals(lake):
            _rename_in_journal(path, plan)
        tables = _rewrite_tables(lake, plan)
        versions = _rewrite_pinned(lake, plan)
        plan.keep_names()
        plan.swap_keys()
        deleted = _delete_what_was_named_otherwise(lake, plan)
        plan.end()
    return Rotated(old.fingerprint, new.fingerprint, len(plan.ids), tables, versions, pictures, deleted)


class _Plan:
    """What is to be renamed, kept in a folder of the lake from the first step to the last."""

    def __init__(self, lake: Lake, old: Pseudonymizer, new: Pseudonymizer) -> None:
        self._lake, self._old, self._new = lake, old, new
        self._folder = lake.root / ROTATING
        self._said: dict[str, Any] = {}
        self.ids: dict[str, str] = {}
        self.groups: dict[str, str] = {}
        self.names: dict[str, str] = {}

    @property
    def is_begun(self) -> bool:
        """Whether the plan was written whole: it is the last thing that beginning does."""
        return (self._folder / "plan.json").exists()

    def begin(self) -> None:
        """Collect every id of the lake and write down what it becomes."""
        shutil.rmtree(self._folder, ignore_errors=True)
        known = _ids_of(self._lake)
        ids = {found: self._new.rotated(found) for found in sorted(known)}
        groups = _heads(self._lake, ids)
        renamed.write(self._folder / "ids.parquet", ids)
        renamed.write(self._folder / "groups.parquet", groups)
        said = {
            "before": self._old.fingerprint,
            "after": self._new.fingerprint,
            "sets": _sets(self._lake, ids),
            "versions": {place.name: self._lake.version(*place.name.split("/", 1)) for place in self._lake.places()},
            "keys": self._new.after(self._old, self._lake).decode(),
        }
        atomic.write_text(self._folder / "plan.json", json.dumps(said))

    def require_same(self) -> None:
        """Read the plan; raises KeyMismatch where it is one of other keys."""
        self._said = json.loads((self._folder / "plan.json").read_text(encoding="utf-8"))
        if (self._said["before"], self._said["after"]) != (self._old.fingerprint, self._new.fingerprint):
            raise KeyMismatch(
                "A rotation to another key was begun and not ended", do="end that one first, with the same two keys"
            )
        self.ids = renamed.read(self._folder / "ids.parquet")
        self.groups = renamed.read(self._folder / "groups.parquet")
        self.names = {**self.ids, **self._said["sets"]}
        path = self._folder / "versions.parquet"
        if path.exists():
            self.names |= renamed.read(path)

    def name_version(self, old: str, new: str) -> None:
        """Note durably what a data version is called from now on, before it is published."""
        path = self._folder / "versions.parquet"
        found = renamed.read(path) if path.exists() else {}
        found = {name: new if value == old else value for name, value in found.items()} | {old: new}
        renamed.write(path, found)
        self.names |= found

    def keep_names(self) -> None:
        """Let those who read chains and cards find what they say under today's names."""
        standing = renamed.names(self._lake.root)
        said = _tokens_of_chains(self._lake)
        path = self._folder / "versions.parquet"
        versions = {**(renamed.read(path) if path.exists() else {}), **self._said["sets"]}
        found = {old: self.names.get(new, new) for old, new in standing.items()} | versions
        found |= {name: new for name, new in self.ids.items() if name in said}
        if found:
            renamed.write(renamed.path_of(self._lake.root), found)

    def swap_keys(self) -> None:
        """Let the lake belong to the new key: the keys before first, which nothing but it opens."""
        atomic.write_text(self._lake.root / "keys.json", self._said["keys"])
        (self._lake.root / "keys.json").chmod(0o600)
        atomic.write_text(fingerprint_path(self._lake.root), self._new.fingerprint + "\n")

    def end(self) -> None:
        """Forget what was renamed: who knows both names of everything could undo it."""
        (self._folder / "plan.json").unlink()
        shutil.rmtree(self._folder)


# --- what has a name -------------------------------------------------------------------------------------------------
def _ids_of(lake: Lake) -> set[str]:
    """Return every keyed id that a table, a journal or a chain of the lake names."""
    found: set[str] = set()
    for place in [*lake.places(), *_kept_places(lake)]:
        table, partition = place.name.split("/", 1)
        with contextlib.suppress(DamagedFile):
            rows = lake.read(table, partition) if place.path.exists() else None
            found |= _ids_in(rows) if rows is not None else set()
    for version_place, version in _pinned(lake):
        with contextlib.suppress(DamagedFile):
            found |= _ids_in(proof.read_kept(version_place, version_place.kept(version)))
    for path in journals(lake):
        with contextlib.closing(sqlite3.connect(path)) as database:
            for column in ("image_id", "study_id", "patient_key"):
                found |= {row[0] for row in database.execute(f"select distinct {column} from files") if row[0]}
            found |= {row[0] for row in database.execute("select image_id from placed")}
            found |= {row[0] for row in database.execute("select id from arrived where kind = 'report'")}
    standing = renamed.names(lake.root)
    found |= {standing.get(token, token) for token in _tokens_of_chains(lake, of_ids=True)}
    return {name for name in found if re.fullmatch(r"[0-9a-f]{32}", name)}


def _ids_in(rows: pa.Table) -> set[str]:
    found: set[str] = set()
    for name in rows.column_names:
        kind = rows.schema.field(name).type
        if _ID_COLUMN.search(name) and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            found |= set(pc.unique(rows[name]).to_pylist()) - {None}
    return found


def _tokens_of_chains(lake: Lake, *, of_ids: bool = False) -> set[str]:
    """Return what stands in the lake's chained files in the form of an id, a version or a hash."""
    found: set[str] = set()
    named = re.compile(r'"(?:patient_key|study_id|image_id|file_id)(?:_[ab])?":\s?"([0-9a-f]{32})"')
    for folder in ("ledger", "reviews", "_ingest"):
        for path in (lake.root / folder).glob("*.jsonl"):
            text = path.read_text(encoding="utf-8", errors="replace")
            found |= set(named.findall(text)) if of_ids else {token for _, token in _TOKEN.findall(text)}
    return found


def _heads(lake: Lake, ids: Mapping[str, str]) -> dict[str, str]:
    """Return group → its name under the new ids: its smallest member, as placing patients has it."""
    heads: dict[str, str] = {}
    if lake.exists("splits"):
        rows = lake.read("splits", columns=["patient_key", _GROUP]).to_pylist()
        for row in rows:
            new = ids[row["patient_key"]]
            heads[row[_GROUP]] = min(new, heads.get(row[_GROUP], new))
    return heads


def _sets(lake: Lake, ids: Mapping[str, str]) -> dict[str, str]:
    """Return the hash with which each reading set was closed → what it is for the same members under new ids."""
    rows: dict[str, list[dict]] = {}
    for row in lake.read(SETS).to_pylist() if lake.exists(SETS) else ():
        rows.setdefault(row["members_sha256"], []).append({**row, "study_id": ids[row["study_id"]]})
    return {old: sha256_of(members) for old, members in rows.items()}


# --- renaming --------------------------------------------------------------------------------------------------------
def _rename_pictures(lake: Lake, ids: Mapping[str, str]) -> int:
    count = 0
    for path in sorted(lake.pixels_dir.glob("**/*.png")):
        new = ids.get(path.stem)
        if new is not None:
            folder = path.parent.with_name(_folder(path.parent.name, path.stem, new))
            atomic.move_files([(path, folder / f"{new}{path.suffix}")])
            with contextlib.suppress(OSError):
                path.parent.rmdir()
            count += 1
    return count


def _rename_in_journal(path: Path, plan: _Plan) -> None:
    """Rename in one transaction: a killed one leaves the journal as it was."""
    columns = {"files": ("image_id", "study_id", "patient_key", "row"), "placed": ("image_id",), "arrived": ("id",)}
    rename = _renaming(plan.names)
    with contextlib.closing(sqlite3.connect(path, timeout=30.0)) as database, database:
        database.create_function("renamed", 1, lambda text: rename(text) if text else text, deterministic=True)
        for table, names in columns.items():
            database.execute(f"update {table} set " + ", ".join(f"{name} = renamed({name})" for name in names))


def _rewrite_tables(lake: Lake, plan: _Plan) -> int:
    """Rewrite tables until none changes: one that names another's version changes after that one has."""
    touched: set[str] = set()
    for _ in range(_MOST_PASSES):
        changed = 0
        for place in list(lake.places()):
            table, partition = place.name.split("/", 1)
            rows = _rewritten(lake.read(table, partition), plan)
            if rows is not None:
                ordered = _in_order(table, rows)
                before, after = lake.version(table, partition), table_sha256(ordered)[:HASH_CHARACTERS]
                if before != after:
                    plan.name_version(before, after)
                    lake.write(table, ordered, partition)
                    touched.add(place.name)
                    changed += 1
        if not changed:
            break
    return len(touched)


def _rewrite_pinned(lake: Lake, plan: _Plan) -> int:
    """Rewrite the earlier versions without which no training can be repeated and no champion put back."""
    count = 0
    for place, version in _pinned(lake):
        if version in plan.names:
            continue
        with contextlib.suppress(DamagedFile), TableFile(place.kept(version), place.name) as file:
            said = file.stamps().get(VOCABULARY_KEY, vocabulary().version.encode()).decode()
            rows = _rewritten(proof.read_kept(place, place.kept(version)), plan)
            if rows is not None:
                ordered = _by_key(place.name.split("/", 1)[0], rows.replace_schema_metadata(None))
                after = table_sha256(ordered)[:HASH_CHARACTERS]
                plan.name_version(version, after)
                publishing.keep(place, after, TableRows(ordered), said)
                count += 1
    return count


def _rewritten(rows: pa.Table, plan: _Plan) -> pa.Table | None:
    """Return rows with today's names, None where nothing in them changes."""
    rename, is_changed = _renaming(plan.names), False
    for at, field in enumerate(rows.schema):
        of = plan.groups.get if field.name == _GROUP else None
        column = _renamed_column(rows.column(at), rename, of)
        if column is not None:
            rows, is_changed = rows.set_column(at, field, column), True
    return rows if is_changed else None


def _renamed_column(column: pa.ChunkedArray, rename: Callable, of: Callable | None) -> pa.ChunkedArray | None:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        coded = column.combine_chunks().dictionary_encode()
        old = coded.dictionary.to_pylist()
        new = [((of and text and of(text)) or (text and rename(text))) for text in old]
        if new == old:
            return None
        return pa.chunked_array([pa.array(new, kind).take(coded.indices)], kind)
    if not pa.types.is_nested(kind):
        return None
    old = column.to_pylist()
    new = [_deep(value, rename) for value in old]
    return None if new == old else pa.chunked_array([pa.array(new, kind)], kind)


def _deep(said: Any, rename: Callable) -> Any:
    if isinstance(said, str):
        return rename(said)
    if isinstance(said, list):
        return [_deep(value, rename) for value in said]
    if isinstance(said, tuple):
        return tuple(_deep(value, rename) for value in said)
    return {name: _deep(value, rename) for name, value in said.items()} if isinstance(said, dict) else said


def _renaming(names: Mapping[str, str]) -> Callable[[str], str]:
    """Return what replaces every old name in a text, and the folder of its first characters before it in a path."""

    def one(match: re.Match) -> str:
        folder, old = match[1], match[2]
        new = names.get(old)
        if new is None:
            return match[0]
        return new if folder is None else f"{_folder(folder, old, new)}/{new}"

    return lambda text: _TOKEN.sub(one, text)


def _folder(name: str, old: str, new: str) -> str:
    """Return the name of the folder that an identifier's first characters named, under the new identifier."""
    is_of_it = len(name) in PICTURE_FOLDERS and old.startswith(name)
    return new[: len(name)] if is_of_it else name


def _in_order(table: str, rows: pa.Table) -> pa.Table:
    """Return rows as they are published: as the contract has them, sorted by its key."""
    return _by_key(table, conform(table, rows.replace_schema_metadata(None)))


def _by_key(table: str, rows: pa.Table) -> pa.Table:
    key = [name for name in contract(table).key if name in rows.column_names]
    if not key or rows.num_rows < 2:
        return rows
    return rows.take(pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in key]))


# --- versions --------------------------------------------------------------------------------------------------------
def _kept_places(lake: Lake) -> Iterator[Place]:
    for table in contract_names():
        folder = lake.root / "_versions" / table
        for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
            if entry.is_dir():
                yield lake.place(table, entry.name)


def _pinned(lake: Lake) -> list[tuple[Place, str]]:
    pinned = pinned_versions(lake)
    return [
        (place, path.stem)
        for place in _kept_places(lake)
        for path in sorted(place.folder.glob("*.parquet"))
        if path.stem in pinned
    ]


def _delete_what_was_named_otherwise(lake: Lake, plan: _Plan) -> int:
    """Delete earlier versions that nothing needs, and what is derived: all of it bears old names."""
    count, pinned = 0, pinned_versions(lake)
    for place in _kept_places(lake):
        current = publishing.standing(place)
        for path in sorted(place.folder.glob("*.parquet")):
            if path.stem != current and path.stem not in pinned:
                path.unlink()
                count += 1
    for folder in (lake.packed_dir, lake.previews_dir, lake.models_dir / "_answers"):
        shutil.rmtree(folder, ignore_errors=True)
    for path in [*lake.pixels_dir.glob("*/.staged"), *lake.root.glob("*.html")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return count

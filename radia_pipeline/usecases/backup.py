"""Backing up a lake with its history, and what a set of it is worth: create, verify, thin out.

What never changes once it is there (pictures, versions, models) is copied while others work; then the lake is held
still, and what changed since, tables, ledgers, readings and databases are copied as of that moment. Killed anywhere,
the same call goes on: an object that lies in the store is not copied again. Not here: restoring (``backup_restore``).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from radia_pipeline import __version__
from radia_pipeline.errors import BadInput, DamagedFile, RadiaError
from radia_pipeline.lake import atomic
from radia_pipeline.lake.keys import kept_fingerprint
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.marker import read as read_marker
from radia_pipeline.usecases import backup_databases as databases
from radia_pipeline.usecases.backup_content import CACHE, HISTORY, Found, files_of, locked_while_read, standing_still
from radia_pipeline.usecases.backup_store import BackupStore, Entry, Stored

WAIT_S = 600.0
"""How long a backup waits for an ingest or a run to let go of the lake."""
_REMEMBER_EVERY = 64
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Backup:
    """A set that was made. ``copied``, ``copied_bytes``: files that were not in the store yet, and their bytes;
    ``still_s``: how long the lake was held; ``dropped``: older sets that went."""

    name: str
    sha256: str
    files: int
    bytes: int
    copied: int
    copied_bytes: int
    tables: int
    still_s: float
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """What a check of a set found. ``damaged``: what is not what was stored, in words."""

    name: str
    objects: int
    bytes: int
    damaged: tuple[str, ...] = field(default=())


def create(
    lake: Lake,
    root: Path,
    *,
    recipients: Sequence[str] | None = None,
    keep: int | None = None,
    wait_s: float = WAIT_S,
    now_s: float | None = None,
    tell: Told | None = None,
) -> Backup:
    """Make a set of a lake as it is now, in the store at ``root``, and thin out older ones to ``keep`` sets.

    Raises BadInput for a place inside the lake or of other recipients, LakeLocked where the lake does not stand still
    for us within ``wait_s`` or another backup is being made, DamagedFile where a table is not what was published.
    """
    _require_outside(lake, root)
    store = BackupStore(root, recipients=recipients, create=True)
    with store.lock():
        work = _Work(lake, store, tell)
        work.copy_all()
        began = time.monotonic()
        with standing_still(lake, wait_s):
            tables = {place.name: lake.version(*place.name.split("/", 1)) for place in lake.places()}
            work.copied_of_this_moment()
        still_s = time.monotonic() - began
        name = _name(store, now_s)
        entries = sorted(work.entries.values(), key=lambda one: one.name)
        sha256 = store.publish(name, _card(lake, entries, tables, store.is_sealed, now_s), entries, work.objects())
        dropped = _thin(store, keep) if keep is not None else ()
    return Backup(
        name,
        sha256,
        len(entries),
        sum(one.size for one in entries),
        work.copied,
        work.copied_bytes,
        len(tables),
        round(still_s, 3),
        dropped,
    )


def verify(root: Path, name: str | None = None) -> Verified:
    """Read every byte of a set (default: the newest) and compare it with what was stored; no key is needed.

    Raises BadInput where there is none of that name, DamagedFile where its own list is damaged.
    """
    store = BackupStore(root)
    name = name or newest(store)
    card, count, size, damaged = store.card(name), 0, 0, []
    for stored in store.objects(name).values():
        count, size = count + 1, size + stored.stored_size
        try:
            store.require_whole(stored, f"Object {stored.sha256[:12]}")
        except DamagedFile as error:
            damaged.append(error.received)
    if count != card["objects"]:
        damaged.append(f"The set lists {count} objects and says that it has {card['objects']}")
    return Verified(name, count, size, tuple(damaged))


def listing(root: Path) -> list[dict[str, Any]]:
    """Return the sets of a store, oldest first: name, time, files, bytes, tables, and whether the list is whole."""
    store, rows = BackupStore(root), []
    for name in store.names():
        try:
            card = store.card(name)
            state = "sealed" if card["is_sealed"] else "not sealed"
            rows.append(
                {
                    "set": name,
                    "files": card["files"],
                    "bytes": card["bytes"],
                    "tables": len(card["tables"]),
                    "release": card["release"],
                    "state": state,
                }
            )
        except RadiaError:
            rows.append({"set": name, "files": 0, "bytes": 0, "tables": 0, "release": "", "state": "damaged"})
    return rows


def prune(root: Path, keep: int) -> tuple[str, ...]:
    """Delete all but the newest ``keep`` sets and what only they held; returns their names."""
    store = BackupStore(root)
    with store.lock():
        return _thin(store, keep)


def newest(store: BackupStore) -> str:
    """Return the name of the newest set; raises BadInput where there is none."""
    if not store.names():
        raise BadInput("There is no complete set in this backup", do="run `radia backup create` to its end")
    return store.names()[-1]


def _thin(store: BackupStore, keep: int) -> tuple[str, ...]:
    if keep < 1:
        raise BadInput(f"{keep} sets cannot be kept", accepted="1 or more")
    gone = tuple(store.names()[:-keep])
    store.remove(gone)
    return gone


class _Work:
    """One backup under way: what was seen, what the store holds, and what is told of it."""

    def __init__(self, lake: Lake, store: BackupStore, tell: Told | None) -> None:
        self._lake, self._store, self._tell = lake, store, tell
        self._cache = _Cache(lake, store)
        self.entries: dict[str, Entry] = {}
        self.copied = self.copied_bytes = 0

    def copy_all(self) -> None:
        """Copy what the store does not hold yet, while others work; what changes meanwhile is copied again later."""
        found = list(files_of(self._lake))
        for number, one in enumerate(found, start=1):
            with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                if not databases.is_sqlite(one.path):
                    self._take(one)
            if self._tell:
                self._tell("backup", number, len(found))
        self._cache.flush()

    def copied_of_this_moment(self) -> None:
        """List what is there now and copy what is not in the store as it is now, databases by their own copies."""
        self.entries.clear()
        for found in files_of(self._lake):
            if not found.path.exists():
                continue  # a log or a checkpoint, which no lock of the lake covers, was taken away since it was listed
            if databases.is_sqlite(found.path):
                self._dump(found.name, found.mode, found.mtime_ns, partial(databases.copy_sqlite, found.path))
            else:
                self._take(found)
        for server in databases.of_servers(self._lake):
            self._dump(f"{HISTORY}/{server.name}", 0o600, time.time_ns(), server.dump)
        self._cache.rewrite(self.entries)

    def objects(self) -> list[Stored]:
        """Return the objects that the entries need, each once."""
        needed = {one.sha256 for one in self.entries.values()}
        return [self._cache.objects[sha] for sha in sorted(needed)]

    def _take(self, found: Found) -> None:
        stored = self._cache.known(found)
        if stored is None:
            with locked_while_read(found), found.path.open("rb") as file:
                said = os.fstat(file.fileno())
                stored, size = self._put(file)
            found = Found(found.name, found.path, size, said.st_mtime_ns, said.st_ctime_ns, found.mode)
            if size == said.st_size:
                self._cache.remember(found, stored)
        self.entries[found.name] = Entry(found.name, found.size, found.mode, found.mtime_ns, stored.sha256)

    def _dump(self, name: str, mode: int, mtime_ns: int, dump: Callable[[Path], None]) -> None:
        with tempfile.TemporaryDirectory(prefix="radia-", dir=self._store.root) as folder:
            copy = Path(folder) / "copy"
            dump(copy)
            with copy.open("rb") as file:
                stored, size = self._put(file)
        self.entries[name] = Entry(name, size, mode, mtime_ns, stored.sha256, "database")

    def _put(self, file: Any) -> tuple[Stored, int]:
        stored, size = self._store.put(file, self._cache.objects)
        self._cache.objects[stored.sha256] = stored
        self.copied, self.copied_bytes = self.copied + 1, self.copied_bytes + size
        return stored, size


class _Cache:
    """Which file, as it stands, lies in the store as which object: lines in the lake, appended as files are copied.

    A line that a kill cut short, or of an object that is not there, is not believed.
    """

    def __init__(self, lake: Lake, store: BackupStore) -> None:
        place = json.dumps([os.fspath(store.root.absolute()), store.recipients])
        self._store, self._waiting = store, list[str]()
        self._path = lake.root / CACHE / f"{_digest(place)}.jsonl"
        self.objects: dict[str, Stored] = {}
        self._known: dict[str, tuple[tuple[int, ...], str]] = {}
        for name in store.names() if store.is_sealed else ():
            with contextlib.suppress(DamagedFile):
                store.card(name)
                self.objects.update(store.objects(name))
        for name, stamp, stored in self._lines():
            self.objects[stored.sha256] = stored
            self._known[name] = stamp, stored.sha256

    def known(self, found: Found) -> Stored | None:
        """Return the object that holds a file as it stands, None where it has to be copied."""
        stamp, sha256 = self._known.get(found.name, ((), ""))
        stored = self.objects.get(sha256)
        return stored if stored is not None and stamp == found.stamp and self._store.holds(stored) else None

    def remember(self, found: Found, stored: Stored) -> None:
        """Note that a file lies in the store."""
        self._known[found.name] = found.stamp, stored.sha256
        self._waiting.append(json.dumps([found.name, found.stamp, list(vars(stored).values())]) + "\n")
        if len(self._waiting) >= _REMEMBER_EVERY:
            self.flush()

    def flush(self) -> None:
        """Write what was noted since."""
        if self._waiting:
            with atomic.writable(self._path.parent):
                self._path.parent.mkdir(exist_ok=True)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write("\n" + "".join(self._waiting))
            self._waiting.clear()

    def rewrite(self, names: Collection[str]) -> None:
        """Keep the lines of files that still are there, and no others."""
        self._waiting.clear()
        lines = [
            json.dumps([name, stamp, list(vars(self.objects[sha256]).values())]) + "\n"
            for name, (stamp, sha256) in self._known.items()
            if name in names
        ]
        atomic.write_text(self._path, "".join(lines))

    def _lines(self) -> Iterator[tuple[str, tuple[int, ...], Stored]]:
        if not self._path.is_file():
            return
        with self._path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    name, stamp, stored = json.loads(line)
                    yield name, tuple(stamp), Stored(*stored)
                except (ValueError, TypeError):
                    continue  # cut short by a kill, or the empty line before what was appended


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _require_outside(lake: Lake, root: Path) -> None:
    place = Path(root).resolve()
    for inside in (lake.root.resolve(), lake.history_dir.resolve()):
        if place == inside or place.is_relative_to(inside):
            raise BadInput("The backup would lie in the lake that it is of", do="name a folder on another disk")


def _name(store: BackupStore, now_s: float | None) -> str:
    at = dt.datetime.fromtimestamp(time.time() if now_s is None else now_s, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    taken = set(store.names())
    return next(name for name in (at, *(f"{at}-{n}" for n in range(2, 1000))) if name not in taken)


def _card(
    lake: Lake, entries: list[Entry], tables: dict[str, str], is_sealed: bool, now_s: float | None
) -> dict[str, Any]:
    marker = read_marker(lake.root)
    return {
        "release": __version__,
        "vocabulary_version": marker["vocabulary_version"],
        "layout": marker.get("layout", 1),
        "key_fingerprint": kept_fingerprint(lake.root),
        "created_at": dt.datetime.fromtimestamp(time.time() if now_s is None else now_s, dt.UTC).isoformat(),
        "files": len(entries),
        "bytes": sum(one.size for one in entries),
        "objects": len({e.sha256 for e in entries}),
        "tables": tables,
        "is_sealed": is_sealed,
    }

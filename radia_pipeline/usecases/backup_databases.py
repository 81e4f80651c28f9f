"""How the databases of a lake's history enter a backup and leave it: as copies that they make of themselves.

SQLite: every file that says it is one (Dagster's runs, events and schedules, MLflow, the journals of ingest) is copied
by SQLite's own online backup, which sees one moment of it however many write (sqlite.org/backup.html). A database on a
server is one more ``Database``: whoever knows its address returns it from ``of_servers``.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from radia_pipeline.errors import DamagedFile, RunFailed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.tracking import database

_MAGIC = b"SQLite format 3\0"
_TIMEOUT_S = 60.0
_PAGES_AT_ONCE = 4096
_NOT_OURS = ("--no-owner", "--no-privileges")
"""Who owns the tables is the new database's business."""


class Database(Protocol):
    """A database that lies on a server. ``name``: its file's name in the set; ``dump`` and ``load`` raise RunFailed."""

    name: str

    def dump(self, target: Path) -> None:
        """Write one moment of it to a file."""

    def load(self, source: Path) -> None:
        """Fill the empty database with what a file holds."""


def of_servers(lake: Lake) -> list[Database]:
    """Return the databases of a lake that lie on a server: none where its history is embedded."""
    address = database.set_for(lake.root)
    return [] if address is None else [Postgres(address)]


class Postgres:
    """The histories of Dagster and MLflow in a Postgres, copied by pg_dump, which sees one moment of it.

    The password comes from where libpq takes it (PGPASSWORD, ~/.pgpass), never from an argument.
    """

    name = "histories.pgdump"

    def __init__(self, address: str) -> None:
        self._address = database.checked(address).replace(f"{database.SCHEME}://", "postgresql://", 1)

    def dump(self, target: Path) -> None:
        """Write both schemas to a file of pg_dump's own form."""
        schemas = [f"--schema={name}" for name in database.SCHEMAS]
        self._run("pg_dump", "--format=custom", *_NOT_OURS, *schemas, f"--file={target}", f"--dbname={self._address}")

    def load(self, source: Path) -> None:
        """Fill a database in which neither schema stands."""
        words = ("--exit-on-error", "--single-transaction", *_NOT_OURS)
        self._run("pg_restore", *words, f"--dbname={self._address}", os.fspath(source))

    @staticmethod
    def _run(*words: str) -> None:
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise RunFailed(
                f"{words[0]} is not on this machine", do="install Postgres' client (Debian: postgresql-client)"
            ) from None
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:160]
            raise RunFailed(f"{words[0]} failed: {last}", do="see that the database answers, and PGPASSWORD")


def is_sqlite(path: Path) -> bool:
    """Tell whether a file is a SQLite database by its first bytes; an empty file is none."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def copy_sqlite(path: Path, target: Path) -> None:
    """Write a copy of a database as it is at one moment; raises DamagedFile where it cannot be read.

    The copy needs no file beside it: what a write-ahead log held is in it.
    """
    try:
        with (
            contextlib.closing(sqlite3.connect(path, timeout=_TIMEOUT_S)) as source,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy, pages=_PAGES_AT_ONCE)
            copy.execute("pragma journal_mode=delete")
    except sqlite3.DatabaseError:
        raise DamagedFile(
            f"The database {path.name} of the lake's history cannot be read",
            do="take it back from an earlier backup; tables and models do not need it",
        ) from None


def faults_of_sqlite(path: Path) -> Iterator[str]:
    """Yield what SQLite's own check finds wrong with a database, in a few words."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_TIMEOUT_S)) as opened:
            found = [row[0] for row in opened.execute("pragma quick_check(1)")]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return
        found = ["it cannot be opened"]
    except sqlite3.DatabaseError:
        found = ["it is no whole database"]
    if found != ["ok"]:
        yield "SQLite's check fails" if found[0].startswith("***") else found[0].split("\n")[0][:80]

"""The Postgres database that holds a lake's histories, where one is set: its address, its schemas, its locks.

Dagster's tables and MLflow's bear some of the same names, so each history has a schema of its own. The password stands
in no address: libpq takes it from PGPASSWORD or its own password file. Not here: SQLite, which needs none of this, and
what moves from one to the other (``defs/move_history``).
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from radia_pipeline.errors import BadInput, LakeLocked, LakeUnwritable
from radia_pipeline.lake.settings import read_settings

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

SCHEME = "postgresql+psycopg2"
"""SQLAlchemy 2.1 reads a plain ``postgresql://`` as psycopg 3."""
DAGSTER, MLFLOW = "dagster", "mlflow"
SCHEMAS = (DAGSTER, MLFLOW)
CONNECT_WITHIN_S = 10
_LOOK_EVERY_S = 0.2
_ACCEPTED = f"{SCHEME}://USER@HOST:PORT/NAME; the password comes from PGPASSWORD or ~/.pgpass"


def checked(address: str) -> str:
    """Return an address in the form that is kept; raises BadInput, which never shows what might be a password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise BadInput("A database's address that is none", accepted=_ACCEPTED) from None
    if url.password is not None or "password" in url.query:
        raise BadInput("A database's address with a password in it", accepted=_ACCEPTED, do="set PGPASSWORD instead")
    if url.drivername not in (SCHEME, "postgresql", "postgres") or not url.database:
        raise BadInput(f"A database's address of the kind {url.drivername!r}", accepted=_ACCEPTED)
    if "options" in url.query:
        raise BadInput("A database's address with options of the server", do="set them for the user, by ALTER ROLE")
    return url.set(drivername=SCHEME).render_as_string()


def set_for(lake_root: str | Path) -> str | None:
    """Return the address that a lake is set to; None where its histories lie beside it, in SQLite."""
    return read_settings(Path(lake_root)).database


def in_schema(address: str, schema: str) -> str:
    """Return the address by which a history's tables are found without naming their schema."""
    return _url(address, schema).render_as_string()


def _url(address: str, schema: str) -> URL:
    from sqlalchemy.engine import make_url

    more = {"options": f"-csearch_path={schema}", "connect_timeout": str(CONNECT_WITHIN_S)}
    return make_url(address).update_query_dict(more)


def is_postgres(address: str) -> bool:
    """Whether an address is of a Postgres database."""
    return address.startswith(("postgresql:", "postgresql+", "postgres:"))


@contextlib.contextmanager
def connected(address: str) -> Iterator[Engine]:
    """Yield an engine that keeps no connection; raises LakeUnwritable where the database does not answer."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.pool import NullPool

    engine = create_engine(address, poolclass=NullPool)
    try:
        yield engine
    except OperationalError as error:
        first = str(error.orig).strip().splitlines()[:1]
        why = "it wants a password" if "password" in str(error.orig) else (first or ["it does not answer"])[0]
        raise LakeUnwritable(
            f"The database of the histories cannot be used ({why})",
            do="start it, or set PGPASSWORD; tables of the lake are intact",
        ) from None
    finally:
        engine.dispose()


@contextlib.contextmanager
def exclusively(address: str, what: str, *, wait_s: float) -> Iterator[None]:
    """Hold one of the database's advisory locks, over all machines; the server frees it when its holder dies.

    Raises LakeLocked after ``wait_s`` seconds, LakeUnwritable where the database does not answer.
    """
    from sqlalchemy import text

    key = int.from_bytes(hashlib.sha256(f"radia {what}".encode()).digest()[:8], "big", signed=True)
    deadline = time.monotonic() + wait_s
    with connected(address) as engine, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(text("select pg_try_advisory_lock(:key)"), {"key": key}):
            if time.monotonic() > deadline:
                raise LakeLocked(f"Another process has held the lock of {what} for {wait_s:.0f} s", do="wait for it")
            time.sleep(_LOOK_EVERY_S)
        yield


def make_schemas(address: str) -> None:
    """Make the schemas that are not there."""
    from sqlalchemy import text

    with exclusively(address, "schemas", wait_s=60), connected(address) as engine, engine.begin() as connection:
        for schema in SCHEMAS:
            connection.execute(text(f"create schema if not exists {schema}"))


def answers(address: str) -> str:
    """Return the server's version, in words; raises LakeUnwritable where it does not answer."""
    from sqlalchemy import text

    with connected(address) as engine, engine.connect() as connection:
        return str(connection.scalar(text("show server_version")))

"""Files that appear whole or not at all, and locks between processes. Nothing here knows what the files hold."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from radia_pipeline.errors import LakeLocked, LakeUnwritable

LOCK_WAIT_S = 120.0
"""How long a writer waits for another before it gives up with a clear error."""

_UNWRITABLE = {
    errno.EACCES: "is not writable",
    errno.EPERM: "is not writable",
    errno.EROFS: "is on a read-only file system",
    errno.ENOSPC: "has no space left",
    errno.EDQUOT: "is over its disk quota",
    errno.EFBIG: "has no space left for this file",
}


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Translate the operating system's refusals to write into LakeUnwritable."""
    try:
        yield
    except OSError as error:
        if error.errno in _UNWRITABLE:
            raise LakeUnwritable(
                f"The folder {folder.name} of the lake {_UNWRITABLE[error.errno]}; earlier tables are intact",
                do="free space or rights there, or choose another place with --lake",
            ) from None
        raise


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on leaving without an error it replaces ``path``, durably."""
    with writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as handle:
                os.fsync(handle.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically and durably."""
    with replace_file(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a UTF-8 text file atomically and durably."""
    write_bytes(path, content.encode("utf-8"))


@contextlib.contextmanager
def file_lock(path: Path, *, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold an exclusive lock on ``path`` (made if absent); raises LakeLocked after ``wait_s`` seconds.

    The lock belongs to the open file, so that a killed process leaves none behind.
    """
    with writable(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+")
    deadline = time.monotonic() + wait_s
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LakeLocked(
                        f"Another process holds the lock {path.name}", do="wait until it has ended, then try again"
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        handle.close()

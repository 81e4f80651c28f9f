"""Files that appear whole or not at all, and locks between processes: the one way to do both.

Nothing here knows what the files hold; files that grow line by line are in ``lines``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from radia_pipeline.errors import LakeLocked, LakeUnwritable

LOCK_WAIT_S = 120.0
"""How long a writer waits for another before it gives up with a clear error."""
_LOCK_POLL_S = 0.05

_UNWRITABLE = {
    errno.EACCES: "is not writable",
    errno.EPERM: "is not writable",
    errno.EROFS: "is on a read-only file system",
    errno.ENOSPC: "has no space left",
    errno.EDQUOT: "is over its disk quota",
    errno.EFBIG: "has no space left for this file",
    errno.ENOLCK: "is on a file system that gives no locks",
    errno.EISDIR: "has a folder where a file belongs",
    errno.ENOTDIR: "has a file where a folder belongs",
}
STORAGE_FAULTS = {
    errno.EIO: "reports an input or output error",
    errno.ESTALE: "has lost sight of the file (a stale handle of a network share)",
    errno.EXDEV: "is spread over several file systems, between which no file can be renamed",
    errno.ETIMEDOUT: "does not answer",
    errno.EHOSTDOWN: "does not answer",
    errno.EREMOTEIO: "reports an input or output error",
    errno.EACCES: "may not be read by this user",
    errno.EPERM: "may not be read by this user",
    errno.ELOOP: "leads in a circle of links",
    errno.EMFILE: "cannot be opened: this process holds too many files",
    errno.ENFILE: "cannot be opened: this machine holds too many files",
}
"""What the operating system says of a disk or share rather than of a file on it."""


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Translate the operating system's refusals to write into LakeUnwritable."""
    try:
        yield
    except OSError as error:
        number = error.errno or 0
        fault = _UNWRITABLE.get(number) or STORAGE_FAULTS.get(number)
        if fault is None:
            raise
        raise LakeUnwritable(
            f"The folder {folder.name} of the lake {fault}; earlier tables are intact",
            do="free space or rights there, look after the disk or share, or choose another place with --lake",
        ) from None


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing(path: Path, *, sync_name: bool = True, mode: int = 0o644) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on leaving without an error it replaces ``path``, durably.

    ``sync_name`` false: the content is durable, the name is not yet; whoever writes many files syncs each folder once,
    or makes again what a power cut took. ``mode``: who may read it. Raises the operating system's OSError as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
        if sync_name:
            sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replace_file(path: Path, *, mode: int = 0o644) -> Iterator[Path]:
    """Do as ``replacing`` does; raises LakeUnwritable where the disk refuses."""
    with writable(path.parent), replacing(path, mode=mode) as temporary:
        yield temporary


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically and durably."""
    with replace_file(path) as temporary:
        temporary.write_bytes(content)


def write_private(path: Path, content: bytes) -> None:
    """Write a file atomically and durably that nobody but its owner may read, at no moment."""
    with writable(path.parent), replacing(path, mode=0o600) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a UTF-8 text file atomically and durably."""
    write_bytes(path, content.encode("utf-8"))


def move_files(moves: Iterable[tuple[Path, Path]]) -> None:
    """Give files new names in the same file system, replacing what bears them; all names are durable on return."""
    folders = set()
    for old, new in moves:
        with writable(new.parent):
            new.parent.mkdir(parents=True, exist_ok=True)
            old.replace(new)
        folders.add(new.parent)
    for folder in sorted(folders):
        sync_folder(folder)


@contextlib.contextmanager
def file_lock(path: Path, *, wait_s: float = LOCK_WAIT_S) -> Iterator[io.FileIO]:
    """Hold an exclusive lock on ``path`` (made if absent) and yield it, open to be read and appended to.

    The lock belongs to the open file, so that a killed process leaves none behind; a file that was replaced or removed
    while this waited is opened anew. Raises LakeLocked after ``wait_s`` seconds.
    """
    deadline = time.monotonic() + wait_s
    while True:
        with writable(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("ab+", buffering=0)
        with handle:
            _await_lock(handle, path, deadline)
            if _still_stands(handle, path):
                yield handle
                return


def _await_lock(handle: io.FileIO, path: Path, deadline: float) -> None:
    while True:
        try:
            with writable(path.parent):
                return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LakeLocked(
                    f"Another process holds the lock {path.name}", do="wait until it has ended, then try again"
                ) from None
            time.sleep(_LOCK_POLL_S)


def _still_stands(handle: io.FileIO, path: Path) -> bool:
    """Tell whether ``path`` still names the open file: another process may have replaced it before the lock was had."""
    try:
        with writable(path.parent):
            return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False

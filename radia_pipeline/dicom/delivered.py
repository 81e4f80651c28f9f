"""A delivered file's bytes: opened so that nothing of the file system can hold the reader up, read once, whole.

Belongs here: what is no regular file, what cannot be read, what is too large or changes meanwhile. Does not belong
here: what the bytes are (``privacy.container``) and which files a delivery has (``sources``).
"""

from __future__ import annotations

import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path

from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits


def read_whole(path: Path | str, limits: Limits = DEFAULT_LIMITS) -> tuple[bytes, os.stat_result]:
    """Return a file's bytes and what the system says of it.

    Raises Refusal: unreadable, too_large, changed_while_read.
    """
    try:
        handle, before = opened(path)
        with handle:
            if before.st_size > limits.file_bytes:
                raise Refusal(reasons.TOO_LARGE, "file beyond the cap")
            data = handle.read(limits.file_bytes + 1)
            after = os.fstat(handle.fileno())
    except OSError as error:
        raise Refusal(reasons.UNREADABLE, f"{type(error).__name__}") from None
    if len(data) != before.st_size or (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise Refusal(reasons.CHANGED_WHILE_READ)
    return data, before


def digest_of(path: Path | str) -> tuple[str, os.stat_result]:
    """Return the hash of a file of any size; raises OSError, and Refusal for what is no regular file."""
    handle, status = opened(path)
    with handle:
        return hashlib.file_digest(handle, "sha256").hexdigest(), status


def opened(path: Path | str) -> tuple[BufferedReader, os.stat_result]:
    """Open a regular file; a pipe would wait for its writer, a device may have no end. Raises as ``digest_of``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise Refusal(reasons.UNREADABLE, "no regular file")
    return os.fdopen(descriptor, "rb"), status

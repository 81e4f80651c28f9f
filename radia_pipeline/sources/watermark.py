"""Whether what lies in a delivery's folder has changed, and whether it has come to rest: what a sensor watches.

A copy takes minutes to days, and copying tools may keep old times of files; so a folder is at rest when it looks the
same for a while by the watcher's own clock. Belongs here: the look of a folder and this one rule. Does not belong here:
what the files are (``base``), what follows from it (``defs``).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ARRIVING, AT_REST, KNOWN = "arriving", "at rest", "known"


@dataclass(frozen=True)
class Watermark:
    """How a folder looks: ``digest`` over names, sizes and times of all files, and how many these are."""

    digest: str
    files: int
    size_bytes: int


@dataclass(frozen=True)
class Watch:
    """What a watcher remembers between two looks: the digest that it saw last and since when (seconds since 1970), and
    the one that it has acted on."""

    digest: str = ""
    since_s: float = 0.0
    done: str = ""

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> Watch:
        """Return what a record holds; a fresh watch for none."""
        return cls(**record) if record else cls()

    def record(self) -> dict[str, object]:
        """Return it as plain data."""
        return asdict(self)

    def look(self, mark: Watermark, now_s: float, quiet_s: float) -> tuple[str, Watch]:
        """Return what to make of the folder, and what to remember: ARRIVING while it changes or has not been the same
        for ``quiet_s``, AT_REST once, KNOWN from then on."""
        if mark.digest != self.digest:
            moved = Watch(mark.digest, now_s, self.done)
            return (KNOWN if mark.digest == self.done else ARRIVING), moved
        if mark.digest == self.done:
            return KNOWN, self
        if now_s - self.since_s < quiet_s:
            return ARRIVING, self
        return AT_REST, Watch(mark.digest, self.since_s, mark.digest)


def look_at(root: Path) -> Watermark | None:
    """Return how a folder or a file looks, whatever lies in it; None where it holds nothing.

    Links to folders are not followed, as an ingest does not either. A file that vanishes meanwhile is left out.
    """
    digest, files, size = hashlib.sha256(), 0, 0
    for name, status in _walk(Path(root)):
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        files, size = files + 1, size + status.st_size
    return Watermark(digest.hexdigest()[:16], files, size) if files else None


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (path below the root, status) of every file, by path."""
    if root.is_file():
        yield root.name, root.stat()
        return
    for here, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(here, name)
            with contextlib.suppress(OSError):
                yield os.path.relpath(path, root), path.lstat()

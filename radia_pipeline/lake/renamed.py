"""Names that a rotation of the key has changed: which keyed id, data version or hash of a set is which now.

Chained files are never rewritten, and cards of models say what they said: whoever reads them asks here. The names lie
in ``ledger/renamed.parquet``, those alone that such files hold. Not here: what a rotation does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lines import LineForm

T = TypeVar("T")
_read: dict[Path, tuple[tuple[int, int, int], dict[str, str]]] = {}


def path_of(root: Path) -> Path:
    """Return where a lake keeps its old names."""
    return root / "ledger" / "renamed.parquet"


def names(root: Path) -> Mapping[str, str]:
    """Return old name → name of today; empty where the key was never rotated. Raises DamagedFile."""
    path = path_of(root)
    try:
        said = path.stat()
    except FileNotFoundError:
        return {}
    stamp = (said.st_ino, said.st_size, said.st_mtime_ns)
    if _read.get(path, (None, {}))[0] != stamp:
        _read[path] = stamp, read(path)
    return _read[path][1]


def read(path: Path) -> dict[str, str]:
    """Return the names in a file of them."""
    try:
        rows = pq.read_table(path, columns=["old", "new"], partitioning=None)
    except (pa.ArrowException, OSError, KeyError):
        raise DamagedFile(
            f"The file {path.name} of old names cannot be read", do="restore it from a backup: ledgers need it"
        ) from None
    return dict(zip(rows["old"].to_pylist(), rows["new"].to_pylist(), strict=True))


def write(path: Path, found: Mapping[str, str]) -> None:
    """Write names to a file that its owner alone may read."""
    with atomic.replace_file(path) as temporary:
        pq.write_table(pa.table({"old": list(found), "new": list(found.values())}), temporary, compression="zstd")
    path.chmod(0o600)


def after(root: Path, name: str) -> str:
    """Return what a name is now."""
    return names(root).get(name, name)


def before(root: Path, name: str) -> str:
    """Return what a data version was called when it was first published: a rotation makes nothing new."""
    first = {new: old for old, new in names(root).items()}
    return first.get(name, name)


def following(root: Path, form: LineForm[T]) -> LineForm[T]:
    """Return a form whose records are read with today's names."""
    found = names(root)
    if not found:
        return form
    parse: Callable[[dict], T] = form.parse
    return replace(form, parse=lambda record: parse(_renamed(record, found)))


def _renamed(said: Any, found: Mapping[str, str]) -> Any:
    if isinstance(said, str):
        return found.get(said, said)
    if isinstance(said, Mapping):
        return {name: _renamed(value, found) for name, value in said.items()}
    if isinstance(said, list):
        return [_renamed(value, found) for value in said]
    return said

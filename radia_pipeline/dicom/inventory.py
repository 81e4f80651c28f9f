"""The files of a delivery as they lie there now: what is new or changed, what stood before, what becomes of each.

In temporary tables of the journal's connection, on disk, so that memory does not grow with the delivery; they are gone
with it. Files are told apart by their name's bytes: two of them may be written alike where a name is no UTF-8. Belongs
here: those tables. Does not belong here: what decides (``resolve``), and lines that stay (``journal``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from radia_pipeline.dicom.journal import Journal

_SCHEMA = (
    "create temp table if not exists present (raw blob primary key, path text not null) without rowid",
    "create index if not exists temp.present_by_path on present (path)",
    "create temp table if not exists chosen (raw blob primary key) without rowid",
    "create temp table if not exists standing (path text primary key, picture text) without rowid",
)
_PAGE = 4096


class Stamp(NamedTuple):
    """What the journal says of a file from an earlier look; all None where there was none."""

    size_bytes: int | None
    mtime_ns: int | None
    rules: str | None


class Inventory:
    """A delivery's files beside the open journal. ``paths``: as the operating system names them."""

    def __init__(self, journal: Journal, paths: Iterable[str]) -> None:
        self._journal = journal
        for statement in _SCHEMA:
            journal.change(statement)
        for table in ("present", "chosen", "standing"):
            journal.change(f"delete from temp.{table}")
        journal.add(
            "insert or ignore into temp.present values (?, ?)", ((os.fsencode(one), escaped(one)) for one in paths)
        )

    def __len__(self) -> int:
        return self._count("select count(*) from temp.present")

    def paths(self) -> Iterator[str]:
        """Yield the paths as tables hold them."""
        return (path for (path,) in self._journal.read("select path from temp.present order by raw"))

    def gone(self) -> int:
        """Return how many files have a line from an earlier look and lie there no more."""
        return self._count("select count(*) from files where path not in (select path from temp.present)")

    def stamped(self) -> Iterator[tuple[str, Stamp]]:
        """Yield (path as the operating system names it, what is known of it)."""
        columns = "raw, size_bytes, mtime_ns, rules"
        for raw, *stamp in self._journal.read(f"select {columns} from temp.present left join files using (path)"):
            yield os.fsdecode(raw), Stamp(*stamp)

    def choose(self, paths: Iterable[str]) -> None:
        """Note which files are to be looked at, and no others."""
        self._journal.change("delete from temp.chosen")
        self._journal.add("insert or ignore into temp.chosen values (?)", ((os.fsencode(one),) for one in paths))

    @property
    def chosen(self) -> Chosen:
        """The files to be looked at."""
        return Chosen(self._journal)

    def stood(self, pictures: Iterable[tuple[str, str]]) -> None:
        """Note the (path, picture) of images that stood before; what was noted earlier goes."""
        self._journal.change("delete from temp.standing")
        self._journal.add("insert or ignore into temp.standing values (?, ?)", pictures)

    def _count(self, query: str) -> int:
        return next(self._journal.read(query))[0]


class Chosen:
    """Paths that can be gone through again and again, a page in memory at a time, while the journal is written to."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __len__(self) -> int:
        return next(self._journal.read("select count(*) from temp.chosen"))[0]

    def __iter__(self) -> Iterator[str]:
        last = b""
        while page := self._page(last):
            yield from map(os.fsdecode, page)
            last = page[-1]

    def _page(self, last: bytes) -> list[bytes]:
        query = f"select raw from temp.chosen where raw > ? order by raw limit {_PAGE}"
        return [raw for (raw,) in islice(self._journal.read(query, (last,)), _PAGE)]


def escaped(path: str) -> str:
    """Return a path as text that every table can hold: undecodable bytes become escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

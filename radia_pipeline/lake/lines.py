"""The one durable append-only file: JSON lines, each with a checksum that is chained to the line before.

A cut, edited, lost, moved or inserted line is named by its number. Appending reads the end of the file, not the whole.
Who may be forgotten is replaced by a tombstone that keeps the chain. Files from before this module go on: their lines
may stand before the first chained one, which binds them. Not here: what lines mean, which is their owners' business.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from radia_pipeline.errors import LakeUnwritable
from radia_pipeline.lake import atomic

T = TypeVar("T")
CHECKSUM_CHARACTERS = 16
START = "0" * CHECKSUM_CHARACTERS
"""Stands for the checksum of the line before the first."""
CUT = "the line is cut short"
UNFIT = "its checksum does not fit"
_MARK, _CLOSE = b',"~":"', b'"}'
_TOMBSTONE = "~forgotten"
_TOMBSTONE_START = f'{{"{_TOMBSTONE}":'.encode()
_END_BYTES = 1 << 14
"""How much of the end is read to append; where the last two lines are longer, the whole file is."""


def as_it_stands(number: int, record: Mapping[str, object]) -> None:
    """Accept a line from before this module as it is: lines of its kind had nothing to prove themselves by."""


@dataclass(frozen=True)
class LineForm(Generic[T]):
    """What an owner's lines are. ``kind``: a line in words; ``parse``: record → what the owner keeps, raising
    ValueError, KeyError, TypeError or AttributeError for none of its own.

    ``old``: judges a line without a chained checksum, (number, record) → what is wrong with it or None; without it
    there are no such lines. ``drops_cut_end``: a last line that a crash cut short was never confirmed and may go.
    ``start``: stands for the checksum before the first line; all checksums of the file are as long as it.
    """

    kind: str
    parse: Callable[[dict], T]
    old: Callable[[int, Mapping[str, object]], str | None] | None = None
    drops_cut_end: bool = False
    start: str = START


class Mark(NamedTuple):
    """A place between two lines: lines and bytes before it, and what the next line's checksum is chained to."""

    number: int
    offset: int
    tail: str


class _Line(NamedTuple, Generic[T]):
    """A sound line; ``value`` None for a tombstone. ``tail``: what the next line's checksum is chained to."""

    raw: bytes
    value: T | None
    tail: str
    is_old: bool = False


class LinesFile(Generic[T]):
    """An append-only file of one owner. ``damaged``: makes the owner's error from a line's number and what is wrong."""

    def __init__(self, path: Path, form: LineForm[T], damaged: Callable[[int, str], Exception]) -> None:
        self.path, self._form, self._damaged = path, form, damaged

    def __iter__(self) -> Iterator[T | None]:
        """Read and verify every line in order, None for a forgotten one; raises the owner's error at the first fault.

        A file that does not exist has no lines.
        """
        for number, line in self._walk():
            if isinstance(line, str):
                raise self._damaged(number, line)
            yield line.value

    def follow(self, mark: Mark | None = None) -> Iterator[tuple[Mark, T | None]]:
        """Do as iterating does from ``mark`` on, which the caller has proved; yield the place after each line too."""
        mark = mark or self.beginning
        for number, line in self._walk(mark):
            if isinstance(line, str):
                raise self._damaged(number, line)
            mark = Mark(number, mark.offset + len(line.raw), line.tail)
            yield mark, line.value

    @property
    def beginning(self) -> Mark:
        """The place before the first line."""
        return Mark(0, 0, self._form.start)

    def sound(self) -> Iterator[T]:
        """Read the lines before the first fault, without the forgotten."""
        for _, line in self._walk():
            if isinstance(line, str):
                return
            if line.value is not None:
                yield line.value

    def append(self, records: Iterable[Mapping[str, object]]) -> int:
        """Append records durably (fsync of file and folder) and return how many; one process at a time does.

        Nothing of them stays where the disk refuses. Raises the owner's error where the end of the file cannot be
        trusted, LakeLocked, LakeUnwritable.
        """
        bodies = [_body(_own(record)) for record in records]
        if not bodies:
            return 0
        with atomic.file_lock(self.path) as handle, atomic.writable(self.path.parent):
            tail, size = self._end(handle)
            content = bytearray()
            for body in bodies:
                line, tail = _chained(tail, body)
                content += line
            _write_durably(handle, size, bytes(content))
            atomic.sync_folder(self.path.parent)
        return len(bodies)

    def require_sound_end(self) -> None:
        """Raise the owner's error now where ``append`` would: for owners who must not begin what they cannot record."""
        if self.path.exists():
            with atomic.file_lock(self.path) as handle:
                self._end(handle)

    def forget(self, is_forgotten: Callable[[T], bool]) -> int:
        """Put a tombstone in the place of each such line and return how many there were; all other lines stay.

        A tombstone holds nothing but the checksum to which the next line is chained. The file is replaced whole.
        """
        if not self.path.exists():
            return 0
        with atomic.file_lock(self.path):
            lines, tail, count = [], self._form.start, 0
            for number, line in self._walk(is_locked=True):
                if isinstance(line, str):
                    raise self._damaged(number, line)
                is_gone = line.value is not None and is_forgotten(line.value)
                lines.append(_chained(tail, _body({_TOMBSTONE: line.tail}))[0] if is_gone else line.raw)
                tail, count = line.tail, count + is_gone
            if count:
                atomic.write_bytes(self.path, b"".join(lines))
        return count

    def _walk(self, mark: Mark | None = None, *, is_locked: bool = False) -> Iterator[tuple[int, _Line[T] | str]]:
        """Yield (number, sound line), and the first fault in the place of its line; nothing after it."""
        before, offset, tail = mark or self.beginning
        if not self.path.exists():
            return
        with self.path.open("rb") as handle:
            handle.seek(offset)
            may_be_old = self._form.old is not None and not before
            for number, raw in enumerate(self._whole(handle, is_locked), start=before + 1):
                if not raw.endswith(b"\n") and self._form.drops_cut_end:
                    return
                line = self._judge(number, raw, tail, may_be_old)
                yield number, line
                if isinstance(line, str):
                    return
                tail = line.tail
                may_be_old = may_be_old and (line.is_old or line.value is None)

    def _whole(self, handle: io.BufferedReader, is_locked: bool) -> Iterator[bytes]:
        """Yield the lines; a last one without an end only after nobody can be writing it any more."""
        for raw in handle:
            if is_locked or raw.endswith(b"\n"):
                yield raw
                continue
            with contextlib.suppress(LakeUnwritable), atomic.file_lock(self.path):
                raw += handle.readline()
            yield raw

    def _judge(self, number: int, raw: bytes, tail: str, may_be_old: bool) -> _Line[T] | str:
        if not raw.endswith(b"\n"):
            return CUT
        body, checksum = _split(raw)
        is_old = body is None and may_be_old
        if not is_old and (body is None or checksum != _checksum(tail, body)):
            return UNFIT
        try:
            record = json.loads((raw if is_old or body is None else body).decode("utf-8"))
            if not is_old and record.keys() == {_TOMBSTONE}:
                return _Line(raw, None, str(record[_TOMBSTONE]))
            fault = self._form.old(number, record) if is_old and self._form.old else None
            after = _checksum(tail, raw[:-1]) if is_old else checksum
            return fault or _Line(raw, self._form.parse(record), after, is_old)
        except (ValueError, KeyError, TypeError, AttributeError):
            return f"it is no {self._form.kind}"

    def _end(self, handle: io.FileIO) -> tuple[str, int]:
        """Return what the next line is chained to, and the size of the whole lines; from the last two where they do."""
        size = handle.seek(0, os.SEEK_END)
        start = handle.seek(max(0, size - _END_BYTES))
        end = handle.read(size - start)
        whole, cut = end[: end.rfind(b"\n") + 1], end[end.rfind(b"\n") + 1 :]
        if not cut or self._form.drops_cut_end:
            tail = _tail_of_end(whole, self._form.start if start == 0 else None)
            if tail is not None:
                return tail, size - len(cut)
        return self._end_by_walking()

    def _end_by_walking(self) -> tuple[str, int]:
        tail, size = self._form.start, 0
        for number, line in self._walk(is_locked=True):
            if isinstance(line, str):
                raise self._damaged(number, line)
            tail, size = line.tail, size + len(line.raw)
        return tail, size


def _checksum(previous: str, body: bytes) -> str:
    return hashlib.sha256(previous.encode() + b"\n" + body).hexdigest()[: len(previous)]


def _own(record: Mapping[str, object]) -> Mapping[str, object]:
    if not record or any(name.startswith("~") for name in record):
        raise ValueError("a record needs a field, and none may begin with '~', which stands for this module's own")
    return record


def _body(record: Mapping[str, object]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _chained(previous: str, body: bytes) -> tuple[bytes, str]:
    """Return a line with its end, and its checksum."""
    checksum = _checksum(previous, body)
    return body[:-1] + _MARK + checksum.encode() + _CLOSE + b"\n", checksum


def _split(raw: bytes) -> tuple[bytes | None, str]:
    """Return a whole line's body and checksum; no body where it does not end as a chained line does."""
    head, mark, rest = raw.removesuffix(b"\n").rpartition(_MARK)
    if not mark or not rest.endswith(_CLOSE):
        return None, ""
    return head + b"}", rest.removesuffix(_CLOSE).decode("latin-1")


def _tail_of_end(whole: bytes, start: str | None) -> str | None:
    """Return what follows the last line of a file's end, if its last two lines prove it; None where they do not.

    ``start``: what the first line is chained to where the end is the whole file, else None.
    """
    lines = whole.split(b"\n")[:-1]
    if len(lines) < 2 and start is None:
        return None
    if not lines:
        return start
    previous = start if len(lines) == 1 else _chained_to(lines[-2])
    body, checksum = _split(lines[-1])
    if previous is None or body is None or checksum != _checksum(previous, body):
        return None
    return _chained_to(lines[-1])


def _chained_to(line: bytes) -> str | None:
    """Return what the line after a chained line is chained to, without proving it; None for an old line."""
    body, checksum = _split(line)
    if body is not None and body.startswith(_TOMBSTONE_START):
        return json.loads(body)[_TOMBSTONE]
    return checksum if body is not None else None


def _write_durably(handle: io.FileIO, size: int, content: bytes) -> None:
    """Write after the first ``size`` bytes; where the disk refuses midway, leave those."""
    handle.truncate(size)
    try:
        while content:
            content = content[handle.write(content) :]
        os.fsync(handle.fileno())
    except OSError:
        handle.truncate(size)
        raise

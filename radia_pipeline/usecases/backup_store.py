"""Where backups lie: one folder of objects under the hash of their content, and for each backup a set that lists them.

```
store.json                 format, recipients; made once
objects/ab/<sha256>        a file's bytes, sealed where the store has recipients; the name is of the plain bytes
sets/<time>/files.jsonl    which file of the lake holds which object; sealed where the store has recipients
sets/<time>/objects.jsonl  object, bytes and hash as stored: a set is verified without the key
sets/<time>/set.json       when, of what, how much, and the hashes of the two lists and of itself
```
What did not change between two backups lies there once. A set appears whole or not at all. Not here: which files belong
in it (``backup_content``), what sealing is (``backup_sealing``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.lake import atomic
from radia_pipeline.usecases import backup_sealing

FORMAT = 1
NAME = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20
_OTHER = "take another set (`radia backup list`), or another copy of the backup; nothing was restored from this one"


@dataclass(frozen=True)
class Stored:
    """An object: ``sha256`` of its plain bytes, which is its name; ``stored_sha256``, ``stored_size``: as it lies."""

    sha256: str
    stored_sha256: str
    stored_size: int


@dataclass(frozen=True)
class Entry:
    """A file of a set. ``name``: ``lake/…`` or ``history/…``; ``sha256``: its object; ``kind``: file, or database."""

    name: str
    size: int
    mode: int
    mtime_ns: int
    sha256: str
    kind: str = "file"


class BackupStore:
    """A folder of backups, opened; raises BadInput where it is none, or of a later format."""

    def __init__(self, root: Path, *, recipients: Sequence[str] | None = None, create: bool = False) -> None:
        self.root = Path(root)
        path = self.root / "store.json"
        if not path.exists():
            if not create:
                raise BadInput(f"There is no backup at {root}", accepted="a folder that `radia backup create` made")
            self._begin(path, backup_sealing.require_recipients(recipients or ()))
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            self.recipients, version = tuple(said["recipients"]), int(said["format"])
        except (ValueError, KeyError, TypeError, OSError):
            raise DamagedFile("store.json of the backup cannot be read", do="take another copy of the backup") from None
        if version > FORMAT:
            raise BadInput(f"The backup has format {version}", accepted=f"up to {FORMAT}", do="use a newer release")
        if recipients is not None and recipients and tuple(recipients) != self.recipients:
            raise BadInput(
                "The backup at this place is sealed to other recipients, or not sealed",
                do="name those with which it was begun, or another folder",
            )

    def _begin(self, path: Path, recipients: Sequence[str]) -> None:
        if self.root.exists() and (not self.root.is_dir() or any(self.root.iterdir())):
            raise BadInput(f"{self.root} is no folder of backups and not empty", do="name a new or an empty folder")
        with atomic.writable(self.root):
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.root.chmod(0o700)
        atomic.write_text(path, json.dumps({"format": FORMAT, "recipients": list(recipients)}) + "\n")

    @property
    def is_sealed(self) -> bool:
        """Tell whether what lies here can be read with a key only."""
        return bool(self.recipients)

    def lock(self) -> contextlib.AbstractContextManager:
        """Hold the store; raises LakeLocked where another backup is being made or thinned out."""
        return atomic.file_lock(self.root / "store.lock", wait_s=0.0)

    # --- objects ----------------------------------------------------------------------------------------------------
    def object_path(self, sha256: str) -> Path:
        """Return where an object lies."""
        return self.root / "objects" / sha256[:2] / sha256

    def holds(self, stored: Stored) -> bool:
        """Tell whether an object lies there in its size; its bytes are ``verify``'s."""
        try:
            return self.object_path(stored.sha256).stat().st_size == stored.stored_size
        except OSError:
            return False

    def put(self, source: BinaryIO, known: Mapping[str, Stored]) -> tuple[Stored, int]:
        """Store a stream's bytes and return the object and how many plain bytes it holds; durable on return.

        ``known``: objects of sets that stand. A sealed one is never replaced, since sealing again gives other bytes.
        """
        with atomic.writable(self.root):
            (self.root / "objects").mkdir(exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=self.root / "objects")
            temporary = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    plain, stored = _Counting(source), _Counting(file)
                    if self.is_sealed:
                        backup_sealing.seal(plain, stored, self.recipients)
                    else:
                        shutil.copyfileobj(plain, stored, _CHUNK_BYTES)
                    file.flush()
                    os.fsync(file.fileno())
                found = Stored(plain.hexdigest(), stored.hexdigest(), stored.count)
                if self.is_sealed and found.sha256 in known and self.holds(known[found.sha256]):
                    return known[found.sha256], plain.count
                target = self.object_path(found.sha256)
                target.parent.mkdir(exist_ok=True)
                temporary.replace(target)
                atomic.sync_folder(target.parent)
            finally:
                temporary.unlink(missing_ok=True)
        return found, plain.count

    def copy_out(self, stored: Stored, target: BinaryIO, keys: Sequence[Any], what: str) -> None:
        """Write an object's plain bytes to ``target``; raises DamagedFile where they are not those that were stored."""
        try:
            with self.object_path(stored.sha256).open("rb") as file:
                read, plain = _Counting(file), _Counting(target)
                if self.is_sealed:
                    self.require_whole(stored, what)  # before anything of it is trusted to a parser
                    backup_sealing.unseal(read, plain, keys, what)
                else:
                    shutil.copyfileobj(read, plain, _CHUNK_BYTES)
        except FileNotFoundError:
            raise _damaged(what, "is gone") from None
        if plain.hexdigest() != stored.sha256 or (not self.is_sealed and read.hexdigest() != stored.stored_sha256):
            raise _damaged(what, "does not hold what was stored: its bytes were changed")

    def require_whole(self, stored: Stored, what: str) -> None:
        """Raise DamagedFile where an object is gone or its bytes are not those that were stored."""
        path = self.object_path(stored.sha256)
        if not path.is_file():
            raise _damaged(what, "is gone")
        if _sha256_of(path) != stored.stored_sha256:
            raise _damaged(what, "does not hold what was stored: its bytes were changed")

    # --- sets -------------------------------------------------------------------------------------------------------
    def names(self) -> list[str]:
        """Return the names of the sets, oldest first."""
        folder = self.root / "sets"
        return sorted(path.name for path in folder.glob("*") if NAME.fullmatch(path.name)) if folder.is_dir() else []

    def publish(self, name: str, card: dict[str, Any], files: Iterable[Entry], objects: Iterable[Stored]) -> str:
        """Make a set of these files; returns the hash by which it proves itself."""
        folder = self.root / "sets" / name
        waiting = folder.with_name(f".{name}.tmp")
        shutil.rmtree(waiting, ignore_errors=True)
        with atomic.writable(self.root):
            waiting.mkdir(parents=True)
        _write_lines(waiting / "objects.jsonl", map(asdict, objects))
        listing = waiting / "files.jsonl"
        _write_lines(listing, map(asdict, files))
        if self.is_sealed:
            with atomic.replace_file(listing) as temporary, listing.open("rb") as plain, temporary.open("wb") as sealed:
                backup_sealing.seal(plain, sealed, self.recipients)
        said = {
            "format": FORMAT,
            "name": name,
            **card,
            "files_sha256": _sha256_of(listing),
            "objects_sha256": _sha256_of(waiting / "objects.jsonl"),
        }
        said["sha256"] = _own_sha256(said)
        atomic.write_text(waiting / "set.json", json.dumps(said, indent=1, sort_keys=True) + "\n")
        with atomic.writable(self.root):
            waiting.rename(folder)
            atomic.sync_folder(folder.parent)
        return said["sha256"]

    def card(self, name: str) -> dict[str, Any]:
        """Return what a set says of itself, proved; raises BadInput for an unknown name, DamagedFile."""
        if name not in self.names():
            known = ", ".join(self.names()[-5:]) or "none: it was cut before it was complete; run `radia backup create`"
            raise BadInput(f"There is no set {name!r} in this backup", accepted=known)
        folder = self.root / "sets" / name
        try:
            said = json.loads((folder / "set.json").read_text(encoding="utf-8"))
            is_whole = said["sha256"] == _own_sha256(said) and said["name"] == name and said["format"] <= FORMAT
            lists = {kind: said[f"{kind}_sha256"] for kind in ("files", "objects")}
            is_whole = is_whole and all(_sha256_of(folder / f"{kind}.jsonl") == sha for kind, sha in lists.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            is_whole = False
        if not is_whole:
            raise _damaged(f"The list of set {name}", "is not what was written: its bytes were changed")
        return said

    def objects(self, name: str) -> dict[str, Stored]:
        """Return a set's objects by name; ``card`` has proved the list."""
        return {one.sha256: one for one in (Stored(**row) for row in self._rows(name, "objects"))}

    def files(self, name: str, keys: Sequence[Any] = ()) -> list[Entry]:
        """Return a set's files; ``card`` has proved the list. Raises BadInput where a key is needed and none fits."""
        return [Entry(**row) for row in self._rows(name, "files", keys)]

    def _rows(self, name: str, kind: str, keys: Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        path = self.root / "sets" / name / f"{kind}.jsonl"
        with tempfile.TemporaryFile() as plain:
            with path.open("rb") as file:
                if self.is_sealed and kind == "files":
                    if not keys:
                        raise BadInput("This backup is sealed", do="name the file of its secret key: --identity FILE")
                    backup_sealing.unseal(file, plain, keys, f"The list of set {name}")
                else:
                    shutil.copyfileobj(file, plain, _CHUNK_BYTES)
            plain.seek(0)
            yield from (json.loads(line) for line in plain)

    def remove(self, names: Iterable[str]) -> tuple[int, int]:
        """Delete sets and every object that no set that stays lists; returns how many objects went, and their bytes.

        Raises DamagedFile, and deletes nothing, where a set that stays does not say what it needs.
        """
        going = set(names)
        staying = [name for name in self.names() if name not in going]
        needed = {sha for name in staying if self.card(name) for sha in self.objects(name)}
        for name in sorted(going):
            folder = self.root / "sets" / name
            (folder / "set.json").unlink(missing_ok=True)  # cut here, the set is damaged and says so
            shutil.rmtree(folder)
        gone = freed = 0
        for path in (self.root / "objects").glob("*/*"):
            if path.name not in needed and _DIGEST.fullmatch(path.name):
                gone, freed = gone + 1, freed + path.stat().st_size
                path.unlink()
        for path in [*(self.root / "objects").glob(".*.tmp"), *(self.root / "sets").glob(".*.tmp")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return gone, freed


class _Counting:
    """A stream that knows how many bytes went through it and what they hash to."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._hash, self.count = stream, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(size)
        self._hash.update(content)
        self.count += len(content)
        return content

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        self.count += len(content)
        self._stream.write(content)
        return len(content)

    def flush(self) -> None:
        self._stream.flush()

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _damaged(what: str, how: str) -> DamagedFile:
    return DamagedFile(f"{what} {how}", do=_OTHER)


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with atomic.replace_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _own_sha256(card: dict[str, Any]) -> str:
    said = {name: value for name, value in card.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

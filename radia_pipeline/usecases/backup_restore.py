"""Restoring a set into another place: every byte is proved before the lake stands under its name.

It is built beside the place where it will stand and renamed at the end; killed, the same call continues with the files
that are there and whole. What the set says of tables, ledgers and readings is asked of what was restored. What is
derived (packed images, previews, pages) is made again when it is needed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from radia_pipeline.cohort.ledger import read_ledger
from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import change_settings
from radia_pipeline.readings.chain import proved_lines
from radia_pipeline.tracking.database import checked
from radia_pipeline.usecases import backup_databases as databases
from radia_pipeline.usecases import backup_sealing
from radia_pipeline.usecases.backup import newest
from radia_pipeline.usecases.backup_content import HISTORY, LAKE
from radia_pipeline.usecases.backup_store import BackupStore, Entry, Stored

Told = Callable[[str, int, int], None]
_DUMP = f"{HISTORY}/{databases.Postgres.name}"


@dataclass(frozen=True)
class Restored:
    """What stands now. ``again``: files that an earlier, killed call had restored and that are whole."""

    set: str
    files: int
    bytes: int
    tables: int
    readings: int
    again: int


def restore(
    root: Path,
    lake_root: Path,
    *,
    name: str | None = None,
    identity: Path | None = None,
    server: str | None = None,
    tell: Told | None = None,
) -> Restored:
    """Restore a set (default: the newest) of the store at ``root`` as the lake at ``lake_root``.

    ``server``: address of an empty Postgres, for histories that lay in one.
    Raises BadInput where something stands there, or a key is needed and none fits; DamagedFile where one byte of the
    set is not what was stored: then nothing stands there.
    """
    store = BackupStore(root)
    keys = backup_sealing.identities(identity) if identity is not None else []
    name = name or newest(store)
    card, lake = store.card(name), Lake(Path(lake_root))
    entries, objects = store.files(name, keys), store.objects(name)
    has_dump = any(one.name == _DUMP for one in entries)
    if has_dump and server is None:
        raise BadInput(
            "The histories of this set lay in Postgres", do="make an empty database and name it: --database ADDRESS"
        )
    staging = lake.root.parent / f".{lake.root.name}.restoring"
    with atomic.writable(lake.root.parent):
        lake.root.parent.mkdir(parents=True, exist_ok=True)
    with atomic.file_lock(staging.with_name(f"{staging.name}.lock"), wait_s=0.0):
        if _is_half_named(staging, card["sha256"]):
            again, readings = len(entries), sum(1 for _ in proved_lines(Lake(staging / LAKE)))
        else:
            _require_free(lake)
            _begin(staging, card["sha256"])
            again = _fill(store, entries, objects, keys, staging, tell)
            readings = _prove(Lake(staging / LAKE), card, len(entries), len(objects))
            if has_dump and server is not None:
                databases.Postgres(server).load(staging / _DUMP)
                change_settings(staging / LAKE, database=checked(server))
        _stand(lake, staging)
    staging.with_name(f"{staging.name}.lock").unlink(missing_ok=True)
    return Restored(name, len(entries), sum(one.size for one in entries), len(card["tables"]), readings, again)


def _require_free(lake: Lake) -> None:
    for place in (lake.root, lake.history_dir):
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise BadInput(f"{place} exists already", do="restore to a new place with --lake, or move that one away")


def _is_half_named(staging: Path, sha256: str) -> bool:
    """Tell whether a killed call had proved everything and given the history its name, the lake not yet."""
    marker = staging / "set"
    is_ours = marker.exists() and marker.read_text(encoding="utf-8") == sha256
    return is_ours and (staging / LAKE).is_dir() and not (staging / HISTORY).exists()


def _begin(staging: Path, sha256: str) -> None:
    """Go on in a folder of a killed call for the same set; of another set's, nothing is used."""
    marker = staging / "set"
    if staging.exists() and (not marker.exists() or marker.read_text(encoding="utf-8") != sha256):
        shutil.rmtree(staging)
    for half in (LAKE, HISTORY):
        with atomic.writable(staging):
            (staging / half).mkdir(parents=True, exist_ok=True)
    atomic.write_text(marker, sha256)


def _fill(
    store: BackupStore,
    entries: Sequence[Entry],
    objects: dict[str, Stored],
    keys: Sequence[Any],
    staging: Path,
    tell: Told | None,
) -> int:
    again = 0
    for number, one in enumerate(entries, start=1):
        target = _place(staging, one.name)
        if one.sha256 not in objects:
            raise DamagedFile("The set names an object that it does not list", do="take another set")
        if _is_there(target, one):
            again += 1
        else:
            what = f"File {number} of the set ({one.name.split('/')[1]})"
            with (
                atomic.writable(staging),
                atomic.replacing(target, sync_name=False) as temporary,
                temporary.open("wb") as file,
            ):
                store.copy_out(objects[one.sha256], file, keys, what)
        target.chmod(one.mode & 0o777)
        os.utime(target, ns=(one.mtime_ns, one.mtime_ns))
        if tell:
            tell("restore", number, len(entries))
    return again


def _place(staging: Path, name: str) -> Path:
    """Return where a file of a set goes; raises DamagedFile for a name that leads elsewhere."""
    parts = PurePosixPath(name).parts
    if len(parts) < 2 or parts[0] not in (LAKE, HISTORY) or ".." in parts or name.startswith("/"):
        raise DamagedFile("The set names a file outside the lake", do="do not use this backup: it was made by no lake")
    return staging.joinpath(*parts)


def _is_there(target: Path, one: Entry) -> bool:
    if not target.is_file() or target.stat().st_size != one.size:
        return False
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == one.sha256


def _prove(built: Lake, card: dict[str, Any], files: int, objects: int) -> int:
    """Ask of the restored lake what the set says of it; returns how many lines the store of readings has."""
    if (files, objects) != (card["files"], card["objects"]):
        raise DamagedFile("The lists of the set are shorter than it says", do="take another set")
    found = {place.name: built.version(*place.name.split("/", 1)) for place in built.places()}
    if found != card["tables"]:
        differs = sorted(name for name in found.keys() | card["tables"] if found.get(name) != card["tables"].get(name))
        raise DamagedFile(f"Restored tables are not those of the set: {', '.join(differs[:5])}", do="take another set")
    read_ledger(built)
    return sum(1 for _ in proved_lines(built))


def _stand(lake: Lake, staging: Path) -> None:
    """Give both halves their names, the lake last: without it there is no lake."""
    for half, place in ((HISTORY, lake.history_dir), (LAKE, lake.root)):
        if not (staging / half).exists():
            continue
        if place.is_dir():
            place.rmdir()
        atomic.sync_folder(staging / half)
        (staging / half).rename(place)
    atomic.sync_folder(lake.root.parent)
    shutil.rmtree(staging)

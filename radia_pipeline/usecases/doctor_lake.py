"""Checks of a lake: who may read it, what is damaged, what cannot be proved, what is missing, when it was backed up."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from radia_pipeline.cohort.ledger import read_ledger
from radia_pipeline.contracts.tables import contract_names
from radia_pipeline.errors import BadInput, DamagedFile, MissingTable, RadiaError
from radia_pipeline.evaluation.champion import history as champions
from radia_pipeline.lake import marker, proof
from radia_pipeline.lake.collect import pinned_versions
from radia_pipeline.lake.keys import KEY_VARIABLE
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.lake.versions import sound_records
from radia_pipeline.readings.access import AccessLog
from radia_pipeline.readings.chain import proved_lines
from radia_pipeline.usecases.backup import listing
from radia_pipeline.usecases.backup_databases import faults_of_sqlite, is_sqlite
from radia_pipeline.usecases.doctor import UNSAFE, WARNING, Asked, Check, Said, worse_in_production
from radia_pipeline.usecases.erasure import record_of_what_was_done

BACKUP_DAYS = 2
_OLD_S = 24 * 3600.0
_PICKLED = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".bin")
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_TEXTS = (".json", ".jsonl", ".yaml", ".yml", ".txt", ".env", ".log", ".toml", ".cfg", ".ini")
_MOST_BYTES = 1 << 24


def layout(asked: Asked) -> Iterator[Said]:
    """What makes the folder a lake, and its settings."""
    if not marker.path_of(asked.lake.root).exists():
        yield WARNING, "lake.json is gone", "any command that opens the lake makes it again from its tables"
    try:
        place = read_settings(asked.lake.root).sources_root
    except DamagedFile as error:
        yield UNSAFE, error.received, error.do or "mend it"
        return
    if place is not None and not Path(place).is_dir():
        yield WARNING, "the folder of deliveries that the lake knows is not there", "mount it, or `radia run` with it"


def permissions(asked: Asked) -> Iterator[Said]:
    """Who else may change or read what the lake and its history hold."""
    writable, readable = [], []
    for root in (asked.lake.root, asked.lake.history_dir):
        for path in [root, *_two_deep(root)]:
            with contextlib.suppress(OSError):
                mode = path.stat().st_mode
                if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
                    writable.append(path)
                if path == root and mode & (stat.S_IROTH | stat.S_IXOTH):
                    readable.append(path)
    both = f"{asked.lake.root} {asked.lake.history_dir}"
    if writable:
        yield UNSAFE, f"{len(writable)} folders or files may be changed by everybody", f"chmod -R o-w {both}"
    if readable and asked.is_production:
        yield UNSAFE, "the lake or its history may be entered by everybody on this machine", f"chmod o-rwx {both}"


def _two_deep(root: Path) -> Iterator[Path]:
    for entry in sorted(root.glob("*")) if root.is_dir() else ():
        yield entry
        if entry.is_dir() and not entry.is_symlink():
            yield from sorted(entry.glob("*"))[:1000]


def secrets(asked: Asked) -> Iterator[Said]:
    """Whether the key or a password lies in a file of the lake or its history."""
    wanted = {
        name: value
        for name in (KEY_VARIABLE, "PGPASSWORD", "RADIA_DATABASE_PASSWORD")
        if len(value := asked.environment.get(name, "")) >= 8
    }
    for path in _texts(asked):
        with contextlib.suppress(OSError):
            content = path.read_bytes()
            for name, value in wanted.items():
                if value.encode() in content:
                    yield (
                        UNSAFE,
                        f"the value of {name} stands in {path.name} of the lake or its history",
                        "take it out there; whoever could read it knows it: make another one",
                    )


def _texts(asked: Asked) -> Iterator[Path]:
    for root in (asked.lake.root, asked.lake.history_dir):
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name not in ("pixels", "packed", "_versions", "previews")]
            for name in sorted(names):
                path = Path(folder, name)
                if path.suffix in _TEXTS or name.startswith(".env"):
                    with contextlib.suppress(OSError):
                        if path.stat().st_size <= _MOST_BYTES:
                            yield path


def tables(asked: Asked) -> Iterator[Said]:
    """Whether each table is what was published."""
    for place in asked.lake.places():
        try:
            proof.version(place)
        except (DamagedFile, MissingTable) as error:
            yield UNSAFE, error.received, error.do or "restore it"
        if place.next.exists():
            yield WARNING, f"a publication of {place.name} was cut off", "the next write or ingest finishes it"
        if not sound_records(place)[1]:
            yield WARNING, f"the list of versions of {place.name} is damaged", "the next write of the table mends it"


def versions_needed(asked: Asked) -> Iterator[Said]:
    """Whether the versions are kept that models and champions need to be repeated or put back."""
    kept = {path.stem for path in (asked.lake.root / "_versions").glob("*/*/*.parquet")}
    missing = pinned_versions(asked.lake) - kept
    if missing:
        yield (
            WARNING,
            f"{len(missing)} versions that models or champions need are not kept any more",
            "restore them from a backup; without them those trainings cannot be repeated",
        )


def chains(asked: Asked) -> Iterator[Said]:
    """Whether ledgers, readings and logs prove themselves to the end."""
    asks = {
        "the ledger of pools": lambda: read_ledger(asked.lake),
        "the readings": lambda: list(proved_lines(asked.lake)),
        "the history of champions": lambda: champions(asked.lake),
        "the log of images that were shown": lambda: AccessLog(asked.lake).entries(),
        "the record of forgettings": lambda: list(record_of_what_was_done(asked.lake)),
    }
    for what, ask in asks.items():
        try:
            ask()
        except RadiaError as error:
            yield UNSAFE, f"{what}: {error.received}", error.do or "restore it from a backup"


def pixels(asked: Asked) -> Iterator[Said]:
    """Whether the pictures are there that the tables name."""
    for source in asked.lake.partitions("images"):
        with contextlib.suppress(DamagedFile, MissingTable):
            names = asked.lake.read("images", source, ["path"])["path"].to_pylist()
            gone = sum(not (asked.lake.root / name).is_file() for name in names)
            if gone:
                yield (
                    UNSAFE,
                    f"{gone} of {len(names)} pictures of {source} are gone",
                    "restore pixels/ from a backup, or delete _ingest/ of that source and ingest it again",
                )


def models(asked: Asked) -> Iterator[Said]:
    """Whether models can be read, and none is of a kind that runs code when it is loaded."""
    from safetensors import SafetensorError, safe_open

    for path in sorted(asked.lake.models_dir.rglob("*")):
        if not path.is_file():
            continue
        with path.open("rb") as file:
            start = file.read(2)
        shown = path.relative_to(asked.lake.models_dir).as_posix()
        if path.suffix in _PICKLED or start in _PICKLE_STARTS:
            yield UNSAFE, f"{shown} is a pickle: loading it runs code", "delete it; nothing of ours needs or reads it"
        elif path.suffix == ".safetensors":
            try:
                with safe_open(path, "np") as weights:
                    weights.keys()
            except (SafetensorError, OSError):
                yield UNSAFE, f"the weights {shown} cannot be read", "restore them from a backup, or train again"


def databases(asked: Asked) -> Iterator[Said]:
    """Whether the embedded databases are whole."""
    for root in (asked.lake.history_dir, asked.lake.root / "_ingest"):
        for path in sorted(root.rglob("*")) if root.is_dir() else ():
            if path.is_file() and path.suffix in (".db", ".sqlite"):
                size = path.stat().st_size
                faults = list(faults_of_sqlite(path)) if size == 0 or is_sqlite(path) else ["it is no database"]
                for fault in faults:
                    yield UNSAFE, f"the database {path.name} is damaged: {fault}", "restore it from a backup"


def leftovers(asked: Asked) -> Iterator[Said]:
    """Temporary files that nobody will finish."""
    roots = [asked.lake.root, *(asked.lake.root / name for name in contract_names())]
    old = [path for root in roots for path in root.glob(".*.tmp") if asked.now_s - path.stat().st_mtime > _OLD_S]
    if old:
        yield WARNING, f"{len(old)} temporary files of killed writers lie in the lake", "delete files named .*.tmp"


def backups(asked: Asked) -> Iterator[Said]:
    """Whether there is a set that is young enough."""
    try:
        place = read_settings(asked.lake.root).backup_to
    except DamagedFile:
        return
    do = "`radia backup create --to DIR --remember`, then `radia automation start backup_nightly`"
    if place is None:
        if asked.is_production:
            yield UNSAFE, "the lake has no place for backups", do
        return
    try:
        sets = listing(Path(place))
    except (BadInput, DamagedFile) as error:
        yield worse_in_production(asked), error.received, do
        return
    if any(one["state"] == "damaged" for one in sets):
        yield UNSAFE, "a set of the backup is damaged", "`radia backup verify`; make a new set"
    whole = [one["set"] for one in sets if one["state"] != "damaged"]
    made = dt.datetime.strptime(whole[-1][:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC) if whole else None
    days = (asked.now_s - made.timestamp()) / 86_400 if made else None
    if days is None or days > BACKUP_DAYS:
        said = "there is no complete backup" if days is None else f"the newest backup is {days:.0f} days old"
        yield worse_in_production(asked), said, "`radia backup create`; look at the schedule backup_nightly"


LAKE: dict[str, Check] = {
    "layout": layout,
    "permissions": permissions,
    "secrets": secrets,
    "tables": tables,
    "versions_needed": versions_needed,
    "chains": chains,
    "pixels": pixels,
    "models": models,
    "databases": databases,
    "leftovers": leftovers,
    "backups": backups,
}
"""Name of a check → the check."""

"""Takes back what was published: a kept version gets its place again. Nothing is computed anew here."""

from __future__ import annotations

from dataclasses import dataclass

from radia_pipeline.contracts.tables import contract
from radia_pipeline.errors import BadInput, DamagedFile, MissingTable
from radia_pipeline.lake import proof, publishing
from radia_pipeline.lake.lake import WHOLE, Lake
from radia_pipeline.lake.versions import Place, kept_file, sound_records


@dataclass(frozen=True)
class Restored:
    """One partition and the version that stands in it now."""

    partition: str
    version: str
    rows: int


def restore(lake: Lake, table: str, partition: str | None = None, version: str | None = None) -> list[Restored]:
    """Put back the version that was published last, or ``version`` (its hash or a beginning of it).

    Without a partition: every one of the table whose file is not what was published; an empty list where all are.
    Raises BadInput where a version of a partitioned table comes without a partition; MissingTable where nothing was
    ever published or the version is not kept; DamagedFile where the kept file is damaged too; VocabularyMismatch.
    """
    if version is not None and partition is None and contract(table).partitioned:
        raise BadInput(
            f"Each partition of {table} has versions of its own",
            accepted=", ".join(_known(lake, table)),
            do="name one with --partition",
        )
    if partition is None and not contract(table).partitioned:
        partition = WHOLE
    names = (
        [partition] if partition is not None else [name for name in _known(lake, table) if _is_off(lake, table, name)]
    )
    return [made for name in names if (made := _restore_one(lake, table, name, version)) is not None]


def _known(lake: Lake, table: str) -> list[str]:
    """Return every partition that was ever published."""
    folder = lake.root / "_versions" / table
    kept = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted({*lake.partitions(table), *kept})


def _is_off(lake: Lake, table: str, partition: str) -> bool:
    place = lake.place(table, partition)
    return place.path.exists() and publishing.standing(place) is None


def _restore_one(lake: Lake, table: str, partition: str, version: str | None) -> Restored | None:
    """Return what stands then, None where it stood there already."""
    place = lake.place(table, partition)
    with lake.lock(f"{table}.{partition}"):
        publishing.settle(place)
        stands = publishing.standing(place)
        wanted = kept_file(place, version).stem if version is not None else stands or _last(place)
        if stands == wanted:
            publishing.mend(place, wanted)
            return None
        rows = _proven_rows(lake, place, table, partition, wanted)
        publishing.publish_kept(place, wanted, rows)
    return Restored(partition, wanted, rows)


def _last(place: Place) -> str:
    records, _ = sound_records(place)
    if records:
        return records[-1].version
    kept = sorted(place.folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    if not kept:
        raise MissingTable(f"Nothing of {place.name} is kept", do="materialize it, or run `radia run` up to it")
    return kept[-1].stem


def _proven_rows(lake: Lake, place: Place, table: str, partition: str, version: str) -> int:
    if not place.kept(version).exists():
        raise MissingTable(
            f"Version {version[:12]} of {place.name}, which was published last, is not kept",
            accepted=_others(place),
            do="restore another with --version, or publish the table anew: materialize it",
        )
    try:
        return lake.read_version(table, partition, version).num_rows
    except DamagedFile:
        raise DamagedFile(
            f"The kept version {version[:12]} of {place.name} is damaged too",
            accepted=_others(place, but=version),
            do="restore another with --version, or publish the table anew: materialize it",
        ) from None


def _others(place: Place, but: str = "") -> str:
    """Name the kept versions that can be put back."""
    kept = sorted(path.stem for path in place.folder.glob("*.parquet") if path.stem != but)
    return ", ".join(name[:12] for name in kept if proof.is_whole(place, name)) or "none is left"

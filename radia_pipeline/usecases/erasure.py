"""Taking people or pictures out of a lake: pixels, rows in all versions, and what derives from both.

It works on every table of the contracts by its identifying columns, so that a new table is covered without a line here,
and ends by searching the lake and its history for what is left. Belongs here: what goes and how. Does not belong here:
who asks, and for whom (``forget``: a person, for patients; ``retract``: the ingest, for pictures that are refused now).
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.tables import contract_names
from radia_pipeline.dicom.publish import PICTURE_FOLDERS
from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake import renamed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile, as_it_stands
from radia_pipeline.lake.table_file import TableFile
from radia_pipeline.readings.sets import close_without

_PATIENT_COLUMNS = ("patient_key", "patient_key_a", "patient_key_b")
_STUDY_COLUMNS = ("study_id",)
_IMAGE_COLUMNS = ("image_id", "image_id_a", "image_id_b", "kept_image_id")
_GROUP_COLUMN = "group_id"
_PICTURES = "image_count"
"""A table that counts a study's pictures tells of all of them together: the study's row goes with any of them."""
KEY = re.compile(r"[0-9a-f]{32}")
_KEY_IN_BYTES = re.compile(rb"[0-9a-f]{32}")
_WITHOUT_KEYS = frozenset({".png", ".parquet", ".safetensors", ".onnx"})
"""Pictures and weights hold no keys; tables are searched by column."""
_SEEN = "manifest"
_DONE = LineForm("record of a forgetting", dict, as_it_stands, drops_cut_end=True)


@dataclass(frozen=True)
class Traces:
    """Every keyed identifier that goes. ``touched``: studies that stay and lose pictures."""

    patients: frozenset[str] = frozenset()
    studies: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        """What may stand nowhere afterwards."""
        return self.patients | self.studies | self.images

    def named_in(self, columns: Collection[str]) -> frozenset[str]:
        """Return what a version of a table with these columns may not name."""
        return self.all | self._studies(columns)

    def _studies(self, columns: Collection[str]) -> frozenset[str]:
        return self.studies | (self.touched if _PICTURES in columns else frozenset())

    def mask(self, rows: pa.Table) -> pa.ChunkedArray | None:
        """Return which rows go, None where the table names no patient, study or image."""
        found = None
        studies = self._studies(rows.column_names)
        for names, ids in ((_PATIENT_COLUMNS, self.patients), (_STUDY_COLUMNS, studies), (_IMAGE_COLUMNS, self.images)):
            for name in set(names) & set(rows.column_names):
                hit = pc.fill_null(_is_one_of(rows.column(name), ids), False)
                found = hit if found is None else pc.or_(found, hit)
        return found


@dataclass(frozen=True)
class Erased:
    """What was removed. ``rows``: by table, over current tables. ``versions``: earlier versions that were deleted.
    ``models``: trained models that saw one of the images, as recipe/fingerprint."""

    rows: dict[str, int] = field(default_factory=dict)
    versions: int = 0
    pictures: int = 0
    models: tuple[str, ...] = ()


def erase(traces: Traces, lake: Lake) -> Erased:
    """Remove pictures, packed data, previews, pages, rows and earlier versions; journals and reviews stay."""
    for name in contract_names():
        for partition, _ in table_files(lake, name):
            lake.settle(name, partition)
    models = models_that_saw(traces.images, lake)
    close_without(lake, traces.studies)
    heads = _new_heads(traces, lake)
    pictures = _remove_pictures(traces, lake)
    for folder in (lake.packed_dir, lake.previews_dir):
        shutil.rmtree(folder, ignore_errors=True)
    for page in ("report.html", "scorecard.html", "drift.html"):
        (lake.root / page).unlink(missing_ok=True)
    rows = {name: count for name in contract_names() if (count := _clean_table(name, traces, heads, lake))}
    return Erased(rows, _clean_versions(traces, lake), pictures, models)


def foreseen(traces: Traces, lake: Lake) -> Erased:
    """Return what ``erase`` would remove, and remove nothing."""
    rows: Counter[str] = Counter()
    for name in contract_names():
        for partition, _ in table_files(lake, name):
            table = lake.read(name, partition)
            mask = traces.mask(table)
            rows[name] += pc.sum(mask).as_py() or 0 if mask is not None else 0
    return Erased(
        {name: count for name, count in rows.items() if count},
        sum(_may_not_stay(path, traces) for path in version_files(lake)),
        sum(1 for _ in _pictures(traces, lake)),
        models_that_saw(traces.images, lake),
    )


def models_that_saw(images: frozenset[str], lake: Lake) -> tuple[str, ...]:
    """Name the trained models whose manifests hold one of the images: of those nothing can be taken out.

    A manifest that is kept no more (an earlier call took it away, or one that was killed) may have held them too.
    """
    held: dict[tuple[str, str], bool] = {}
    found = []
    for card in sorted(lake.models_dir.glob("**/model.json")):
        if any(_holds(lake, source, version, images, held) for source, version in _manifests_of(card).items()):
            found.append(card.parent.relative_to(lake.models_dir).as_posix())
    return tuple(found)


def _manifests_of(card: Path) -> Mapping[str, str]:
    """Return source -> version of the manifests that a model was trained on: a classifier's card, or a detector's."""
    try:
        said = json.loads(card.read_text(encoding="utf-8"))
        versions = said.get("versions") or {}
        named = {name.split("/", 1)[1]: value for name, value in versions.items() if name.startswith(f"{_SEEN}/")}
        return {**(said.get("manifest_versions") or {}), **named}
    except (ValueError, AttributeError):
        return {}


def _holds(lake: Lake, source: str, version: str, images: frozenset[str], held: dict[tuple[str, str], bool]) -> bool:
    key = (source, version)
    if key not in held:
        path = lake.root / "_versions" / _SEEN / source / f"{renamed.after(lake.root, version)}.parquet"
        try:
            held[key] = bool(images) and (not path.is_file() or _names_them(path, images))
        except DamagedFile:
            held[key] = True
    return held[key]


def _new_heads(traces: Traces, lake: Lake) -> dict[str, str]:
    """A group is named after its smallest patient: return {forgotten name: smallest member that stays}."""
    heads: dict[str, str] = {}
    if traces.patients and lake.exists("splits"):
        rows = lake.read("splits", columns=["patient_key", _GROUP_COLUMN]).to_pylist()
        for row in rows:
            group, patient = row[_GROUP_COLUMN], row["patient_key"]
            if group in traces.patients and patient not in traces.patients:
                heads[group] = min(patient, heads.get(group, patient))
    return heads


def _is_one_of(column: pa.ChunkedArray, ids: Iterable[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(sorted(ids), pa.string()))


# --- where they are --------------------------------------------------------------------------------------------------
def table_files(lake: Lake, table: str) -> Iterator[tuple[str, Path]]:
    """Yield partition and file of a published table."""
    for partition in lake.partitions(table):
        yield partition, lake.path(table, partition)


def version_files(lake: Lake) -> Iterator[Path]:
    """Yield every kept version, of all tables."""
    yield from sorted((lake.root / "_versions").glob("*/*/*.parquet"))


def journals(lake: Lake) -> list[Path]:
    """Return the journals of all sources."""
    return sorted((lake.root / "_ingest").glob("*.sqlite"))


def _clean_table(name: str, traces: Traces, heads: dict[str, str], lake: Lake) -> int:
    removed = 0
    for partition, _ in list(table_files(lake, name)):
        table = lake.read(name, partition)
        mask = traces.mask(table)
        if mask is None or not len(table):
            continue
        count = pc.sum(mask).as_py()
        kept = _renamed(table.filter(pc.invert(mask)), heads)
        if count or not kept.equals(table):
            lake.write(name, kept, partition)
        removed += count
    return removed


def _renamed(table: pa.Table, heads: dict[str, str]) -> pa.Table:
    if not heads or _GROUP_COLUMN not in table.column_names:
        return table
    names = [heads.get(name, name) for name in table.column(_GROUP_COLUMN).to_pylist()]
    place = table.column_names.index(_GROUP_COLUMN)
    return table.set_column(place, table.schema.field(place), pa.array(names, pa.string()))


def _clean_versions(traces: Traces, lake: Lake) -> int:
    """Delete earlier versions that name them: a version is its content, so it cannot be edited."""
    removed = 0
    for path in version_files(lake):
        if _may_not_stay(path, traces):
            path.unlink()
            removed += 1
    return removed


def _may_not_stay(path: Path, traces: Traces) -> bool:
    """Tell whether a kept version goes: it names them, or it is damaged, so that nobody can say that it does not."""
    try:
        with TableFile(path) as file:
            names = file.columns()
        return _names_them(path, traces.named_in(names))
    except DamagedFile:
        return True


def _names_them(path: Path, ids: frozenset[str]) -> bool:
    """Tell whether any text column of a Parquet file holds one of the keys."""
    with TableFile(path) as file:
        texts = [name for name, kind in file.columns().items() if pa.types.is_string(kind)]
        table = file.read(texts)
    return any(pc.any(_is_one_of(table.column(name), ids)).as_py() for name in texts)


def _pictures(traces: Traces, lake: Lake) -> Iterator[Path]:
    for image_id in sorted(traces.images):
        for characters in PICTURE_FOLDERS:
            yield from lake.pixels_dir.glob(f"*/{image_id[:characters]}/*{image_id}*")


def _remove_pictures(traces: Traces, lake: Lake) -> int:
    found = list(_pictures(traces, lake))
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def still_named(traces: Traces, lake: Lake, *, aside: Path) -> Iterator[str]:
    """Yield the files, relative to the lake's parent, in whose name or content a key is left; ``aside`` is not read."""
    for path in (path for root in (lake.root, lake.history_dir) for path in root.rglob("*")):
        if not path.is_file() or path in (lake.ledger_path, aside):
            continue
        if set(KEY.findall(path.name)) & traces.all or _holds_keys(path, traces):
            yield path.relative_to(lake.root.parent).as_posix()


def _holds_keys(path: Path, traces: Traces) -> bool:
    if path.suffix == ".parquet":
        return _names_them(path, traces.all)
    if path.suffix in _WITHOUT_KEYS:
        return False
    found = set(_KEY_IN_BYTES.findall(path.read_bytes()))
    return any(key.decode() in traces.all for key in found)


def record_of_what_was_done(lake: Lake) -> LinesFile[dict]:
    """Return ``forgotten.jsonl`` of a lake: when and how much, never whom."""

    def damaged(number: int, what: str) -> DamagedFile:
        return DamagedFile(
            f"The record of forgettings is damaged at line {number}: {what}",
            do="restore forgotten.jsonl of the lake from a backup, or move it away; nothing was removed",
        )

    return LinesFile(lake.root / "forgotten.jsonl", _DONE, damaged)

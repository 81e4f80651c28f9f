"""Removing patients from a lake (Law 25 of Québec): pixels, rows in all versions, and what derives from both.

It stands above the domain packages, since every one of them keeps something of a patient. It works on every table of
the contracts by its identifying columns, so that a new table is covered without a line here, and ends by searching the
lake and its history for what is left. Deciding whom to forget is a person's act.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from radia_pipeline.contracts.tables import contract_names
from radia_pipeline.dicom.journal import Journal
from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile, as_it_stands
from radia_pipeline.readings.store import Store

_PATIENT_COLUMNS = ("patient_key", "patient_key_a", "patient_key_b")
_STUDY_COLUMNS = ("study_id",)
_IMAGE_COLUMNS = ("image_id", "image_id_a", "image_id_b", "kept_image_id")
_GROUP_COLUMN = "group_id"
_KEY = re.compile(r"[0-9a-f]{32}")
_KEY_IN_BYTES = re.compile(rb"[0-9a-f]{32}")
_WITHOUT_KEYS = frozenset({".png", ".parquet", ".safetensors", ".onnx"})
"""Pictures and weights hold no keys; tables are searched by column."""
LEDGER_POLICY = (
    "the ledger of pools: its line (keyed hash, pool, fold; no pixels, no text) stays on purpose, so that one who is "
    "delivered again cannot move from training to test"
)
UNREACHED = (
    "the delivered files and reports.csv: remove them too, or the next ingest brings them back",
    "backups, copies and exports of the lake",
    "models that were trained on the patient's images, and the MLflow copies of their weights",
    LEDGER_POLICY,
    "quarantined files, whose patient is not known: look for them in the delivery",
)

_DONE = LineForm("record of a forgetting", dict, as_it_stands, drops_cut_end=True)


@dataclass(frozen=True)
class ForgetResult:
    """What was removed. ``rows``: by table, over current tables. ``versions``: earlier versions that were deleted.

    ``still_named_in``: files of the lake and its history, the ledger aside, in which a key of the patients was found
    afterwards (keyed hashes in log lines, as a rule).
    """

    patients: int
    rows: dict[str, int] = field(default_factory=dict)
    versions: int = 0
    pictures: int = 0
    journal_lines: int = 0
    review_marks: int = 0
    still_named_in: tuple[str, ...] = ()
    unreached: tuple[str, ...] = UNREACHED


@dataclass(frozen=True)
class _Traces:
    """Every keyed identifier that belongs to the patients."""

    patients: frozenset[str]
    studies: frozenset[str]
    images: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.patients | self.studies | self.images

    def mask(self, table: pa.Table) -> pa.ChunkedArray | None:
        """Return which rows belong to the patients, None where the table names no patient, study or image."""
        found = None
        for names, ids in (
            (_PATIENT_COLUMNS, self.patients),
            (_STUDY_COLUMNS, self.studies),
            (_IMAGE_COLUMNS, self.images),
        ):
            for name in set(names) & set(table.column_names):
                hit = pc.fill_null(_is_one_of(table.column(name), ids), False)
                found = hit if found is None else pc.or_(found, hit)
        return found


def forget_patients(patient_keys: Iterable[str], lake: Lake) -> ForgetResult:
    """Remove patients from a lake and record that it was done; killed midway, the same call continues.

    Raises BadInput where a key is no keyed identifier of this lake's form, or where the lake does not know one of them:
    nothing is removed then.
    """
    keys = frozenset(patient_keys)
    if not keys or not all(_KEY.fullmatch(key) for key in keys):
        raise BadInput(
            "A patient key is missing or malformed",
            accepted="32 hexadecimal characters, as in the column patient_key",
            do="look the key up in the tables; a hospital's own number is not accepted here",
        )
    with lake.lock("forget"), contextlib.ExitStack() as held:
        for journal in _journals(lake):
            held.enter_context(lake.lock(f"ingest.{journal.stem}"))
        _done(lake).require_sound_end()
        traces = _known_traces(keys, lake)
        result = _remove(traces, lake)
        _record(result, lake)
        _pending(lake).unlink(missing_ok=True)
    return result


def as_text(result: ForgetResult) -> str:
    """Return the result as lines for a person."""
    lines = [
        f"Forgotten: {result.patients} patients, {result.pictures} pictures, {result.versions} earlier versions, "
        f"{result.journal_lines} journal lines, {result.review_marks} review marks",
        *(f"  {table}: {count} rows" for table, count in result.rows.items()),
        "Packed data, previews and the report page were deleted; they are made again when needed.",
        *(f"Still named in: {place}" for place in result.still_named_in),
        *(f"Not reached: {place}" for place in result.unreached),
    ]
    return "\n".join(lines)


def _remove(traces: _Traces, lake: Lake) -> ForgetResult:
    atomic.write_text(_pending(lake), json.dumps({name: sorted(ids) for name, ids in vars(traces).items()}))
    heads = _new_heads(traces, lake)
    pictures = _remove_pictures(traces, lake)
    for folder in (lake.packed_dir, lake.previews_dir):
        shutil.rmtree(folder, ignore_errors=True)
    (lake.root / "report.html").unlink(missing_ok=True)
    marks = Store(lake).forget(traces.studies)
    rows = {name: count for name in contract_names() if (count := _clean_table(name, traces, heads, lake))}
    versions = _clean_versions(traces, lake)
    # The journals come last: until then they tell what belongs to the patients.
    lines = sum(_clean_journal(path, traces) for path in _journals(lake))
    return ForgetResult(
        len(traces.patients), rows, versions, pictures, lines, marks, tuple(sorted(_still_named(traces, lake)))
    )


# --- who they are ----------------------------------------------------------------------------------------------------
def _known_traces(keys: frozenset[str], lake: Lake) -> _Traces:
    """Collect the patients' studies and images from tables, earlier versions, journals and an interrupted call."""
    known: dict[str, set[str]] = {"patients": set(), "studies": set(), "images": set()}
    paths = [path for name in contract_names() for _, path in _files(lake, name)]
    for path in (*paths, *_version_files(lake)):
        _add_traces(path, keys, known)
    for path in _journals(lake):
        with Journal(path) as journal:
            for image, study, patient in journal.ids_of(keys):
                known["patients"].add(patient)
                known["studies"].add(study)
                known["images"].add(image)
    if _pending(lake).exists():
        for name, ids in json.loads(_pending(lake).read_text(encoding="utf-8")).items():
            known[name].update(ids)
    unknown = sorted(keys - known["patients"])
    if unknown:
        raise BadInput(
            f"{len(unknown)} of {len(keys)} patients are not in this lake: {', '.join(unknown[:5])}",
            do="check the keys and the lake; nothing was removed",
        )
    return _Traces(**{name: frozenset(ids) for name, ids in known.items()})


def _add_traces(path: Path, keys: frozenset[str], known: dict[str, set[str]]) -> None:
    names = pq.read_schema(path).names
    for suffix in ("", "_a", "_b"):
        patient = f"patient_key{suffix}"
        if patient not in names:
            continue
        columns = {"patients": patient, "studies": f"study_id{suffix}", "images": f"image_id{suffix}"}
        wanted = {kind: name for kind, name in columns.items() if name in names}
        filters = pc.field(patient).isin(sorted(keys))
        rows = pq.read_table(path, columns=[*wanted.values()], filters=filters, partitioning=None)
        for kind, name in wanted.items():
            known[kind].update(value for value in rows.column(name).to_pylist() if value)


def _new_heads(traces: _Traces, lake: Lake) -> dict[str, str]:
    """A group is named after its smallest patient: return {forgotten name: smallest member that stays}."""
    heads: dict[str, str] = {}
    if lake.exists("splits"):
        rows = lake.read("splits", columns=["patient_key", _GROUP_COLUMN]).to_pylist()
        for row in rows:
            group, patient = row[_GROUP_COLUMN], row["patient_key"]
            if group in traces.patients and patient not in traces.patients:
                heads[group] = min(patient, heads.get(group, patient))
    return heads


def _is_one_of(column: pa.ChunkedArray, ids: Iterable[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(sorted(ids), pa.string()))


# --- where they are --------------------------------------------------------------------------------------------------
def _pending(lake: Lake) -> Path:
    return lake.root / "_forgetting.json"


def _files(lake: Lake, table: str) -> Iterator[tuple[str, Path]]:
    for partition in lake.partitions(table):
        yield partition, lake.path(table, partition)


def _version_files(lake: Lake) -> Iterator[Path]:
    yield from sorted((lake.root / "_versions").glob("*/*/*.parquet"))


def _journals(lake: Lake) -> list[Path]:
    return sorted((lake.root / "_ingest").glob("*.sqlite"))


def _clean_table(name: str, traces: _Traces, heads: dict[str, str], lake: Lake) -> int:
    removed = 0
    for partition, _ in list(_files(lake, name)):
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


def _clean_versions(traces: _Traces, lake: Lake) -> int:
    """Delete earlier versions that name the patients: a version is its content, so it cannot be edited."""
    removed = 0
    for path in _version_files(lake):
        if _names_them(path, traces):
            path.unlink()
            removed += 1
    return removed


def _names_them(path: Path, traces: _Traces) -> bool:
    """Tell whether any text column of a Parquet file holds a key of the patients."""
    schema = pq.read_schema(path)
    texts = [column.name for column in schema if pa.types.is_string(column.type)]
    table = pq.read_table(path, columns=texts, partitioning=None)
    return any(pc.any(_is_one_of(table.column(name), traces.all)).as_py() for name in texts)


def _remove_pictures(traces: _Traces, lake: Lake) -> int:
    """Delete stored pictures, and all that a killed ingest left staged, which bears no patient's name."""
    removed = 0
    for image_id in sorted(traces.images):
        for path in lake.pixels_dir.glob(f"*/{image_id[:2]}/*{image_id}*"):
            path.unlink()
            removed += 1
    for folder in lake.pixels_dir.glob("*/.staged"):
        shutil.rmtree(folder)
    return removed


def _clean_journal(path: Path, traces: _Traces) -> int:
    with Journal(path) as journal:
        return journal.forget_patients(traces.patients)


def _still_named(traces: _Traces, lake: Lake) -> Iterator[str]:
    """Yield the files, relative to the lake's parent, in whose name or content a key of the patients is left."""
    for path in (path for root in (lake.root, lake.history_dir) for path in root.rglob("*")):
        if not path.is_file() or path in (lake.ledger_path, _pending(lake)):
            continue
        if set(_KEY.findall(path.name)) & traces.all or _holds_keys(path, traces):
            yield path.relative_to(lake.root.parent).as_posix()


def _holds_keys(path: Path, traces: _Traces) -> bool:
    if path.suffix == ".parquet":
        return _names_them(path, traces)
    if path.suffix in _WITHOUT_KEYS:
        return False
    found = set(_KEY_IN_BYTES.findall(path.read_bytes()))
    return any(key.decode() in traces.all for key in found)


def _record(result: ForgetResult, lake: Lake) -> None:
    """Append that it was done, when and how much; whom is not kept, since that would remember them."""
    line = {"at": time.time(), **{name: value for name, value in vars(result).items() if name != "unreached"}}
    line["still_named_in"] = len(result.still_named_in)
    _done(lake).append([line])


def _done(lake: Lake) -> LinesFile[dict]:
    def damaged(number: int, what: str) -> DamagedFile:
        return DamagedFile(
            f"The record of forgettings is damaged at line {number}: {what}",
            do="restore forgotten.jsonl of the lake from a backup, or move it away; nothing was removed",
        )

    return LinesFile(lake.root / "forgotten.jsonl", _DONE, damaged)

"""Removing a patient from a lake (Law 25 of Québec): pixels, rows in all versions, and what derives from both.

Works on every table of the contracts by its identifying columns, so that a new table is covered without a line here.
What the lake cannot reach is listed, never claimed. Deciding whom to forget is a person's act.
"""

from __future__ import annotations

import json
import os
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
from radia_pipeline.errors import BadInput
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake

_PATIENT_COLUMNS = ("patient_key", "patient_key_a", "patient_key_b")
_STUDY_COLUMNS = ("study_id",)
_IMAGE_COLUMNS = ("image_id", "image_id_a", "image_id_b", "kept_image_id")
_KEY_CHARACTERS = 32
UNREACHED = (
    "the delivered files: remove them too, or the next ingest brings them back",
    "backups and copies of the lake",
    "models that were trained on the patient's images",
    "the keyed entry in the ledger of pools, which holds no pixels and no text",
    "quarantined files, whose patient is not known",
)


@dataclass(frozen=True)
class ForgetResult:
    """What was removed. ``rows``: by table, over current tables. ``versions``: earlier versions that were deleted."""

    patients: int
    rows: dict[str, int] = field(default_factory=dict)
    versions: int = 0
    pictures: int = 0
    review_marks: int = 0
    unreached: tuple[str, ...] = UNREACHED


@dataclass(frozen=True)
class _Traces:
    """Every keyed identifier that belongs to the patients."""

    patients: frozenset[str]
    studies: frozenset[str]
    images: frozenset[str]

    def mask(self, table: pa.Table) -> pa.ChunkedArray | None:
        """Return which rows belong to the patients, None where the table names no patient, study or image."""
        found = None
        for names, ids in (
            (_PATIENT_COLUMNS, self.patients),
            (_STUDY_COLUMNS, self.studies),
            (_IMAGE_COLUMNS, self.images),
        ):
            for name in set(names) & set(table.column_names):
                hit = pc.is_in(table.column(name), value_set=pa.array(sorted(ids), pa.string()))
                found = hit if found is None else pc.or_(found, hit)
        return found


def forget_patients(patient_keys: Iterable[str], lake: Lake) -> ForgetResult:
    """Remove patients from a lake and record that it was done; a second call finds nothing more.

    Raises BadInput where a key is no keyed identifier of this lake's form, or where none of them is known.
    """
    keys = frozenset(patient_keys)
    if not keys or any(len(key) != _KEY_CHARACTERS or set(key) - set("0123456789abcdef") for key in keys):
        raise BadInput(
            "A patient key is missing or malformed",
            accepted="32 hexadecimal characters, as in the column patient_key",
            do="look the key up in the tables; a hospital's own number is not accepted here",
        )
    with lake.lock("forget"):
        traces = _trace(keys, lake)
        if not traces.studies and not traces.images:
            raise BadInput("No table of the lake names these patients", do="check the keys and the lake")
        pictures = _remove_pictures(traces, lake)
        journals = _clean_journals(traces, lake)
        rows = {name: count for name in contract_names() if (count := _clean_table(name, traces, lake))}
        versions = _clean_versions(traces, lake)
        marks = _clean_reviews(traces, lake)
        for folder in (lake.packed_dir, lake.previews_dir):
            shutil.rmtree(folder, ignore_errors=True)
        result = ForgetResult(len(keys), rows, versions, pictures, marks)
        _record(result, journals, lake)
    return result


def _files(lake: Lake, table: str) -> Iterator[tuple[str, Path]]:
    for partition in lake.partitions(table):
        yield partition, lake.path(table, partition)


def _version_files(lake: Lake) -> Iterator[Path]:
    yield from sorted((lake.root / "_versions").glob("*/*/*.parquet"))


def _trace(keys: frozenset[str], lake: Lake) -> _Traces:
    """Collect the patients' studies and images from current and earlier tables."""
    studies: set[str] = set()
    images: set[str] = set()
    paths = [path for name in contract_names() for _, path in _files(lake, name)]
    for path in (*paths, *_version_files(lake)):
        names = pq.read_schema(path).names
        if "patient_key" not in names:
            continue
        wanted = [name for name in ("study_id", "image_id") if name in names]
        rows = pq.read_table(
            path, columns=wanted, filters=pc.field("patient_key").isin(sorted(keys)), partitioning=None
        )
        for name, ids in (("study_id", studies), ("image_id", images)):
            if name in wanted:
                ids.update(value for value in rows.column(name).to_pylist() if value)
    return _Traces(keys, frozenset(studies), frozenset(images))


def _clean_table(name: str, traces: _Traces, lake: Lake) -> int:
    removed = 0
    for partition, _ in list(_files(lake, name)):
        table = lake.read(name, partition)
        mask = traces.mask(table)
        count = pc.sum(pc.fill_null(mask, False)).as_py() if mask is not None and len(table) else 0
        if count:
            lake.write(name, table.filter(pc.invert(pc.fill_null(mask, False))), partition)
            removed += count
    return removed


def _clean_versions(traces: _Traces, lake: Lake) -> int:
    """Delete earlier versions that name the patients: a version is its content, so it cannot be edited."""
    removed = 0
    for path in _version_files(lake):
        table = pq.read_table(path, partitioning=None)
        mask = traces.mask(table)
        if mask is not None and len(table) and pc.any(mask).as_py():
            path.unlink()
            removed += 1
    return removed


def _remove_pictures(traces: _Traces, lake: Lake) -> int:
    removed = 0
    for image_id in sorted(traces.images):
        for path in lake.pixels_dir.glob(f"*/{image_id[:2]}/{image_id}*"):
            path.unlink()
            removed += 1
    return removed


def _clean_journals(traces: _Traces, lake: Lake) -> int:
    removed = 0
    for path in sorted((lake.root / "_ingest").glob("*.sqlite")):
        with Journal(path) as journal:
            removed += journal.forget_patients(traces.patients)
    return removed


def _clean_reviews(traces: _Traces, lake: Lake) -> int:
    path = lake.reviews_path
    if not path.exists():
        return 0
    with lake.lock("reviews"):
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if not any(study in line for study in traces.studies)]
        if len(kept) < len(lines):
            atomic.write_text(path, "".join(f"{line}\n" for line in kept))
    return len(lines) - len(kept)


def _record(result: ForgetResult, journals: int, lake: Lake) -> None:
    """Append that it was done, when and how much; whom is not kept, since that would remember them."""
    line = {
        "at": time.time(), "patients": result.patients, "rows": result.rows, "versions": result.versions,
        "pictures": result.pictures, "review_marks": result.review_marks, "journal_lines": journals,
    }  # fmt: skip
    path = lake.root / "forgotten.jsonl"
    with atomic.writable(lake.root), path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(line) + "\n")
        handle.flush()
        os.fsync(handle.fileno())

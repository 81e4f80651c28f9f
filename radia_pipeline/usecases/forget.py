"""Removing patients from a lake (Law 25 of Québec): pixels, rows in all versions, and what derives from both.

It stands above the domain packages, since every one of them keeps something of a patient. Deciding whom to forget is a
person's act; what goes and how is ``erasure``'s.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.compute as pc

from radia_pipeline.contracts.tables import contract_names
from radia_pipeline.dicom.journal import Journal
from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.table_file import TableFile
from radia_pipeline.readings.access import AccessLog
from radia_pipeline.readings.store import Store
from radia_pipeline.usecases.erasure import (
    KEY,
    Traces,
    erase,
    journals,
    record_of_what_was_done,
    still_named,
    table_files,
    version_files,
)

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


@dataclass(frozen=True)
class ForgetResult:
    """What was removed. ``rows``: by table, over current tables. ``versions``: earlier versions that were deleted.

    ``models``: trained models that saw the patients' images. ``still_named_in``: files of the lake and its history, the
    ledger aside, in which a key of the patients was found afterwards (keyed hashes in log lines, as a rule).
    """

    patients: int
    rows: dict[str, int] = field(default_factory=dict)
    versions: int = 0
    pictures: int = 0
    journal_lines: int = 0
    review_marks: int = 0
    models: tuple[str, ...] = ()
    still_named_in: tuple[str, ...] = ()
    unreached: tuple[str, ...] = UNREACHED


def forget_patients(patient_keys: Iterable[str], lake: Lake) -> ForgetResult:
    """Remove patients from a lake and record that it was done; killed midway, the same call continues.

    Raises BadInput where a key is no keyed identifier of this lake's form, or where the lake does not know one of them:
    nothing is removed then.
    """
    keys = frozenset(patient_keys)
    if not keys or not all(KEY.fullmatch(key) for key in keys):
        raise BadInput(
            "A patient key is missing or malformed",
            accepted="32 hexadecimal characters, as in the column patient_key",
            do="look the key up in the tables; a hospital's own number is not accepted here",
        )
    with lake.lock("forget"), contextlib.ExitStack() as held:
        for journal in journals(lake):
            held.enter_context(lake.lock(f"ingest.{journal.stem}"))
        record_of_what_was_done(lake).require_sound_end()
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
        *(f"Saw their images: model {name}" for name in result.models),
        *(f"Still named in: {place}" for place in result.still_named_in),
        *(f"Not reached: {place}" for place in result.unreached),
    ]
    return "\n".join(lines)


def _remove(traces: Traces, lake: Lake) -> ForgetResult:
    atomic.write_text(_pending(lake), json.dumps({name: sorted(ids) for name, ids in vars(traces).items()}))
    for folder in lake.pixels_dir.glob("*/.staged"):
        shutil.rmtree(folder)  # what a killed ingest left bears no patient's name
    marks = Store(lake).forget(traces.studies)
    AccessLog(lake).forget(traces.studies)
    gone = erase(traces, lake)
    # The journals come last: until then they tell what belongs to the patients.
    lines = sum(_clean_journal(path, traces) for path in journals(lake))
    left = tuple(sorted(still_named(traces, lake, aside=_pending(lake))))
    return ForgetResult(len(traces.patients), gone.rows, gone.versions, gone.pictures, lines, marks, gone.models, left)


# --- who they are ----------------------------------------------------------------------------------------------------
def _known_traces(keys: frozenset[str], lake: Lake) -> Traces:
    """Collect the patients' studies and images from tables, earlier versions, journals and an interrupted call."""
    known: dict[str, set[str]] = {"patients": set(), "studies": set(), "images": set()}
    for path in (path for name in contract_names() for _, path in table_files(lake, name)):
        _add_traces(path, keys, known)
    for path in version_files(lake):
        with contextlib.suppress(DamagedFile):  # it goes, whatever it held
            _add_traces(path, keys, known)
    for path in journals(lake):
        with Journal(path) as journal:
            for image, study, patient in journal.ids_of(keys):
                known["patients"].add(patient)
                known["studies"].add(study)
                known["images"].add(image)
    if _pending(lake).exists():
        for name, ids in json.loads(_pending(lake).read_text(encoding="utf-8")).items():
            known.setdefault(name, set()).update(ids)
    unknown = sorted(keys - known["patients"])
    if unknown:
        raise BadInput(
            f"{len(unknown)} of {len(keys)} patients are not in this lake: {', '.join(unknown[:5])}",
            do="check the keys and the lake; nothing was removed",
        )
    return Traces(**{name: frozenset(ids) for name, ids in known.items()})


def _add_traces(path: Path, keys: frozenset[str], known: dict[str, set[str]]) -> None:
    with TableFile(path) as file:
        names = file.columns()
        for suffix in ("", "_a", "_b"):
            patient = f"patient_key{suffix}"
            if patient not in names:
                continue
            columns = {"patients": patient, "studies": f"study_id{suffix}", "images": f"image_id{suffix}"}
            wanted = {kind: name for kind, name in columns.items() if name in names}
            rows = file.read([*wanted.values()], pc.field(patient).isin(sorted(keys)))
            for kind, name in wanted.items():
                known[kind].update(value for value in rows.column(name).to_pylist() if value)


def _pending(lake: Lake) -> Path:
    return lake.root / "_forgetting.json"


def _clean_journal(path: Path, traces: Traces) -> int:
    with Journal(path) as journal:
        return journal.forget_patients(traces.patients, traces.studies)


def _record(result: ForgetResult, lake: Lake) -> None:
    """Append that it was done, when and how much; whom is not kept, since that would remember them."""
    line = {"at": time.time(), **{name: value for name, value in vars(result).items() if name != "unreached"}}
    line["still_named_in"] = len(result.still_named_in)
    record_of_what_was_done(lake).append([line])

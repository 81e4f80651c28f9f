"""A demo lake gets a past and a change, so that drift can be tried without waiting: invented patients only.

What stood came, so it is written, in weekly deliveries; then films of other invented patients come from a machine that
makes them darker. Not here: running the ingest over them (``defs.rehearsal``).
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from radia_pipeline.dicom.arrivals import dated
from radia_pipeline.dicom.journal import Journal, journal_path
from radia_pipeline.errors import BadInput
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import read_settings
from radia_pipeline.monitoring.protocol import PROTOCOL, protocol
from radia_pipeline.monitoring.windows import monday

SOURCE, PREFIX = "ccsmtl", "rehearsal"
PAST_WEEKS, NEW_WEEKS = 12, 4
LEAST_A_WEEK, LEAST_WINDOWS = 8, 5
GAMMA = 1.8
"""Of the new machine: grey levels of a film to this power."""
_SEED = 1000


@dataclass(frozen=True)
class Rehearsed:
    """What was put in. ``past_weeks``: in which what stood came, 0 where that was written before; ``weeks``: of films
    that changed; ``films`` of ``patients`` new ones."""

    past_weeks: int
    weeks: int
    patients: int
    films: int


def deliver_changed(lake: Lake) -> Rehearsed:
    """Lay a changed delivery into the folder of a demo's hospital; the first holds NEW_WEEKS weeks, a later one one.

    Raises BadInput for a lake that is no demo.
    """
    there = _hospital(lake)
    before = len(list((there / "dicom").glob(f"{PREFIX}-*")))
    weeks = 1 if before else NEW_WEEKS
    known = lake.read("images", SOURCE, ["patient_key", "original_width_px", "original_height_px"])
    side = int(np.median(np.maximum(known["original_width_px"], known["original_height_px"])))
    patients = weeks * max(LEAST_A_WEEK, len(set(known["patient_key"].to_pylist())) // PAST_WEEKS)
    with tempfile.TemporaryDirectory() as aside:
        from radia_pipeline.phantom.write import write_phantom

        write_phantom(aside, seed=_SEED + before, patients={SOURCE: patients}, size_px=side)
        films = sorted((Path(aside) / SOURCE / "dicom").rglob("*.dcm"))
        for film in films:
            darken(film)
        shutil.copytree(Path(aside) / SOURCE / "dicom", there / "dicom" / f"{PREFIX}-{before + 1}")
        _append(Path(aside) / SOURCE / "reports.csv", there / "reports.csv")
    return Rehearsed(0 if before else PAST_WEEKS, weeks, patients, len(films))


def _hospital(lake: Lake) -> Path:
    root = read_settings(lake.root).sources_root
    if root is None or not (Path(root) / "truth" / "labels.parquet").exists() or not lake.exists("images", SOURCE):
        raise BadInput("This lake is no demo, and its clock is left as it is", do="make one with `radia demo`")
    return Path(root) / SOURCE


def _append(source: Path, target: Path) -> None:
    with source.open(encoding="utf-8", newline="") as new, target.open("a", encoding="utf-8", newline="") as known:
        _, *rows = csv.reader(new)
        csv.writer(known).writerows(rows)


def darken(path: Path) -> None:
    """Make a delivered film darker, in place; one that cannot be read stays as it is."""
    import pydicom

    try:
        film = pydicom.dcmread(path)
        values = film.pixel_array.astype(float)
    except (pydicom.errors.InvalidDicomError, AttributeError, ValueError, RuntimeError, NotImplementedError):
        return
    if film.file_meta.TransferSyntaxUID.is_compressed:
        film.decompress()
    top = float((1 << film.BitsStored) - 1)
    level = np.clip(values / top, 0.0, 1.0)
    is_inverted = film.PhotometricInterpretation == "MONOCHROME1"
    level = 1 - (1 - level) ** GAMMA if is_inverted else level**GAMMA
    film.PixelData = np.rint(level * top).astype("<u2" if film.BitsAllocated == 16 else np.uint8).tobytes()
    film.save_as(path)


def write_clock(lake: Lake, now: datetime) -> None:
    """Write when films and reports of the demo's hospital came: what stood in PAST_WEEKS weekly deliveries, then the
    changed ones, the first of them in the NEW_WEEKS weeks before this one, later ones now."""
    films = dict(_pairs(lake, "images", "delivered_path")) | {
        path: path for table in ("quarantine", "duplicates") for path, _ in _pairs(lake, table, "delivered_path")
    }
    study_of = dict(_pairs(lake, "images", "study_id", "delivered_path"))
    late = max((_batch(path) for path in films), default=0)
    patients = sorted({who for path, who in films.items() if not _batch(path)}, key=_mark)
    turn = {who: number for number, who in enumerate(patients)}
    place = {path: _delivery(path, who, turn) for path, who in films.items()}
    reports = {
        study: _delivery(study_of.get(study, ""), who, turn) for study, who in _pairs(lake, "reports", "study_id")
    }
    first = monday(now.date()) - timedelta(days=7 * (PAST_WEEKS + NEW_WEEKS))
    moments = {
        number: datetime.combine(first + timedelta(days=7 * number - 6), time(6), UTC).timestamp()
        for number in range(1, PAST_WEEKS + NEW_WEEKS + 1)
    } | {PAST_WEEKS + NEW_WEEKS + number: now.timestamp() - (late - 1 - number) for number in range(1, late)}
    used = {*place.values(), *reports.values()}
    with Journal(journal_path(lake, SOURCE)) as journal:
        dated(journal, place, reports, {number: at for number, at in moments.items() if number in used})


def _pairs(lake: Lake, table: str, *columns: str) -> list[tuple[str, str]]:
    """Return pairs of a column and another, or the patient where there is one."""
    if not lake.exists(table, SOURCE):
        return []
    rows = lake.read(table, SOURCE)
    other = columns[1] if len(columns) > 1 else "patient_key" if "patient_key" in rows.column_names else columns[0]
    return list(zip(rows[columns[0]].to_pylist(), rows[other].to_pylist(), strict=True))


def _batch(path: str) -> int:
    """Return the number of the changed delivery that a path lies in, 0 for none."""
    folder = next((part for part in Path(path).parts if part.startswith(f"{PREFIX}-")), None)
    return int(folder.removeprefix(f"{PREFIX}-")) if folder else 0


def _delivery(path: str, who: str, turn: Mapping[str, int]) -> int:
    """Return the number of the delivery of a file or report: by its patient, so that nobody comes twice."""
    batch = _batch(path)
    if batch == 0:
        return 1 + turn.get(who, 0) % PAST_WEEKS
    return PAST_WEEKS + 1 + _mark(who) % NEW_WEEKS if batch == 1 else PAST_WEEKS + NEW_WEEKS + batch - 1


def _mark(who: str) -> int:
    return int.from_bytes(hashlib.sha256(who.encode()).digest()[:4], "big")


def fit_protocol(lake: Lake) -> None:
    """Give a demo with few patients a week a protocol of its own, with windows that it can fill."""
    own = lake.root / f"{PROTOCOL}.yaml"
    patients = len(set(lake.read("images", SOURCE, ["patient_key"])["patient_key"].to_pylist()))
    least = max(5, patients // (PAST_WEEKS + NEW_WEEKS) - 1)
    if own.exists() or least >= protocol().windows.least_patients:
        return
    import yaml

    terms = protocol().model_dump()
    few = {
        "windows": {**terms["windows"], "least_patients": least},
        "reference": {**terms["reference"], "least_windows": LEAST_WINDOWS},
    }
    write_text(own, yaml.safe_dump({**terms, **few}, sort_keys=False))


def past_ends(now: datetime) -> date:
    """Return the day on which the past of a demo is over and the change begins."""
    return monday(now.date()) - timedelta(days=7 * NEW_WEEKS)

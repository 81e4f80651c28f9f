"""A lake of invented tables in which films arrive week by week, and in which something may change from a week on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from radia_pipeline.contracts.tables import contract
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom import png16
from radia_pipeline.lake.lake import Lake

SOURCE, START = "ccsmtl", date(2026, 1, 5)
OWN = """kind: DriftProtocol
version: 1.0.0
reference: {days: 84, least_windows: 8}
windows: {days: 7, least_patients: 20, most_patients: 40}
statistics: {floor_sd: 0.05, alarm_share: 0.003, evidence_floor_sd: 0.1,
             windows_between_freezes: 1000, discovery_rate: 0.01}
layers:
  pipeline: {watched: true, action: freeze, within_windows: 5}
  tags: {watched: true, action: freeze, within_windows: 5}
  pixels: {watched: true, action: freeze, within_windows: 5}
  scores: {watched: true, action: rollback, within_windows: 10}
  reports: {watched: true, action: freeze, within_windows: 10}
rollback_days: 60
silence: {longest_gaps: 2.0, least_days: 3, most_days: 30}
newcomers: {least_images: 5}
performance: {studies_a_month: 50, least_positives: 5, lower_by: 0.05}
"""
"""A protocol for little data, which a lake may have of its own."""
REFERENCE_WEEKS, PATIENTS = 12, 24
Film = dict[str, Any]
Change = Callable[[np.random.Generator, Film], None]
"""Alters a film in place: values of its row of ``images``, ``image`` (H, W) uint16, ``report`` facts, ``outcome``."""


def key(*parts: object) -> str:
    """Return a keyed id as the lake has them."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def nothing(rng: np.random.Generator, film: Film) -> None:
    """Change nothing."""


def day_of(week: int, start: date = START) -> date:
    """Return the day on which a week's delivery comes."""
    return start + timedelta(days=7 * week + 1)


def report_day(weeks: int) -> date:
    """Return the first day on which so many weeks are over."""
    return START + timedelta(days=7 * weeks)


def _film(rng: np.random.Generator, week: int, number: int) -> Film:
    image = np.clip(rng.normal(0.45, 0.2, (32, 28)) + rng.normal(0, 0.05), 0, 1)
    patient = key("patient", week, number)
    return {
        "source": SOURCE,
        "image_id": key("image", week, number),
        "study_id": key("study", week, number),
        "patient_key": patient,
        "view": "AP" if rng.random() < 0.3 else "PA",
        "flags": [],
        "patient_age_years": float(np.clip(rng.normal(60, 15), 1, 90)),
        "patient_sex": "F" if rng.random() < 0.5 else "M",
        "manufacturer": "ACME",
        "device_model": f"X{int(rng.integers(2)) + 1}",
        "pixel_spacing_row_mm": 0.15,
        "bits_stored": 12,
        "original_width_px": 2000,
        "original_height_px": 2000,
        "inverted_score": 0.1 * rng.random(),
        "image": image,
        "positive": rng.random() < 0.3,
        "unread": 0,
        "length": int(rng.integers(100, 400)),
        "outcome": "ingested",
    }


def filled(table: str, rows: list[Mapping[str, Any]]) -> pa.Table:
    """Return rows of a table with something in every column that it requires."""
    terms, done = contract(table), []
    for number, row in enumerate(rows):
        whole = {}
        for name, column in terms.columns.items():
            if name in row:
                whole[name] = row[name]
            elif column.is_required:
                whole[name] = _something(column, number)
        done.append(whole)
    return pa.Table.from_pylist(done, schema=pa.schema([field.with_nullable(True) for field in terms.schema]))


def _something(column, number: int) -> Any:
    if column.valid_values:
        return column.valid_values[0]
    if column.pattern:
        return hashlib.sha256(repr((column.name, number)).encode()).hexdigest()[: 64 if "64" in column.pattern else 32]
    if pa.types.is_list(column.type):
        return []
    if pa.types.is_boolean(column.type):
        return False
    return "x" if pa.types.is_string(column.type) else 100


@dataclass(frozen=True)
class Story:
    """What happens: ``change`` is put into films since a week; nothing comes from the week ``silent_from`` on."""

    change: Change = nothing
    since: int = 99
    silent_from: int = 99
    start: date = START


def make(root: Path, weeks: int, story: Story = Story(), seed: int = 0) -> Lake:
    """Return a lake with so many weekly deliveries of PATIENTS patients."""
    lake, rng = Lake.open(root), np.random.default_rng(seed)
    (root / "drift_protocol.yaml").write_text(OWN, encoding="utf-8")
    films, deliveries, arrivals = [], [], []
    for week in range(min(weeks, story.silent_from)):
        mine = [_film(rng, week, number) for number in range(PATIENTS)]
        for film in mine:
            if week >= story.since:
                story.change(rng, film)
            film |= {"path": f"pixels/{film['image_id']}.png", "width_px": 28, "height_px": 32}
            path = root / film["path"]
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(png16.encode((np.clip(film["image"], 0, 1) * 65535).astype(np.uint16)))
        films += mine
        refused = sum(film["outcome"] != "ingested" for film in mine)
        clock = f"{day_of(week, story.start)}T06:00:00+00:00"
        deliveries.append(
            {
                "source": SOURCE,
                "delivery": week + 1,
                "first_seen": clock,
                "files": len(mine),
                "ingested": len(mine) - refused,
                "quarantined": refused,
                "duplicates": 0,
                "gone": 0,
                "reasons": [{"reason": "truncated", "files": refused}] if refused else [],
                "reports": len(mine),
                "reports_refused": 0,
                "late_reports": 0,
            }
        )
        arrivals += [
            {"source": SOURCE, "study_id": film["study_id"], "delivery": week + 1, "report_delivery": week + 1}
            for film in mine
        ]
    reported = [{**f, "report_text": "x" * f["length"], "mention_count": 2, "unread_count": f["unread"]} for f in films]
    labels = [
        {
            "source": SOURCE,
            "study_id": f["study_id"],
            "patient_key": f["patient_key"],
            "class": name,
            "value": int(f["positive"] and name in ("Cardiomegaly", "Enlarged Cardiomediastinum")),
            "said": int(f["positive"]) if name == "Cardiomegaly" else 0,
            "origin": "rules",
        }
        for f in films
        for name in vocabulary().classes
    ]
    for table, rows in {
        "images": films,
        "reports": reported,
        "report_attributes": reported,
        "labels": labels,
        "deliveries": deliveries,
        "arrivals": arrivals,
    }.items():
        lake.write(table, filled(table, rows), SOURCE)
    return lake

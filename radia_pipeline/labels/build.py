"""Labels of studies: what each source says, reviews on top, then the label values of DESIGN.

Rules over reports are in ``reports``; token maps in ``sources``; closure in ``contracts.label_values``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE, UNCERTAIN, resolve
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.readings import reviewed_values
from radia_pipeline.labels.table import ORIGIN_CODE, codes_of, long_table, positions
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.sources.base import Source
from radia_pipeline.sources.registry import source as registered_source


@dataclass(frozen=True)
class LabelsResult:
    """Written: studies, those with any label, every problem by a short name; ``cells``: counts by origin; ``moved``:
    what is said otherwise than before of studies that were known, as class, from, to, count."""

    source: str
    studies: int
    labelled: int
    unlabelled: int
    reviewed_cells: int
    studies_without_image: int
    images_without_label: int
    patient_mismatches: int
    cells: Mapping[str, int] = field(default_factory=dict)
    problems: Mapping[str, int] = field(default_factory=dict)
    version: str = ""
    moved: tuple[Mapping[str, Any], ...] = ()


@dataclass
class _Said:
    """Studies of one source with what it says of them: int8 (studies, 21)."""

    study_ids: list[str]
    patient_keys: list[str | None]
    values: np.ndarray
    problems: Counter


def build_labels(source: Source | str, root: Path | None, lake: Lake, keys: Pseudonymizer) -> LabelsResult:
    """Write the ``labels`` partition of a source.

    Needs ``images`` of the source and, where it has reports, ``reports``, ``report_mentions`` and
    ``report_attributes``. Every study that has an image or is named by the source's table or reports gets 21 rows.
    """
    adapter = registered_source(source) if isinstance(source, str) else source
    sheet = source_sheet(adapter.name)
    is_read = sheet.raw.get("label_origin") == "rules"
    said = _from_reports(adapter.name, lake) if is_read else _from_table(adapter, root, keys)
    images = lake.read("images", adapter.name, columns=["study_id", "patient_key"])
    without_image, without_label, mismatches = _join_images(said, images)
    base = np.full(said.values.shape, ORIGIN_CODE[sheet.raw.get("label_origin", "table")], dtype=np.int8)
    reviewed = _apply_reviews(said, base, reviewed_values(lake, adapter.name))
    value = resolve(said.values, sheet.labelled)
    origin = origins(said.values, value, base)
    table = long_table(
        adapter.name,
        pa.array(said.study_ids, pa.string()),
        pa.array(said.patient_keys, pa.string()),
        said.values,
        value,
        origin,
    )
    moves = _moved(lake, adapter.name, table)
    written = lake.write("labels", table, adapter.name)
    labelled = int((value != MISSING).any(axis=1).sum())
    return LabelsResult(
        source=adapter.name, studies=len(said.study_ids), labelled=labelled, unlabelled=len(said.study_ids) - labelled,
        reviewed_cells=reviewed, studies_without_image=without_image, images_without_label=without_label,
        patient_mismatches=mismatches, cells=_count_origins(origin), problems=dict(+said.problems),
        version=written.version, moved=moves,
    )  # fmt: skip


def _moved(lake: Lake, source: str, table: pa.Table) -> tuple[Mapping[str, Any], ...]:
    from radia_pipeline.reports.changes import moved, summary

    if not lake.exists("labels", source):
        return ()
    return tuple(summary(moved(lake.read("labels", source, columns=["study_id", "class", "said"]), table)))


def _count_origins(origin: np.ndarray) -> dict[str, int]:
    return {name: int(count) for name, code in ORIGIN_CODE.items() if (count := (origin == code).sum())}


def origins(said: np.ndarray, value: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Return where each value comes from: codes into ORIGINS, int8 (n, 21).

    A value that was said keeps ``base``; one that differs from what was said was raised by closure; a null that became
    0 did so by No Finding, or in a union because all its children are 0.
    """
    words = vocabulary()
    origin = np.where(said == value, base, ORIGIN_CODE["closure"]).astype(np.int8)
    clear = said[:, words.index(words.no_finding)] == POSITIVE
    filled = (said == MISSING) & (value == NEGATIVE) & clear[:, None]
    origin[filled] = ORIGIN_CODE["no_finding"]
    origin[value == MISSING] = ORIGIN_CODE["none"]
    return origin


def _from_reports(source: str, lake: Lake) -> _Said:
    from radia_pipeline.reports.labels import said_from_mentions

    mentions = lake.read("report_mentions", source)
    attributes = lake.read("report_attributes", source)
    reports = lake.read("reports", source, columns=["study_id", "patient_key"])
    table = said_from_mentions(mentions, attributes)
    study_ids = reports.column("study_id").to_pylist()
    patients = reports.column("patient_key").to_pylist()
    values = _matrix(table, reports.column("study_id"))
    return _Said(study_ids, patients, values, Counter())


def _matrix(table: pa.Table, study_ids: pa.ChunkedArray) -> np.ndarray:
    """Return said values as int8 (studies, 21) for rows study_id, class, said."""
    matrix = np.full((len(study_ids), len(vocabulary().classes)), MISSING, dtype=np.int8)
    rows = positions(table.column("study_id"), study_ids)
    columns = codes_of(table.column("class"), vocabulary().classes)
    values = table.column("said").cast(pa.int8()).fill_null(MISSING).to_numpy().astype(np.int8)
    known = (rows >= 0) & (columns >= 0)
    matrix[rows[known], columns[known]] = values[known]
    return matrix


def _from_table(adapter: Source, root: Path | None, keys: Pseudonymizer) -> _Said:
    delivered = adapter.labels(Path(root))
    problems = Counter(delivered.problems)
    studies = delivered.table.column("native_study_id").combine_chunks().dictionary_encode()
    rows = studies.indices.to_numpy(zero_copy_only=False)
    columns = codes_of(delivered.table.column("class"), vocabulary().classes)
    values = delivered.table.column("said").fill_null(MISSING).to_numpy().astype(np.int8)
    matrix = combine(rows, columns, values, len(studies.dictionary), problems)
    native = studies.dictionary.to_pylist()
    first = np.full(len(native), 0, dtype=np.int64)
    first[rows[::-1]] = np.arange(len(rows))[::-1]
    native_patients = delivered.table.column("native_patient_id").combine_chunks().take(pa.array(first)).to_pylist()
    patient_of = {patient: keys.patient_key(adapter.name, patient) for patient in set(native_patients)}
    return _Said(
        [keys.study_id(adapter.name, study) for study in native],
        [patient_of[patient] for patient in native_patients],
        matrix,
        problems,
    )


def combine(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, studies: int, problems: Counter) -> np.ndarray:
    """Return int8 (studies, 21) from cells that may repeat (several images or readers of a study).

    The strongest value wins (1 over −1 over 0 over null), except for No Finding: one image that denies it is enough,
    and a study with a stated positive or uncertain class is never normal (counted as ``normal_with_findings``).
    """
    words = vocabulary()
    normal = words.index(words.no_finding)
    strength = {MISSING: 0, NEGATIVE: 1, UNCERTAIN: 2, POSITIVE: 3}
    back = np.array([MISSING, NEGATIVE, UNCERTAIN, POSITIVE], dtype=np.int8)
    ranks = np.select([values == value for value in strength], list(strength.values()), 0).astype(np.int8)
    strongest = np.zeros((studies, len(words.classes)), dtype=np.int8)
    known = columns >= 0
    np.maximum.at(strongest, (rows[known], columns[known]), ranks[known])
    denied = known & (columns == normal) & (values == NEGATIVE)
    strongest[rows[denied], normal] = strength[NEGATIVE]
    found = np.delete(strongest, normal, axis=1).max(axis=1) >= strength[UNCERTAIN]
    contradictory = found & (strongest[:, normal] == strength[POSITIVE])
    strongest[contradictory, normal] = strength[NEGATIVE]
    problems["normal_with_findings"] += int(contradictory.sum())
    return back[strongest]


def _join_images(said: _Said, images: pa.Table) -> tuple[int, int, int]:
    """Add studies that have images only and let the images' patients win; return what did not fit together."""
    pairs = images.group_by(["study_id"], use_threads=False).aggregate([("patient_key", "min")])
    imaged, patients = pairs.column("study_id").to_pylist(), pairs.column("patient_key_min").to_pylist()
    row_of = {study: row for row, study in enumerate(said.study_ids)}
    mismatches = 0
    added: list[int] = []
    for place, (study, patient) in enumerate(zip(imaged, patients)):
        row = row_of.get(study)
        if row is None:
            added.append(place)
        elif said.patient_keys[row] != patient:
            mismatches += said.patient_keys[row] is not None
            said.patient_keys[row] = patient
    without_image = len(said.study_ids) - (len(imaged) - len(added))
    if added:
        said.study_ids = said.study_ids + [imaged[place] for place in added]
        said.patient_keys = said.patient_keys + [patients[place] for place in added]
        silent = np.full((len(added), said.values.shape[1]), MISSING, dtype=np.int8)
        said.values = np.concatenate([said.values, silent])
    unlabelled_images = pc.is_in(
        images.column("study_id"), value_set=pa.array([imaged[place] for place in added], pa.string())
    )
    return without_image, int(pc.sum(unlabelled_images).as_py() or 0), int(mismatches)


def _apply_reviews(said: _Said, base: np.ndarray, reviews: Mapping[tuple[str, str], int]) -> int:
    """Put reviews over what was said; a review that finds something ends an unreviewed No Finding. Return the cells
    set.
    """
    if not reviews:
        return 0
    words = vocabulary()
    normal = words.index(words.no_finding)
    row_of = {study: row for row, study in enumerate(said.study_ids)}
    applied = 0
    for (study, name), value in reviews.items():
        row = row_of.get(study)
        if row is None or name not in words.classes:
            said.problems["reviews_without_study"] += 1
            continue
        applied += 1
        column = words.index(name)
        said.values[row, column] = value
        base[row, column] = ORIGIN_CODE["review"]
        is_found = value in (POSITIVE, UNCERTAIN) and column != normal
        if is_found and said.values[row, normal] == POSITIVE and (study, words.no_finding) not in reviews:
            said.values[row, normal] = NEGATIVE
            base[row, normal] = ORIGIN_CODE["review"]
    return applied

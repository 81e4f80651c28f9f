"""Labels of studies: what each source says, readings on top, then the label values that follow.

Rules over reports are in ``reports``; token maps in ``sources``; closure in ``contracts.label_values``; what readings
do to a value in ``readings`` of this package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.label_values import (
    MISSING,
    NEGATIVE,
    POSITIVE,
    has_finding,
    resolve,
    strongest_by_cell,
)
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable, DamagedFile, MissingTable
from radia_pipeline.labels.origins import ORIGIN_CODE, base_origins, origins
from radia_pipeline.labels.priors import carry
from radia_pipeline.labels.readings import Verdicts, put_on_top, reviewed_values
from radia_pipeline.labels.table import LongRows, codes_of, dense, first_rows, matrix_of, read_labels
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.reports.changes import moved_cells, summary
from radia_pipeline.reports.labels import ATTRIBUTES, said_from_mentions
from radia_pipeline.sources.base import Source
from radia_pipeline.sources.joins import LEAST_SHARE
from radia_pipeline.sources.registry import source as registered_source

CARRIED = ORIGIN_CODE["carried"]
_SHOWN = 3
"""Keyed ids of each side that a message shows."""


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
    """Studies of one source with what it says of them: int8 (studies, 21). ``is_expert``: bool, which cells
    radiologists said though the sheet names another origin."""

    study_ids: list[str]
    patient_keys: list[str | None]
    values: np.ndarray
    problems: Counter
    is_expert: np.ndarray


def build_labels(
    source: Source | str,
    root: Path | None,
    lake: Lake,
    keys: Pseudonymizer,
    verdicts: Verdicts,
    carry_days: int | None = None,
) -> LabelsResult:
    """Write the ``labels`` partition of a source, with the ``verdicts`` in force on top of what it says.

    ``carry_days``: within how many days the same patient's earlier report speaks for one that only says that nothing
    changed; None leaves such reports unlabelled. Needs ``images`` of the source and, where it has reports, ``reports``,
    ``report_mentions`` and ``report_attributes``. Every study that has an image or is named by the source's table or
    reports gets 21 rows.
    """
    adapter = registered_source(source) if isinstance(source, str) else source
    sheet = source_sheet(adapter.name)
    said = _from_reports(adapter.name, lake) if sheet.is_read_from_reports else _from_table(adapter, root, keys)
    images = lake.read("images", adapter.name, columns=["study_id", "patient_key"])
    if sheet.is_read_from_reports:
        require_join(said.study_ids, pc.unique(images.column("study_id")).to_pylist(), adapter.name)
    without_image, without_label, mismatches = _join_images(said, images)
    base = base_origins(adapter.name, said.values.shape, said.is_expert)
    if sheet.is_read_from_reports and carry_days:
        base[carry(lake, adapter.name, said.study_ids, said.patient_keys, said.values, carry_days)] = CARRIED
    reviewed = put_on_top(said.study_ids, said.values, base, reviewed_values(verdicts, adapter.name), said.problems)
    value = resolve(said.values, sheet.labelled)
    origin = origins(said.values, value, base)
    rows = LongRows(
        adapter.name,
        pa.array(said.study_ids, pa.string()),
        pa.array(said.patient_keys, pa.string()),
        said.values,
        value,
        origin,
    )
    moves = _moved(lake, adapter.name, said.study_ids, said.values)
    written = lake.write_rows("labels", rows, adapter.name)
    labelled = int((value != MISSING).any(axis=1).sum())
    return LabelsResult(
        source=adapter.name,
        studies=len(said.study_ids),
        labelled=labelled,
        unlabelled=len(said.study_ids) - labelled,
        reviewed_cells=reviewed,
        studies_without_image=without_image,
        images_without_label=without_label,
        patient_mismatches=mismatches,
        cells=_count_origins(origin),
        problems=dict(+said.problems),
        version=written.version,
        moved=moves,
    )


def _moved(lake: Lake, source: str, study_ids: Sequence[str], said: np.ndarray) -> tuple[Mapping[str, Any], ...]:
    """Return what is said otherwise than in what stood so far, where that can be read."""
    if not lake.exists("labels", source):
        return ()
    try:
        before = read_labels(lake, source, "said")
    except DamagedFile:
        table = lake.last_sound("labels", source, columns=["study_id", "class", "said"])
        if table is None:
            return ()
        before = dense(table, "said")
    now = before.rows_of(pa.array(study_ids, pa.string()))
    known = now >= 0
    return tuple(summary(moved_cells(vocabulary().classes, before.values[now[known]], said[known])))


def _count_origins(origin: np.ndarray) -> dict[str, int]:
    return {name: int(count) for name, code in ORIGIN_CODE.items() if (count := (origin == code).sum())}


def _from_reports(source: str, lake: Lake) -> _Said:
    mentions = lake.read("report_mentions", source, columns=["study_id", "class", "status"])
    attributes = lake.read("report_attributes", source, columns=list(ATTRIBUTES))
    reports = lake.read("reports", source, columns=["study_id", "patient_key"])
    table = said_from_mentions(mentions, attributes)
    study_ids = reports.column("study_id").to_pylist()
    patients = reports.column("patient_key").to_pylist()
    values = matrix_of(table, "said", reports.column("study_id"))
    return _Said(study_ids, patients, values, Counter(), np.zeros(values.shape, dtype=bool))


def _from_table(adapter: Source, root: Path | None, keys: Pseudonymizer) -> _Said:
    delivered = adapter.labels(Path(root)) if root is not None else None
    if delivered is None:
        raise MissingTable(f"{adapter.name} delivers no table of labels", do="complete the delivery")
    problems = Counter(delivered.problems)
    studies = delivered.table.column("native_study_id").combine_chunks().dictionary_encode()
    rows = studies.indices.to_numpy(zero_copy_only=False)
    columns = codes_of(delivered.table.column("class"), vocabulary().classes).astype(np.int8)
    values = delivered.table.column("said").fill_null(MISSING).to_numpy().astype(np.int8, copy=False)
    by_expert = pc.equal(delivered.table.column("origin"), "expert").fill_null(False).to_numpy().astype(bool)
    is_expert = np.zeros((len(studies.dictionary), len(vocabulary().classes)), dtype=bool)
    is_expert[rows[by_expert], columns[by_expert]] = True
    # A radiologist's word on a cell stands in the place of the table's, whichever is stronger.
    kept = by_expert | ~is_expert[rows, columns]
    matrix = combine(rows[kept], columns[kept], values[kept], len(studies.dictionary), problems)
    native = studies.dictionary.to_pylist()
    first = pa.array(first_rows(rows, len(native)))
    native_patients = delivered.table.column("native_patient_id").combine_chunks().take(first).to_pylist()
    patient_of = {patient: keys.patient_key(adapter.name, patient) for patient in set(native_patients)}
    return _Said(
        [keys.study_id(adapter.name, study) for study in native],
        [patient_of[patient] for patient in native_patients],
        matrix,
        problems,
        is_expert,
    )


def combine(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, studies: int, problems: Counter) -> np.ndarray:
    """Return int8 (studies, 21) from cells that may repeat (several images or readers of a study).

    The strongest value holds, except for No Finding: one image that denies it is enough, and a study with a stated
    positive or uncertain class is never normal (counted as ``normal_with_findings``).
    """
    words = vocabulary()
    normal = words.index(words.no_finding)
    known = columns >= 0
    strongest = strongest_by_cell(rows[known], columns[known], values[known], (studies, len(words.classes)))
    denied = known & (columns == normal) & (values == NEGATIVE)
    strongest[rows[denied], normal] = NEGATIVE
    contradictory = has_finding(strongest) & (strongest[:, normal] == POSITIVE)
    strongest[contradictory, normal] = NEGATIVE
    problems["normal_with_findings"] += int(contradictory.sum())
    return strongest


def require_join(reported: Sequence[str], imaged: Sequence[str], source: str) -> None:
    """Refuse reports and images that do not belong together; raises BadTable with keyed ids of both sides.

    Of the smaller side, at least half must be on the other: a hospital may send many more reports than images, or
    images of months before their reports.
    """
    here, there = set(reported), set(imaged)
    smaller = min(len(here), len(there))
    met = len(here & there)
    if met < LEAST_SHARE * smaller:
        sides = (f"{', '.join(sorted(side - (here & there))[:_SHOWN])}" for side in (here, there))
        raise BadTable(
            f"Reports and images of {source} do not fit together: {met} of {smaller} studies are on both sides. Keyed "
            "ids of studies: reports {}; images {}".format(*sides),
            accepted="the same StudyInstanceUID in reports.csv as in the headers of the images",
            do="deliver the reports with the identifiers of the images; nothing was published",
        )


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
        said.is_expert = np.concatenate([said.is_expert, silent != MISSING])
    unlabelled_images = pc.is_in(
        images.column("study_id"), value_set=pa.array([imaged[place] for place in added], pa.string())
    )
    return without_image, int(pc.sum(unlabelled_images).as_py() or 0), int(mismatches)

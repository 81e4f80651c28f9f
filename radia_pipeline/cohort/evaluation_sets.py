"""Evaluation sets: the original's quota views inside the validation and test pools. Pools themselves are ``splits``'.

Per source and set, classes are filled rarest first: 300 patients per class for validation, 20 images per class for
test, 15 classes (14 pathologies and No Finding). What the pool does not hold is reported as a shortfall, never padded.
Held splits, which radiologists read, are sets of their own beside them, whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.cohort.flags import LEFT_OUT, is_flagged
from radia_pipeline.cohort.link_decisions import REJECTED
from radia_pipeline.cohort.placement import HELD
from radia_pipeline.contracts.label_values import POSITIVE, UNCERTAIN
from radia_pipeline.contracts.pools import TEST, VALIDATION
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.tables import empty
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import ORIGIN_CODE
from radia_pipeline.labels.table import StudyLabels, positions, read_labels, read_matrices
from radia_pipeline.lake.lake import Lake

QUOTAS = {VALIDATION: 300, TEST: 20}
"""Patients per class for validation, images per class for test as in the original's splits."""
_VERSION_CHARACTERS = 16


@dataclass(frozen=True)
class EvaluationSetsResult:
    """Members by set; ``shortfalls``: "set/source/class" → how many the pool lacked; ``versions`` by set and source."""

    members: Mapping[str, int]
    versions: Mapping[str, str]
    shortfalls: Mapping[str, int] = field(default_factory=dict)
    linked_left_out: int = 0
    uncertain_left_out: int = 0
    sources: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True)
class _Candidates:
    """Images of one pool and source that may be drawn, in drawing order; ``values``: int8 (n, 21)."""

    image_ids: np.ndarray
    study_ids: np.ndarray
    patient_keys: np.ndarray
    group_ids: np.ndarray
    values: np.ndarray


def build_evaluation_sets(lake: Lake) -> EvaluationSetsResult:
    """Write ``evaluation_sets``. Needs ``splits``, and ``labels`` and ``images`` of each source that has both.

    Studies with an uncertain value in one of the 15 classes are left out, as the original did; of images that are
    linked only the first is drawn; excluded patients and images that show no chest never are.
    """
    sources = tuple(name for name in lake.partitions("images") if lake.exists("labels", name))
    splits = lake.read("splits")
    twins = _twins(lake)
    sets: dict[str, pa.Table] = {}
    shortfalls = {}
    linked = uncertain = 0
    for source in sources:
        images, labels = _images(lake, source), read_labels(lake, source)
        for name, quota in QUOTAS.items():
            drawn_from, dropped = _candidates(images, labels, splits, name, twins)
            linked, uncertain = linked + dropped[0], uncertain + dropped[1]
            chosen = draw(
                drawn_from.values, drawn_from.patient_keys, _classes(source), quota, by_patient=name == VALIDATION
            )
            for class_name, places in chosen.items():
                held = len(set(drawn_from.patient_keys[places])) if name == VALIDATION else len(places)
                if held < quota:
                    shortfalls[f"{name}/{source}/{class_name}"] = quota - held
            sets[f"{name}/{source}"] = _rows(name, source, drawn_from, chosen)
        for name, found, chosen in _held(lake, source, images, labels, splits):
            sets[f"{name}/{source}"] = _rows(name, source, found, chosen)
    members = {place: len(table) for place, table in sets.items()}
    versions = {place: table.column("set_version")[0].as_py() if len(table) else "" for place, table in sets.items()}
    written = lake.write("evaluation_sets", pa.concat_tables(sets.values()) if sets else empty("evaluation_sets"))
    return EvaluationSetsResult(members, versions, shortfalls, linked, uncertain, sources, written.version)


def _held(
    lake: Lake, source: str, images: pa.Table, labels: StudyLabels, splits: pa.Table
) -> Iterator[tuple[str, _Candidates, dict[str, np.ndarray]]]:
    """Yield each pool's held split of a source: every image of it, for each class that radiologists said of it."""
    if not source_sheet(source).held_splits:
        return
    _, (origins,) = read_matrices(lake, source, ["origin"])
    expert = origins == ORIGIN_CODE["expert"]
    for pool in QUOTAS:
        found, _ = _candidates(images, labels, splits, pool, set(), HELD)
        by_class = expert[labels.rows_of(pa.array(found.study_ids.tolist(), pa.string()))]
        chosen = {name: np.flatnonzero(by_class[:, column]) for column, name in enumerate(vocabulary().classes)}
        yield f"{HELD}_{pool}", found, chosen


def _classes(source: str) -> list[str]:
    """Return the classes with a quota that the source labels."""
    words = vocabulary()
    return [name for name in (*words.pathologies, words.no_finding) if name in source_sheet(source).labelled]


def draw(
    values: np.ndarray, patients: np.ndarray, classes: list[str], quota: int, *, by_patient: bool
) -> dict[str, np.ndarray]:
    """Return for each class the places drawn for it, rarest class first; a place is drawn for one class only.

    ``values``: int8 (n, 21) in drawing order. ``by_patient``: the quota counts patients (all drawn images of a patient
    count once), else images; a class takes into account what earlier draws already hold of it.
    """
    columns = {name: values[:, vocabulary().index(name)] == POSITIVE for name in classes}
    order = sorted(classes, key=lambda name: (int(columns[name].sum()), name))
    taken = np.zeros(len(values), dtype=bool)
    codes = np.unique(patients.astype(str), return_inverse=True)[1] if len(patients) else np.zeros(0, dtype=np.int64)
    chosen = {}
    for name in order:
        held = columns[name] & taken
        free = np.flatnonzero(columns[name] & ~taken)
        if by_patient:
            already = np.zeros(codes.max(initial=-1) + 1, dtype=bool)
            already[codes[held]] = True
            free = free[~already[codes[free]]]
            _, first = np.unique(codes[free], return_index=True)
            free = free[np.sort(first)]
            missing = quota - int(already.sum())
        else:
            missing = quota - int(held.sum())
        picked = free[: max(0, missing)]
        taken[picked] = True
        chosen[name] = np.sort(np.concatenate([picked, np.flatnonzero(held)]))
    return chosen


def _images(lake: Lake, source: str) -> pa.Table:
    table = lake.read("images", source, columns=["image_id", "study_id", "patient_key", "view", "flags"])
    left_out = np.logical_or.reduce([is_flagged(table.column("flags"), flag) for flag in LEFT_OUT])
    return table.filter(pa.array(~left_out))


def _twins(lake: Lake) -> set[str]:
    """Return the images that repeat an earlier one of another patient or source, so that each link gives one image."""
    if not lake.exists("image_links"):
        return set()
    links = lake.read("image_links", columns=["image_id_b", "kind", "state"])
    links = links.filter(pc.fill_null(pc.not_equal(links.column("state"), REJECTED), True))
    return set(links.filter(pc.not_equal(links.column("kind"), "dropped_duplicate")).column("image_id_b").to_pylist())


def _candidates(
    images: pa.Table, labels: StudyLabels, splits: pa.Table, pool: str, twins: set[str], why: str | None = None
) -> tuple[_Candidates, tuple[int, int]]:
    """Return what may be drawn, in the order of a hash of the image, and how many were dropped as twin or uncertain.

    ``why``: of the pool's excluded patients those who are excluded so, whatever is uncertain of them.
    """
    places = positions(images.column("patient_key"), splits.column("patient_key"))
    excluded = splits.column("excluded")
    is_meant = pc.is_null(excluded) if why is None else pc.fill_null(pc.equal(excluded, why), False)
    in_pool = pc.and_(pc.equal(splits.column("pool"), pool), is_meant)
    keep = (places >= 0) & in_pool.to_numpy(zero_copy_only=False).astype(bool)[places]
    rows = labels.rows_of(images.column("study_id"))
    keep &= rows >= 0
    image_ids = np.array(images.column("image_id").to_pylist(), dtype=object)
    twin = (
        np.array([image in twins for image in image_ids], dtype=bool) if twins else np.zeros(len(image_ids), dtype=bool)
    )
    words = vocabulary()
    quota_columns = [words.index(name) for name in (*words.pathologies, words.no_finding)]
    uncertain = np.zeros(len(rows), dtype=bool)
    if why is None:
        uncertain[keep] = (labels.values[rows[keep]][:, quota_columns] == UNCERTAIN).any(axis=1)
    dropped = (int((keep & twin).sum()), int((keep & ~twin & uncertain).sum()))
    kept = np.flatnonzero(keep & ~twin & ~uncertain)
    order = (
        kept[np.argsort([hashlib.sha256(f"radia sets 1\0{image_ids[place]}".encode()).digest() for place in kept])]
        if len(kept)
        else kept
    )
    groups = np.array(splits.column("group_id").to_pylist(), dtype=object)
    return (
        _Candidates(
            image_ids=image_ids[order],
            study_ids=np.array(images.column("study_id").to_pylist(), dtype=object)[order],
            patient_keys=np.array(images.column("patient_key").to_pylist(), dtype=object)[order],
            group_ids=groups[places[order]],
            values=labels.values[rows[order]],
        ),
        dropped,
    )


def _rows(name: str, source: str, drawn: _Candidates, chosen: Mapping[str, np.ndarray]) -> pa.Table:
    """Return the set's rows: one for each class that an image was drawn for or stands for."""
    places = np.concatenate([*chosen.values(), np.zeros(0, dtype=np.int64)]).astype(np.int64)
    classes = [class_name for class_name, part in chosen.items() for _ in part]
    members = sorted(zip(classes, drawn.image_ids[places].tolist()))
    version = hashlib.sha256(repr(members).encode()).hexdigest()[:_VERSION_CHARACTERS]
    count = len(places)
    return pa.table(
        {
            "set_name": pa.array([name] * count, pa.string()),
            "set_version": pa.array([version] * count, pa.string()),
            "source": pa.array([source] * count, pa.string()),
            "class": pa.array(classes, pa.string()),
            "study_id": pa.array(drawn.study_ids[places].tolist(), pa.string()),
            "image_id": pa.array(drawn.image_ids[places].tolist(), pa.string()),
            "patient_key": pa.array(drawn.patient_keys[places].tolist(), pa.string()),
            "group_id": pa.array(drawn.group_ids[places].tolist(), pa.string()),
        }
    )

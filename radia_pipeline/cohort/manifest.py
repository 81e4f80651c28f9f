"""The manifest: one row per usable image, with everything that training reads. Derived; decides nothing about pools or
labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.cohort.flags import LEFT_OUT, is_flagged
from radia_pipeline.contracts.label_values import CLASS_SEPARATOR, MISSING
from radia_pipeline.contracts.pools import TRAIN
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.tables import contract, empty
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import BY_CLOSURE, ORIGIN_CODE
from radia_pipeline.labels.table import StudyLabels, matrix_of, positions, read_matrices
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.rows import ROWS_OF_A_PART

QUALITY_LIMITED_WEIGHT = 0.5
"""A report that says the exposure is poor, or that was not read again, teaches half as much."""
INDICATION = "indication"
EXPERT, CARRIED = ("expert",), ("carried",)
CARRIED_WEIGHT = 0.5
"""What an earlier report says of a picture that it did not see teaches half as much."""
_BOX_TYPE = pa.list_(
    pa.struct([("class", pa.string()), *((name, pa.float64()) for name in ("x_px", "y_px", "width_px", "height_px"))])
)


@dataclass(frozen=True)
class ManifestResult:
    """Images and studies in the manifest, and the images left out by reason."""

    source: str
    images: int
    studies: int
    left_out: Mapping[str, int]
    pools: Mapping[str, int]
    excluded: int
    with_boxes: int
    views: Mapping[str, int] = field(default_factory=dict)
    version: str = ""


def build_manifest(source: str, lake: Lake) -> ManifestResult:
    """Write the ``manifest`` partition of a source.

    Needs ``images``, ``labels`` and ``splits``; ``report_attributes`` and ``box_annotations`` are used where they
    exist. Left out and counted: images that show no chest or nothing, of studies without any label, or of patients
    without a pool.
    """
    images = lake.read(
        "images",
        source,
        columns=["image_id", "study_id", "patient_key", "path", "view", "width_px", "height_px", "flags"],
    )
    study_ids, (values, origins) = read_matrices(lake, source, ["value", "origin"])
    labels = StudyLabels(study_ids, values)
    closed, expert, carried = (_cells_of(source, origins, kinds) for kinds in (BY_CLOSURE, EXPERT, CARRIED))
    splits = lake.read("splits", columns=["patient_key", "group_id", "pool", "fold", "excluded"])
    label_rows = labels.rows_of(images.column("study_id"))
    split_rows = positions(images.column("patient_key"), splits.column("patient_key"))
    pools = np.array(splits.column("pool").to_pylist() or [""], dtype=object)[split_rows]
    is_carried = np.asarray(carried.any(axis=1))
    foreign = is_carried[label_rows] & (pools != TRAIN) if len(carried) else np.zeros(len(images), dtype=bool)
    keep, left_out = _usable(images, labels.values, label_rows, split_rows, foreign)
    images, label_rows, split_rows = images.filter(pa.array(keep)), label_rows[keep], split_rows[keep]
    split_columns = splits.take(pa.array(split_rows, pa.int64()))
    columns = {
        "source": pa.array([source] * len(images), pa.string()),
        **{name: images.column(name) for name in ("image_id", "study_id", "patient_key")},
        "group_id": split_columns.column("group_id"),
        **{name: images.column(name) for name in ("path", "view", "width_px", "height_px")},
        **_class_columns(labels.values[label_rows]),
        **{name: split_columns.column(name) for name in ("pool", "fold")},
        "weight": _weights(lake, source, images.column("study_id"), carried[label_rows].any(axis=1)),
        "excluded": split_columns.column("excluded"),
        "by_closure": _class_names(closed[label_rows]),
        "expert": _class_names(expert[label_rows]),
        "asked": _class_names(
            _asked(lake, source, labels.study_ids)[label_rows] & (labels.values[label_rows] == MISSING)
        ),
        "boxes": _boxes(lake, source, images.column("image_id")),
    }
    table = pa.table({name: columns[name] for name in contract("manifest").columns})
    written = lake.write("manifest", table, source)
    return _result(source, table, left_out, written.version)


def _usable(
    images: pa.Table, values: np.ndarray, label_rows: np.ndarray, split_rows: np.ndarray, foreign: np.ndarray
) -> tuple[np.ndarray, dict[str, int]]:
    """Return which images stay, and how many leave for each reason; the first reason counts.

    ``foreign``: studies outside training for which an earlier report speaks: nothing is judged by that.
    """
    left_out: Counter = Counter()
    keep = np.ones(len(images), dtype=bool)

    def drop(reason: str, which: np.ndarray) -> None:
        nonlocal keep
        left_out[reason] += int((keep & which).sum())
        keep = keep & ~which

    for flag in LEFT_OUT:
        drop(flag, is_flagged(images.column("flags"), flag))
    is_labelled = (values != MISSING).any(axis=1)
    drop(
        "unlabelled_study",
        ~(is_labelled[label_rows] & (label_rows >= 0)) if len(is_labelled) else np.ones(len(images), dtype=bool),
    )
    drop("patient_without_pool", split_rows < 0)
    drop("carried_outside_training", foreign)
    return keep, dict(+left_out)


def _class_columns(values: np.ndarray) -> dict[str, pa.Array]:
    """Return one nullable int8 column for each class, from int8 (images, 21)."""
    by_class = np.ascontiguousarray(values.T)
    return {
        name: pa.array(by_class[index], pa.int8(), mask=by_class[index] == MISSING)
        for index, name in enumerate(vocabulary().classes)
    }


def _cells_of(source: str, origins: np.ndarray, kinds: Sequence[str]) -> np.ndarray:
    """Return which values come from origins of these kinds: codes int8 (studies, 21) → bool, same shape.

    Where the sheet calls every label expert (VinDr's single readings) a cell is not told apart by it.
    """
    wanted = [ORIGIN_CODE[kind] for kind in kinds if kind != source_sheet(source).label_origin]
    return np.isin(origins, wanted)


def _asked(lake: Lake, source: str, study_ids: pa.Array) -> np.ndarray:
    """Return which classes a study's indication asks for: bool (studies, 21), in the order of ``study_ids``."""
    if not lake.exists("report_mentions", source):
        return np.zeros((len(study_ids), len(vocabulary().classes)), dtype=bool)
    columns = ["study_id", "class", "section"]
    parts = [
        part.filter(pc.equal(part.column("section"), INDICATION))
        for part in lake.batches("report_mentions", source, columns, ROWS_OF_A_PART)
    ]
    asked = pa.concat_tables(parts) if parts else empty("report_mentions").select(columns)
    asked = asked.append_column("is_it", pa.array(np.ones(len(asked), dtype=np.int8)))
    return matrix_of(asked, "is_it", study_ids) == 1


def _class_names(cells: np.ndarray) -> pa.Array:
    """Return the names of each row's classes in ``cells``, bool (n, 21), in vocabulary order; empty where none is."""
    names = np.array(vocabulary().classes, dtype=object)
    patterns, which = np.unique(cells, axis=0, return_inverse=True) if len(cells) else (cells, np.zeros(0, dtype=int))
    texts = pa.array([CLASS_SEPARATOR.join(names[pattern]) for pattern in patterns], pa.string())
    return texts.take(pa.array(which.reshape(-1)))


def _weights(lake: Lake, source: str, study_ids: pa.ChunkedArray, is_carried: np.ndarray) -> pa.Array:
    """Return each image's weight from its report's attributes: 1, or less where the report itself is weak, or where an
    earlier one speaks for it.
    """
    weights = np.where(is_carried, CARRIED_WEIGHT, 1.0).astype(np.float32)
    if lake.exists("report_attributes", source):
        table = lake.read("report_attributes", source, columns=["study_id", "is_quality_limited", "is_signed_unread"])
        rows = positions(study_ids, table.column("study_id"))
        weak = (
            pc.or_(table.column("is_quality_limited"), table.column("is_signed_unread"))
            .to_numpy(zero_copy_only=False)
            .astype(bool)
        )
        if len(weak):
            weights[(rows >= 0) & weak[rows]] *= QUALITY_LIMITED_WEIGHT
    return pa.array(weights, pa.float32())


def _boxes(lake: Lake, source: str, image_ids: pa.ChunkedArray) -> pa.Array:
    """Return each image's boxes as a list of structs, empty where it has none."""
    lists: list[list[dict]] = [[] for _ in range(len(image_ids))]
    if lake.exists("box_annotations", source):
        table = lake.read("box_annotations", source).sort_by([("image_id", "ascending"), ("box_index", "ascending")])
        rows = positions(table.column("image_id"), image_ids)
        names = ("class", "x_px", "y_px", "width_px", "height_px")
        for row, box in zip(rows.tolist(), table.select(list(names)).to_pylist()):
            if row >= 0:
                lists[row].append(box)
    return pa.array(lists, _BOX_TYPE)


def _result(source: str, table: pa.Table, left_out: dict[str, int], version: str) -> ManifestResult:
    return ManifestResult(
        source=source,
        images=len(table),
        studies=len(pc.unique(table.column("study_id"))),
        left_out=left_out,
        pools=dict(Counter(table.column("pool").to_pylist())),
        excluded=len(table) - table.column("excluded").null_count,
        with_boxes=int((pc.list_value_length(table.column("boxes")).to_numpy() > 0).sum()),
        views=dict(Counter(table.column("view").to_pylist())),
        version=version,
    )

"""Manifest -> studies: which images each study shows the model, its label values, what its source labels.

Pure tables and arrays: no pixels, no torch. Legend: n studies, 21 classes in vocabulary order, V view slots.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from radia_pipeline.contracts.label_values import CLASS_SEPARATOR, MISSING, NEGATIVE, labelled_with_unions
from radia_pipeline.contracts.pools import TEST, TRAIN, VALIDATION
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable, EmptyPool
from radia_pipeline.training import choices
from radia_pipeline.training.choices import VIEWS
from radia_pipeline.training.recipe_schema import Recipe, ViewsSection

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake

FRONTAL_ORDER = ("PA", "AP", "UNKNOWN")
LATERAL = "LATERAL"
KEYS = (
    "source",
    "image_id",
    "study_id",
    "patient_key",
    "group_id",
    "path",
    "view",
    "pool",
    "fold",
    "weight",
    "excluded",
    "by_closure",
    "expert",
    "asked",
)
HELD = "held"
"""Why rows of a held split are excluded: they are judged apart."""


@dataclass(frozen=True)
class Studies:
    """Studies of one pool. ``image_rows``: (n, V) rows of the packed arrays, −1 where a slot is empty.

    ``judged``: which cells evaluation may compare with (n, 21). ``soft``: a teacher's probabilities (n, 21), NaN where
    it has none; ``trust``: weights of cells in the loss (n, 21).
    """

    source: np.ndarray
    study_id: np.ndarray
    patient_key: np.ndarray
    group_id: np.ndarray
    image_rows: np.ndarray
    values: np.ndarray
    labelled: np.ndarray
    weight: np.ndarray
    judged: np.ndarray | None = None
    soft: np.ndarray | None = None
    trust: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.study_id)

    def taken(self, rows: np.ndarray) -> Studies:
        """Return some of the studies, by number."""
        columns = {name: getattr(self, name) for name in self.__dataclass_fields__}
        some: dict[str, Any] = {name: None if column is None else column[rows] for name, column in columns.items()}
        return replace(self, **some)

    @property
    def image_counts(self) -> np.ndarray:
        """Images shown of each study: int64 (n,)."""
        return (self.image_rows >= 0).sum(axis=1)


def read_manifest(lake: Lake, sources: tuple[str, ...] | None) -> tuple[pa.Table, dict[str, str]]:
    """Return the manifest's rows of the wanted sources (all present ones if None) and each one's data version.

    Raises EmptyPool for a source without a manifest, MissingTable where there is none at all.
    """
    versions = manifest_versions(lake, sources)
    columns = [*KEYS, *vocabulary().classes]
    tables = [lake.read("manifest", partition=source, columns=columns) for source in versions]
    return pa.concat_tables(tables), versions


def manifest_versions(lake: Lake, sources: tuple[str, ...] | None) -> dict[str, str]:
    """Return the manifest's data version of each wanted source; raises as ``read_manifest``."""
    present = lake.partitions("manifest")
    wanted = tuple(sources) if sources else tuple(sorted(present))
    if absent := [source for source in wanted if source not in present]:
        raise EmptyPool(
            f"The manifest has no source {', '.join(absent)}",
            accepted=", ".join(sorted(present)) or "none yet",
            do="materialize manifest for it, or change the recipe's data.sources",
        )
    if not wanted:
        lake.read("manifest")
    return {source: lake.first_version("manifest", source) for source in wanted}


def pool_studies(
    manifest: pa.Table, recipe: Recipe, pool: str, row_of_image: dict[str, int], *, held: bool = False
) -> Studies:
    """Gather the studies of ``train``, ``validation`` or ``test`` as the recipe wants to see them.

    Rows with ``excluded`` set are left out (``held``: only those of the pool's held splits are gathered), and so are
    studies of which the chosen views show nothing. With ``data.fold`` the training pool is divided: that fold
    validates. Raises EmptyPool.
    """
    table = manifest.filter(_pool_mask(manifest, recipe.data.fold, pool, held))
    columns = {name: table.column(name).to_pylist() for name in ("source", "image_id", "study_id", "view")}
    members: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(columns["source"], columns["study_id"])):
        members.setdefault(key, []).append(row)
    slots = {}
    for key, rows in sorted(members.items()):
        chosen = choose_views([(columns["view"][row], columns["image_id"][row], row) for row in rows], recipe.views)
        if any(row is not None for row in chosen):
            slots[key] = chosen
    if not slots:
        raise EmptyPool(
            f"Pool {pool} holds no study that recipe {recipe.name} can read",
            do="check views, fold and sources of the recipe, and the manifest's pools",
        )
    studies = _assemble(table, slots, row_of_image)
    return studies if choices.ASKED_BLANK[recipe.labels.asked_blank] else _without_asked(studies, table, slots)


def _without_asked(studies: Studies, table: pa.Table, slots: dict) -> Studies:
    """Let blanks that the indication asks for count as cells that the source does not label."""
    rows = np.array([next(row for row in chosen if row is not None) for chosen in slots.values()])
    asked = _class_cells(table, "asked", rows) & (studies.values == MISSING)
    return replace(studies, labelled=studies.labelled & ~asked)


def choose_views(images: list[tuple[str, str, int]], views: ViewsSection) -> list[int | None]:
    """Return the chosen rows, one per slot (None: empty); ``images`` are (view, image_id, row) of one study.

    Frontal images are ordered PA, AP, UNKNOWN, then by image_id; laterals by image_id. Slot 0 is frontal and slot 1
    lateral for ``frontal_lateral``.
    """
    frontal = sorted(
        (image for image in images if image[0] in FRONTAL_ORDER),
        key=lambda item: (FRONTAL_ORDER.index(item[0]), item[1]),
    )
    lateral = sorted((image for image in images if image[0] == LATERAL), key=lambda item: item[1])
    rows = [[image[2] for image in group] for group in (frontal, lateral)]
    return VIEWS[views.use](*rows, views.max_views)


def one_frontal(frontals: list[int], laterals: list[int], most: int) -> list[int | None]:
    """The best frontal image alone."""
    return [frontals[0] if frontals else None]


def one_of_each(frontals: list[int], laterals: list[int], most: int) -> list[int | None]:
    """The best frontal and the best lateral image."""
    return [rows[0] if rows else None for rows in (frontals, laterals)]


def every_view(frontals: list[int], laterals: list[int], most: int) -> list[int | None]:
    """All images, frontals first, up to ``most``."""
    rows: list[int | None] = [*frontals, *laterals]
    return rows[:most] or [None]


def evaluation_labels(studies: Studies) -> np.ndarray:
    """Return int8 (n, 21): blank is 0 in classes that the source labels; MISSING in cells that are not judged; −1 stays
    −1.
    """
    values = np.where(studies.values == MISSING, np.int8(0), studies.values)
    judged = studies.labelled if studies.judged is None else studies.judged
    return np.where(judged, values, np.int8(MISSING)).astype(np.int8)


def judged_cells(source: str, by_closure: np.ndarray, expert: np.ndarray, is_held: np.ndarray) -> np.ndarray:
    """Return which cells of one source's studies evaluation may compare with: bool (n, 21).

    Those that the source labels or radiologists said. Left out is what holds by closure alone in a class that the
    source labels itself: nobody said it, and half of its like were said otherwise. Of a held study only what
    radiologists said counts, with the unions that follow from it, where they said less than the source labels.
    """
    labelled = labelled_by(source)
    own = np.isin(vocabulary().classes, list(source_sheet(source).labels))
    judged = (labelled[None] | expert) & ~(by_closure & own[None] & ~expert)
    if source_sheet(source).label_origin == "expert":
        return judged
    read = expert.copy()
    for row in np.flatnonzero(is_held):
        names = [name for name, is_it in zip(vocabulary().classes, expert[row]) if is_it]
        read[row] = np.isin(vocabulary().classes, list(labelled_with_unions(names)))
    return np.where(is_held[:, None], read & ~(by_closure & own[None] & ~expert), judged)


def _pool_mask(manifest: pa.Table, fold: int | None, pool: str, held: bool) -> np.ndarray:
    pools = np.array(manifest.column("pool").to_pylist(), dtype=object)
    wanted = HELD if held else None
    kept = np.array([reason == wanted for reason in manifest.column("excluded").to_pylist()], dtype=bool)
    if fold is None or pool == TEST or held:
        return pa.array((pools == pool) & kept)
    folds = np.array([-1 if value is None else value for value in manifest.column("fold").to_pylist()])
    in_fold = folds == fold
    return pa.array((pools == TRAIN) & kept & (in_fold if pool == VALIDATION else ~in_fold))


def _assemble(table: pa.Table, slots: dict, row_of_image: dict[str, int]) -> Studies:
    width = max(len(chosen) for chosen in slots.values())
    image_id = table.column("image_id").to_pylist()
    keys = {name: table.column(name).to_pylist() for name in ("patient_key", "group_id", "weight")}
    image_rows = np.full((len(slots), width), -1, dtype=np.int64)
    first_rows = np.empty(len(slots), dtype=np.int64)
    for index, chosen in enumerate(slots.values()):
        for slot, row in enumerate(chosen):
            if row is not None:
                image_rows[index, slot] = row_of_image[image_id[row]]
        first_rows[index] = next(row for row in chosen if row is not None)
    sources = np.array([source for source, _ in slots], dtype=object)
    values = label_matrix(table)[first_rows]
    labelled = {name: labelled_by(name) for name in set(sources.tolist())}
    judged = np.zeros(values.shape, dtype=bool)
    is_held = np.array([reason == HELD for reason in table.column("excluded").take(pa.array(first_rows)).to_pylist()])
    closed, expert = (_class_cells(table, name, first_rows) for name in ("by_closure", "expert"))
    for name in labelled:
        mine = sources == name
        judged[mine] = judged_cells(name, closed[mine], expert[mine], is_held[mine])
    weights = np.array([1.0 if keys["weight"][row] is None else keys["weight"][row] for row in first_rows])
    return Studies(
        source=sources,
        study_id=np.array([study for _, study in slots], dtype=object),
        patient_key=np.array([keys["patient_key"][row] for row in first_rows], dtype=object),
        group_id=np.array([keys["group_id"][row] for row in first_rows], dtype=object),
        image_rows=image_rows,
        values=values,
        labelled=np.stack([labelled[name] for name in sources]),
        weight=weights,
        judged=judged,
    )


def _class_cells(table: pa.Table, column: str, rows: np.ndarray) -> np.ndarray:
    """Return a column that names classes as cells: bool (n, 21); a row without names has none."""
    cells = np.zeros((len(rows), len(vocabulary().classes)), dtype=bool)
    place = {name: index for index, name in enumerate(vocabulary().classes)}
    for row, text in enumerate(table.column(column).take(pa.array(rows)).to_pylist()):
        for name in text.split(CLASS_SEPARATOR) if text else ():
            cells[row, place[name]] = True
    return cells


def label_matrix(table: pa.Table) -> np.ndarray:
    """Return the class columns as int8 (rows, 21), MISSING for null; raises BadTable for any other value."""
    columns = [
        table.column(name).combine_chunks().fill_null(MISSING).to_numpy(zero_copy_only=False).astype(np.float64)
        for name in vocabulary().classes
    ]
    matrix = np.stack(columns, axis=1) if columns else np.empty((len(table), 0))
    if strange := Counter(matrix[~np.isin(matrix, (1, 0, -1, MISSING))].tolist()):
        raise BadTable(f"The manifest holds label values {sorted(strange)}", accepted="1, 0, -1 or null")
    return matrix.astype(np.int8)


def labelled_by(source: str) -> np.ndarray:
    """Return which classes a source labels: bool (21,)."""
    labelled = source_sheet(source).labelled
    return np.array([name in labelled for name in vocabulary().classes])


def known_absent(values: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Return which cells surely show nothing: said 0, or blank in a class that the source labels; bool, as values."""
    return (values == NEGATIVE) | ((values == MISSING) & labelled)

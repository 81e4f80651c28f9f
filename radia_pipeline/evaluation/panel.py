"""The ``predictions`` table as matrices: studies down, classes across, models aligned on the same studies.

What does not belong here: combining models (``ensemble``), judging them (``scorecard``), the test pool (``release``).

Shape legend: n studies, K classes of the vocabulary in its order, M models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import EmptyPool, MissingTable
from radia_pipeline.lake.lake import Lake

ENSEMBLE = "ensemble"
MISSING = -9
NAMES = ("source", "study_id", "patient_key", "group_id", "pool")


@dataclass(frozen=True)
class Panel:
    """One model's ``logit``, ``probability`` (n, K) float64, ``label`` (n, K) int8 of 1/0/-9; the rest (n,).

    ``is_held``: studies of held splits, which are in no figure of a pool.
    """

    source: np.ndarray
    study_id: np.ndarray
    patient_key: np.ndarray
    group_id: np.ndarray
    pool: np.ndarray
    image_count: np.ndarray
    logit: np.ndarray
    probability: np.ndarray
    label: np.ndarray
    is_held: np.ndarray

    def __len__(self) -> int:
        return len(self.study_id)

    def take(self, index: np.ndarray) -> Panel:
        """Return the studies of an index or mask."""
        return replace(self, **{name: getattr(self, name)[index] for name in self.__dataclass_fields__})

    def only(
        self,
        pool: str | None = None,
        source: str | None = None,
        study_ids: np.ndarray | None = None,
        *,
        held: bool | None = None,
    ) -> Panel:
        """Return the studies of a pool, a source and a list of study ids, of held splits or not; None means all."""
        keep = np.ones(len(self), dtype=bool)
        if held is not None:
            keep &= self.is_held == held
        if pool is not None:
            keep &= self.pool == pool
        if source is not None:
            keep &= self.source == source
        if study_ids is not None:
            keep &= np.isin(self.study_id, study_ids)
        return self.take(keep)


def _column(table: pa.Table, name: str) -> np.ndarray:
    return table.column(name).to_numpy(zero_copy_only=False)


def panel_of(table: pa.Table) -> Panel:
    """Pivot rows of ``predictions`` of one model. A class that a study has no row for is NaN and masked."""
    classes = vocabulary().classes
    if table.num_rows == 0:
        raise EmptyPool("The predictions have no rows", do="predict on a pool that has studies")
    names = pc.binary_join_element_wise(table.column("source"), table.column("study_id"), "/")
    _, first, row = np.unique(names.to_numpy(zero_copy_only=False), return_index=True, return_inverse=True)
    column = pc.index_in(table.column("class"), pa.array(classes)).to_numpy(zero_copy_only=False).astype(int)
    shape = (len(first), len(classes))
    logit, probability = np.full(shape, np.nan), np.full(shape, np.nan)
    label = np.full(shape, MISSING, dtype=np.int8)
    logit[row, column] = _column(table, "logit")
    probability[row, column] = _column(table, "probability")
    label[row, column] = _column(table.set_column(0, "l", pc.fill_null(table.column("label"), MISSING)), "l")
    label[~np.isfinite(probability)] = MISSING
    studies = table.take(pa.array(first))
    fixed = {name: _column(studies, name) for name in (*NAMES, "image_count")}
    is_held = np.zeros(len(first), dtype=bool)
    if "is_held" in studies.column_names:
        is_held = pc.fill_null(studies.column("is_held"), False).to_numpy(zero_copy_only=False).astype(bool)
    return Panel(**fixed, logit=logit, probability=probability, label=label, is_held=is_held)


def read_panel(lake: Lake, model: str) -> Panel:
    """Read the predictions of a recipe or of the ensemble on validation; raises MissingTable before they were made.

    A partition of an earlier release holds test studies too: they are left out, and so are studies of held splits.
    """
    return panel_of(lake.read("predictions", model)).only(pool=VALIDATION, held=False)


def read_held(lake: Lake, recipe: str) -> Panel:
    """Read a recipe's predictions on the held splits of validation; raises MissingTable before they were made."""
    return panel_of(lake.read("predictions", recipe)).only(pool=VALIDATION, held=True)


def read_out_of_fold(lake: Lake, recipe: str) -> Panel:
    """Read what a recipe says of the training pool, each study by a model that left out its fold.

    Raises MissingTable before ``predictions_out_of_fold`` was made of the recipe.
    """
    return panel_of(lake.read("predictions_out_of_fold", recipe))


def predicted_recipes(lake: Lake) -> tuple[str, ...]:
    """Return the recipes that have predictions, the ensemble apart; raises MissingTable where there are none."""
    recipes = tuple(name for name in lake.partitions("predictions") if name != ENSEMBLE)
    if not recipes:
        raise MissingTable("No recipe has predictions", do="train a recipe and predict with it first")
    return recipes


def aligned(panels: list[Panel]) -> list[Panel]:
    """Cut panels down to the studies that all of them hold, in one order; raises EmptyPool where none is left."""
    keys = [np.char.add(np.char.add(p.source.astype(str), "/"), p.study_id.astype(str)) for p in panels]
    common = keys[0]
    for other in keys[1:]:
        common = np.intersect1d(common, other)
    if not len(common):
        raise EmptyPool("The ensemble's members have no study in common", do="predict with all on the same pools")
    common = np.sort(common)
    out = []
    for panel, key in zip(panels, keys):
        order = np.argsort(key)
        out.append(panel.take(order[np.searchsorted(key[order], common)]))
    return out


def rows_of(panel: Panel, model: str) -> pa.Table:
    """Turn a panel back into rows of ``predictions`` under a model's name; cells without probability are left out."""
    classes = np.array(vocabulary().classes, dtype=object)
    row, column = np.nonzero(np.isfinite(panel.probability))
    label = panel.label[row, column]
    fixed = {name: getattr(panel, name)[row] for name in NAMES}
    return pa.table(
        {
            "recipe": pa.array([model] * len(row), pa.string()),
            **{name: pa.array(values, pa.string()) for name, values in fixed.items()},
            "class": pa.array(classes[column], pa.string()),
            "logit": pa.array(panel.logit[row, column]),
            "probability": pa.array(panel.probability[row, column]),
            "label": pa.array(label, pa.int8(), mask=(label != 0) & (label != 1)),
            "is_held": pa.array(panel.is_held[row]),
            "image_count": pa.array(panel.image_count[row].astype(np.int32)),
        }
    )

"""The training pool as models say that did not learn from it: each fold by the member that left it out.

The table ``predictions_out_of_fold``, one partition for each recipe of which every fold's member is trained. The epoch
of a member was chosen on its fold, so the scores are a little better than a stranger's; nothing was learned from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from radia_pipeline.contracts.pools import TRAIN_FOLDS
from radia_pipeline.errors import EmptyPool, NotTrained
from radia_pipeline.training.fold_members import fold_member
from radia_pipeline.training.model_folders import latest_model, read_card
from radia_pipeline.training.studies import manifest_versions

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake

TABLE = "predictions_out_of_fold"


def predict_out_of_fold(lake: Lake, recipe: str, *, workers: int = 1) -> Any:
    """Score every fold of the training pool by the member that left it out; returns the WriteResult.

    Raises NotTrained where a member is missing or was trained on other manifests than today's, in which a patient may
    have been in another fold; EmptyPool where no fold holds a study.
    """
    from radia_pipeline.training.inference import score_left_out

    for fold in range(TRAIN_FOLDS):
        _require(lake, recipe, fold)
    tables = []
    for fold in range(TRAIN_FOLDS):
        try:
            found = score_left_out(lake, fold_member(recipe, fold), fold, workers=workers)
        except EmptyPool:
            continue
        found = found.set_column(0, "recipe", pa.array([recipe] * found.num_rows, pa.string()))
        tables.append(found.append_column("fold", pa.array([fold] * found.num_rows, pa.int8())))
    if not tables:
        raise EmptyPool("No fold of the training pool holds a study", do="materialize splits and manifest")
    return lake.write(TABLE, pa.concat_tables(tables), partition=recipe)


def _require(lake: Lake, recipe: str, fold: int) -> None:
    name = fold_member(recipe, fold)
    card = read_card(latest_model(lake, name))
    if card["recipe"]["data"].get("fold") != fold:
        raise NotTrained(f"The model of {name} did not leave out fold {fold}", do=f"run `radia train {name} --force`")
    if card["manifest_versions"] != manifest_versions(lake, _sources(card)):
        raise NotTrained(f"The model of {name} was trained on earlier manifests", do=f"run `radia train {name}`")


def _sources(card: dict[str, Any]) -> tuple[str, ...] | None:
    return tuple(card["recipe"]["data"].get("sources") or ()) or None

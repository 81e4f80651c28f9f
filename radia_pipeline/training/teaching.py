"""What a training is told besides labels: another model's answers on cells that labels leave open, doubt about cells.

A teacher's answers come out of fold where its members for every fold are trained (``out_of_fold``), else from its
newest model. Doubt is the review queue's. Not here: what the loss makes of them (``targets``, ``counted``).

Legend: n studies, 21 classes in vocabulary order.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from radia_pipeline.contracts.pools import TRAIN
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.training import distributed, packed
from radia_pipeline.training.inference import load_classifier, score_studies
from radia_pipeline.training.loader import BatchLoader
from radia_pipeline.training.model_folders import latest_model, read_card
from radia_pipeline.training.out_of_fold import TABLE
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline.training.standing import QUEUE, answers_out_of_fold
from radia_pipeline.training.studies import Studies, pool_studies

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake


def taught(
    studies: Studies, recipe: Recipe, lake: Lake, manifest: pa.Table, device: torch.device, workers: int
) -> Studies:
    """Return the training pool with a teacher's answers and with doubt, as the recipe wants them.

    Every process of a training calls this. Raises NotTrained for a teacher without a model.
    """
    section, found = recipe.labels, studies
    if section.teacher:
        if answers_out_of_fold(lake, section.teacher):
            rows = lake.read(TABLE, section.teacher, columns=["source", "study_id", "class", "probability"])
            soft = _placed(rows, "probability", studies, np.nan)
        else:
            soft = _answers(lake, recipe, studies, manifest, device, workers)
        found = dataclasses.replace(found, soft=soft)
    if section.doubt:
        tables = [
            lake.read(QUEUE, source, columns=["source", "study_id", "class", "wrong_probability"])
            for source in lake.partitions(QUEUE)
        ]
        doubt = _placed(pa.concat_tables(tables), "wrong_probability", studies, 0.0) if tables else 0.0
        found = dataclasses.replace(found, trust=(1 - section.doubt * (doubt + np.zeros(studies.values.shape))))
    return found


def _answers(
    lake: Lake, recipe: Recipe, studies: Studies, manifest: pa.Table, device: torch.device, workers: int
) -> np.ndarray:
    """Score the training pool with the teacher's newest model: probabilities (n, 21), NaN where it sees no view."""
    folder = latest_model(lake, cast(str, recipe.labels.teacher))  # asked only of recipes that have one
    theirs = parse_recipe(read_card(folder)["recipe"])
    theirs = theirs.model_copy(update={"data": theirs.data.model_copy(update={"fold": recipe.data.fold})})
    wanted = packed.wanted_of_manifest(lake, manifest)
    if distributed.rank() == 0:
        packed.pack(lake, wanted, theirs.input.size_px)
    distributed.barrier()
    images = packed.open_packed(lake, wanted, theirs.input.size_px)
    seen = pool_studies(manifest, theirs, TRAIN, images.row_of_image)
    model = load_classifier(folder, device)
    logits = score_studies(model, BatchLoader(seen, images, theirs, workers=workers), device)
    with torch.no_grad():
        probabilities = model.probabilities(torch.from_numpy(logits).to(device)).cpu().numpy()
    at = {key: row for row, key in enumerate(zip(seen.source, seen.study_id))}
    rows = np.array([at.get(key, -1) for key in zip(studies.source, studies.study_id)])
    return np.where((rows >= 0)[:, None], probabilities[rows], np.nan)


def _placed(table: pa.Table, column: str, studies: Studies, missing: float) -> np.ndarray:
    """Lay a table of (source, study, class) cells on the studies: float64 (n, 21)."""
    at: dict[Any, int] = {key: row for row, key in enumerate(zip(studies.source, studies.study_id))}
    columns = {name: place for place, name in enumerate(vocabulary().classes)}
    found = np.full(studies.values.shape, missing)
    keys = zip(table.column("source").to_pylist(), table.column("study_id").to_pylist())
    rows = np.array([at.get(key, -1) for key in keys], dtype=np.int64)
    places = np.array([columns[name] for name in table.column("class").to_pylist()], dtype=np.int64)
    values = pc.cast(table.column(column), pa.float64()).to_numpy()
    kept = rows >= 0
    found[rows[kept], places[kept]] = values[kept]
    return found

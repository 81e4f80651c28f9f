"""Finished models at work: load, score studies, write the ``predictions`` table, answer for single images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pyarrow as pa
import torch

from radia_pipeline.contracts.label_values import MISSING, UNCERTAIN
from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, EmptyPool
from radia_pipeline.training import distributed, packed
from radia_pipeline.training.inputs import empty_image, prepare
from radia_pipeline.training.loader import BatchLoader
from radia_pipeline.training.model_folders import latest_model, read_card
from radia_pipeline.training.model_store import read_classifier
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline.training.studies import Studies, evaluation_labels, pool_studies, read_manifest

if TYPE_CHECKING:
    from radia_pipeline.lake.lake import Lake

__all__ = [
    "empty_answer",
    "latest_model",
    "load_classifier",
    "predict_images",
    "predict_manifest",
    "score_left_out",
    "score_manifest",
    "score_studies",
]


def load_classifier(model_dir: Path, device: str | torch.device = "cpu") -> Classifier:
    """Rebuild a finished model, in evaluation mode.

    Raises NotTrained, DamagedFile, or VocabularyMismatch when it speaks another vocabulary than the installed one.
    """
    card = read_card(Path(model_dir))
    vocabulary().require(card["vocabulary_version"], f"The model {Path(model_dir).name}")
    content = {**card["recipe"], "model": {**card["recipe"]["model"], "pretrained": False, "weights": None}}
    classifier = Classifier(parse_recipe(content))
    classifier.load_state_dict(read_classifier(Path(model_dir)))
    return classifier.to(device).eval()


@torch.no_grad()
def score_studies(
    model: Classifier,
    loader: BatchLoader,
    device: torch.device,
    between: Callable[[], None] = lambda: None,
    arithmetic: AbstractContextManager | None = None,
) -> np.ndarray:
    """Return logits float64 (n, 21) of the loader's studies, in order, the same on every process.

    ``arithmetic``: an autocast, if not all is to be computed in the weights' own type. Answers stay on the device until
    the last one, so that the host waits for it once.
    """
    rows, index = [], []
    dtype = next(model.parameters()).dtype
    for batch in loader.evaluation(rank=distributed.rank(), world_size=distributed.world_size()):
        index.append(batch.index.numpy())
        batch = batch.to(device, dtype, channels_last=loader.recipe.training.channels_last)
        with arithmetic or nullcontext():
            rows.append(model(batch.images, batch.present).double())
        between()
    classes = len(model.class_names)
    mine = torch.cat(rows).cpu().numpy() if rows else np.empty((0, classes))
    where = np.concatenate(index) if index else np.empty(0, dtype=np.int64)
    return distributed.gather_rows(where, mine, len(loader.studies))


@torch.no_grad()
def empty_answer(model: Classifier, device: torch.device) -> tuple[dict[str, float], np.ndarray]:
    """Return what the model says without evidence: probabilities of an empty image, and the head's maps (21, h, w)."""
    image = torch.from_numpy(empty_image(model.input))[None].to(device, next(model.parameters()).dtype)
    answer = model.probabilities(model(image[None], torch.ones(1, 1, dtype=torch.bool, device=device)))[0]
    maps = model.head_maps(model.feature_map(image))[0].float().cpu().numpy()
    return {name: float(value) for name, value in zip(model.class_names, answer.cpu())}, maps


def predict_manifest(lake: Lake, recipe_name: str, *, workers: int = 1) -> Any:
    """Score the validation pool with the recipe's newest model and write ``predictions/<recipe>``; returns the
    WriteResult. Raises NotTrained, EmptyPool."""
    table = score_manifest(lake, recipe_name, (VALIDATION,), workers=workers)
    return lake.write("predictions", table, partition=recipe_name)


def score_manifest(
    lake: Lake, recipe_name: str, pools: Sequence[str], *, workers: int = 1, folder: Path | None = None
) -> pa.Table:
    """Score whole pools with the recipe's newest model, or with that of a ``folder``; returns rows of ``predictions``.

    Raises NotTrained, EmptyPool.

    Studies of every source that the manifest holds, those too that the recipe does not learn from: a model is judged on
    what is foreign to it as well. Those of held splits are told by ``is_held``.

    ``probability`` has prior shift and hierarchy applied and ``logit`` is its log odds. ``label``: what evaluation
    compares with: 1 or 0; blank is 0 in classes that the source labels, uncertain and unlabelled cells are null.
    """
    return _score(lake, recipe_name, {pool: (None, pool) for pool in pools}, workers, folder)


def score_left_out(lake: Lake, recipe_name: str, fold: int, *, workers: int = 1) -> pa.Table:
    """Score a fold of the training pool, of the sources that the recipe learns from; rows as those of
    ``score_manifest``. Raises NotTrained, EmptyPool."""
    return _score(lake, recipe_name, {TRAIN: (fold, VALIDATION)}, workers)


def _score(
    lake: Lake, recipe_name: str, wanted: Mapping[str, tuple[int | None, str]], workers: int, folder: Path | None = None
) -> pa.Table:
    """Score studies. ``wanted``: pool of the rows → the fold and the pool by which ``pool_studies`` finds them."""
    folder = folder or latest_model(lake, recipe_name)
    recipe = parse_recipe(read_card(folder)["recipe"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_classifier(folder, device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
    is_left_out = any(fold is not None for fold, _ in wanted.values())
    manifest, _ = read_manifest(lake, recipe.data.sources if is_left_out else None)
    images = packed.pack(lake, packed.wanted_of_manifest(lake, manifest), recipe.input.size_px)
    tables = []
    for pool, (fold, place) in wanted.items():
        seen = recipe.model_copy(update={"data": recipe.data.model_copy(update={"fold": fold})})
        for is_held in (False,) if is_left_out else (False, True):
            try:
                studies = pool_studies(manifest, seen, place, images.row_of_image, held=is_held)
            except EmptyPool:
                continue
            logits = score_studies(model, BatchLoader(studies, images, recipe, workers=workers), device)
            table = _prediction_table(recipe_name, pool, studies, model, logits)
            flags = pa.array(np.full(len(table), is_held))
            tables.append(table if is_left_out else table.append_column("is_held", flags))
    if not tables:
        raise EmptyPool(f"Pools {', '.join(wanted)} hold no study", do="materialize splits and manifest")
    return pa.concat_tables(tables)


@torch.no_grad()
def predict_images(
    model_dir: Path, images: Sequence[Path | str | np.ndarray], *, batch_size: int = 16
) -> list[dict[str, float]]:
    """Return class probabilities for each image, read as a study of one view.

    ``images``: paths of PNG files or arrays (H, W), uint8 or uint16, bright = dense. Raises BadInput.
    """
    model = load_classifier(model_dir)
    answers: list[dict[str, float]] = []
    for start in range(0, len(images), batch_size):
        tensors = [prepare(_read(image), model.input) for image in images[start : start + batch_size]]
        batch = torch.from_numpy(np.stack(tensors))[:, None]
        found = model.probabilities(model(batch, torch.ones(batch.shape[:2], dtype=torch.bool))).numpy()
        answers += [dict(zip(model.class_names, map(float, row))) for row in found]
    return answers


def _read(image: Path | str | np.ndarray) -> np.ndarray:
    if isinstance(image, np.ndarray):
        return image
    found = cv2.imread(str(image), cv2.IMREAD_UNCHANGED)
    if found is None:
        raise BadInput(f"{image} is no image that can be decoded", accepted="PNG; DICOM through `radia predict`")
    return cv2.cvtColor(found[..., :3], cv2.COLOR_BGR2GRAY) if found.ndim == 3 else found


def _prediction_table(recipe_name: str, pool: str, studies: Studies, model: Classifier, logits: np.ndarray) -> pa.Table:
    tensor = torch.from_numpy(logits).to(model.prior_shift.device)
    log_probability = model.log_probabilities(tensor).cpu().numpy()
    odds = log_probability - np.log(-np.expm1(np.minimum(log_probability, -1e-15)))
    labels = evaluation_labels(studies)
    classes, count = len(model.class_names), len(studies)
    flat = labels.reshape(-1)
    return pa.table(
        {
            "recipe": [recipe_name] * (count * classes),
            "source": np.repeat(studies.source, classes).tolist(),
            "study_id": np.repeat(studies.study_id, classes).tolist(),
            "patient_key": np.repeat(studies.patient_key, classes).tolist(),
            "group_id": np.repeat(studies.group_id, classes).tolist(),
            "pool": [pool] * (count * classes),
            "class": list(model.class_names) * count,
            "logit": odds.reshape(-1),
            "probability": np.exp(log_probability).reshape(-1),
            "label": pa.array(flat, mask=(flat == MISSING) | (flat == UNCERTAIN)),
            "image_count": np.repeat(studies.image_counts, classes),
        }
    )

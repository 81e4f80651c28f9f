"""Sweeps over a recipe's declared ranges with Optuna; resumable. Tracking is done by the caller, through callbacks.

A sweep's journal lies in ``models/_sweeps/<recipe>-<hash>.jsonl``: the same recipe and ranges continue it. Trials are
trained like any recipe, each under its own name, so that an interrupted trial resumes too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from radia_pipeline.errors import BadRecipe, TrainingDiverged
from radia_pipeline.learning.outcome import OnEvent, Runtime, TrainResult
from radia_pipeline.learning.recipe_schema import Recipe, SweepRange
from radia_pipeline.learning.recipes import with_options
from radia_pipeline.learning.trainer import train

SEED = 0


@dataclass(frozen=True)
class Trial:
    """One point of a sweep: its number, options and metric (None: it diverged)."""

    number: int
    options: dict[str, Any]
    metric: float | None
    result: TrainResult | None


@dataclass(frozen=True)
class SweepResult:
    """All trials that stand in the journal, and the best options."""

    recipe: str
    trials: int
    best_metric: float
    best_options: dict[str, Any]


def sweep(
    recipe: Recipe,
    lake,
    *,
    trials: int,
    on_event: OnEvent = lambda _event: None,
    on_trial: Callable[[Trial], None] = lambda _trial: None,
    runtime: Runtime | None = None,
) -> SweepResult:
    """Train until the sweep has ``trials`` finished trials; what the journal already holds counts.

    Raises BadRecipe when the recipe declares no ranges or an option's values are not accepted by the recipe.
    """
    import optuna

    if not recipe.sweep:
        raise BadRecipe(
            f"Recipe {recipe.name} declares no ranges",
            accepted="sweep: {optimizer.lr: {low: 1.0e-5, high: 1.0e-2, log: true}}",
            do="add a sweep section to the recipe",
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _open_study(optuna, recipe, lake)
    for number in range(_finished(study), trials):
        asked = study.ask()
        options = {name: _suggest(asked, name, values) for name, values in recipe.sweep.items()}
        on_event({"event": "trial", "number": number, "trials": trials, "options": options})
        trial = _train_trial(recipe, lake, number, options, on_event, runtime)
        if trial.metric is None:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(asked, trial.metric)
        on_trial(trial)
    return SweepResult(recipe.name, _finished(study), study.best_value, dict(study.best_params))


def _train_trial(recipe: Recipe, lake, number: int, options: dict, on_event: OnEvent, runtime: Runtime | None) -> Trial:
    content = json.dumps(options, sort_keys=True)
    name = f"{recipe.name[:48]}_t{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    chosen = with_options(recipe, {**options, "name": name, "sweep": {}})
    try:
        result = train(chosen, lake, on_event=on_event, runtime=runtime)
    except TrainingDiverged:
        return Trial(number, options, None, None)
    return Trial(number, options, float(result.best_metric), result)


def _open_study(optuna, recipe: Recipe, lake):
    ranges = json.dumps({name: values.model_dump() for name, values in recipe.sweep.items()}, sort_keys=True)
    digest = hashlib.sha256((recipe.hash + ranges).encode()).hexdigest()[:12]
    path = lake.models_dir / "_sweeps" / f"{recipe.name}-{digest}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    study = optuna.create_study(
        study_name=recipe.name, storage=optuna.storages.JournalStorage(backend), direction="maximize",
        load_if_exists=True,
    )  # fmt: skip
    # The sampler is seeded by what is known, so that a resumed sweep asks what an uninterrupted one would have asked.
    study.sampler = optuna.samplers.TPESampler(seed=SEED + _finished(study))
    return study


def _finished(study) -> int:
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def _suggest(trial, name: str, values: SweepRange) -> Any:
    if values.choices is not None:
        return trial.suggest_categorical(name, list(values.choices))
    if values.integer:
        return trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)

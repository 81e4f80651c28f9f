"""Sweeps over a recipe's declared ranges with Optuna; resumable. Tracking is done by the caller, who trains each trial.

A sweep's journal lies in ``models/_sweeps/<recipe>-<identity>.jsonl``: the same recipe, ranges and manifest go on.
A trial is trained like any recipe, under a name of its own: one that was interrupted is asked again with the same
options and goes on at its checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from radia_pipeline.errors import BadRecipe, RunFailed, TrainingDiverged
from radia_pipeline.training.launch import train_recipe
from radia_pipeline.training.outcome import OnEvent, TrainResult
from radia_pipeline.training.recipe_schema import Recipe, SweepRange
from radia_pipeline.training.recipes import with_options

SEED = 0
DIVERGED = "diverged"
"""Marks failed trials that ended; a failed one without it was interrupted and is asked again."""
TrainOne = Callable[[Recipe], TrainResult]


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
    train_one: TrainOne | None = None,
    on_event: OnEvent = lambda _event: None,
    on_trial: Callable[[Trial], None] = lambda _trial: None,
) -> SweepResult:
    """Train until the sweep has ``trials`` ended trials; what the journal already holds counts.

    ``train_one``: how a trial's recipe is trained, in this process if not given. Raises BadRecipe when the recipe
    declares no ranges or does not accept one of their values, RunFailed when every trial diverged.
    """
    import optuna

    _check_ranges(recipe)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    train_one = train_one or (lambda chosen: train_recipe(chosen, lake, on_event=on_event))
    study = _open_study(optuna, recipe, lake)
    for number in range(_ended(study), trials):
        # One sampler a trial, seeded by its number: a resumed sweep asks what an uninterrupted one would have asked.
        study.sampler = optuna.samplers.TPESampler(seed=SEED + number)
        asked = study.ask()
        options = {name: _suggest(asked, name, values) for name, values in recipe.sweep.items()}
        on_event(
            {"event": "trial", "number": number, "trials": trials, **{f"option {k}": v for k, v in options.items()}}
        )
        trial = _train_trial(recipe, number, options, train_one)
        if trial.metric is None:
            asked.set_user_attr(DIVERGED, True)
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(asked, trial.metric)
        on_trial(trial)
    if not any(trial.value is not None for trial in study.get_trials(deepcopy=False)):
        raise RunFailed(f"All {_ended(study)} trials of {recipe.name} diverged", do="lower the ranges")
    return SweepResult(recipe.name, _ended(study), study.best_value, dict(study.best_params))


def identity(recipe: Recipe, lake) -> str:
    """Return what makes two sweeps the same sweep: recipe, ranges and manifest."""
    ranges = {name: values.model_dump() for name, values in recipe.sweep.items()}
    content = json.dumps([recipe.hash, ranges, lake.versions("manifest")], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def trial_name(recipe: Recipe, options: dict[str, Any]) -> str:
    """Return the name under which a trial is trained: the same options have the same checkpoint."""
    content = json.dumps(options, sort_keys=True)
    return f"{recipe.name[:48]}_t{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _train_trial(recipe: Recipe, number: int, options: dict, train_one: TrainOne) -> Trial:
    chosen = with_options(recipe, {**options, "name": trial_name(recipe, options), "sweep": {}})
    try:
        result = train_one(chosen)
    except TrainingDiverged:
        return Trial(number, options, None, None)
    return Trial(number, options, float(result.best_metric), result)


def _open_study(optuna, recipe: Recipe, lake):
    """Open the journal; a trial that was under way when the sweep was interrupted is asked again first."""
    path = lake.models_dir / "_sweeps" / f"{recipe.name}-{identity(recipe, lake)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    study = optuna.create_study(
        study_name=recipe.name, storage=optuna.storages.JournalStorage(backend), direction="maximize",
        load_if_exists=True,
    )  # fmt: skip
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if trial.params:
            study.enqueue_trial(trial.params)
    return study


def _ended(study) -> int:
    return sum(t.value is not None or DIVERGED in t.user_attrs for t in study.get_trials(deepcopy=False))


def _check_ranges(recipe: Recipe) -> None:
    """Refuse ranges of which the recipe does not accept an end or a choice, before anything is trained."""
    if not recipe.sweep:
        raise BadRecipe(
            f"Recipe {recipe.name} declares no ranges",
            accepted="sweep: {optimizer.lr: {low: 1.0e-5, high: 1.0e-2, log: true}}",
            do="add a sweep section to the recipe",
        )
    for name, values in recipe.sweep.items():
        for value in values.choices if values.choices is not None else (values.low, values.high):
            with_options(recipe, {name: int(value) if values.integer else value, "sweep": {}})


def _suggest(trial, name: str, values: SweepRange) -> Any:
    if values.choices is not None:
        return trial.suggest_categorical(name, list(values.choices))
    if values.integer:
        return trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)

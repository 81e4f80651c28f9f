"""A sweep with its MLflow runs: one parent, one nested run a trial. ``radia sweep`` calls it; the search is a domain
function (``training.sweeps``)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.defs.training_process import OnEvent, classifier_job, manifest_version, run_tracked
from radia_pipeline.lake.lake import Lake
from radia_pipeline.processes.lifecycle import StopRequest, stop_on_signals
from radia_pipeline.training.recipe_schema import Recipe

if TYPE_CHECKING:
    from radia_pipeline.training.launch import Seat
    from radia_pipeline.training.sweeps import Abreast, Search, Trial


def sweep_tracked(
    name: str,
    lake: Lake,
    *,
    trials: int,
    on_event: OnEvent,
    search: Search | None = None,
    abreast: Abreast | None = None,
) -> dict[str, Any]:
    """Search a recipe's ranges until ``trials`` have ended; returns the best options and the parent's run id.

    Interrupted, it leaves checkpoints, and the same call goes on with the same trials. ``search`` and
    ``abreast`` as for ``training.sweeps.sweep``.
    """
    from radia_pipeline.tracking.client import Tracker
    from radia_pipeline.tracking.provenance import provenance_tags
    from radia_pipeline.tracking.recorder import parent_run
    from radia_pipeline.training.recipes import load_recipe
    from radia_pipeline.training.sweeps import Hooks, Search, identity, sweep

    recipe, stop, search, noting = load_recipe(name, lake.root), StopRequest(), search or Search(), threading.Lock()
    tags = provenance_tags(
        recipe=recipe.name,
        recipe_hash=f"sweep {identity(recipe, lake, search)}",
        manifest_version=manifest_version(lake),
        vocabulary_version=vocabulary().version,
    )
    title = f"sweep {recipe.name}"
    with stop_on_signals(stop), parent_run(Tracker(lake), title, {"trials": trials}, tags, on_event) as parent:

        def train_one(chosen: Recipe, listen: Callable[[Any], None], asked_to: StopRequest, seat: Seat | None) -> Any:
            job = classifier_job(chosen, lake, force=False, stop=asked_to, seat=seat)
            more = parent.nested_tags()
            return run_tracked(job, lake, on_event=listen, more_tags=more, is_registered=False)[0]

        def on_trial(trial: Trial) -> None:
            if trial.metric is not None:
                with noting:
                    parent.note({"trial/metric": trial.metric, "trial/ended_early": trial.is_early}, trial.number)

        hooks = Hooks(train_one, on_event, on_trial, stop)
        found = sweep(recipe, lake, trials=trials, search=search, abreast=abreast, hooks=hooks)
        best = {f"radia.best.{option}": str(value) for option, value in found.best_options.items()}
        parent.note({"best/metric": found.best_metric}, found.trials, best)
    return {
        "recipe": found.recipe,
        "trials": found.trials,
        "ended_early": found.ended_early,
        "diverged": found.diverged,
        "best_metric": found.best_metric,
        "best_options": found.best_options,
        "mlflow_run_id": parent.run_id,
    }

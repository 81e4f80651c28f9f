"""One of two gloo processes: trains cases that its caller lists, with a mistake planted where a case asks for one.

``python parity_worker.py LAKE OUT CASE…`` under the environment of torchrun. Results are written by process 0.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from radia_pipeline.errors import RunFailed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training import checkpoints, distributed, loader, packed, sampler, state, stepper, trainer
from radia_pipeline.training.checkpoints import load_tensors, select
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.studies import pool_studies, read_manifest
from radia_pipeline_tests.training.synthetic import tiny_recipe

LONG, SHORT = (10, 2), (3, 2)
"""Steps per epoch and epochs: 20 steps to prove parity, 6 to show a mistake."""


PARITY_TRAINING = {"batch_size": 8, "precision": "fp64", "ema": 0.9}


def parity_recipe(name: str, *, length: tuple[int, int] = SHORT, frozen: bool = True, **more: dict) -> Recipe:
    """Plain SGD in float64: weighted draws, masked cells, pos_weight, one to three views."""
    sections: dict = {
        "name": name,
        "model": {"freeze_batch_norm": frozen, "kwargs": {"block_config": [1, 1], "growth_rate": 4}},
        "views": {"use": "all", "combine": "mean", "max_views": 3},
        "task": {"kind": "conditional", "pos_weight": "auto", "pos_weight_cap": 5.0},
        "labels": {"blank": "ignore"},
        "augmentation": {"affine": {"p": 1.0}, "flip": {"p": 0.5}},
        "data": {"sampler": "weighted", "no_finding_weight": 0.3, "samples_per_epoch": 8 * length[0]},
        "optimizer": {"name": "sgd", "lr": 0.05, "clip_norm": 1.0},
        "schedule": {"name": "onecycle"},
        "training": {**PARITY_TRAINING, "max_epochs": length[1]},
    }
    return tiny_recipe(**{**sections, **more})


def final_weights(lake: Lake, recipe: Recipe) -> np.ndarray:
    """Return all trained tensors of the last checkpoint in one vector."""
    folder = next((lake.models_dir / recipe.name).glob("*/checkpoints"))
    tensors = select(load_tensors(folder / "last.safetensors")[0], "objective")
    return np.concatenate([tensors[name].double().flatten().numpy() for name in sorted(tensors)])


def train_case(lake: Lake, name: str, **options) -> np.ndarray | None:
    """Train; process 0 returns the final weights."""
    recipe = parity_recipe(name, **options)
    trainer.train(recipe, lake, runtime=trainer.Runtime(workers=1))
    distributed.barrier()
    return final_weights(lake, recipe) if distributed.rank() == 0 else None


def own_order(studies, data, seed, epoch):
    """The planted mistake: each process draws its own order."""
    return sampler.epoch_order(studies, data, seed + 1000 * distributed.rank(), epoch)


def first_order(studies, data, seed, _epoch):
    """The planted mistake: set_epoch is never called."""
    return sampler.epoch_order(studies, data, seed, 0)


MISTAKES = {
    "sampler_is_not_distributed": lambda: mock.patch.object(loader, "epoch_order", own_order),
    "set_epoch_is_never_called": lambda: mock.patch.object(loader, "epoch_order", first_order),
    "denominator_is_local": lambda: mock.patch.object(trainer.distributed, "total", lambda value: value),
    "shares_are_averaged_not_summed": lambda: mock.patch.object(
        torch.amp.GradScaler, "scale", lambda _self, loss: loss / distributed.world_size()
    ),
    "forward_goes_around_ddp": lambda: mock.patch.object(state.TrainingState, "_wrap", lambda self: self.objective),
    "every_process_takes_the_whole_batch": lambda: mock.patch.object(
        loader, "batch_slots", lambda step, size, _rank, _world: sampler.batch_slots(step, size, 0, 1)[: size // 2]
    ),
}


def decisions(lake: Lake) -> list[int]:
    """Epochs trained by each process when their own figures would disagree about stopping."""
    figures = trainer.validation_figures

    def biased(*arguments):
        worse = float(len(calls)) if distributed.rank() else -float(len(calls))
        calls.append(1)
        return dataclasses.replace(figures(*arguments), auc=worse)

    calls: list[int] = []
    recipe = parity_recipe("stopping", length=(1, 6), stopping={"min_positives": 1, "patience": 2})
    with mock.patch.object(trainer, "validation_figures", biased):
        result = trainer.train(recipe, lake, runtime=trainer.Runtime(workers=1))
    return gather(result.epochs)


def stopped_half_way(lake: Lake) -> int:
    """Train together until step 7, within the first epoch; the checkpoint is for another number of processes."""
    runtime = trainer.Runtime(workers=1, log_every_s=0.0)

    def listen(event: dict) -> None:
        if event["event"] == "step" and event["step"] == 7:
            runtime.stop.set("test")

    try:
        trainer.train(parity_recipe("resumed", length=LONG), lake, runtime=runtime, on_event=listen)
    except RunFailed:
        return 7
    return -1


def gathered_scores(lake: Lake) -> dict[str, list]:
    """An odd number of studies: each process's share is padded, the gathered rows are not."""
    recipe = parity_recipe("gather")
    manifest, _ = read_manifest(lake, None)
    images = packed.open_packed(lake, packed.wanted_of_manifest(lake, manifest), recipe.input.size_px)
    studies = pool_studies(manifest, recipe, "validation", images.row_of_image)
    batches = list(loader.BatchLoader(studies, images, recipe).evaluation(rank=distributed.rank(), world_size=2))
    index = np.concatenate([batch.index.numpy() for batch in batches])
    rows = distributed.gather_rows(index, index[:, None] * 10.0, len(studies))
    return {"studies": len(studies), "mine": index.tolist(), "gathered": rows[:, 0].tolist(), "batches": len(batches)}


def figures_of_one_epoch(lake: Lake, name: str) -> list[float]:
    """The stopping metric of one epoch, as each process took it."""
    recipe = parity_recipe(name, length=(1, 1), stopping={"min_positives": 1, "metric": "loss"})
    compare, seen = checkpoints.Progress.compare, []

    def listen(self, metric, epoch):
        seen.append(float(metric))
        return compare(self, metric, epoch)

    with mock.patch.object(checkpoints.Progress, "compare", listen):
        trainer.train(recipe, lake, runtime=trainer.Runtime(workers=1))
    return gather(seen)


def each_judges_its_own_share(lake: Lake) -> list[float]:
    """The planted mistake: scores are not gathered, and process 0 is not asked."""

    def own_figures(run):
        batches = run.pools.validation.evaluation(rank=distributed.rank(), world_size=distributed.world_size())
        mine = np.concatenate([batch.index.numpy() for batch in batches])
        logits = trainer.score_studies(run.state.evaluated(), run.pools.validation, run.device)[mine]
        labels = trainer.evaluation_labels(run.pools.validation.studies)[mine]
        probability = run.state.classifier.log_probabilities(torch.from_numpy(logits)).detach().numpy()
        return trainer.validation_figures(probability, labels, run.recipe.stopping)

    with mock.patch.object(trainer._Run, "_validate", own_figures):
        return figures_of_one_epoch(lake, "own_share")


def process_0_judges(lake: Lake) -> list[float]:
    """The same question without the mistake."""
    return figures_of_one_epoch(lake, "together")


def steps_taken(lake: Lake, name: str) -> list[list[int]]:
    """Steps that each process took when the loss of process 1 alone is not finite in step 1."""
    sound, apply, taken = stepper.Stepper._sound_loss, state.TrainingState.apply_gradient, []

    def poisoned(run, share, batch, logits):
        is_poisoned = run.state.progress.step == 1 and distributed.rank() == 1
        return sound(run, share * float("nan") if is_poisoned else share, batch, logits)

    def listen(self, index, logits):
        taken.append(self.progress.step)
        return apply(self, index, logits)

    with (
        mock.patch.object(stepper.Stepper, "_sound_loss", poisoned),
        mock.patch.object(state.TrainingState, "apply_gradient", listen),
    ):
        trainer.train(parity_recipe(name, length=(3, 1)), lake, runtime=trainer.Runtime(workers=1))
    return gather(taken)


def guard_is_all_reduced(lake: Lake) -> list[list[int]]:
    """The finite guard as it is."""
    return steps_taken(lake, "guarded")


def guard_is_local(lake: Lake) -> list[list[int]]:
    """The planted mistake: each process looks at its own loss."""
    sound = stepper.Stepper._sound_loss

    def alone(*arguments):
        with mock.patch.object(distributed, "total", lambda value: value):
            return sound(*arguments)

    with mock.patch.object(stepper.Stepper, "_sound_loss", alone):
        return steps_taken(lake, "unguarded")


def gather(value: object) -> list:
    """Every process's value, in order."""
    gathered: list = [None] * distributed.world_size()
    torch.distributed.all_gather_object(gathered, value)
    return gathered


ANSWERS = {
    function.__name__: function
    for function in (
        decisions,
        gathered_scores,
        stopped_half_way,
        process_0_judges,
        each_judges_its_own_share,
        guard_is_all_reduced,
        guard_is_local,
    )
}


def main() -> None:
    """Run the cases that the command line names."""
    lake, out = Lake.open(Path(sys.argv[1])), Path(sys.argv[2])
    torch.set_num_threads(1)
    with distributed.process_group():
        for case in sys.argv[3:]:
            if case in MISTAKES:
                with MISTAKES[case]():
                    found = train_case(lake, case)
            elif case == "in_parts":
                found = train_case(
                    lake, case, length=LONG, training={**PARITY_TRAINING, "max_epochs": LONG[1], "accumulate": 2}
                )
            elif case == "moving_batch_norm":
                found = train_case(lake, case, frozen=False)
            elif case in ANSWERS:
                answer = ANSWERS[case](lake)
                (out / f"{case}.{distributed.rank()}.json").write_text(json.dumps(answer))
                continue
            else:
                found = train_case(lake, case, length=LONG)
            if distributed.rank() == 0:
                np.save(out / f"{case}.npy", found)


if __name__ == "__main__":
    main()

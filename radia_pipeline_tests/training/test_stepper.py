"""A step in parts, with activations computed again, without copies of absent views: same numbers, one wait a step."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from radia_pipeline.errors import BadRecipe
from radia_pipeline.training.model_folders import read_history
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.outcome import Runtime
from radia_pipeline.training.studies import read_manifest
from radia_pipeline.training.trainer import _Run, train
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake
from radia_pipeline_tests.training.test_trainer import weights

CONVNEXT = {"backbone": "convnext_atto", "kwargs": {"depths": [1, 1, 1, 1], "dims": [8, 8, 16, 16]}}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("steps"), patients=40, third_view=True)


def recipe(name: str, **sections):
    """Float64, batch of 8 studies of up to three views, nothing drawn within the network."""
    training = {"precision": "fp64", "max_epochs": 1, "batch_size": 8, **sections.pop("training", {})}
    whole = {"model": CONVNEXT, "views": {"use": "all"}, "task": {"pos_weight": "auto"}, **sections}
    return tiny_recipe(name=name, training=training, **whole)


def started(lake, chosen) -> _Run:
    run = _Run(chosen, lake, lake.root / "run", "x" * 16, Runtime(workers=1), lambda _event: None)
    run.prepare(read_manifest(lake, None)[0], resume=False)
    run.has_picture = True
    run.state.train_mode()
    return run


@pytest.mark.parametrize("parts", [2, 3, 8])
def test_parts_and_the_whole_batch_agree(parts, lake):
    moving = {"labels": {"moving_average": 0.9}}
    whole = weights(train(recipe("whole", **moving), lake))
    found = weights(train(recipe(f"parts{parts}", training={"accumulate": parts}, **moving), lake))
    assert max(float((whole[name] - found[name]).abs().max()) for name in whole) < 1e-6


def test_activations_computed_again_are_the_same_and_need_less_memory(lake):
    kept, again = (
        started(lake, recipe(name, model={**CONVNEXT, "checkpoint_activations": value}))
        for name, value in (("kept", False), ("again", True))
    )
    sizes = []
    for run in (kept, again):
        held: list[int] = []
        with saved_tensors_hooks(
            lambda tensor, held=held: (held.append(tensor.nbytes), tensor)[1], lambda tensor: tensor
        ):
            run.stepper.step(next(iter(run.pools.training.training(0))))
        sizes.append(sum(held))
    first, second = (run.state.classifier.state_dict() for run in (kept, again))
    assert all(torch.allclose(first[name], second[name], rtol=0, atol=1e-9) for name in first)
    assert sizes[1] < sizes[0] / 2


def test_a_backbone_that_cannot_compute_again_is_refused():
    with pytest.raises(BadRecipe, match="cannot compute activations again"):
        Classifier(tiny_recipe(model={"backbone": "dla34", "kwargs": {}, "checkpoint_activations": True}))


class Waits(TorchDispatchMode):
    """Counts what makes the host wait for the device: numbers read, places of what is not nought, boolean choices."""

    METHODS = ("item", "tolist", "__float__", "__int__", "__bool__", "cpu", "numpy")
    OPERATIONS = ("aten::nonzero", "aten::_local_scalar_dense", "aten::masked_select", "aten::index")

    def __init__(self, monkeypatch) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        for name in self.METHODS:
            monkeypatch.setattr(torch.Tensor, name, self._counted(name, getattr(torch.Tensor, name)))

    def _counted(self, name: str, method):
        def counted(tensor, *arguments):
            self.found[name] += 1
            return method(tensor, *arguments)

        return counted

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function._schema.name in self.OPERATIONS:
            self.found[function._schema.name] += 1
        return function(*args, **(kwargs or {}))


def test_the_host_waits_once_a_step_and_not_in_validation(lake, monkeypatch):
    run = started(lake, recipe("waits"))
    batch = run.state.on_device(next(iter(run.pools.training.training(0))))
    with monkeypatch.context() as patch, Waits(patch) as step:
        loss, logits = run.state.net(batch, torch.tensor(1.0))
        loss.backward()
        run.stepper._sound_loss(loss.detach().double(), batch, logits)
    assert step.found == {"tolist": 1}, "loss and norm come together"
    model = run.state.evaluated()
    with monkeypatch.context() as patch, torch.no_grad(), Waits(patch) as validation:
        model(batch.images, batch.present)
    assert validation.found == {}


@pytest.mark.parametrize("shared", ["shared", "separate"])
def test_absent_views_are_not_copied_and_answers_stay(shared, lake):
    views = {"use": "frontal_lateral", "weights": shared}
    run = started(lake, recipe(f"absent_{shared}", views=views))
    batch = next(iter(run.pools.training.training(0)))
    moved = run.state.on_device(batch)
    assert moved.images.shape[0] == int(batch.present.sum()) < batch.present.numel()
    with torch.no_grad():
        model = run.state.evaluated()
        assert torch.equal(model(moved.images, moved.present), model(batch.images.double(), batch.present))


def test_validation_computes_as_training_does(lake):
    run, kinds = started(lake, recipe("half", training={"precision": "bf16"})), []
    first = next(part for part in run.state.classifier.modules() if isinstance(part, torch.nn.Conv2d))
    first.register_forward_hook(lambda _module, _input, output: kinds.append(output.dtype))
    run._validate()
    assert set(kinds) == {torch.bfloat16}


def test_a_sample_steers_and_the_whole_pool_is_not_read(lake):
    chosen = recipe("sampled", stopping={"min_positives": 1, "validation_studies": 5})
    run = started(lake, chosen)
    assert len(run.pools.validation.studies) == len(run.pools.stands_for) == 5
    result = train(chosen, lake)
    assert np.isfinite(read_history(result.model_dir)[0]["loss"])

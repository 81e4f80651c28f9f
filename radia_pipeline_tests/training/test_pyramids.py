"""A finer map under the head: its size, what it is made of, what starts from what, what is refused."""

from __future__ import annotations

import json

import pytest
import torch

from radia_pipeline.errors import BadInput, BadRecipe, NotTrained
from radia_pipeline.evaluation.network_files import write_as_safetensors, write_as_torchxrayvision
from radia_pipeline.training.identity import FINER_VERSION, NETWORK_KEY, fingerprint
from radia_pipeline.training.inference import load_classifier
from radia_pipeline.training.model_store import start_from
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.pyramids import Pyramid
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.trainer import Runtime, train
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

DENSE = {"backbone": "densenet121", "kwargs": {"block_config": [2, 2, 2], "growth_rate": 4, "bn_size": 2}}


def recipe(stride: int | None, **model) -> Recipe:
    return tiny_recipe(name="finer", model={**DENSE, "map_stride": stride, **model})


@pytest.mark.parametrize("stride", [8, 4])
@pytest.mark.parametrize("head", ["linear", "pcam"])
def test_positions_are_as_far_apart_as_the_recipe_says(stride, head):
    made = Classifier(recipe(stride, head=head)).eval()
    side = made.input.size_px
    images = torch.randn(2, 1, side, side)
    found = made.feature_map(images)
    assert found.shape[2:] == (side // stride, side // stride)
    assert made.view_logits(images).shape == (2, len(made.class_names))
    stages, _ = made.finer_stages()
    assert len(stages) == {8: 2, 4: 1}[stride]


def test_every_part_of_a_pyramid_learns():
    made = Classifier(recipe(4, head="pcam")).train()
    side = made.input.size_px
    with torch.no_grad():
        made.head_of().layer.weight.normal_()
    made.view_logits(torch.randn(2, 1, side, side)).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in made.pyramids.parameters())


def test_fresh_heads_are_moved_first_and_parts_of_the_pyramid_behind_them():
    made = Classifier(recipe(4, head="pcam")).train()
    side = made.input.size_px
    step = torch.optim.SGD(made.parameters(), lr=0.1)
    before = [weight.clone() for weight in made.pyramids.parameters()]
    for _ in range(2):
        step.zero_grad()
        made.view_logits(torch.randn(2, 1, side, side)).pow(2).sum().backward()
        step.step()
    assert not any(torch.equal(now, was) for now, was in zip(made.pyramids.parameters(), before, strict=True))


@pytest.mark.parametrize(
    "model",
    [
        DENSE,
        {"backbone": "convnext_atto", "kwargs": {}},
        {"backbone": "swin_tiny_patch4_window7_224", "kwargs": {"window_size": 2, "embed_dim": 16}},
    ],
    ids=["batch norm", "norm behind pooling", "channels last"],
)
def test_a_fresh_one_says_what_the_plain_network_says(model):
    plain, finer = (
        Classifier(tiny_recipe(name="x", model={**model, "map_stride": stride}, input={"size_px": 64})).eval()
        for stride in (None, 8)
    )
    finer.backbones.load_state_dict(plain.backbones.state_dict())
    own, both = plain.head_of().layer, finer.head_of().layer
    with torch.no_grad():
        own.weight.normal_()
        both.weight[:, : own.weight.shape[1]] = own.weight
    images = torch.randn(2, 1, 64, 64)
    assert torch.allclose(finer.view_logits(images), plain.view_logits(images), atol=1e-4)


def test_a_pyramid_sees_what_only_the_finest_map_holds():
    pyramid, own = Pyramid(5, [8, 6, 4]).eval(), torch.rand(1, 5, 2, 2)
    maps = [torch.rand(1, 8, 2, 2), torch.rand(1, 6, 4, 4), torch.rand(1, 4, 8, 8)]
    other = [*maps[:2], maps[2].clone()]
    other[2][0, :, 5, 1] += 5
    moved = (pyramid(own, other) - pyramid(own, maps)).abs().sum(dim=(0, 1))
    assert moved[5, 1] > 0 and moved[:3].sum() == 0 and moved[:, 4:].sum() == 0


def test_without_a_map_of_that_stride_the_recipe_is_refused_with_those_that_there_are():
    with pytest.raises(BadRecipe, match=r"stride 2 .*|stride 3"):
        Classifier(recipe(3))
    with pytest.raises(BadRecipe, match="all its maps have the stride 16"):
        Classifier(tiny_recipe(name="x", model={"backbone": "vit_tiny_patch16_224", "kwargs": {}, "map_stride": 8}))


def test_a_finer_map_starts_from_a_plain_network_and_keeps_its_own_pyramid(tmp_path):
    lake = write_lake(tmp_path, patients=20)
    plain = tiny_recipe(name="plain", model=DENSE)
    train(plain, lake, runtime=Runtime(device="cpu", workers=1))
    finer = tiny_recipe(name="finer", model={**DENSE, "map_stride": 8}, init_from="plain")
    made = Classifier(finer)
    before = made.pyramids[0].across[0][0].weight.clone()
    assert start_from(made, lake, finer) is False
    assert torch.equal(made.pyramids[0].across[0][0].weight, before)


def test_weights_under_a_finer_map_of_an_earlier_release_are_refused_and_trained_again(tmp_path):
    lake, finer = write_lake(tmp_path, patients=20), recipe(8)
    folder = train(finer, lake, runtime=Runtime(device="cpu", workers=1)).model_dir
    card = json.loads((folder / "model.json").read_text())
    assert card[NETWORK_KEY] == FINER_VERSION
    card[NETWORK_KEY] = 1
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(NotTrained, match=r"its finer map otherwise.*train it again"):
        load_classifier(folder)
    assert fingerprint(finer, {}, None) != fingerprint(recipe(None), {}, None)


def test_what_timm_cannot_hold_is_not_exported_to_it(tmp_path):
    one = recipe(8)
    members = {"finer": (one, Classifier(one))}
    for write in (write_as_safetensors, write_as_torchxrayvision):
        with pytest.raises(BadInput, match="map_stride"):
            write(members, None, tmp_path)

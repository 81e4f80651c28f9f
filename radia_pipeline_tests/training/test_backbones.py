"""Backbones beside timm's own pooled features; what has no map is refused by name; weights of another network too."""

from __future__ import annotations

import json

import pytest
import timm
import torch
from torch import nn

from radia_pipeline.errors import BadRecipe, NotTrained
from radia_pipeline.training.backbones import Backbone, norm_behind_pooling
from radia_pipeline.training.identity import NETWORK_KEY, fingerprint, network_version
from radia_pipeline.training.inference import load_classifier
from radia_pipeline.training.model_store import start_from
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipe_schema import ModelSection
from radia_pipeline.training.recipes import load_recipe, recipe_names
from radia_pipeline.training.trainer import train
from radia_pipeline_tests.training.synthetic import tiny_recipe, write_lake

SIDE = 64
FAMILIES = [
    "densenet121", "resnet10t", "resnetv2_18", "regnety_002", "efficientnet_b0", "tf_efficientnetv2_b0",
    "mobilenetv2_050",
    "convnext_atto", "convnextv2_atto", "vit_tiny_patch16_224", "deit_tiny_patch16_224", "deit3_small_patch16_224",
    "swin_tiny_patch4_window7_224", "beit_base_patch16_224", "eva02_tiny_patch14_224", "fastvit_t8", "efficientvit_m0",
    "coatnet_nano_rw_224", "davit_tiny", "edgenext_xx_small", "poolformer_s12", "caformer_s18", "tiny_vit_5m_224",
    "repvgg_a0", "mobileone_s0", "pvt_v2_b0", "focalnet_tiny_srf", "repvit_m0_9", "mnasnet_small", "resnest14d",
    "vit_small_patch14_reg4_dinov2", "dla34", "tinynet_e",
]  # fmt: skip
WITHOUT_MAP = ["mobilenetv3_small_050", "efficientvit_b0", "inception_next_atto", "levit_128s", "hiera_tiny_224"]


def side_for(name: str) -> int:
    return 70 if "patch14" in name else SIDE


def timms_own(name: str, mine: Backbone, images: torch.Tensor) -> torch.Tensor:
    """What timm gives a classifier when it pools by the mean, from a network of its own with the same weights."""
    options = {"img_size": images.shape[-1]} if timm.models.get_pretrained_cfg(name).fixed_input_size else {}
    theirs = timm.create_model(name, num_classes=0, in_chans=1, **options).double()
    if getattr(theirs, "global_pool", None) == "token":
        options |= {"global_pool": "avg", "fc_norm": False}
        theirs = timm.create_model(name, num_classes=0, in_chans=1, **options).double()
    theirs.load_state_dict(mine.net.state_dict())
    return theirs.eval().forward_head(theirs.forward_features(images), pre_logits=True)


def assert_same_as_timm(name: str) -> None:
    torch.manual_seed(0)
    mine = Backbone(ModelSection(backbone=name), 1, side_for(name)).double().eval()
    norm = norm_behind_pooling(mine.net)
    if norm is not None:  # fresh ones are 1 and 0, and would hide that they are left out
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.uniform_(norm.bias, -1, 1)
    images = torch.randn(2, 1, side_for(name), side_for(name), dtype=torch.float64)
    with torch.no_grad():
        found, wanted = mine(images), timms_own(name, mine, images)
    assert found.shape == (2, mine.features, *mine.grid)
    assert torch.allclose(found.mean(dim=(2, 3)), wanted, atol=1e-6, rtol=0)


QUICK = ("densenet121", "convnext_atto", "deit_tiny_patch16_224", "efficientnet_b0", "davit_tiny")


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in FAMILIES])
def test_the_mean_of_a_map_is_what_timm_pools(name):
    assert_same_as_timm(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({load_recipe(name).model.backbone for name in recipe_names()} - set(FAMILIES)))
def test_the_shipped_recipes_backbones_are_timms(name):
    assert_same_as_timm(name)


@pytest.mark.parametrize("name", WITHOUT_MAP)
def test_a_family_without_a_map_is_refused_by_name(name):
    with pytest.raises(BadRecipe, match=f"Backbone {name} "):
        Backbone(ModelSection(backbone=name), 1, SIDE)


@pytest.mark.parametrize("name", ["nest_tiny", "maxvit_nano_rw_256"])
def test_a_size_that_does_not_fit_is_said(name):
    with pytest.raises(BadRecipe, match=f"{name} does not take .*70"):
        Backbone(ModelSection(backbone=name), 1, 70)


def test_the_map_of_a_position_is_linear_in_it():
    """The norm of what is pooled must not mix positions by more than its one centre and its one spread."""
    net = Backbone(ModelSection(backbone="convnext_atto"), 1, SIDE).eval()
    found = torch.randn(1, net.features, 2, 2)
    normed = net._normed(found)
    ratio = (normed[:, :, 0, 0] - normed[:, :, 1, 1]) / (found[:, :, 0, 0] - found[:, :, 1, 1])
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-3)


def test_networks_that_changed_are_other_trainings():
    assert (network_version("convnext_atto"), network_version("densenet121")) == (2, 1)
    names = [fingerprint(tiny_recipe(model={"backbone": name}), {}, None) for name in ("convnext_atto", "densenet121")]
    assert len(set(names)) == 2


@pytest.fixture
def doubly_normed(tmp_path):
    """A lake with a finished ConvNeXt whose card is the earlier release's: it names no network."""
    lake = write_lake(tmp_path / "lake", patients=30)
    recipe = tiny_recipe(model={"backbone": "convnext_atto", "kwargs": {}}, training={"max_epochs": 1})
    folder = train(recipe, lake).model_dir
    card = json.loads((folder / "model.json").read_text())
    assert card.pop(NETWORK_KEY) == 2
    (folder / "model.json").write_text(json.dumps(card))
    return lake, recipe, folder


def test_weights_of_the_double_norm_are_refused(doubly_normed):
    lake, recipe, folder = doubly_normed
    for use in (
        lambda: load_classifier(folder),
        lambda: start_from(Classifier(recipe), lake, recipe.model_copy(update={"init_from": recipe.name})),
    ):
        with pytest.raises(NotTrained, match="train it again"):
            use()

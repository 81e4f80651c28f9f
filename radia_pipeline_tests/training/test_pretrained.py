"""Published weights: found in a folder, adapted to one channel, or a clear word at once; scratch needs none."""

from __future__ import annotations

import time

import pytest
import timm
import torch
from safetensors.torch import save_file

from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.pretrained import WEIGHTS_VARIABLE
from radia_pipeline.training.standing import parent_of
from radia_pipeline_tests.training.synthetic import tiny_recipe

NAME = "resnet10t.c3_in1k.safetensors"


def recipe(**model):
    return tiny_recipe(model={"backbone": "resnet10t", "kwargs": {}, **model}, input={"normalisation": "imagenet"})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    return tmp_path


def test_weights_that_are_not_at_hand_are_named_at_once(folder):
    begun = time.monotonic()
    with pytest.raises(BadInput) as caught:
        Classifier(recipe(pretrained=True))
    assert time.monotonic() - begun < 5, "timm alone retries for a minute and a half"
    for words in (NAME, "timm/resnet10t.c3_in1k", WEIGHTS_VARIABLE, "pretrained: false"):
        assert words in str(caught.value)
    assert Classifier(recipe()) is not None


def test_weights_are_read_and_adapted_to_one_channel(folder):
    torch.manual_seed(7)
    published = timm.create_model("resnet10t").state_dict()
    save_file({name: tensor.contiguous() for name, tensor in published.items()}, folder / NAME)
    mine = Classifier(recipe(pretrained=True)).backbones[0].net.state_dict()
    assert torch.allclose(mine["conv1.0.weight"], published["conv1.0.weight"].sum(dim=1, keepdim=True))
    assert torch.equal(mine["layer1.0.conv1.weight"], published["layer1.0.conv1.weight"])
    before = parent_of(None, recipe(pretrained=True))
    save_file({name: tensor * 2 for name, tensor in published.items()}, folder / NAME)
    assert parent_of(None, recipe(pretrained=True)) != before, "other weights, another training"
    assert parent_of(None, recipe()) is None


def test_a_broken_weights_file_is_damage(folder):
    (folder / NAME).write_bytes(b"not a safetensors file")
    with pytest.raises(DamagedFile, match="cannot be read"):
        Classifier(recipe(pretrained=True))


def test_a_backbone_without_published_weights_says_so(folder):
    with pytest.raises(BadInput, match="Nobody has published"):
        Classifier(recipe(backbone="botnet50ts_256", pretrained=True))

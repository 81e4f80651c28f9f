"""Weights for others: what stands in the files, who can read them, and that another network is noticed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import timm
import torch
import torchvision
from onnx import TensorProto, helper
from safetensors.torch import load_file
from torch import nn

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, RunFailed
from radia_pipeline.evaluation import network_files
from radia_pipeline.evaluation.network_files import write_as_safetensors, write_as_torchxrayvision
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipes import parse_recipe

DENSE = {"backbone": "densenet121", "kwargs": {"block_config": [1, 1], "growth_rate": 8}}


def member(model=None, channels="gray", weights="shared", normalisation="half", side=32):
    """A network of its own random weights, its head among them: (recipe, classifier)."""
    torch.manual_seed(3)
    recipe = parse_recipe(
        {
            "name": "leaving",
            "input": {"size_px": side, "channels": channels, "normalisation": normalisation},
            "views": {"weights": weights},
            "model": {"head": "linear", **DENSE, **(model or {})},
        }
    )
    classifier = Classifier(recipe).eval()
    with torch.no_grad():
        for head in classifier.heads:
            head.layer.weight.normal_()
            head.bias.normal_()
    return recipe, classifier


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def images_of(classifier, count=3):
    side = classifier.input.size_px
    return torch.randn(count, classifier.input.channel_count, side, side, generator=torch.Generator().manual_seed(5))


def test_timm_reads_the_weights_by_their_folder_and_answers_alike(tmp_path):
    recipe, classifier = member()
    found = write_as_safetensors({"one": (recipe, classifier)}, None, tmp_path)
    (branch,) = found["branches"].values()
    assert list(found["branches"]) == ["one"] and branch["folder"] == "."
    assert branch["files"] == ["model.safetensors", "config.json"] and branch["head"] == "linear"
    assert 0 <= branch["differs"] < 1e-5
    config = config_of(tmp_path)
    assert config["architecture"] == "densenet121" and config["num_classes"] == 21
    assert config["num_features"] == classifier.backbone_of(0).features
    assert config["model_args"] == {**DENSE["kwargs"], "in_chans": 1}
    kept = config["pretrained_cfg"]
    assert kept["input_size"] == [1, 32, 32] and kept["fixed_input_size"] is False
    assert (kept["mean"], kept["std"]) == ([0.5], [0.25])
    assert kept["label_names"] == list(vocabulary().classes) and kept["num_classes"] == 21
    assert (kept["first_conv"], kept["classifier"]) == ("features.conv0", "classifier")
    net = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    images = images_of(classifier)
    with torch.no_grad():
        assert torch.allclose(net(images), classifier.view_logits(images, 0), atol=1e-5)


def test_each_branch_of_each_member_has_a_folder_of_its_own(tmp_path):
    one, two = member(weights="separate"), member()
    found = write_as_safetensors({"a": one, "b": two}, None, tmp_path)["branches"]
    assert {name: part["folder"] for name, part in found.items()} == {
        "a/frontal": "a/frontal",
        "a/lateral": "a/lateral",
        "b": "b",
    }
    alone = write_as_safetensors({"a": one}, None, tmp_path / "alone")["branches"]
    assert {name: part["folder"] for name, part in alone.items()} == {"a/frontal": "frontal", "a/lateral": "lateral"}
    images = images_of(one[1])
    for slot, name in enumerate(network_files.BRANCHES):
        net = timm.create_model(f"local-dir:{tmp_path / 'alone' / name}", pretrained=True).eval()
        with torch.no_grad():
            assert torch.allclose(net(images), one[1].view_logits(images, slot), atol=1e-5)


def test_a_pooling_head_lies_beside_the_weights(tmp_path):
    recipe, classifier = member({"head": "pcam"}, channels="clahe", normalisation="imagenet")
    (branch,) = write_as_safetensors({"one": (recipe, classifier)}, None, tmp_path)["branches"].values()
    assert branch["files"] == ["model.safetensors", "config.json", "head.safetensors"] and branch["head"] == "pcam"
    head, config = load_file(tmp_path / "head.safetensors"), config_of(tmp_path)
    assert torch.equal(head["weight"], classifier.head_of(0).layer.weight)
    assert torch.equal(head["bias"], classifier.head_of(0).bias)
    assert config["num_classes"] == config["pretrained_cfg"]["num_classes"] == 0
    assert config["model_args"]["in_chans"] == 3 and config["pretrained_cfg"]["input_size"] == [3, 32, 32]
    assert np.allclose(config["pretrained_cfg"]["mean"], [0.485, 0.456, 0.406])
    assert np.allclose(config["pretrained_cfg"]["std"], [0.229, 0.224, 0.225])
    assert not any(name.startswith("classifier") for name in load_file(tmp_path / "model.safetensors"))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("test_vit", {"fc_norm": False}),
        ("vit_dlittle_patch16_reg1_gap_256", {"fc_norm": True}),
        ("vit_small_patch16_rope_224", {"use_fc_norm": False}),
    ],
    ids=["pooled by its token", "pooled by the mean", "of another family"],
)
def test_a_transformer_is_told_its_side_its_pooling_and_where_it_normalises(name, more, tmp_path):
    """Made to pool by a token, it normalises before the mean that replaced it; timm would move that behind it."""
    recipe, classifier = member({"backbone": name, "kwargs": {"depth": 1}})
    write_as_safetensors({"one": (recipe, classifier)}, None, tmp_path)
    config = config_of(tmp_path)
    assert config["model_args"] == {"depth": 1, "in_chans": 1, "img_size": 32, "global_pool": "avg", **more}
    assert config["pretrained_cfg"]["fixed_input_size"] is True
    net, images = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval(), images_of(classifier)
    with torch.no_grad():
        assert torch.allclose(net(images), classifier.view_logits(images, 0), atol=1e-5)


def test_a_network_with_a_pyramid_is_no_plain_network_of_others(tmp_path):
    made = {"one": member(), "finer": member({"kwargs": {"block_config": [1, 1, 1]}, "map_stride": 8})}
    with pytest.raises(BadInput, match="finer has a pyramid"):
        write_as_safetensors(made, None, tmp_path)
    with pytest.raises(BadInput, match="finer is a densenet121 with a linear head, gray"):
        write_as_torchxrayvision(made, None, tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("model", "channels"),
    [({"head": "pcam"}, "gray"), ({}, "clahe"), ({"backbone": "test_resnet", "kwargs": {}}, "gray")],
    ids=["head", "channels", "backbone"],
)
def test_what_torchxrayvision_has_not_is_refused(model, channels, tmp_path):
    with pytest.raises(BadInput, match="a densenet with a linear head, no map_stride"):
        write_as_torchxrayvision({"one": member(model, channels)}, None, tmp_path)


def test_torchxrayvisions_names_say_what_the_network_is_made_by_and_how_its_input_is_scaled(tmp_path):
    recipe, classifier = member()
    (branch,) = write_as_torchxrayvision({"one": (recipe, classifier)}, None, tmp_path)["branches"].values()
    assert branch["files"] == ["model.safetensors", "config.json"] and branch["differs"] < 1e-5
    config = config_of(tmp_path)
    assert config["made_by"] == {
        "growth_rate": 8,
        "block_config": [1, 1],
        "num_init_features": 16,
        "bn_size": 4,
        "num_classes": 21,
        "in_channels": 1,
    }
    assert "Effusion" in config["targets"] and "Pleural Effusion" not in config["targets"]
    assert len(config["targets"]) == 21
    # Grey from 0 to 1 is -1024 to 1024 there; normalised by mean .5 and deviation .25 it is -2 to 2.
    low, high = (edge * config["input"]["scale"] + config["input"]["offset"] for edge in config["input"]["range"])
    assert (low, high) == pytest.approx((-2, 2)) and config["input"]["range"] == [-1024, 1024]


def test_other_mean_and_deviation_move_the_scaling(tmp_path):
    recipe, classifier = member(normalisation="imagenet")
    write_as_torchxrayvision({"one": (recipe, classifier)}, None, tmp_path)
    kept, mean, deviation = config_of(tmp_path)["input"], (0.485 + 0.456 + 0.406) / 3, (0.229 + 0.224 + 0.225) / 3
    assert kept["offset"] == pytest.approx((0.5 - mean) / deviation, rel=1e-6)
    assert kept["scale"] == pytest.approx(1 / 2048 / deviation, rel=1e-6)


@pytest.mark.parametrize("name", network_files._BLOCKS)
def test_a_shell_has_the_blocks_of_the_network_that_it_is_filled_from(name):
    with torch.device("meta"):
        network = torchvision.models.get_model(name)
    blocks = [len(part) for title, part in network.features.named_children() if title.startswith("denseblock")]
    assert tuple(blocks) == network_files._BLOCKS[name]
    growth = network.features.denseblock1.denselayer1.conv2.out_channels
    assert growth == network_files._GROWTH.get(name, 32)


def test_a_densenet_of_its_usual_size_is_said_in_full(tmp_path):
    recipe, classifier = member({"kwargs": {}})
    write_as_torchxrayvision({"one": (recipe, classifier)}, None, tmp_path)
    made_by = config_of(tmp_path)["made_by"]
    assert (made_by["growth_rate"], made_by["block_config"], made_by["num_init_features"]) == (32, [6, 12, 24, 16], 64)


def test_another_network_is_noticed_by_its_largest_difference():
    _, classifier = member()

    def differs(amount):
        return network_files._differs(classifier, 0, lambda images: classifier.view_logits(images, 0) + amount)

    with torch.no_grad():
        classifier.head_of(0).layer.weight.zero_()
        classifier.head_of(0).bias.zero_()
    assert differs(0.5e-4) == pytest.approx(0.5e-4, rel=1e-3), "small logits: the difference itself"
    with pytest.raises(RunFailed, match="answer otherwise"):
        differs(1.5e-4)
    with torch.no_grad():
        classifier.head_of(0).bias[4] = -100.0
    assert differs(0.5e-2) == pytest.approx(0.5e-4, rel=1e-2), "large ones: as a share of the largest"
    with pytest.raises(RunFailed, match="answer otherwise"):
        differs(1.5e-2)


def test_noise_for_the_proof_shows_every_study_its_first_view_and_each_second_no_other():
    shapes = {"images": (3, 1, 4, 4), "present": (3,)}
    made = network_files._noise(shapes, 5, 1)
    assert made["images"].shape == (5, 3, 1, 4, 4) and made["images"].dtype == np.float32
    assert made["present"].dtype == bool
    assert made["present"].tolist() == [[True] * 3, [True, False, False]] * 2 + [[True] * 3]
    assert np.abs(made["images"]).max() > 1, "as large as normalised grey"
    assert np.array_equal(made["images"], network_files._noise(shapes, 5, 1)["images"])
    assert not np.array_equal(made["images"], network_files._noise(shapes, 5, 2)["images"])


class Seen(nn.Module):
    """The mean of all pictures of a study, and something more."""

    def __init__(self, more=0.0):
        super().__init__()
        self.more = more

    def forward(self, images, present):
        return images.flatten(1).mean(dim=1, keepdim=True) + self.more


def test_the_written_network_is_held_against_the_one_in_memory(tmp_path):
    shapes = {"images": (2, 1, 4, 4), "present": (2,)}
    feeds = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, ["studies", *shapes["images"]]),
        helper.make_tensor_value_info("present", TensorProto.BOOL, ["studies", *shapes["present"]]),
    ]
    said = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["studies", 1])
    steps = [
        helper.make_node("Flatten", ["images"], ["flat"], axis=1),
        helper.make_node("ReduceMean", ["flat", "columns"], ["probabilities"], keepdims=1),
    ]
    columns = helper.make_tensor("columns", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(steps, "seen", feeds, [said], [columns])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    assert network_files._largest_difference(Seen(), tmp_path / "m.onnx", shapes) < 1e-6
    for more in (0.25, -0.25):
        assert network_files._largest_difference(Seen(more), tmp_path / "m.onnx", shapes) == pytest.approx(0.25)

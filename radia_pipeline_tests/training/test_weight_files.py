"""Weights of others by their layout, made from networks that nobody trained: every tensor arrives, or none does."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from radia_pipeline.errors import BadInput, BadRecipe, DamagedFile
from radia_pipeline.training.inputs import empty_image, to_channels
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline.training.standing import parent_of
from radia_pipeline.training.weight_files import take_weights

DENSE = {"block_config": [2, 2], "growth_rate": 8}
PARTS = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}


def network(name: str = "resnet10t", *, seed: int = 1, channels: int = 1, **options):
    torch.manual_seed(seed)
    return timm.create_model(name, in_chans=channels, num_classes=0, **options).eval()


def tensors_of(net) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def torchxrayvision(found: dict) -> dict:
    return {
        **found,
        "classifier.weight": torch.zeros(18, 4),
        "classifier.bias": torch.zeros(18),
        "op_threshs": torch.ones(18),
    }


def radimagenet(found: dict) -> dict:
    parts = {name: name.split(".", 1) for name in found}
    return {f"backbone.{PARTS[first]}.{rest}": found[name] for name, (first, rest) in parts.items()}


def eva_x(found: dict) -> dict:
    """As EVA-02's own program names them, with the tables of its rotary positions."""
    others = (("attn.norm.", "attn.inner_attn_ln."), ("mlp.norm.", "mlp.ffn_ln."), ("fc_norm.", "norm."))
    for mine, theirs in others:
        found = {name.replace(mine, theirs): tensor for name, tensor in found.items()}
    more = {"mask_token": torch.zeros(1, 1, 96), "head.weight": torch.zeros(2, 96), "head.bias": torch.zeros(2)}
    return {"module": {**found, **more, "rope.freqs_cos": torch.zeros(4, 4), "rope.freqs_sin": torch.zeros(4, 4)}}


def rad_dino(found: dict) -> dict:
    return {**found, "mask_token": torch.zeros(1, 384)}


def ark(found: dict) -> dict:
    more = {
        "omni_heads.0.weight": torch.zeros(14, 4),
        "projector.weight": torch.zeros(4, 4),
        "head.weight": torch.zeros(2, 4),
    }
    return {"epoch": 3, "teacher": {f"module.{name}": tensor for name, tensor in {**found, **more}.items()}}


def lightning(found: dict) -> dict:
    return {"state_dict": {f"model.encoder.{name}": tensor for name, tensor in found.items()}, "hyper": {"lr": 0.1}}


def first_densenets(found: dict) -> dict:
    old = {name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): tensor for name, tensor in found.items()}
    return {f"module.{name}": tensor for name, tensor in old.items() if not name.endswith("num_batches_tracked")}


LAYOUTS = {
    torchxrayvision: ("densenet121", DENSE),
    radimagenet: ("resnet18", {}),
    eva_x: ("eva02_base_patch14_224", {"depth": 1, "embed_dim": 96, "num_heads": 2, "img_size": 56}),
    rad_dino: ("vit_small_patch14_dinov2", {"depth": 2, "img_size": 56}),
    ark: ("swin_tiny_patch4_window7_224", {"depths": (1, 1), "embed_dim": 48, "num_heads": (3, 6), "img_size": 56}),
    lightning: ("resnet10t", {}),
    first_densenets: ("densenet121", DENSE),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_arrives_whole_and_the_network_answers_as_before(layout, tmp_path):
    name, options = LAYOUTS[layout]
    theirs, mine = network(name, **options), network(name, seed=2, **options)
    path = tmp_path / "weights.pt"
    torch.save(layout(tensors_of(theirs)), path)
    taken = take_weights(mine, path)
    images = torch.rand(1, 1, 56, 56)
    with torch.no_grad():
        assert torch.equal(mine.eval().forward_features(images), theirs.forward_features(images)), taken.words
    assert taken.tensors == len(mine.state_dict())


def test_prefixes_and_what_was_left_are_said(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(lightning({**tensors_of(network()), "fc.weight": torch.zeros(3, 3)}), path)
    said = take_weights(network(seed=2), path).words
    assert "taken from 'state_dict'" in said and "prefix 'model.encoder.' taken off" in said
    assert said.endswith("1 of its head left")


def test_positions_are_laid_on_another_size(tmp_path):
    name, options = "vit_small_patch14_dinov2", {"depth": 1}
    path = tmp_path / "w.safetensors"
    save_file(tensors_of(network(name, img_size=56, **options)), path)
    taken = take_weights(network(name, seed=2, img_size=84, **options), path)
    assert "converted by timm's rule for the family" in taken.conversions


@pytest.mark.parametrize(("theirs", "mine"), [(3, 1), (1, 3)])
def test_three_equal_planes_and_one_are_seen_alike(theirs, mine, tmp_path):
    path = tmp_path / "w.safetensors"
    published, adapted = network(channels=theirs), network(seed=2, channels=mine)
    save_file(tensors_of(published), path)
    assert f"{theirs} to {mine} channels" in take_weights(adapted, path).conversions
    plane = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        seen = [
            net.eval().forward_features(plane.expand(-1, count, -1, -1))
            for net, count in ((published, theirs), (adapted, mine))
        ]
    assert torch.allclose(*seen, atol=1e-5 * seen[0].abs().max())


def broken(**changes) -> dict:
    found = tensors_of(network())
    for name, tensor in changes.items():
        if tensor is None:
            del found[name]
        else:
            found[name] = tensor
    return found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"bn1.weight": None, "layer1.0.conv1.weight": None},
            r"2 of \d+ missing \(bn1\.weight, layer1\.0\.conv1\.weight\)",
        ),
        ({"layer9.conv.weight": torch.zeros(1)}, r"1 of \d+ foreign \(layer9\.conv\.weight\)"),
        ({"bn1.weight": torch.zeros(7)}, r"1 of \d+ of another shape \(bn1\.weight\)"),
    ],
)
def test_what_does_not_fit_is_refused_with_counts_and_nothing_is_loaded(changes, said, tmp_path):
    path, net = tmp_path / "w.safetensors", network(seed=2)
    before = tensors_of(net)
    save_file(broken(**changes), path)
    with pytest.raises(BadInput, match=said):
        take_weights(net, path)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_nothing_is_unpickled_and_damage_is_said(tmp_path):
    whole, cut, bare = tmp_path / "whole.pt", tmp_path / "cut.safetensors", tmp_path / "bare.pt"
    torch.save(network(), whole)
    save_file(tensors_of(network()), cut)
    cut.write_bytes(cut.read_bytes()[:-40])
    torch.save({"epoch": 3}, bare)
    for path, error, said in (
        (whole, BadInput, "nothing is unpickled"),
        (cut, DamagedFile, "cannot be read"),
        (bare, BadInput, "no tensors by name"),
    ):
        with pytest.raises(error, match=said):
            take_weights(network(seed=2), path)


def starting(path, **more):
    xrays = {"mean": [0.0], "std": [1.0], "range": [-1024, 1024]}
    content = {"name": "x", "input": {"size_px": 32, "normalisation": xrays}}
    return parse_recipe({**content, "model": {"kwargs": DENSE, "weights": str(path)}, **more})


def test_a_recipe_starts_from_a_file_in_its_own_grey_scale(tmp_path):
    path = tmp_path / "nih.pt"
    torch.save(torchxrayvision(tensors_of(network("densenet121", **DENSE))), path)
    recipe = starting(path)
    model = Classifier(recipe)
    assert torch.equal(
        model.backbones[0].net.features.conv0.weight, network("densenet121", **DENSE).features.conv0.weight
    )
    grey = np.linspace(0, 1, 32 * 32, dtype=np.float32).reshape(32, 32)
    assert to_channels(grey, recipe.input).ravel()[[0, -1]].tolist() == [-1024, 1024]
    assert (empty_image(recipe.input) == -1024).all()
    parent = parent_of(None, recipe)
    torch.save(torchxrayvision(tensors_of(network("densenet121", seed=3, **DENSE))), path)
    assert parent_of(None, recipe) != parent
    with pytest.raises(BadInput, match="not at hand"):
        Classifier(starting(tmp_path / "absent.pt"))


def test_a_recipe_says_how_the_pictures_were_and_has_one_beginning():
    for more, said in (
        ({"input": {}}, "needs input.normalisation"),
        ({"init_from": "y"}, "give one of"),
        ({"input": {"normalisation": {"mean": [0.5, 0.5]}}}, "as many values"),
    ):
        with pytest.raises(BadRecipe, match=said):
            starting("w.pt", **more)

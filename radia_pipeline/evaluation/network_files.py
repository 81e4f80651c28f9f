"""Networks as files for others: ONNX, weights as plain timm names them, weights as torchxrayvision names them.

Each is proved against torch before it is kept, and describes itself in plain values. Safetensors and JSON alone:
nothing has to be unpickled. Not here: what a card says of the model (``usecases.model_export``).

Legend: N images, B studies, V views, C channels, S side.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from radia_pipeline.errors import BadInput, RunFailed
from radia_pipeline.evaluation.ensemble import Ensemble
from radia_pipeline.evaluation.onnx_export import write_inputs
from radia_pipeline.evaluation.study_network import EnsembleNetwork, StudyNetwork
from radia_pipeline.lake import atomic
from radia_pipeline.training.backbones import norm_behind_pooling
from radia_pipeline.training.inputs import normalisation
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.timm_networks import TimmNetwork

TOLERANCE = 1e-4
"""Largest difference of a probability, or of a logit over the largest one, that is other arithmetic of one network."""
PROVED = 4
BRANCHES = ("frontal", "lateral")
XRV_RANGE = 1024.0
XRV_NAMES = {"Pleural Effusion": "Effusion"}
"""Classes that torchxrayvision calls otherwise; the rest have our name there, or none."""
NORM_BEHIND = ("fc_norm", "use_fc_norm")
"""How timm's transformers are told that the last normalisation stands behind the pooling, which they else conclude from
the pooling that they are made with: ours are made with their own and pooled by the mean afterwards."""

Members = Mapping[str, tuple[Recipe, Classifier]]


def write_as_onnx(members: Members, ensemble: Ensemble | None, folder: Path) -> dict[str, Any]:
    """Write ``model.onnx``: the views of a study -> its probabilities (B, 21), the ensemble's rule, calibration and
    coherence among it. Raises RunFailed where ONNX Runtime answers otherwise than torch."""
    studies = {name: StudyNetwork(classifier) for name, (_, classifier) in members.items()}
    if ensemble is None:
        only = next(iter(studies.values()))
        network: nn.Module = only
        feeds = [(only.feed[0].model_dump_json(), only.feed[1])]
    else:
        together = network = EnsembleNetwork(studies, ensemble)
        feeds = together.feeds
    several = len(feeds) > 1
    shapes: dict[str, tuple[int, ...]] = {}
    described = []
    for at, (content, views) in enumerate(feeds):
        section = next(net.feed[0] for net in studies.values() if net.feed[0].model_dump_json() == content)
        names = [f"{kind}_{at}" if several else kind for kind in ("images", "present")]
        shape = (views, section.channel_count, section.size_px, section.size_px)
        shapes |= {names[0]: shape, names[1]: (views,)}
        described.append({"images": names[0], "present": names[1], "shape": ["studies", *shape]})
    examples = {name: torch.from_numpy(value) for name, value in _noise(shapes, 2, 0).items()}
    path = folder / "model.onnx"
    with atomic.replace_file(path) as temporary:
        write_inputs(network, examples, ("probabilities",), temporary)
        differs = _largest_difference(network, temporary, shapes)
        if not differs <= TOLERANCE:
            raise RunFailed(
                f"ONNX Runtime answers otherwise than torch, by {differs:.1e}",
                accepted=f"at most {TOLERANCE:g}",
                do="export to safetensors, and report it with the versions of torch",
            )
    return {"file": path.name, "inputs": described, "output": "probabilities", "differs_from_torch": differs}


def _noise(shapes: Mapping[str, tuple[int, ...]], studies: int, seed: int) -> dict[str, np.ndarray]:
    """Images of noise; each study has its first view and, in turn, all of them."""
    random, made = np.random.default_rng(seed), {}
    for name, shape in shapes.items():
        if len(shape) > 1:
            made[name] = random.normal(size=(studies, *shape)).astype(np.float32)
        else:
            made[name] = np.ones((studies, *shape), dtype=bool)
            made[name][1::2, 1:] = False
    return made


@torch.no_grad()
def _largest_difference(network: nn.Module, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> float:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for studies in (1, PROVED):
        feed = _noise(shapes, studies, studies)
        theirs = session.run(None, feed)[0]
        ours = network(*(torch.from_numpy(value) for value in feed.values())).numpy()
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def write_as_safetensors(members: Members, ensemble: Ensemble | None, folder: Path) -> dict[str, Any]:
    """Write a folder for each branch of weights that ``timm.create_model("local-dir:FOLDER", pretrained=True)`` reads.

    A PCAM head lies beside it in ``head.safetensors``: plain timm pools by the mean. Raises BadInput for a network with
    a pyramid, which timm has not.
    """
    for name, (recipe, _) in members.items():
        if recipe.model.map_stride is not None:
            raise BadInput(
                f"{name} has a pyramid under its head (model.map_stride), which timm cannot hold",
                accepted="recipes without model.map_stride",
                do="export to onnx",
            )
    return {"branches": _each_branch(members, folder, _write_timm)}


def write_as_torchxrayvision(members: Members, ensemble: Ensemble | None, folder: Path) -> dict[str, Any]:
    """Write ``model.safetensors`` with the names of torchxrayvision's ``models.DenseNet``, and ``config.json`` with
    what it is made by. Raises BadInput for a network that is no DenseNet of one grey channel with a linear head."""
    for name, (recipe, _) in members.items():
        is_fit = recipe.model.backbone.startswith("densenet") and recipe.model.head == "linear"
        is_fit &= recipe.model.map_stride is None
        if not is_fit or recipe.input.channel_count != 1:
            raise BadInput(
                f"{name} is a {recipe.model.backbone} with a {recipe.model.head} head, {recipe.input.channels}",
                accepted="a densenet with a linear head, no map_stride and channels: gray, as torchxrayvision's own",
                do="export to safetensors or onnx",
            )
    return {"branches": _each_branch(members, folder, _write_xrv)}


def _each_branch(members: Members, folder: Path, write: Callable) -> dict[str, Any]:
    described: dict[str, Any] = {}
    for name, (recipe, classifier) in members.items():
        several = len(classifier.backbones) > 1
        for slot in range(len(classifier.backbones)):
            parts = ([name] if len(members) > 1 else []) + ([BRANCHES[slot]] if several else [])
            home = folder.joinpath(*parts)
            home.mkdir(parents=True, exist_ok=True)
            described["/".join([name, *parts[len(members) > 1 :]])] = {
                "folder": "/".join(parts) or ".",
                **write(recipe, classifier, slot, home),
            }
    return described


def _write_timm(recipe: Recipe, classifier: Classifier, slot: int, home: Path) -> dict[str, Any]:
    net, head = classifier.backbone_of(slot).net, classifier.head_of(slot)
    is_linear, section = recipe.model.head == "linear", recipe.input
    mean, deviation = (part.tolist() for part in normalisation(section))
    options = {**recipe.model.kwargs, "in_chans": section.channel_count}
    if hasattr(net, "patch_embed") and getattr(net.patch_embed, "img_size", None):
        options["img_size"] = section.size_px
    if getattr(net, "global_pool", None) == "avg" and hasattr(net, "num_prefix_tokens"):
        options["global_pool"] = "avg"
        takes, is_behind = inspect.signature(type(net)).parameters, norm_behind_pooling(net) is not None
        options |= {name: is_behind for name in NORM_BEHIND if name in takes}
    classes = len(classifier.class_names) if is_linear else 0
    weights = dict(net.state_dict())
    shell = cast(TimmNetwork, timm.create_model(recipe.model.backbone, num_classes=classes, **options))
    files = ["model.safetensors", "config.json"]
    if is_linear:
        name = shell.default_cfg["classifier"]
        shape = shell.state_dict()[f"{name}.weight"].shape
        weights |= {f"{name}.weight": head.layer.weight.reshape(shape), f"{name}.bias": head.bias}
    else:
        files.append("head.safetensors")
        _save({"weight": head.layer.weight, "bias": head.bias}, home / files[-1])
    _save(weights, home / files[0])
    config = {
        "architecture": recipe.model.backbone,
        "num_classes": classes,
        "num_features": classifier.backbone_of(slot).features,
        "model_args": options,
        "pretrained_cfg": {
            "input_size": [section.channel_count, section.size_px, section.size_px],
            "fixed_input_size": "img_size" in options,
            "mean": mean,
            "std": deviation,
            "num_classes": classes,
            "label_names": list(classifier.class_names),
            "pool_size": None,
            "first_conv": shell.default_cfg.get("first_conv"),
            "classifier": shell.default_cfg.get("classifier"),
        },
    }
    atomic.write_text(home / files[1], json.dumps(config, indent=1) + "\n")
    loaded = cast(TimmNetwork, timm.create_model(f"local-dir:{home}", pretrained=True).eval())
    differs = _differs(classifier, slot, lambda images: _timm_logits(loaded, home, images, is_linear))
    return {"files": files, "head": recipe.model.head, "differs": differs}


def _timm_logits(net: TimmNetwork, home: Path, images: torch.Tensor, is_linear: bool) -> torch.Tensor:
    if is_linear:
        return net(images)
    head, features = load_file(home / "head.safetensors"), net.forward_features(images)
    maps = functional.conv2d(features, head["weight"], head["bias"]).flatten(2)
    return (functional.logsigmoid(maps).softmax(dim=2) * maps).sum(dim=2)


def _write_xrv(recipe: Recipe, classifier: Classifier, slot: int, home: Path) -> dict[str, Any]:
    from torchvision.models.densenet import DenseNet

    net, head = classifier.backbone_of(slot).net, classifier.head_of(slot)
    weights = {name: value for name, value in net.state_dict().items() if not name.startswith("classifier")}
    weights |= {"classifier.weight": head.layer.weight.flatten(1), "classifier.bias": head.bias}
    mean, deviation = (float(part[0]) for part in normalisation(recipe.input))
    made_by = {
        "growth_rate": recipe.model.kwargs.get("growth_rate", _GROWTH.get(recipe.model.backbone, 32)),
        "block_config": list(recipe.model.kwargs.get("block_config", _BLOCKS.get(recipe.model.backbone, ()))),
        "num_init_features": weights["features.conv0.weight"].shape[0],
        "bn_size": recipe.model.kwargs.get("bn_size", 4),
        "num_classes": len(classifier.class_names),
    }
    _save(weights, home / "model.safetensors")
    config = {
        "made_by": {**made_by, "in_channels": 1},
        "targets": [XRV_NAMES.get(name, name) for name in classifier.class_names],
        "input": {
            "range": [-XRV_RANGE, XRV_RANGE],
            "scale": 1 / (2 * XRV_RANGE * deviation),
            "offset": (0.5 - mean) / deviation,
        },
    }
    atomic.write_text(home / "config.json", json.dumps(config, indent=1) + "\n")
    # torchxrayvision's DenseNet is torchvision's with one channel.
    shell = DenseNet(**{**made_by, "block_config": tuple(made_by["block_config"])})
    first = weights["features.conv0.weight"]
    shell.features.conv0 = nn.Conv2d(1, first.shape[0], first.shape[2:], stride=2, padding=3, bias=False)
    shell.load_state_dict(load_file(home / "model.safetensors"))
    return {"files": ["model.safetensors", "config.json"], "differs": _differs(classifier, slot, shell.eval())}


_BLOCKS = {
    "densenet121": (6, 12, 24, 16),
    "densenet161": (6, 12, 36, 24),
    "densenet169": (6, 12, 32, 32),
    "densenet201": (6, 12, 48, 32),
}
_GROWTH = {"densenet161": 48}


def _save(weights: Mapping[str, torch.Tensor], path: Path) -> None:
    plain = {
        name: value.detach().cpu().float().contiguous() if value.is_floating_point() else value.detach().cpu()
        for name, value in weights.items()
    }
    with atomic.replace_file(path) as temporary:
        save_file(plain, temporary, metadata={"format": "pt"})


@torch.no_grad()
def _differs(classifier: Classifier, slot: int, theirs: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Return the largest difference of a logit over the largest one; raises RunFailed where it is another network."""
    side = classifier.input.size_px
    images = torch.from_numpy(_noise({"images": (classifier.input.channel_count, side, side)}, 2, 1)["images"])
    ours = classifier.view_logits(images, slot)
    differs = float((ours - theirs(images)).abs().max() / ours.abs().max().clamp(min=1))
    if not differs <= TOLERANCE:
        raise RunFailed(
            f"The exported weights answer otherwise than the model, by {differs:.1e}",
            accepted=f"at most {TOLERANCE:g}",
            do="export to onnx; this network cannot be told in these names",
        )
    return differs

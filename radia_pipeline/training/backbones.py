"""A timm network as a backbone: its feature map, whose mean over positions is what timm itself hands to a classifier.

What timm does between its map and its classifier is pooling and, in some families, a normalisation of the pooled vector
(ConvNeXt, BEiT, DaViT, …). That one is applied to the map with the pooled vector's own statistics: the mean stays
timm's, and the map stays linear in what each position holds. A family with more than that behind its pooling, or
without a map, is refused when it is built. Not here: published weights (``pretrained``), heads (``heads``).

Legend: N images, C channels, S side, F features, h × w positions.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import isqrt
from typing import cast

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when timm is imported; without it, timm tries for minutes

import timm
import torch
from torch import nn

from radia_pipeline.errors import BadRecipe
from radia_pipeline.training.pretrained import weights_file
from radia_pipeline.training.recipe_schema import ModelSection
from radia_pipeline.training.timm_networks import TimmNetwork
from radia_pipeline.training.weight_files import Taken, take_weights

NAMED_BACKBONES = "densenet121, convnext_base, convnext_large, efficientnet_b4, deit_base_patch16_224"
SAME = 1e-3
"""Share of a feature's size by which two orders of the same sums may differ in float32."""
ONE_TOKEN_POOLINGS = ("token", "map")
"""Poolings that read a token or a query of their own and no position: their networks are pooled by the mean here."""


class LaidNorm(nn.Module):
    """A normalisation of the pooled vector, laid on the map. A layer, without weights of its own, so that whoever looks
    at a network's layers sees it."""

    def forward(self, found: torch.Tensor, norm: nn.LayerNorm) -> torch.Tensor:
        """(N, F, h, w) -> (N, F, h, w), whose mean is what ``norm`` makes of the mean."""
        pooled = found.mean(dim=(2, 3))
        centre, spread = pooled.mean(dim=1), pooled.var(dim=1, unbiased=False).add(norm.eps).sqrt()
        scaled = (found - centre[:, None, None, None]) / spread[:, None, None, None]
        if norm.weight is None:
            return scaled
        bias = 0 if norm.bias is None else norm.bias[:, None, None]
        return scaled * norm.weight[:, None, None] + bias


class Backbone(nn.Module):
    """A timm network without its classifier; gives a feature map, for transformers too. Raises BadRecipe."""

    def __init__(self, section: ModelSection, channels: int, size_px: int) -> None:
        super().__init__()
        self.name = section.backbone
        self.net, self.taken = _create(section, channels, size_px)
        self.laid_norm = LaidNorm()
        was_training = self.net.training
        noise = torch.randn(1, channels, size_px, size_px, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            shape = self._checked(self.net.eval(), noise).shape
        self.net.train(was_training)
        self.features, self.grid = shape[1], (shape[2], shape[3])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> (N, F, h, w)."""
        return self._normed(self._map(self.net.forward_features(images)))

    def with_stages(self, images: torch.Tensor, indices: Sequence[int]) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(N, C, S, S) -> the map as ``forward`` gives it, and the maps of these stages (``map_stages``), finest first,
        (N, F, h, w) each."""
        last, stages = self.net.forward_intermediates(images, indices=indices, output_fmt="NCHW", norm=False)
        return self._normed(self._map(last)), stages

    def finer_stages(self, stride: int | None = None) -> list[nn.Module]:
        """Return the modules whose outputs have two, four, … times as many rows and columns as a map of a stride in
        pixels, by default the network's last; none where it has none, as transformers of one resolution."""
        infos = [dict(one) for one in getattr(self.net, "feature_info", ())]
        module_of = {one["reduction"]: one["module"] for one in infos if one.get("reduction")}
        at, found = stride or (infos[-1].get("reduction") if infos else None), []
        while at and at % 2 == 0 and at // 2 in module_of:
            at //= 2
            found.append(self.net.get_submodule(module_of[at]))
        return found

    @property
    def is_channels_last(self) -> bool:
        """Whether the network's own maps are (N, h, w, F)."""
        return str(getattr(self.net, "output_fmt", "NCHW")).endswith("NHWC")

    def _map(self, features: torch.Tensor) -> torch.Tensor:
        """Turn what the network gives, a map or tokens, into (N, F, h, w)."""
        if features.ndim == 4:
            return features.permute(0, 3, 1, 2) if self.is_channels_last else features
        tokens = features[:, getattr(self.net, "num_prefix_tokens", 0) :]
        height, width = self.net.patch_embed.grid_size
        return tokens.transpose(1, 2).reshape(len(tokens), -1, height, width)

    def _normed(self, found: torch.Tensor) -> torch.Tensor:
        norm = norm_behind_pooling(self.net)
        return found if norm is None else self.laid_norm(found, norm)

    def _checked(self, net: TimmNetwork, images: torch.Tensor) -> torch.Tensor:
        """Return the map (1, F, h, w) of images; raises BadRecipe where its mean is not what timm itself pools."""
        try:
            features = net.forward_features(images)
            if not torch.is_tensor(features) or features.ndim not in (3, 4) or not self._has_grid(features):
                raise _no_map(self.name, "gives no map of positions in rows and columns")
            theirs = net.forward_head(features, pre_logits=True)
            norm, found = norm_behind_pooling(net), self._map(features)
            if norm is None or norm.normalized_shape == (found.shape[1],):
                found = self._normed(found)
                mine, most = found.mean(dim=(2, 3)), float(theirs.abs().max())
                if mine.shape == theirs.shape and torch.allclose(mine, theirs, atol=SAME * most):
                    return found
        except (RuntimeError, AssertionError, TypeError, ValueError) as error:
            raise _no_map(self.name, f"does not take images of {images.shape[-1]} px ({error})") from None
        raise _no_map(self.name, "has layers behind its pooling that cannot be laid on a map")

    def _has_grid(self, features: torch.Tensor) -> bool:
        if features.ndim == 4:
            return True
        grid = getattr(getattr(self.net, "patch_embed", None), "grid_size", None)
        tokens = features.shape[1] - getattr(self.net, "num_prefix_tokens", 0)
        return grid is not None and grid[0] * grid[1] == tokens and isqrt(tokens) ** 2 == tokens


def maps_of(net: TimmNetwork, images: torch.Tensor, indices: Sequence[int] | None = None) -> list[torch.Tensor]:
    """(N, C, S, S) -> a timm network's maps by index, all by default, (N, F, h, w) each, finest first."""
    return net.forward_intermediates(images, indices=indices, intermediates_only=True, output_fmt="NCHW", norm=False)


def map_stages(net: TimmNetwork, channels: int, size_px: int) -> dict[int, tuple[int, int]]:
    """Return {stride in pixels of the input: (index, features)} of a timm network's maps; of one stride the last."""
    was_training = net.training
    net.eval()
    with torch.no_grad():
        found = maps_of(net, torch.zeros(1, channels, size_px, size_px))
    net.train(was_training)
    return {round(size_px / one.shape[-1]): (index, one.shape[1]) for index, one in enumerate(found)}


def norm_behind_pooling(net: nn.Module) -> nn.LayerNorm | None:
    """Return the normalisation of the pooled vector, where the network has one."""
    for norm in (getattr(getattr(net, "head", None), "norm", None), getattr(net, "fc_norm", None)):
        if isinstance(norm, nn.LayerNorm):
            return norm
    return None


def _no_map(name: str, why: str) -> BadRecipe:
    return BadRecipe(
        f"Backbone {name} {why}",
        accepted=f"a backbone whose map can be shown and pooled by its mean, such as {NAMED_BACKBONES}",
        do="choose another model.backbone",
    )


def _checkpoint_activations(net: TimmNetwork, name: str) -> None:
    try:
        net.set_grad_checkpointing(True)
    except (AttributeError, AssertionError):
        raise BadRecipe(
            f"Backbone {name} cannot compute activations again",
            accepted=f"model.checkpoint_activations with a backbone such as {NAMED_BACKBONES}",
            do="set model.checkpoint_activations: false, or raise training.accumulate",
        ) from None


def _create(section: ModelSection, channels: int, size_px: int) -> tuple[TimmNetwork, Taken | None]:
    if not timm.is_model(section.backbone):
        close = ", ".join(timm.list_models(f"*{section.backbone.split('_')[0][:8]}*")[:8])
        raise BadRecipe(
            f"Unknown backbone {section.backbone!r}",
            accepted=f"a timm model, such as {close or NAMED_BACKBONES}",
            do="correct model.backbone",
        )
    kwargs = dict(section.kwargs)
    if section.drop_path:
        kwargs["drop_path_rate"] = section.drop_path
    published = timm.models.get_pretrained_cfg(section.backbone)
    if published is not None and published.fixed_input_size:
        kwargs.setdefault("img_size", size_px)
    file = weights_file(section) if section.pretrained or section.weights else None
    try:
        made = timm.create_model(section.backbone, pretrained=False, in_chans=channels, num_classes=0, **kwargs)
    except (TypeError, AssertionError, ValueError) as error:
        raise BadRecipe(
            f"Backbone {section.backbone} does not take model.kwargs or input.size_px {size_px}: {error}"
        ) from None
    net = cast(TimmNetwork, made)  # timm says that it is a module, and no more
    taken = take_weights(net, file) if file else None
    if section.checkpoint_activations:
        _checkpoint_activations(net, section.backbone)
    if getattr(net, "global_pool", None) in ONE_TOKEN_POOLINGS:
        net.reset_classifier(0, "avg")
    return net, taken

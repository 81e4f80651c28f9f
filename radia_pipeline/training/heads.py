"""Classification heads over a feature map: each gives logits, logit maps, and the evidence that a saliency map shows.

Which heads there are stands in ``choices``, backbones are in ``models``.

Legend: N images, F features, C classes, h × w positions.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

FAINTEST = -60.0
"""A logit whose sigmoid float32 holds as exactly as any."""


class LinearHead(nn.Module):
    """Global average pooling and one linear layer, written as a 1 × 1 convolution so that class maps come free."""

    pools_by_place = False
    """Whether the logit is pooled by a map of the class's own, which then has learned where the class is."""

    def __init__(self, features: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout2d(dropout) if dropout else nn.Identity()
        self.layer = nn.Conv2d(features, classes, kernel_size=1)
        nn.init.normal_(self.layer.weight, std=0.01)
        nn.init.zeros_(self.bias)

    @property
    def bias(self) -> torch.Tensor:
        """The layer's bias (C,)."""
        return cast(torch.Tensor, self.layer.bias)  # a convolution has one if it is not made without

    def maps(self, features: torch.Tensor) -> torch.Tensor:
        """(N, F, h, w) -> logit maps (N, C, h, w); their mean is the logit."""
        return self.layer(features)

    def evidence(self, features: torch.Tensor) -> torch.Tensor:
        """(N, F, h, w) -> positive evidence (N, C, h, w), Zhou's (2016) CAM: the logit map without the bias.

        A pooled linear layer never learns what one position's logit means, so its sigmoid would be arbitrary.
        """
        return torch.relu(self.maps(features) - self.maps(torch.zeros_like(features[:1])))

    def ablated(self, features: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """(N, F, h, w) -> logits of ``classes`` (c,) without each feature alone (N, c, F): its mean's part is off."""
        weight, mean = self.layer.weight.flatten(1)[classes], features.mean(dim=(2, 3))
        return functional.linear(mean, weight, self.bias[classes])[:, :, None] - weight * mean[:, None]

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, F, h, w) -> logits (N, C)."""
        pooled = self.dropout(features).mean(dim=(2, 3))
        weight = self.layer.weight.flatten(1)
        with torch.autocast(features.device.type, enabled=False):
            return functional.linear(pooled.to(weight.dtype), weight, self.layer.bias)


class PcamHead(LinearHead):
    """Probabilistic class activation map pooling (Ye et al. 2020).

    With m the logit map, the published form weighs features by sigmoid(m) / sum sigmoid(m), pools and applies the same
    linear layer. That layer is linear, so logit = sum of w * m with w = softmax over positions of log sigmoid(m).
    Computed in at least float32: float16 gives NaN.
    """

    pools_by_place = True

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(N, F, h, w) -> logits (N, C)."""
        features = self.dropout(features)
        with torch.autocast(features.device.type, enabled=False):
            return self.pooled(self.maps(features.to(self.layer.weight.dtype)))

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """Logit maps (…, h, w) -> logits (…)."""
        flat = maps.flatten(-2)
        return (functional.logsigmoid(flat).softmax(dim=-1) * flat).sum(dim=-1)

    def ablated(self, features: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """(N, F, h, w) -> logits of ``classes`` (c,) without each feature alone (N, c, F): its part is off the maps."""
        features = features.flatten(2)
        weight, bias = self.layer.weight.flatten(1)[classes], self.bias[classes]
        maps = (weight @ features + bias[:, None])[:, :, None] - weight[:, :, None] * features[:, None]
        if float(maps.detach().amax(dim=-1).amin()) < FAINTEST:
            return self.pooled(maps[..., None])
        share = torch.sigmoid(maps)  # as the softmax over positions of log sigmoid, which takes four times as long
        return (share * maps).sum(dim=-1) / share.sum(dim=-1)

    def evidence(self, features: torch.Tensor) -> torch.Tensor:
        """(N, F, h, w) -> probability at each position (N, C, h, w): what this head pools by."""
        return torch.sigmoid(self.maps(features))

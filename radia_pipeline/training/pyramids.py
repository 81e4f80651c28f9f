"""A light pyramid under the head: the network's coarse map, enlarged and joined with finer ones step by step.

In the manner of PYLON (Preechakul 2022): from the top down each coarser map is enlarged twofold, the next finer one is
brought to the same features by a 1 × 1 convolution and added, and a 3 × 3 convolution smooths the sum. The head then
pools a map of two, four or eight times as many rows and columns, which keeps apart what lies within one coarse
position. Without PYLON's attention, and with the network's own map beside the sum: a head on the sum alone learned
more slowly than the plain one. Not here: the network's own maps (``backbones``), pooling (``heads``).

Legend: N images, F features, h × w positions of the coarsest map, s steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

from radia_pipeline.errors import BadRecipe

WIDTH = 128
"""Most features of the joined maps; a small network's have half as many as its last map."""


class Pyramid(nn.Module):
    """Maps of one image at strides that halve, coarsest first -> one map at the finest of them.

    The network's own map, enlarged, stands first in it and ``joined`` features of all maps behind it: a head may look
    at the one as the plain network's does, and what it learns of the other comes on top.
    """

    def __init__(self, own: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.joined = min(WIDTH, channels[0] // 2)
        self.features = own + self.joined
        self.across = nn.ModuleList(_normed(count, self.joined, 1) for count in channels)
        self.smooth = nn.ModuleList(_normed(self.joined, self.joined, 3) for _ in channels[1:])

    def forward(self, own: torch.Tensor, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """(N, F, h, w) under a plain head, [(N, F', h, w), (N, F", 2h, 2w), …] -> (N, features, 2^s h, 2^s w)."""
        found = torch.relu(self.across[0](maps[0]))
        for finer, across, smooth in zip(maps[1:], self.across[1:], self.smooth, strict=True):
            found = functional.interpolate(found, size=finer.shape[2:], mode="bilinear", align_corners=False)
            found = torch.relu(smooth(found + torch.relu(across(finer))))
        enlarged = functional.interpolate(own, size=found.shape[2:], mode="bilinear", align_corners=False)
        return torch.cat([enlarged, found], dim=1)

    @torch.no_grad()
    def begin(self, layer: nn.Conv2d) -> None:
        """Let a head's fresh layer (C, features, 1, 1) say what it would say of the network's own map alone."""
        layer.weight[:, -self.joined :] = 0.0


def _normed(before: int, after: int, side: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, side, padding=side // 2, bias=False), nn.BatchNorm2d(after))


def steps_down(stages: Mapping[int, tuple[int, int]], stride: int, name: str) -> list[tuple[int, int]]:
    """Return (index, channels) of a network's maps from its coarsest to that of a stride, coarsest first.

    ``stages``: {stride: (index, channels)}. Raises BadRecipe where one of them is missing.
    """
    coarsest, wanted = max(stages), []
    at = coarsest
    while at >= stride and at in stages:
        wanted.append(at)
        at //= 2
    if len(wanted) < 2 or wanted[-1] != stride:
        reached = [
            s for s in stages if s < coarsest and all(s * 2**k in stages for k in range(_doublings(s, coarsest)))
        ]
        raise BadRecipe(
            f"Backbone {name} has no map of stride {stride} to put under the head",
            accepted=", ".join(map(str, sorted(reached))) or f"none: all its maps have the stride {coarsest}",
            do="change model.map_stride or leave it out",
        )
    return [stages[at] for at in wanted]


def _doublings(stride: int, coarsest: int) -> int:
    return max(0, (coarsest // stride).bit_length() - 1)

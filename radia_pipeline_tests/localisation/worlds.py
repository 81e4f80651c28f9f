"""A small classifier that obeys the interface of learning's, and sets of boxes."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from radia_pipeline.localisation.boxes import Boxes
from radia_pipeline.training.choices import HEADS


class TinyClassifier(nn.Module):
    """Two convolutions and one of learning's heads."""

    def __init__(self, head: str = "linear", classes: int = 5, features: int = 6, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.class_names = tuple(f"class {k}" for k in range(classes))
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, features, 3, 2, 1), nn.ReLU())
        self.heads = nn.ModuleList([HEADS[head](features, classes, 0.0)])
        nn.init.normal_(self.heads[0].layer.weight)
        nn.init.normal_(self.heads[0].layer.bias)

    def feature_map(self, images: torch.Tensor, slot: int = 0) -> torch.Tensor:
        return self.body(images)

    def finer_stages(self, slot: int = 0) -> tuple[list[nn.Module], bool]:
        return [self.body[1]], False

    def head(self, features: torch.Tensor, slot: int = 0) -> torch.Tensor:
        return self.heads[0](features)

    def ablated(self, features: torch.Tensor, slot: int, classes: torch.Tensor) -> torch.Tensor:
        return self.heads[0].ablated(features, classes)

    def evidence(self, features: torch.Tensor, slot: int = 0) -> torch.Tensor:
        return self.heads[0].evidence(features)

    def head_maps(self, features: torch.Tensor, slot: int = 0) -> torch.Tensor:
        return self.heads[0].maps(features)


def boxes(*rows: tuple) -> Boxes:
    """Rows of (image, label, left, top, right, bottom[, score])."""
    return Boxes.of(
        (image, label, corners[:4], corners[4] if len(corners) > 4 else 1.0) for image, label, *corners in rows
    )


def random_boxes(seed: int, count: int, images: int = 5, label: str = "Mass") -> Boxes:
    rng = np.random.default_rng(seed)
    low = rng.random((count, 2)) * 50
    corners = np.concatenate([low, low + 5 + rng.random((count, 2)) * 40], axis=1)
    names = np.array([f"image{i}" for i in rng.integers(0, images, count)], dtype=object)
    return Boxes(names, np.full(count, label, dtype=object), corners, rng.random(count))

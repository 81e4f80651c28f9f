"""The classifier: a backbone, heads, a study's logits and what they say as probabilities.

The parts are in ``backbones``, ``heads``, ``views`` and ``hierarchy``.

Legend: B studies, V view slots, N images, C channels, S side, F features, h × w positions, 21 classes.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from radia_pipeline.contracts.vocabulary import Vocabulary, vocabulary
from radia_pipeline.errors import BadInput
from radia_pipeline.training.backbones import Backbone
from radia_pipeline.training.choices import BRANCHES, HEADS, INFERENCES
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.views import combine_views


class Classifier(nn.Module):
    """Study-level classifier; ``class_names`` is the vocabulary's order. Missing views change nothing."""

    def __init__(self, recipe: Recipe, words: Vocabulary | None = None) -> None:
        super().__init__()
        words = words or vocabulary()
        self.class_names, self.vocabulary_version = words.classes, words.version
        self.views, self.inference, self.input = recipe.views, recipe.task.inference, recipe.input
        count = BRANCHES[recipe.views.weights]
        channels, size = recipe.input.channel_count, recipe.input.size_px
        self.backbones = nn.ModuleList(Backbone(recipe.model, channels, size) for _ in range(count))
        head = HEADS[recipe.model.head]
        self.heads = nn.ModuleList(
            head(self.backbones[0].features, len(words.classes), recipe.model.dropout) for _ in range(count)
        )
        self.register_buffer("prior_shift", torch.zeros(len(words.classes), dtype=torch.float64))
        self.parent_columns = [
            (words.index(name), [words.index(parent) for parent in words.parents(name)]) for name in words.topological
        ]

    def forward(self, images: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """images (B, V, C, S, S), present bool (B, V) -> logits (B, 21); absent slots are never computed."""
        self._check(images, present)
        if len(self.backbones) == 1:
            flat = self.view_logits(images[present])
            logits = flat.new_zeros((*present.shape, flat.shape[1])).masked_scatter(present[..., None], flat)
        else:
            logits = torch.stack([self._slot_logits(images[:, v], present[:, v], v) for v in range(images.shape[1])], 1)
        return combine_views(logits, present, self.views.combine)

    def _slot_logits(self, images: torch.Tensor, present: torch.Tensor, slot: int) -> torch.Tensor:
        empty = torch.zeros(
            len(images), len(self.class_names), device=images.device, dtype=self.heads[0].layer.weight.dtype
        )
        if not present.any():
            return empty
        return empty.masked_scatter(present[:, None], self.view_logits(images[present], slot))

    def feature_map(self, images: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """(N, C, S, S) -> (N, F, h, w); ``slot`` 1 is the lateral branch of separate weights."""
        return self.backbones[min(slot, len(self.backbones) - 1)](images)

    def head(self, features: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """(N, F, h, w) -> logits (N, 21)."""
        return self.heads[min(slot, len(self.heads) - 1)](features)

    def head_maps(self, features: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """(N, F, h, w) -> the head's logit maps (N, 21, h, w)."""
        return self.heads[min(slot, len(self.heads) - 1)].maps(features)

    def evidence(self, features: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """(N, F, h, w) -> what speaks for each class at each position, not negative (N, 21, h, w)."""
        return self.heads[min(slot, len(self.heads) - 1)].evidence(features)

    def view_logits(self, images: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """(N, C, S, S) -> logits (N, 21) of each image by itself."""
        return self.head(self.feature_map(images, slot), slot)

    def log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (B, 21) -> log P, float64. Prior shift undone: z − ln w; hierarchy: plus the least parent's log P."""
        own = functional.logsigmoid(logits.double() - self.prior_shift)
        return INFERENCES[self.inference](own, self.parent_columns)

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (B, 21) -> probabilities (B, 21), float64."""
        return self.log_probabilities(logits).exp()

    def _check(self, images: torch.Tensor, present: torch.Tensor) -> None:
        side, channels = self.input.size_px, self.input.channel_count
        if images.ndim != 5 or images.shape[2:] != (channels, side, side) or present.shape != images.shape[:2]:
            raise BadInput(
                f"Model input of shape {tuple(images.shape)} with present {tuple(present.shape)}",
                accepted=f"(B, V, {channels}, {side}, {side}) with (B, V): studies, views, channels, rows, columns",
            )

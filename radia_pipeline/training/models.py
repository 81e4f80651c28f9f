"""The classifier: a backbone, heads, a study's logits and what they say as probabilities.

The parts are in ``backbones``, ``pyramids``, ``heads``, ``views`` and ``hierarchy``.

Legend: B studies, V view slots, N images, C channels, S side, F features, h × w positions, 21 classes.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

from radia_pipeline.contracts.vocabulary import Vocabulary, vocabulary
from radia_pipeline.errors import BadInput
from radia_pipeline.training.backbones import Backbone, map_stages
from radia_pipeline.training.choices import BRANCHES, HEADS, INFERENCES, TEST_TIME
from radia_pipeline.training.heads import LinearHead
from radia_pipeline.training.pyramids import Pyramid, steps_down
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.views import combine_views


class Classifier(nn.Module):
    """Study-level classifier; ``class_names`` is the vocabulary's order. Missing views change nothing."""

    prior_shift: torch.Tensor

    def __init__(self, recipe: Recipe, words: Vocabulary | None = None) -> None:
        super().__init__()
        words = words or vocabulary()
        self.class_names, self.vocabulary_version = words.classes, words.version
        self.views, self.inference, self.input = recipe.views, recipe.task.inference, recipe.input
        count = BRANCHES[recipe.views.weights]
        channels, size = recipe.input.channel_count, recipe.input.size_px
        self.backbones = nn.ModuleList(Backbone(recipe.model, channels, size) for _ in range(count))
        head, features = HEADS[recipe.model.head], self.backbone_of().features
        self.map_stride, pyramids = recipe.model.map_stride, list[Pyramid]()
        if self.map_stride is not None:
            stages = map_stages(self.backbone_of().net, channels, size)
            steps = steps_down(stages, self.map_stride, recipe.model.backbone)
            self.levels = [index for index, _ in steps]
            pyramids = [Pyramid(features, [width for _, width in steps]) for _ in range(count)]
            features = pyramids[0].features
        heads = [head(features, len(words.classes), recipe.model.dropout) for _ in range(count)]
        for one, pyramid in zip(heads, pyramids, strict=False):
            pyramid.begin(one.layer)
        self.pyramids, self.heads = nn.ModuleList(pyramids), nn.ModuleList(heads)
        self.register_buffer("prior_shift", torch.zeros(len(words.classes), dtype=torch.float64))
        self.parent_columns = [
            (words.index(name), [words.index(parent) for parent in words.parents(name)]) for name in words.topological
        ]

    def backbone_of(self, slot: int = 0) -> Backbone:
        """The backbone of a slot's branch; slot 1 is the lateral branch of separate weights."""
        return cast(Backbone, self.backbones[min(slot, len(self.backbones) - 1)])  # the list holds nothing else

    def head_of(self, slot: int = 0) -> LinearHead:
        """The head of a slot's branch."""
        return cast(LinearHead, self.heads[min(slot, len(self.heads) - 1)])  # likewise

    def forward(self, images: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """images (B, V, C, S, S), present bool (B, V) -> logits (B, 21); absent slots are never computed.

        ``images`` may also be those that are present alone, (N, C, S, S), in the order of ``present``.
        """
        self._check(images, present)
        flat = images if images.ndim == 4 else images[present]
        found = self.view_logits(flat) if len(self.backbones) == 1 else self._by_branch(flat, present)
        logits = found.new_zeros((*present.shape, found.shape[1])).masked_scatter(present[..., None], found)
        return combine_views(logits, present, self.views.combine)

    def _by_branch(self, flat: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> logits (N, 21), each slot's images by its own branch."""
        slots = present.nonzero()[:, 1]
        kind = self.head_of().layer.weight.dtype
        found = torch.zeros(len(flat), len(self.class_names), device=flat.device, dtype=kind)
        for slot in range(present.shape[1]):
            chosen = slots == slot
            if chosen.any():
                found = found.masked_scatter(chosen[:, None], self.view_logits(flat[chosen], slot))
        return found

    def feature_map(self, images: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """(N, C, S, S) -> (N, F, h, w); ``slot`` 1 is the lateral branch of separate weights."""
        backbone = self.backbone_of(slot)
        if not self.pyramids:
            return backbone(images)
        own, stages = backbone.with_stages(images, sorted(self.levels))
        return self.pyramids[min(slot, len(self.pyramids) - 1)](own, stages[::-1])

    def finer_stages(self, slot: int = 0) -> tuple[list[nn.Module], bool]:
        """Return the modules that give maps of two, four, … times the resolution of that under the head, and whether
        their channels come last. The stem's is none."""
        backbone = self.backbone_of(slot)
        return backbone.finer_stages(self.map_stride), backbone.is_channels_last

    @property
    def pools_by_place(self) -> bool:
        """Whether the heads pool by maps of their own."""
        return all(head.pools_by_place for head in self.heads)

    def head(self, features: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """(N, F, h, w) -> logits (N, 21)."""
        return self.head_of(slot)(features)

    def ablated(self, features: torch.Tensor, slot: int, classes: torch.Tensor) -> torch.Tensor:
        """(N, F, h, w) -> logits of ``classes`` (c,) without each feature alone (N, c, F)."""
        return self.head_of(slot).ablated(features, classes)

    def head_maps(self, features: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """(N, F, h, w) -> the head's logit maps (N, 21, h, w)."""
        return self.head_of(slot).maps(features)

    def evidence(self, features: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """(N, F, h, w) -> what speaks for each class at each position, not negative (N, 21, h, w)."""
        return self.head_of(slot).evidence(features)

    def view_logits(self, images: torch.Tensor, slot: int = 0) -> torch.Tensor:
        """(N, C, S, S) -> logits (N, 21) of each image by itself."""
        logits = self.head(self.feature_map(images, slot), slot)
        return logits if self.training else self.looked_again(logits, images, slot)

    def looked_again(self, logits: torch.Tensor, images: torch.Tensor, slot: int) -> torch.Tensor:
        """Average logits (N, 21) of images with those of the other forms in which the recipe looks at them."""
        others = [self.head(self.feature_map(form, slot), slot) for form in TEST_TIME[self.views.test_time](images)]
        return torch.stack([logits, *others]).mean(dim=0) if others else logits

    def log_probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (B, 21) -> log P, float64. Prior shift undone: z − ln w; hierarchy: plus the least parent's log P."""
        own = functional.logsigmoid(logits.double() - self.prior_shift)
        return INFERENCES[self.inference](own, self.parent_columns)

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (B, 21) -> probabilities (B, 21), float64."""
        return self.log_probabilities(logits).exp()

    @torch.no_grad()
    def silence(self, classes: torch.Tensor) -> None:
        """Let the heads say 0 of some classes, bool (21,), whatever they see."""
        for head in map(self.head_of, range(len(self.heads))):
            head.layer.weight[classes], head.bias[classes] = 0, 0

    def _check(self, images: torch.Tensor, present: torch.Tensor) -> None:
        side, channels = self.input.size_px, self.input.channel_count
        is_flat = images.ndim == 4
        fits = is_flat or (images.ndim == 5 and present.shape == images.shape[:2])
        if not fits or present.ndim != 2 or images.shape[-3:] != (channels, side, side):
            raise BadInput(
                f"Model input of shape {tuple(images.shape)} with present {tuple(present.shape)}",
                accepted=f"(B, V, {channels}, {side}, {side}) with (B, V): studies, views, channels, rows, columns",
            )

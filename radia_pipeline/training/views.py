"""A study's logits from those of its views, over present views only. Which there are stands in ``choices``.

Legend: B studies, V view slots; a mask is True where there is an image.
"""

from __future__ import annotations

import torch

from radia_pipeline.training.choices import COMBINATIONS


def combine_views(logits: torch.Tensor, present: torch.Tensor, how: str) -> torch.Tensor:
    """(B, V, classes) and bool (B, V) -> (B, classes)."""
    return COMBINATIONS[how](logits, present[..., None])


def total(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The original's; it counts the bias twice where there are two views."""
    return (logits * mask).sum(dim=1)


def mean(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The total over the number of views."""
    return total(logits, mask) / _count(mask)


def highest(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The highest view's."""
    return _hidden(logits, mask).amax(dim=1)


def log_mean_exp(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """A soft maximum; showing the same view twice changes nothing."""
    return _hidden(logits, mask).logsumexp(dim=1) - _count(mask).to(logits.dtype).log()


def _count(mask: torch.Tensor) -> torch.Tensor:
    return mask.sum(dim=1).clamp(min=1)


def _hidden(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return logits.masked_fill(~mask, float("-inf"))


def never(images: torch.Tensor) -> list[torch.Tensor]:
    """A picture is looked at once."""
    return []


def mirrored(images: torch.Tensor) -> list[torch.Tensor]:
    """And as in a mirror."""
    return [images.flip(-1)]

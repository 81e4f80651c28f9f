"""What this package asks of timm's networks, as a type: they are of timm's own classes, and torch names none of it.

Nothing is built here (``backbones``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class TimmNetwork(nn.Module):
    """A network that timm made, for annotations alone. Some families lack some of these."""

    pretrained_cfg: dict[str, Any]
    default_cfg: dict[str, Any]
    patch_embed: Any
    """Of a class of each family's own."""
    forward_features: Callable[[torch.Tensor], torch.Tensor]
    forward_head: Callable[..., torch.Tensor]
    forward_intermediates: Callable[..., Any]
    """A list of maps, behind the last one where that is wanted too."""
    set_grad_checkpointing: Callable[[bool], None]
    reset_classifier: Callable[[int, str], None]

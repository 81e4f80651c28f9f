"""The detector: a feature pyramid and heads, FCOS's (torchvision) or ``gfl``'s, on a timm backbone that our classifier
has trained.

Here: the network, whose ``forward`` is the raw head that is exported. Not here: what it should have said (``loss``) and
how raw outputs become boxes (``decode``).

Legend: N images, C channels, S side, L positions over all levels, K classes.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import torch
from torch import nn
from torch.nn import functional
from torchvision.models.detection.fcos import FCOSClassificationHead, FCOSRegressionHead
from torchvision.ops import FeaturePyramidNetwork

from radia_pipeline.detection.config import FCOS
from radia_pipeline.detection.gfl import EdgeHead
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.errors import BadRecipe
from radia_pipeline.training.backbones import Backbone, map_stages, maps_of
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipe_schema import InputSection, ModelSection
from radia_pipeline.training.timm_networks import TimmNetwork

INITIAL_DISTANCE = 2.0
"""First guess of a box's edges, in strides from its position: without it the head's ReLU starts at zero gradient."""


class Detector(nn.Module):
    """Backbone, pyramid, heads. Batch normalisation of the backbone keeps the classifier's statistics always."""

    def __init__(self, spec: DetectorSpec) -> None:
        super().__init__()
        self.spec = spec
        section = spec.input_section
        model = ModelSection(**{**spec.backbone, "pretrained": False, "weights": None})
        self.net = Backbone(model, section.channel_count, section.size_px).net
        self.indices, channels = feature_levels(self.net, section, spec.strides)
        self.pooled = len(spec.strides) - len(self.indices)
        self.fpn = FeaturePyramidNetwork(channels, spec.fpn_channels)
        norm = partial(nn.GroupNorm, spec.norm_groups)
        self.classify = FCOSClassificationHead(
            spec.fpn_channels, 1, len(spec.classes), spec.head_convs, norm_layer=norm
        )
        self.regress: nn.Module
        if spec.head == FCOS:
            head = FCOSRegressionHead(spec.fpn_channels, 1, spec.head_convs, norm_layer=norm)
            nn.init.constant_(head.bbox_reg.bias, INITIAL_DISTANCE)
            self.regress = head
        else:
            self.regress = EdgeHead(spec.fpn_channels, spec.head_convs, norm, INITIAL_DISTANCE)

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        """(N, C, S, S) -> one map (N, fpn_channels, S / stride, S / stride) per level."""
        maps = maps_of(self.net, images, self.indices)
        levels = list(self.fpn(OrderedDict((str(level), found) for level, found in enumerate(maps))).values())
        for _ in range(self.pooled):
            levels.append(functional.max_pool2d(levels[-1], kernel_size=1, stride=2))
        return levels

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(N, C, S, S) -> class logits (N, L, K), distances in strides (N, L, 4), centre-ness logits (N, L, 1).

        Of ``gfl``'s head, whose class logits say all, the third are its edges' distributions, and in training alone.
        """
        levels = self.features(images)
        distances, further = self.regress(levels)
        outputs = self.classify(levels), distances, further
        return outputs if self.training else outputs[: len(self.spec.outputs)]

    def train(self, mode: bool = True) -> Detector:
        """Training mode for pyramid and heads; batch statistics of small batches would undo the classifier's."""
        super().train(mode)
        for module in self.net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self


def feature_levels(net: TimmNetwork, section: InputSection, strides: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Which of the backbone's maps have the wanted strides, and their channels.

    Strides beyond the backbone's last are left to the pyramid, which halves its last level for each (Lin et al. 2017).
    Raises BadRecipe where another one is missing.
    """
    found = map_stages(net, section.channel_count, section.size_px)
    own = [stride for stride in strides if stride in found]
    beyond = [stride for stride in strides if own and stride > max(found)]
    doubling = [own[-1] * 2 ** (step + 1) for step in range(len(beyond))] if own else []
    if missing := [stride for stride in strides if stride not in (*own, *(beyond if beyond == doubling else ()))]:
        raise BadRecipe(
            f"the backbone has no feature map of stride {', '.join(map(str, missing))}",
            accepted=", ".join(map(str, sorted(found))),
            do="change the detector's strides or its classifier",
        )
    return [found[stride][0] for stride in own], [found[stride][1] for stride in own]


def start_from_classifier(detector: Detector, classifier: Classifier) -> None:
    """Copy the classifier's (first) backbone into the detector; raises BadRecipe where they are two networks."""
    try:
        detector.net.load_state_dict(classifier.backbone_of().net.state_dict())
    except RuntimeError:
        raise BadRecipe(
            "the classifier's backbone does not fit the detector's",
            do="train the detector anew from this classifier's recipe",
        ) from None

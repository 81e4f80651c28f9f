"""What a detector is, as plain values: enough to rebuild the network and to read its output. No torch.

It is stored in ``model.json`` beside the weights and beside the ONNX file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.detection.config import FCOS, GFL, DetectorConfig
from radia_pipeline.training.recipe_schema import InputSection

OUTPUTS = {FCOS: ("logits", "distances", "centreness"), GFL: ("logits", "distances")}
"""What a head of each kind says of an image."""


@dataclass(frozen=True)
class DetectorSpec:
    """Classes in the order of the output, geometry of the input, backbone and heads, rules of decoding.

    The working point: ``thresholds``, one for each class, and ``ensemble_thresholds`` where the ensemble says which
    classes may be there; at most ``class_boxes`` of a class on an image. None of these in a detector of before there
    were such.
    """

    classes: tuple[str, ...]
    size_px: int
    strides: tuple[int, ...]
    fpn_channels: int
    head_convs: int
    input: dict[str, Any]
    backbone: dict[str, Any]
    score_threshold: float
    nms_iou: float
    max_boxes: int
    vocabulary_version: str
    name: str = "small"
    prior_weight: float = 0.0
    norm_groups: int = 32
    head: str = FCOS
    thresholds: tuple[float, ...] = ()
    ensemble_thresholds: tuple[float, ...] = ()
    class_boxes: int | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, config: DetectorConfig, recipe: Mapping[str, Any], classes: Sequence[str], provenance: Mapping[str, Any]
    ) -> DetectorSpec:
        """Return what a config makes of a classifier's recipe (as its card has it)."""
        head, decoding, size = config.head, config.decoding, config.input.size_px
        return cls(
            classes=tuple(classes),
            size_px=size,
            strides=head.strides,
            fpn_channels=head.channels,
            head_convs=head.convs,
            norm_groups=head.norm_groups,
            head=head.kind,
            input={**recipe["input"], "size_px": size},
            backbone=recipe["model"],
            score_threshold=decoding.score_threshold,
            nms_iou=decoding.nms_iou,
            max_boxes=decoding.max_boxes,
            prior_weight=decoding.prior_weight,
            class_boxes=decoding.class_boxes,
            vocabulary_version=vocabulary().version,
            name=config.name,
            provenance=dict(provenance),
        )

    @property
    def input_section(self) -> InputSection:
        """How stored images become the network's input."""
        return InputSection(**self.input)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the raw outputs, in order."""
        return OUTPUTS[self.head]

    @property
    def working_point(self) -> tuple[float, ...] | float:
        """The thresholds above which a box is shown to people where no ensemble is at hand, by class; one for all where
        none were chosen."""
        return self.thresholds or self.score_threshold

    def to_json(self) -> dict[str, Any]:
        """The spec as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> DetectorSpec:
        """Inverse of ``to_json``."""
        names = ("classes", "strides", "thresholds", "ensemble_thresholds")
        return cls(**{**content, **{name: tuple(content[name]) for name in names if name in content}})

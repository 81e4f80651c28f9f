"""What a detector's file may say (``detection/detectors/*.yaml``), with defaults, and how it is read.

Light on purpose: no torch. Not here: what the options do (``model``, ``data``, ``train``).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from radia_pipeline.contracts.location import parse_yaml
from radia_pipeline.errors import BadRecipe, UnknownName
from radia_pipeline.training.recipe_schema import AugmentationSection

DETECTORS_DIR = Path(__file__).parent / "detectors"
_RANGES: dict[str, tuple[float, float]] = {
    "size_px": (64, 2048), "fpn_channels": (32, 1024), "head_convs": (1, 8), "max_images": (1, 10**9),
    "max_validation_images": (1, 10**9), "empty_share": (0, 0.9), "min_score": (0, 1), "epochs": (1, 10_000),
    "batch_size": (1, 4096), "lr": (1e-8, 10), "backbone_lr_factor": (0, 10), "weight_decay": (0, 1),
    "clip_norm": (1e-3, 1e6), "warmup_share": (0, 0.9), "patience": (1, 10_000), "flip_p": (0, 1), "scale": (0, 0.9),
    "translate": (0, 0.5), "jitter": (0, 0.9), "center_radius": (0.5, 16), "range_factor": (1, 64),
    "score_threshold": (0, 1), "nms_iou": (0, 1), "max_boxes": (1, 1000),
}  # fmt: skip


@dataclass(frozen=True)
class DetectorConfig:
    """One detector, whole. Lengths in pixels of the square input."""

    name: str = "small"
    title: str = ""
    recipe: str | None = None  # classifier whose backbone starts it; None: the best member of the ensemble
    sources: tuple[str, ...] | None = None  # None: every source that has pseudo boxes
    size_px: int = 192
    strides: tuple[int, ...] = (8, 16, 32)  # levels of the backbone that the pyramid takes
    fpn_channels: int = 64  # a multiple of 32: the head normalises in groups of 32
    head_convs: int = 2
    max_images: int = 400
    max_validation_images: int = 150
    empty_share: float = 0.25  # share of the training images that show no box
    min_score: float = 0.0  # pseudo boxes below are not learned from
    weigh_by_score: bool = True  # a pseudo box counts as much as its score, relative to its class's mean
    epochs: int = 14
    batch_size: int = 16
    lr: float = 1e-3
    backbone_lr_factor: float = 0.2
    weight_decay: float = 1e-2
    clip_norm: float = 5.0
    warmup_share: float = 0.1
    patience: int = 6
    flip_p: float = 0.5
    scale: float = 0.15
    translate: float = 0.08
    jitter: float = 0.15
    also: tuple[dict[str, Any], ...] = ()  # further augmentations, as in a recipe's augmentation.also
    center_radius: float = 1.5  # a position learns a box if it lies within so many strides of the box's centre
    range_factor: float = 4.0  # a level is responsible for boxes that reach up to so many of its strides from there
    score_threshold: float = 0.05
    nms_iou: float = 0.4
    max_boxes: int = 20
    export_onnx: bool = True  # after training; about 15 s of one core
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise _bad(self.name, f"{name} is {value!r}", f"{low:g} to {high:g}")
        self.augmentation()
        if self.fpn_channels % 32:
            raise _bad(self.name, f"fpn_channels is {self.fpn_channels}", "a multiple of 32")
        if not self.strides or list(self.strides) != sorted(set(self.strides)):
            raise _bad(self.name, f"strides are {list(self.strides)}", "rising numbers, such as 8, 16, 32")
        if self.size_px % self.strides[-1]:
            raise _bad(self.name, f"size_px is {self.size_px}", f"a multiple of the last stride, {self.strides[-1]}")

    def augmentation(self) -> AugmentationSection:
        """What changes its images and boxes, in a recipe's words. Raises BadRecipe."""
        content = {
            "affine": {"p": 1, "scale": self.scale, "translate": self.translate, "rotate_deg": 0, "shear_deg": 0},
            "jitter": {"p": 1, "brightness": self.jitter, "contrast": self.jitter}, "flip": {"p": self.flip_p},
            "also": self.also,
        }  # fmt: skip
        try:
            return AugmentationSection.model_validate(content)
        except ValidationError as error:
            received = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
            raise _bad(self.name, received, "what docs/augmentations.md lists") from None

    def as_dict(self) -> dict[str, Any]:
        """All options as plain values."""
        return asdict(self)

    @property
    def hash(self) -> str:
        """sha256 over what differs from the defaults and can change the weights or how they are read.

        Name, title and export do not; a new option leaves the detectors that do not use it alone.
        """
        content = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in ("name", "title", "export_onnx") and getattr(self, field.name) != field.default
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _bad(name: str, received: str, accepted: str) -> BadRecipe:
    return BadRecipe(f"In the detector {name!r}, {received}", accepted=accepted, do="correct the detector's file")


def detector_names() -> tuple[str, ...]:
    """Names of the shipped detectors, sorted."""
    return tuple(sorted(path.stem for path in DETECTORS_DIR.glob("*.yaml")))


def load_config(name_or_path: str | Path = "small") -> DetectorConfig:
    """The shipped detector of that name, or the one in a YAML file. Raises UnknownName or BadRecipe."""
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = DETECTORS_DIR / f"{name_or_path}.yaml"
        if not path.is_file():
            raise UnknownName(f"the detector {str(name_or_path)!r}", accepted=", ".join(detector_names()))
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRecipe(f"the detector's file cannot be read ({error.strerror})", do="check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadRecipe(f"the detector {path.stem!r} is not YAML", do="correct the file") from None
    return parse_config({"name": path.stem, **(content or {})})


def parse_config(content: dict[str, Any]) -> DetectorConfig:
    """A mapping as a config; raises BadRecipe that names an unknown option or a value out of range."""
    known = {field.name for field in fields(DetectorConfig)}
    if unknown := sorted(set(content) - known):
        raise _bad(content.get("name", "?"), f"unknown options {', '.join(unknown)}", ", ".join(sorted(known)))
    for name in ("strides", "sources", "also"):
        if isinstance(content.get(name), list):
            content = {**content, name: tuple(content[name])}
    return DetectorConfig(**content)

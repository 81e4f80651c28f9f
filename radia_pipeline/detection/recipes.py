"""Reads detectors' files: ``detection/detectors/*.yaml``, a lake's own ``detectors/*.yaml``, or any path.

What a file may say is in ``config``. Light on purpose: no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.errors import BadRecipe
from radia_pipeline.training.named_files import NamedFiles, as_schema, merged, named_by
from radia_pipeline.training.recipes import described, replaced

DETECTORS_DIR = Path(__file__).parent / "detectors"
OWN = "detectors"
"""Folder of a lake in which its own detectors lie."""
MOVED = {
    "sources": ("data.sources",),
    "size_px": ("input.size_px",),
    "strides": ("head.strides",),
    "fpn_channels": ("head.channels",),
    "head_convs": ("head.convs",),
    "center_radius": ("head.center_radius",),
    "range_factor": ("head.range_factor",),
    "max_images": ("data.max_images",),
    "max_validation_images": ("data.max_validation_images",),
    "empty_share": ("data.empty_share",),
    "min_score": ("boxes.min_score",),
    "weigh_by_score": ("boxes.weigh_by_score",),
    "epochs": ("training.max_epochs",),
    "batch_size": ("training.batch_size",),
    "seed": ("training.seed",),
    "lr": ("optimizer.lr",),
    "backbone_lr_factor": ("optimizer.backbone_factor",),
    "weight_decay": ("optimizer.weight_decay",),
    "clip_norm": ("optimizer.clip_norm",),
    "warmup_share": ("schedule.warmup_share",),
    "patience": ("stopping.patience",),
    "flip_p": ("augmentation.flip.p",),
    "scale": ("augmentation.affine.scale",),
    "translate": ("augmentation.affine.translate",),
    "also": ("augmentation.also",),
    "jitter": ("augmentation.jitter.brightness", "augmentation.jitter.contrast"),
    "score_threshold": ("decoding.score_threshold",),
    "nms_iou": ("decoding.nms_iou",),
    "max_boxes": ("decoding.max_boxes",),
}
"""Options of a release whose files had no sections, and where each stands now: such files are still read."""


def load_config(name_or_path: str | Path = "small", lake_root: Path | None = None) -> DetectorConfig:
    """The detector of that name, shipped or of the lake, or the one in a YAML file. Raises UnknownName or BadRecipe."""
    return parse_config(FILES.read(name_or_path, lake_root))


def parse_config(content: dict[str, Any]) -> DetectorConfig:
    """A mapping as a config; raises BadRecipe that names an unknown option or a value out of range."""
    name = content.get("name", "?") if isinstance(content, dict) else "?"
    try:
        return DetectorConfig.model_validate(_with_sections(content))
    except ValidationError as error:
        problems = "; ".join(described(problem, DetectorConfig) for problem in error.errors()[:6])
        raise BadRecipe(
            f"In the detector {name!r}: {problems}",
            accepted="the options of detection/detectors/detector.schema.json; augmentation.also as in "
            "docs/augmentations.md",
            do="correct the detector's file",
        ) from None


def with_settings(config: DetectorConfig, settings: Mapping[str, str]) -> DetectorConfig:
    """The detector with options as a command line gives them, ``{"optimizer.lr": "1e-3"}``; values are YAML.

    It bears a name of its own, made of the settings unless ``name`` is among them: the detector's own models stay.
    """
    if not settings:
        return config
    return parse_config(replaced(config.as_dict(), named_by(config.name, settings)))


def json_schema() -> dict[str, Any]:
    """The JSON schema that editors use to check and complete detectors' files."""
    extends = "Detector whose options are the defaults."
    return as_schema(DetectorConfig.model_json_schema(), title="RadIA detector", extends=extends)


def _with_sections(content: Any) -> Any:
    """Put options of a file without sections where they stand now; one that stands there already is kept."""
    if not isinstance(content, dict):
        return content
    moved: dict[str, Any] = {}
    for old in (key for key in content if key in MOVED):
        for new in MOVED[old]:
            *parents, last = new.split(".")
            moved = merged(moved, _nested(parents, {last: content[old]}))
    return merged(moved, {key: value for key, value in content.items() if key not in MOVED})


def _nested(parents: list[str], inner: dict[str, Any]) -> dict[str, Any]:
    for parent in reversed(parents):
        inner = {parent: inner}
    return inner


FILES = NamedFiles("detector", DETECTORS_DIR, OWN, brought=_with_sections)

"""Reads detectors' files: ``detection/detectors/*.yaml``, a lake's own ``detectors/*.yaml``, or any path.

What a file may say is in ``config``. Light on purpose: no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from radia_pipeline.contracts.location import parse_yaml
from radia_pipeline.detection.config import DetectorConfig
from radia_pipeline.errors import BadRecipe, UnknownName
from radia_pipeline.training.recipes import described, merged, replaced

DETECTORS_DIR = Path(__file__).parent / "detectors"
OWN = "detectors"
"""Folder of a lake in which its own detectors lie."""
MOVED = {
    "sources": ("data.sources",), "size_px": ("input.size_px",), "strides": ("head.strides",),
    "fpn_channels": ("head.channels",), "head_convs": ("head.convs",), "center_radius": ("head.center_radius",),
    "range_factor": ("head.range_factor",), "max_images": ("data.max_images",),
    "max_validation_images": ("data.max_validation_images",), "empty_share": ("data.empty_share",),
    "min_score": ("boxes.min_score",), "weigh_by_score": ("boxes.weigh_by_score",), "epochs": ("training.max_epochs",),
    "batch_size": ("training.batch_size",), "seed": ("training.seed",), "lr": ("optimizer.lr",),
    "backbone_lr_factor": ("optimizer.backbone_factor",), "weight_decay": ("optimizer.weight_decay",),
    "clip_norm": ("optimizer.clip_norm",), "warmup_share": ("schedule.warmup_share",),
    "patience": ("stopping.patience",), "flip_p": ("augmentation.flip.p",), "scale": ("augmentation.affine.scale",),
    "translate": ("augmentation.affine.translate",), "also": ("augmentation.also",),
    "jitter": ("augmentation.jitter.brightness", "augmentation.jitter.contrast"),
    "score_threshold": ("decoding.score_threshold",), "nms_iou": ("decoding.nms_iou",),
    "max_boxes": ("decoding.max_boxes",),
}  # fmt: skip
"""Options of a release whose files had no sections, and where each stands now: such files are still read."""


def detector_names(lake_root: Path | None = None) -> tuple[str, ...]:
    """Names of the shipped detectors, sorted, then those of a lake's own folder."""
    own = tuple(sorted(path.stem for path in (lake_root / OWN).glob("*.yaml"))) if lake_root else ()
    return tuple(sorted(path.stem for path in DETECTORS_DIR.glob("*.yaml"))) + own


def load_config(name_or_path: str | Path = "small", lake_root: Path | None = None) -> DetectorConfig:
    """The detector of that name, shipped or of the lake, or the one in a YAML file. Raises UnknownName or BadRecipe."""
    path = _locate(name_or_path, lake_root)
    return parse_config({"name": path.stem, **_read(path, lake_root, ())})


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
    digest = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode()).hexdigest()[:8]
    given = {name: yaml.safe_load(text) for name, text in settings.items()}
    return parse_config(replaced(config.as_dict(), {"name": f"{config.name[:50]}_s{digest}", **given}))


def json_schema() -> dict[str, Any]:
    """The JSON schema that editors use to check and complete detectors' files."""
    schema = DetectorConfig.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "RadIA detector"
    schema["properties"]["extends"] = {"type": "string", "description": "Detector whose options are the defaults."}
    return schema


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


def _locate(name_or_path: str | Path, lake_root: Path | None) -> Path:
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        return path
    shipped = DETECTORS_DIR / f"{name_or_path}.yaml"
    own = lake_root / OWN / f"{name_or_path}.yaml" if lake_root else None
    if own and own.is_file():
        if shipped.is_file():
            raise BadRecipe(f"Detector {own.name} of the lake bears a shipped one's name", do="give it another name")
        return own
    if shipped.is_file():
        return shipped
    raise UnknownName(
        f"the detector {str(name_or_path)!r}",
        accepted=", ".join(detector_names(lake_root)) + "; or the path of a .yaml file",
    )


def _read(path: Path, lake_root: Path | None, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        raise BadRecipe(f"The detector {path.stem!r} extends itself", do="remove one extends")
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRecipe(f"the detector's file cannot be read ({error.strerror})", do="check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadRecipe(f"the detector {path.stem!r} is not YAML", do="correct the file") from None
    if not isinstance(content or {}, dict):
        raise BadRecipe(f"the detector {path.stem!r} holds no mapping", accepted="key: value lines")
    content = _with_sections(dict(content or {}))
    base = content.pop("extends", None)
    if base is None:
        return content
    beneath = _read(_locate(base, lake_root), lake_root, (*seen, path))
    beneath.pop("name", None)
    return merged(beneath, content)

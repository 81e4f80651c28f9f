"""The detector's raw head as ONNX, proved against torch. Suppression stays outside: ``decode`` reads both outputs.

Writes ``model.onnx`` (images (N, C, S, S) -> logits (N, L, K), distances (N, L, 4) and, of FCOS, centre-ness (N, L, 1);
N is free) and, where it goes to another folder, ``model.json``. Not here: running it (``onnx_model``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from radia_pipeline.detection.model import Detector
from radia_pipeline.detection.onnx_model import ONNX_FILE, OnnxDetector
from radia_pipeline.detection.store import load_detector
from radia_pipeline.errors import RunFailed
from radia_pipeline.evaluation.onnx_export import write_onnx
from radia_pipeline.lake import atomic

TOLERANCE = 1e-4
"""Largest difference of any raw output that is taken for the same network in other arithmetic."""
PROVED_BATCHES = (1, 3)


@dataclass(frozen=True)
class OnnxExport:
    """The file and the largest difference of a raw output from torch's, over random images."""

    path: Path
    max_difference: float
    size_bytes: int


def export_onnx(model_dir: Path, out_dir: Path | None = None) -> OnnxExport:
    """Export a trained detector; raises NotTrained, and RunFailed (nothing is kept) where ONNX Runtime disagrees."""
    model_dir, folder = Path(model_dir), Path(out_dir or model_dir)
    detector = load_detector(model_dir)
    path = folder / ONNX_FILE
    with atomic.replace_file(path) as temporary:
        write_onnx(detector, detector.spec.input_section, detector.spec.outputs, temporary)
        difference = largest_difference(detector, temporary)
        if not difference <= TOLERANCE:
            raise RunFailed(
                f"The exported detector differs from the trained one by {difference:.2e}",
                accepted=f"at most {TOLERANCE:g}",
                do="report it with the versions of torch, onnx and onnxruntime",
            )
    if folder != model_dir:
        atomic.write_text(folder / "model.json", json.dumps({"spec": detector.spec.to_json()}, indent=1) + "\n")
    return OnnxExport(path, difference, path.stat().st_size)


def largest_difference(detector: Detector, path: Path, seed: int = 0) -> float:
    """Largest absolute difference of any raw output between torch and ONNX Runtime on images of noise."""
    other, random = OnnxDetector(path, detector.spec), np.random.default_rng(seed)
    section, worst = detector.spec.input_section, 0.0
    for count in PROVED_BATCHES:
        shape = (count, section.channel_count, section.size_px, section.size_px)
        images = random.normal(size=shape).astype(np.float32)
        with torch.no_grad():
            ours = detector(torch.from_numpy(images))
        pairs = zip(ours, other.raw(images))
        worst = max(worst, *(float(np.abs(mine.numpy() - theirs).max()) for mine, theirs in pairs))
    return worst

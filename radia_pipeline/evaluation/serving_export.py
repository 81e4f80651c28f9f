"""Making the serving form of a finished classifier, proved against torch. Nothing of a model's identity depends on it.

Needs torch, and seconds of a processor once for each model. Not here: the form itself and its use (``serving``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from radia_pipeline.evaluation.onnx_export import write_onnx
from radia_pipeline.evaluation.serving import CARD, FOLDER, OUTPUTS, SERVING_VERSION, ServedModel
from radia_pipeline.lake import atomic
from radia_pipeline.training.inference import load_classifier
from radia_pipeline.training.inputs import GREY_MAX, to_channels
from radia_pipeline.training.models import Classifier

TOLERANCE = 1e-3
"""Largest difference of a logit, over the largest one, that is taken for other arithmetic of the same network."""
_PROVED = 2
_NAMES = ("frontal.onnx", "lateral.onnx")


def export(model_dir: Path) -> ServedModel:
    """Write the serving form beside a model and return it.

    A network that torch cannot export, or that ONNX Runtime computes otherwise, gets a card alone and answers by torch.
    """
    model_dir = Path(model_dir)
    classifier, folder = load_classifier(model_dir), model_dir / FOLDER
    folder.mkdir(exist_ok=True)
    files = list(_NAMES[: len(classifier.backbones)])
    if not all(_is_written(_Branch(classifier, slot), classifier, folder / name) for slot, name in enumerate(files)):
        files = []
    card = {
        "serving_version": SERVING_VERSION,
        "vocabulary_version": classifier.vocabulary_version,
        "files": files,
        "input": classifier.input.model_dump(mode="json"),
        "views": classifier.views.model_dump(mode="json"),
        "inference": classifier.inference,
        "prior_shift": classifier.prior_shift.tolist(),
    }
    if files and not _agrees(classifier, ServedModel(folder, card), len(files)):
        card["files"] = files = []
    atomic.write_text(folder / CARD, json.dumps(card, indent=1) + "\n")
    return ServedModel.load(model_dir) if files else TorchModel(model_dir, card)


class TorchModel(ServedModel):
    """A classifier that ONNX cannot hold, behind the same door: slower, and torch must be there."""

    def __init__(self, model_dir: Path, card: dict[str, Any]) -> None:
        super().__init__(model_dir, card)
        classifier = load_classifier(model_dir)
        self._branches = [_Branch(classifier, slot).eval() for slot in range(len(classifier.backbones))]

    @torch.no_grad()
    def _run(self, images: np.ndarray, slot: int) -> tuple[np.ndarray, np.ndarray]:
        logits, features = self._branches[min(slot, len(self._branches) - 1)](torch.from_numpy(images))
        return logits.numpy(), features.numpy()


class _Branch(nn.Module):
    """What one branch of weights says of images: logits, and mean and deviation of its features over positions."""

    def __init__(self, classifier: Classifier, slot: int) -> None:
        super().__init__()
        self.classifier, self.slot = classifier, slot

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, C, S, S) -> (N, 21), (N, 2F)."""
        features = self.classifier.feature_map(images, self.slot)
        positions = features.flatten(2)
        middle = positions.mean(dim=2)
        spread = (positions - middle[..., None]).square().mean(dim=2).sqrt()
        logits = self.classifier.looked_again(self.classifier.head(features, self.slot), images, self.slot)
        return logits, torch.cat([middle, spread], dim=1)


def _is_written(branch: _Branch, classifier: Classifier, path: Path) -> bool:
    """Write one branch; False where torch cannot export such a network, whose errors share no base."""
    try:
        with atomic.replace_file(path) as temporary:
            write_onnx(branch, classifier.input, OUTPUTS, temporary)
    except OSError:
        raise
    except Exception:
        return False
    return True


@torch.no_grad()
def _agrees(classifier: Classifier, served: ServedModel, slots: int) -> bool:
    """Say whether the written form answers as torch does, on images of noise."""
    section, random = classifier.input, np.random.default_rng(0)
    for slot in range(slots):
        for _ in range(_PROVED):
            square = random.integers(0, 65536, (section.size_px, section.size_px)).astype(np.uint16)
            theirs = served.look(square, slot).logits
            tensor = torch.from_numpy(_tensor(square, classifier))[None]
            ours = classifier.view_logits(tensor, slot)[0].double().numpy()
            if not float(np.abs(ours - theirs).max() / max(1.0, np.abs(ours).max())) <= TOLERANCE:
                return False
    return True


def _tensor(square: np.ndarray, classifier: Classifier) -> np.ndarray:
    return to_channels(square.astype(np.float32) / GREY_MAX, classifier.input)

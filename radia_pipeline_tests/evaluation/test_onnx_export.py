"""What is written as ONNX computes as torch does, where single precision is at its end too."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch
from torch import nn
from torch.nn import functional

from radia_pipeline.evaluation.onnx_export import write_onnx
from radia_pipeline.training.heads import PcamHead
from radia_pipeline.training.recipe_schema import InputSection

SECTION = InputSection(size_px=32, channels="gray")


def both(network: nn.Module, images: np.ndarray, path) -> tuple[np.ndarray, np.ndarray]:
    """Return what torch and ONNX Runtime make of images (N, 1, 32, 32)."""
    write_onnx(network, SECTION, ("answer",), path)
    with torch.no_grad():
        ours = network(torch.from_numpy(images)).numpy()
    return ours, onnxruntime.InferenceSession(str(path)).run(None, {"images": images})[0]


class LogSigmoid(nn.Module):
    def forward(self, images):
        return functional.logsigmoid(images).flatten(1)


class Pooled(nn.Module):
    """Probabilistic pooling of a map that is sure of nothing almost everywhere."""

    def __init__(self):
        super().__init__()
        self.head = PcamHead(1, 3, dropout=0.0)
        with torch.no_grad():
            self.head.layer.weight.copy_(torch.tensor([[1.0], [4.0], [-4.0]]).reshape(self.head.layer.weight.shape))
            self.head.layer.bias.copy_(torch.tensor([-15.0, -18.0, -12.0]))

    def forward(self, images):
        return self.head(images)


def test_the_logarithm_of_a_sigmoid_keeps_its_tail(tmp_path):
    images = np.linspace(-60, 60, 2048, dtype=np.float32).reshape(2, 1, 32, 32)
    ours, theirs = both(LogSigmoid(), images, tmp_path / "log.onnx")
    assert np.allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_pooling_by_small_probabilities_is_the_training_s(tmp_path):
    images = np.random.default_rng(0).normal(0, 1, (2, 1, 32, 32)).astype(np.float32)
    ours, theirs = both(Pooled(), images, tmp_path / "pcam.onnx")
    assert np.allclose(ours, theirs, rtol=1e-5, atol=1e-5)

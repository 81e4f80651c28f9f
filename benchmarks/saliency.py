"""Each saliency method for 14 classes of an image: ours, all classes at once, against the package grad-cam one by one.

Prints and keeps ratios of processor time within one run, on a DenseNet of the demo's shape with fresh weights, and how
much of both maps is the same where the package is right. Ours is the median of several calls. Both look through one
network, laid out in memory as explainers lay it out. The package's target is the network's last layer, as its README
says for a DenseNet; AblationCAM is measured also with the whole network as one layer, which spares the package all but
the head. Poly-CAM, which the package has not, is timed alone.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.localisation.maps import SLOW, explain
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipes import load_recipe

os.environ.setdefault("TQDM_DISABLE", "1")
RESULT = Path(__file__).parent / "results" / "saliency.json"
THEIRS = {
    "gradcam": "GradCAM",
    "hirescam": "HiResCAM",
    "gradcam++": "GradCAMPlusPlus",
    "layercam": "LayerCAM",
    "xgradcam": "XGradCAM",
    "elementwise": "GradCAMElementWise",
    "eigencam": "EigenCAM",
    "eigengradcam": "EigenGradCAM",
    "ablationcam": "AblationCAM",
    "scorecam": "ScoreCAM",
    "fullgrad": "FullGrad",
}
DIFFERS = {
    "gradcam++": "an eps on squares rules small gradients",
    "eigencam": "the sign of a component is arbitrary there",
    "eigengradcam": "the sign of a component is arbitrary there",
    "scorecam": "enlarges masks with aligned corners, the paper's own code does not",
    "ablationcam": "divides by the score, whose sign flips",
    "fullgrad": "stretches each channel by itself, and knows no normalisation with an activation inside",
}
"""Methods in which the package is not what its paper says, and why."""


ALL_AT_ONCE = "ablationcam, the network one layer"
"""The package's best case: it keeps what lies before its layer's output and asks the head alone."""
TIMES = 7
ALONE = ("polycam",)
"""Methods that the package has not."""


class Whole(nn.Module):
    """The network as the package wants it: images -> logits of the 14 pathologies, the map a module of its own."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.body, self.head = classifier.backbones[0], classifier.heads[0]
        self.last = self.body.net.features[-1]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> (N, 14)."""
        return self.head(self.body(images))[:, : len(vocabulary().pathologies)]


def cpu(function: Callable[[], object]) -> tuple[float, object]:
    """Processor seconds of one call and what it gave."""
    started = time.process_time()
    found = function()
    return time.process_time() - started, found


def class_by_class(kind: type, whole: Whole, image: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    """The package's raw maps (14, h, w), one call a class; FullGrad's as it gives them, 0..1."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    maps = []
    for k in range(len(vocabulary().pathologies)):
        with kind(model=whole, target_layers=[layer]) as method:
            if kind.__name__ == "FullGrad":
                maps.append(torch.as_tensor(method(input_tensor=image, targets=[ClassifierOutputTarget(k)])[0]))
                continue
            method.compute_cam_per_layer = lambda images, targets, *_, one=method: [_raw(one, images, targets)]
            method.aggregate_multi_layers = lambda found: found[0]
            maps.append(torch.as_tensor(method(input_tensor=image, targets=[ClassifierOutputTarget(k)])[0]))
    return torch.relu(torch.stack(maps).float())


def _raw(method, images: torch.Tensor, targets: list):
    """What the package computes before it stretches a map to 0..1 and to the picture's size."""
    seen = method.activations_and_grads
    activations = seen.activations[0].cpu().data.numpy()
    gradients = seen.gradients[0].cpu().data.numpy() if seen.gradients else None
    return method.get_cam_image(images, method.target_layers[0], targets, activations, gradients, False)


def main() -> int:
    """Measure, print and keep."""
    try:
        import pytorch_grad_cam
    except ImportError:
        print("The package grad-cam is not here: nothing to compare with (it is in the extra dev).")
        return 0
    torch.set_num_threads(1)
    recipe = load_recipe("demo_pcam")
    torch.manual_seed(0)
    classifier = Classifier(recipe).eval()
    for head in classifier.heads:
        nn.init.normal_(head.layer.weight, std=0.3)
    classifier.to(memory_format=torch.channels_last)
    whole, side = Whole(classifier).eval(), recipe.input.size_px
    image, classes = torch.randn(1, recipe.input.channel_count, side, side), len(vocabulary().pathologies)
    explain(classifier, image, tuple(THEIRS))
    result: dict = {}
    compared = [(ours, ours, name, whole.last) for ours, name in THEIRS.items()]
    compared.append((ALL_AT_ONCE, "ablationcam", "AblationCAM", whole.body))
    wanted = torch.arange(len(classifier.class_names))[None] < classes
    for title, ours, name, layer in compared:
        turns = 1 if ours in SLOW else TIMES
        told = [
            cpu(lambda ours=ours: explain(classifier, image, (ours,), wanted=wanted)[1][ours][0, :classes])
            for _ in range(turns)
        ]
        mine, found = statistics.median(seconds for seconds, _ in told), told[0][1]
        kind = getattr(pytorch_grad_cam, name)
        theirs, known = cpu(lambda kind=kind, layer=layer: class_by_class(kind, whole, image, layer))
        away = float((found - known).abs().max() / known.abs().max().clamp(min=1e-12))
        result[title] = {"ratio": theirs / mine, "ours_ms": mine * 1e3, "largest_difference": away}
        why = f"; {DIFFERS[ours]}" if ours in DIFFERS else ""
        print(f"{title:13} {theirs / mine:7.1f} x, maps differ by {away:.1e} of the highest{why}", flush=True)
    for name in ALONE:
        seconds, _ = cpu(lambda name=name: explain(classifier, image, (name,), wanted=wanted))
        result[name] = {"ours_ms": seconds * 1e3}
        print(f"{name:13} {seconds * 1e3:.0f} ms of ours", flush=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

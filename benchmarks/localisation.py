"""All classes' gradient maps from one pass and one batched vector-Jacobian product, against a pass for each class.

Prints and keeps ratios measured in one run, on a DenseNet of the demo's shape with fresh weights.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from radia_pipeline.localisation.maps import explain
from radia_pipeline.training.models import Classifier
from radia_pipeline.training.recipes import load_recipe

IMAGES = 16
RESULT = Path(__file__).parent / "results" / "localisation.json"


BY_GRADIENT = ("gradcam", "hirescam", "gradcam++", "layercam")
"""Methods that share one Jacobian."""


def cpu(function) -> float:
    """Processor seconds of one call, the better of two."""
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        function()
        best = min(best, time.process_time() - started)
    return best


def class_by_class(classifier: Classifier, images: torch.Tensor) -> torch.Tensor:
    """Grad-CAM as libraries do it: forward and backward for every class."""
    maps = []
    for k in range(len(classifier.class_names)):
        features = classifier.feature_map(images)
        features.retain_grad()
        classifier.head(features)[:, k].sum().backward()
        weight = features.grad.mean(dim=(2, 3), keepdim=True)
        maps.append((weight * features.detach()).sum(dim=1).relu())
    return torch.stack(maps, dim=1)


def main() -> None:
    torch.set_num_threads(1)
    recipe = load_recipe("demo_pcam")
    classifier = Classifier(recipe).eval()
    side = recipe.input.size_px
    images = torch.randn(IMAGES, recipe.input.channel_count, side, side)
    _, found = explain(classifier, images, ("gradcam",))
    difference = float((found["gradcam"] - class_by_class(classifier, images)).abs().max())
    one = cpu(lambda: explain(classifier, images, ("gradcam",)))
    four = cpu(lambda: explain(classifier, images, BY_GRADIENT))
    each = cpu(lambda: class_by_class(classifier, images))
    with torch.no_grad():
        forward = cpu(lambda: classifier.view_logits(images))
    result = {
        "images": IMAGES,
        "classes": len(classifier.class_names),
        "largest_difference": difference,
        "one_method_over_forward": round(one / forward, 2),
        "four_methods_over_forward": round(four / forward, 2),
        "class_by_class_over_one_method": round(each / one, 1),
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""Saliency maps of all classes at once: one forward pass, then batched vector-Jacobian products through the head.

The layer explained is the feature map under the head, so the backbone runs once and without gradients (``SLOW``
methods alone ask it again); what is differentiated is the head alone. Each view is explained by its own logits: a map
says what the model saw in that film, whatever the other films of the study showed. A new method is a function and its
line in ``METHODS``. Not here: boxes (``boxes``), controls (``controls``), choosing a method (``benchmark``).

Shape legend: N images, C channels, S side, F features, K classes, h x w positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from radia_pipeline.contracts.choices import Table
from radia_pipeline.localisation.bias_maps import fullgrad
from radia_pipeline.localisation.component_maps import eigencam, eigengradcam
from radia_pipeline.localisation.masking_maps import ablationcam, scorecam
from radia_pipeline.localisation.poly_maps import polycam
from radia_pipeline.localisation.seen import Seen, positive
from radia_pipeline.localisation.stage_maps import layercam, stagecam

MAX_JACOBIAN_BYTES = 256 * 2**20  # images are explained in chunks whose Jacobian stays below this
EPSILON = 1e-12


def explain(
    classifier: Any,
    images: torch.Tensor,
    methods: Sequence[str],
    *,
    slots: Sequence[int] | None = None,
    wanted: torch.Tensor | None = None,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Explain images (N, C, S, S) by several methods at the cost of one.

    ``slots``: view slot of each image (separate weights use another branch for slot 1). ``wanted``: bool (N, K), the
    maps that are asked for (default: all); the others may be 0. Returns the images' own logits (N, K) and
    {method: (N, K, h, w)}, float32 on the CPU, not negative; scale and number of positions differ between methods. The
    result does not depend on how images are batched. Raises UnknownName, and BadInput where FullGrad does not fit.
    """
    chosen, is_finer = {name: METHODS[name] for name in methods}, bool(set(methods) & set(FINER))
    slots = [0] * len(images) if slots is None else list(slots)
    logits: list = [None] * len(images)
    maps: dict[str, list] = {name: [None] * len(images) for name in methods}
    learning = [module for module in classifier.modules() if module.training]
    for module in learning:
        module.training = False
    try:
        for slot in sorted(set(slots)):
            rows = [row for row, one in enumerate(slots) if one == slot]
            for part in _chunks(classifier, rows, images, slot):
                asked = None if wanted is None else wanted[part]
                seen = Seen.of(classifier, images[part], slot, wanted=asked, is_finer=is_finer)
                for name, method in chosen.items():
                    found = method(seen).float().cpu()
                    for place, row in enumerate(part):
                        maps[name][row] = found[place]
                for place, row in enumerate(part):
                    logits[row] = seen.logits[place].detach().float().cpu()
    finally:
        for module in learning:
            module.training = True
    return torch.stack(logits), {name: torch.stack(parts) for name, parts in maps.items()}


def _chunks(classifier: Any, rows: list[int], images: torch.Tensor, slot: int) -> list[list[int]]:
    """Divide images so that the Jacobian of a chunk (K, n, F, h, w) stays small."""
    if len(rows) <= 1:
        return [rows] if rows else []
    with torch.no_grad():
        features = classifier.feature_map(images[rows[:1]], slot)
    each = features.numel() * 4 * len(classifier.class_names)
    size = max(1, MAX_JACOBIAN_BYTES // each)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@torch.no_grad()
def _gradcam(seen: Seen) -> torch.Tensor:
    """Selvaraju 2017: features weighted by the mean gradient."""
    weight = seen.jacobian.mean(dim=(3, 4))
    return positive(torch.einsum("knf,nfhw->knhw", weight, seen.features))


@torch.no_grad()
def _hirescam(seen: Seen) -> torch.Tensor:
    """Draelos 2020: gradient times features, position by position. Equals Grad-CAM on average-pooled linear heads."""
    return positive(torch.einsum("knfhw,nfhw->knhw", seen.jacobian, seen.features))


@torch.no_grad()
def _gradcam_plus(seen: Seen) -> torch.Tensor:
    """Chattopadhay 2018, with the exponential score, whose derivatives are powers of the first."""
    jacobian, features = seen.jacobian, seen.features
    total = features.sum(dim=(2, 3))[None, :, :, None, None]
    bottom = total * jacobian + 2  # of the published fraction, its squared gradients divided out
    weight = (torch.relu(jacobian) / bottom.masked_fill_(bottom.abs() <= EPSILON, 1.0)).sum(dim=(3, 4))
    return positive(torch.einsum("knf,nfhw->knhw", weight, features))


@torch.no_grad()
def _own_map(seen: Seen) -> torch.Tensor:
    """The head's own map: what it pools by (``training.heads``)."""
    return seen.classifier.evidence(seen.features, seen.slot)


@torch.no_grad()
def _xgradcam(seen: Seen) -> torch.Tensor:
    """Fu 2020: each feature's gradient is averaged where the feature is, by its own activation; one that sums to nought
    weighs nothing. Equals Grad-CAM where the gradient is the same everywhere."""
    total = seen.features.sum(dim=(2, 3))
    weighed = torch.einsum("knfhw,nfhw->knf", seen.jacobian, seen.features)
    weight = torch.where(total.abs() > EPSILON, weighed / torch.where(total == 0, 1.0, total), 0.0)
    return positive(torch.einsum("knf,nfhw->knhw", weight, seen.features))


@torch.no_grad()
def _elementwise(seen: Seen) -> torch.Tensor:
    """Gradient times features, each feature's part cut off below nought before they are summed."""
    return torch.relu(seen.jacobian * seen.features).sum(dim=2).transpose(0, 1)


METHODS = Table(
    "saliency method",
    {
        "gradcam": _gradcam,
        "hirescam": _hirescam,
        "gradcam++": _gradcam_plus,
        "layercam": layercam,
        "pcam": _own_map,
        "xgradcam": _xgradcam,
        "elementwise": _elementwise,
        "eigencam": eigencam,
        "eigengradcam": eigengradcam,
        "ablationcam": ablationcam,
        "scorecam": scorecam,
        "stagecam": stagecam,
        "fullgrad": fullgrad,
        "polycam": polycam,
    },
)
"""What looks at a chunk (``Seen``) -> maps (N, K, h, w), not negative; of some methods with more positions."""
FINER = ("stagecam",)
"""Methods that ask for the network's map of twice the resolution."""
SLOW = ("scorecam", "fullgrad", "polycam")
"""Methods that ask the whole network again, for each feature or each class."""

"""Saliency maps of all classes at once: one forward pass, then batched vector-Jacobian products through the head.

The layer explained is the feature map under the head, so the backbone runs once and without gradients; what is
differentiated is the head alone. Each view is explained by its own logits: a map says what the model saw in that film,
whatever the other films of the study showed. What does not belong here: boxes (``boxes``), choosing a method
(``benchmark``).

Shape legend: B studies, V views, N images, C channels, S side, F features, K classes, h x w positions.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch

from radia_pipeline.errors import UnknownName
from radia_pipeline.training.heads import PcamHead

GRADIENT_METHODS = ("gradcam", "hirescam", "gradcam++", "layercam")
METHODS = (*GRADIENT_METHODS, "pcam")
RANDOM, PRIOR = "random", "prior"
CONTROLS = (RANDOM, PRIOR)
MAX_JACOBIAN_BYTES = 256 * 2**20  # images are explained in chunks whose Jacobian stays below this
SMOOTHING = 1.0  # deviation, in positions, of the random control's blur: as coherent as a real map
EPSILON = 1e-12


def class_maps(
    classifier, images: torch.Tensor, present: torch.Tensor, method: str, *, prior: np.ndarray | None = None
) -> torch.Tensor:
    """Explain every class of every view.

    ``images`` (B, V, C, S, S), ``present`` bool (B, V); ``prior`` (K, h', w') for the method ``prior``. Returns float32
    (B, V, K, h, w), not negative, zeros for absent views; scale differs between methods. Raises UnknownName.
    """
    kept = images[present]
    slots = present.nonzero()[:, 1].tolist()
    _, maps = explain(classifier, kept, (method,), slots=slots, priors=prior)
    out = torch.zeros((*present.shape, *maps[method].shape[1:]))
    out[present] = maps[method]
    return out


def explain(
    classifier, images: torch.Tensor, methods: Sequence[str], *, slots: Sequence[int] | None = None,
    priors: np.ndarray | None = None,
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:  # fmt: skip
    """Explain images (N, C, S, S) by several methods at the cost of one.

    ``slots``: view slot of each image (separate weights use another branch for slot 1). Returns the images' own logits
    (N, K) and {method: (N, K, h, w)}, float32 on the CPU. The result does not depend on how images are batched.
    """
    if unknown := [name for name in methods if name not in (*METHODS, *CONTROLS)]:
        raise UnknownName(f"Unknown saliency method {', '.join(unknown)}", accepted=", ".join((*METHODS, *CONTROLS)))
    slots = [0] * len(images) if slots is None else list(slots)
    logits: list = [None] * len(images)
    maps: dict[str, list] = {name: [None] * len(images) for name in methods}
    was_training = classifier.training
    classifier.eval()
    try:
        for slot in sorted(set(slots)):
            rows = [row for row, one in enumerate(slots) if one == slot]
            for part in _chunks(classifier, rows, images, slot):
                found, explained = _explain_chunk(classifier, images[part], slot, methods, priors)
                for place, row in enumerate(part):
                    logits[row] = found[place]
                    for name in methods:
                        maps[name][row] = explained[name][place]
    finally:
        classifier.train(was_training)
    return torch.stack(logits), {name: torch.stack(parts) for name, parts in maps.items()}


def _chunks(classifier, rows: list[int], images: torch.Tensor, slot: int) -> list[list[int]]:
    """Divide images so that the Jacobian of a chunk (K, n, F, h, w) stays small."""
    if not rows:
        return []
    with torch.no_grad():
        features = classifier.feature_map(images[rows[:1]], slot)
    each = features.numel() * 4 * len(classifier.class_names)
    size = max(1, MAX_JACOBIAN_BYTES // each)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _explain_chunk(classifier, images, slot, methods, priors):
    with torch.no_grad():
        features = classifier.feature_map(images, slot).float()
    features = features.detach().requires_grad_()
    logits = classifier.head(features, slot)
    jacobian = None
    if set(methods) & set(GRADIENT_METHODS):
        jacobian = head_jacobian(logits, features)
    with torch.no_grad():
        maps = {name: _one_map(name, classifier, images, features, jacobian, slot, priors) for name in methods}
    return logits.detach().float().cpu(), {name: one.float().cpu() for name, one in maps.items()}


def head_jacobian(logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """d logits[n, k] / d features[n] for all k in one batched backward pass: (K, N, F, h, w)."""
    count = logits.shape[1]
    directions = torch.eye(count, device=logits.device, dtype=logits.dtype)[:, None, :].expand(-1, len(logits), -1)
    (jacobian,) = torch.autograd.grad(logits, features, directions, is_grads_batched=True)
    return jacobian


def _one_map(name, classifier, images, features, jacobian, slot, priors) -> torch.Tensor:
    """One method's maps (N, K, h, w)."""
    if name == "pcam":
        return _head_map(classifier, features, slot)
    if name == RANDOM:
        return _random_maps(images, len(classifier.class_names), features.shape[-2:])
    if name == PRIOR:
        return _prior_maps(priors, len(images))
    return torch.relu(_GRADIENT[name](jacobian, features)).transpose(0, 1)


def _gradcam(jacobian, features):
    """Selvaraju 2017: features weighted by the mean gradient."""
    return torch.einsum("knf,nfhw->knhw", jacobian.mean(dim=(3, 4)), features)


def _hirescam(jacobian, features):
    """Draelos 2020: gradient times features, position by position. Equals Grad-CAM on average-pooled linear heads."""
    return torch.einsum("knfhw,nfhw->knhw", jacobian, features)


def _gradcam_plus(jacobian, features):
    """Chattopadhay 2018, with the exponential score, whose derivatives are powers of the first."""
    square, cube = jacobian**2, jacobian**3
    total = features.sum(dim=(2, 3))[None, :, :, None, None]
    bottom = 2 * square + total * cube
    alpha = square / torch.where(bottom.abs() > EPSILON, bottom, torch.ones_like(bottom))
    weight = (alpha * torch.relu(jacobian)).sum(dim=(3, 4))
    return torch.einsum("knf,nfhw->knhw", weight, features)


def _layercam(jacobian, features):
    """Jiang 2021: only positive gradients, position by position."""
    return torch.einsum("knfhw,nfhw->knhw", torch.relu(jacobian), features)


_GRADIENT = {"gradcam": _gradcam, "hirescam": _hirescam, "gradcam++": _gradcam_plus, "layercam": _layercam}


def _head_map(classifier, features, slot) -> torch.Tensor:
    """The head's own map: probability at each position for PCAM heads, positive evidence (CAM) for pooled linear ones.

    A pooled linear head never learns what one position's logit means, so its sigmoid would be arbitrary; without its
    bias the logit map is Zhou's (2016) CAM.
    """
    maps = classifier.head_maps(features, slot)
    if is_pcam(classifier):
        return torch.sigmoid(maps)
    bias = classifier.head_maps(torch.zeros_like(features[:1]), slot)
    return torch.relu(maps - bias)


def is_pcam(classifier) -> bool:
    """Whether the head pools by its own probabilities (Ye et al. 2020), so that its map is a probability."""
    return any(isinstance(head, PcamHead) for head in classifier.heads)


def _random_maps(images: torch.Tensor, classes: int, shape) -> torch.Tensor:
    """Smoothed noise that depends on the image's content and the class alone, hence not on the batch."""
    from scipy import ndimage

    out = []
    for image in images.detach().cpu().float().numpy():
        draw = np.random.default_rng(zlib.crc32(np.ascontiguousarray(image).tobytes()))
        noise = ndimage.gaussian_filter(draw.random((classes, *shape)), (0, SMOOTHING, SMOOTHING))
        out.append(torch.from_numpy(noise - noise.min(axis=(1, 2), keepdims=True)))
    return torch.stack(out)


def _prior_maps(priors: np.ndarray | None, count: int) -> torch.Tensor:
    if priors is None:
        raise UnknownName("The method prior came without prior maps", do="pass priors (classes, h, w)")
    return torch.from_numpy(np.asarray(priors, dtype=np.float32)).expand(count, *priors.shape)

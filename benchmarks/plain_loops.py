"""What ``baseline.py`` compares with: training loops as people write them, on our lake's pictures and labels.

A loop sees one picture and the labels of its study, and trains until its processor seconds are spent; its learning rate
follows the share that is spent. It holds its pictures decoded in memory, and spends nothing on validation.
Legend: n pictures, S side, 21 classes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import albumentations
import cv2
import numpy as np
import timm
import torch

from radia_pipeline.contracts.label_values import MISSING, UNCERTAIN
from radia_pipeline.contracts.pools import TRAIN, VALIDATION
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.training.inputs import GREY_MAX, letterbox
from radia_pipeline.training.studies import FRONTAL_ORDER, label_matrix, labelled_by, read_manifest

SMALL_NETWORK = {"block_config": [2, 4, 8], "growth_rate": 12, "bn_size": 2}
"""That of the shipped demo recipes."""
LARGEST_TURN_DEG, LARGEST_SHIFT, LARGEST_SCALING = 45, 0.15, 0.15
"""Of torchxrayvision's training script."""


@dataclass(frozen=True)
class Loop:
    """A loop: network, side, whether its input is the picture scaled to ±1024, optimizer, augmentation, schedule."""

    words: str
    size_px: int
    batch: int
    network: Callable[[], torch.nn.Module]
    optimizer: Callable[[torch.nn.Module, float], torch.optim.Optimizer]
    augmented: Callable[[], albumentations.Compose]
    lr: float
    is_wide_range: bool = False
    is_frontal_only: bool = False
    rate: Callable[[float], float] = lambda share: 1.0
    weighs_positives: bool = False


def warm_cosine(share: float) -> float:
    """A tenth of warming up, then a cosine to 0; of the share that is spent."""
    return share / 0.1 if share < 0.1 else 0.5 * (1 + np.cos(np.pi * min(1.0, (share - 0.1) / 0.9)))


def gentle() -> albumentations.Compose:
    """The demo recipes' limits, with the library's own transforms."""
    affine = albumentations.Affine(translate_percent=(-0.04, 0.04), rotate=(-5, 5), scale=(0.94, 1.06), p=0.8)
    jitter = albumentations.RandomBrightnessContrast(brightness_limit=0.1, contrast_limit=0.1, p=0.5)
    return albumentations.Compose([affine, jitter])


def torchxrayvision_like() -> albumentations.Compose:
    """Turned, shifted and scaled, always."""
    turn, shift, scale = LARGEST_TURN_DEG, LARGEST_SHIFT, LARGEST_SCALING
    affine = albumentations.Affine(
        translate_percent=(-shift, shift), rotate=(-turn, turn), scale=(1 - scale, 1 + scale), p=1.0
    )
    return albumentations.Compose([affine])


def densenet(**kwargs) -> torch.nn.Module:
    """timm's DenseNet-121, one channel, 21 answers; weights at random."""
    return timm.create_model("densenet121", in_chans=1, num_classes=len(vocabulary().classes), **kwargs)


LOOPS = {
    "timm": Loop(
        words="a plain timm loop: the recipe's network and side, AdamW, warm cosine, masked BCE, its augmentation",
        size_px=128,
        batch=16,
        network=lambda: densenet(**SMALL_NETWORK),
        optimizer=lambda net, lr: torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.02),
        augmented=gentle,
        lr=2e-3,
        rate=warm_cosine,
    ),
    "timm, no augmentation": Loop(
        words="the same without augmentation",
        size_px=128,
        batch=16,
        network=lambda: densenet(**SMALL_NETWORK),
        optimizer=lambda net, lr: torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.02),
        augmented=lambda: albumentations.Compose([]),
        lr=4e-3,
        rate=warm_cosine,
    ),
    "torchxrayvision": Loop(
        words="torchxrayvision's DenseNet-121 from scratch as its script trains: 224 px, ±1024, frontal, Adam with "
        "amsgrad, 1e-3, weighed positives; batch 16 (the script's 64 would be a handful of steps)",
        size_px=224,
        batch=16,
        network=densenet,
        optimizer=lambda net, lr: torch.optim.Adam(net.parameters(), lr=lr, weight_decay=1e-5, amsgrad=True),
        augmented=torchxrayvision_like,
        lr=1e-3,
        is_wide_range=True,
        is_frontal_only=True,
        weighs_positives=True,
    ),
}
SIDES_AND_RATES = {
    f"{lr:g} at {size_px} px": {"size_px": size_px, "lr": lr}
    for size_px, lr in ((128, 4e-3), (64, 2e-3), (64, 4e-3), (64, 8e-3))
}
OFFERED = {"timm": SIDES_AND_RATES, "timm, no augmentation": SIDES_AND_RATES}
"""What a loop may choose from, on a lake of its own."""


@dataclass(frozen=True)
class Pictures:
    """Pictures of one pool: uint16 (n, S, S), targets and what counts of them (n, 21), study of each."""

    stored: np.ndarray
    targets: np.ndarray
    counts: np.ndarray
    study_id: np.ndarray


def read_pictures(lake, pool: str, size_px: int, *, is_frontal_only: bool) -> Pictures:
    """Decode a pool. Uncertain counts as positive, blank as negative; what a source does not label does not count."""
    manifest, _ = read_manifest(lake, None)
    rows = manifest.to_pylist()
    kept = [
        at
        for at, row in enumerate(rows)
        if row["pool"] == pool and row["excluded"] is None and (not is_frontal_only or row["view"] in FRONTAL_ORDER)
    ]
    values = label_matrix(manifest)[kept]
    counts = np.stack([labelled_by(rows[at]["source"]) for at in kept]) | ((values != MISSING) & (values != 0))
    targets = ((values == 1) | (values == UNCERTAIN)).astype(np.float32)
    read = (cv2.imread(str(lake.root / rows[at]["path"]), cv2.IMREAD_UNCHANGED) for at in kept)
    stored = np.stack([letterbox(image, size_px) for image in read])
    return Pictures(stored, targets, counts, np.array([rows[at]["study_id"] for at in kept], dtype=object))


def as_input(stored: np.ndarray, loop: Loop, augmented: albumentations.Compose | None) -> torch.Tensor:
    """(b, S, S) uint16 -> (b, 1, S, S) float32."""
    grey = stored.astype(np.float32) / GREY_MAX
    if augmented is not None:
        grey = np.stack([augmented(image=one)["image"] for one in grey])
    wide = grey * 2048 - 1024 if loop.is_wide_range else (grey - 0.5) / 0.25
    return torch.from_numpy(wide.astype(np.float32))[:, None].contiguous(memory_format=torch.channels_last)


def trained(loop: Loop, lake, seed: int, budget_s: float) -> tuple[torch.nn.Module, dict[str, float]]:
    """Train until the processor seconds of this process are spent, decoding among them; what it came to."""
    begun = time.process_time()
    torch.manual_seed(seed)
    random, augmented = np.random.default_rng(seed), loop.augmented()
    augmented.set_random_seed(seed)
    pool = read_pictures(lake, TRAIN, loop.size_px, is_frontal_only=loop.is_frontal_only)
    net = loop.network().to(memory_format=torch.channels_last).train()
    optimizer, weight = loop.optimizer(net, loop.lr), _positive_weight(pool) if loop.weighs_positives else None
    seen, order = 0, np.empty(0, dtype=np.int64)
    while (spent := (time.process_time() - begun) / budget_s) < 1:
        if len(order) < loop.batch:
            order = random.permutation(len(pool.stored))
        batch, order = order[: loop.batch], order[loop.batch :]
        for group in optimizer.param_groups:
            group["lr"] = loop.lr * loop.rate(spent)
        logits = net(as_input(pool.stored[batch], loop, augmented))
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, torch.from_numpy(pool.targets[batch]), pos_weight=weight, reduction="none"
        )
        counts = torch.from_numpy(pool.counts[batch])
        loss = (losses * counts).sum() / counts.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        seen += len(batch)
    spent_s = time.process_time() - begun
    return net.eval(), {"cpu_s": spent_s, "images": seen, "epochs": seen / len(pool.stored)}


def _positive_weight(pool: Pictures) -> torch.Tensor:
    """Negatives / positives of each class, at most 100."""
    positive, counted = (pool.targets * pool.counts).sum(axis=0), pool.counts.sum(axis=0)
    return torch.from_numpy(np.clip((counted - positive) / np.maximum(positive, 1), 0.01, 100).astype(np.float32))


@torch.no_grad()
def answers(loop: Loop, net: torch.nn.Module, lake) -> dict[str, np.ndarray]:
    """Probabilities (21,) of each study of the judging lake: the mean over its pictures."""
    pool = read_pictures(lake, VALIDATION, loop.size_px, is_frontal_only=loop.is_frontal_only)
    parts = [net(as_input(pool.stored[at : at + 32], loop, None)).sigmoid() for at in range(0, len(pool.stored), 32)]
    found: dict[str, list[np.ndarray]] = {}
    for study, answer in zip(pool.study_id, torch.cat(parts).numpy()):
        found.setdefault(study, []).append(answer)
    return {study: np.mean(rows, axis=0) for study, rows in found.items()}

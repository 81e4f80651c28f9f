"""A made-up lake with predictions whose true quality is known."""

from __future__ import annotations

import hashlib

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.evaluation.panel import Panel, rows_of
from radia_pipeline.lake.lake import Lake


def key(*parts: object) -> str:
    """32 hexadecimal characters."""
    return hashlib.md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()


def figures(score: np.ndarray, label: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """All metrics of one class, without intervals."""
    ranked = metrics.Ranked.of(score, label)
    values = metrics.weighted_metrics(ranked, ranked.weights(None), threshold)
    return {name: float(value[0]) for name, value in values.items()}


def make_panel(skill: float, *, seed: int = 0, studies: int = 400, noise_seed: int = 1) -> Panel:
    """Labels depend on ``seed`` alone; scores are ``skill`` x label + unit noise of ``noise_seed``."""
    truth, noise = np.random.default_rng(seed), np.random.default_rng(noise_seed)
    classes = len(vocabulary().classes)
    label = (truth.random((studies, classes)) < 0.25).astype(np.int8)
    label[truth.random((studies, classes)) < 0.1] = -9
    label[:, 13] = 0
    source = np.where(np.arange(studies) % 3 == 0, "nih_cxr14", "ccsmtl").astype(object)
    group = np.array([key("group", i // 2) for i in range(studies)], dtype=object)
    pool = np.where((np.arange(studies) // 2) % 2 == 0, "validation", "test").astype(object)
    logit = skill * np.where(label == 1, 1.0, 0.0) + noise.normal(size=label.shape) - 1.5
    return Panel(
        source, np.array([key("study", i) for i in range(studies)], dtype=object), group, group, pool,
        np.ones(studies, dtype=int), logit, sigmoid(logit), label,
    )  # fmt: skip


def make_lake(path, skills: dict[str, float], **settings) -> Lake:
    """A lake with one predictions partition per recipe."""
    lake = Lake.open(path)
    for number, (name, skill) in enumerate(skills.items()):
        lake.write("predictions", rows_of(make_panel(skill, noise_seed=number + 1, **settings), name), name)
    return lake

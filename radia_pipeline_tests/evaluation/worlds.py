"""A made-up lake with predictions whose true quality is known."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import metrics
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, rows_of
from radia_pipeline.evaluation.release import Scorer, release_id
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.model_folders import point_latest


def key(*parts: object) -> str:
    """32 hexadecimal characters."""
    return hashlib.md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()


def figures(score: np.ndarray, label: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """All metrics of one class, without intervals."""
    ranked = metrics.Ranked.of(score, label)
    values = metrics.weighted_metrics(ranked, ranked.weights(None), threshold)
    return {name: float(value[0]) for name, value in values.items()}


def study_pool(seed: int, patients: int = 120, per_patient: int = 1, shift: float = 1.0):
    """Return (probability, label, group) of one class, (n,) each."""
    rng = np.random.default_rng(seed)
    label = np.repeat((rng.random(patients) < 0.4).astype(int), per_patient)
    score = np.repeat(rng.normal(size=patients), per_patient) + shift * label
    return sigmoid(score), label, np.repeat(np.arange(patients), per_patient)


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
        source,
        np.array([key("study", i) for i in range(studies)], dtype=object),
        group,
        group,
        pool,
        np.ones(studies, dtype=int),
        logit,
        sigmoid(logit),
        label,
        np.zeros(studies, dtype=bool),
    )


def make_lake(path, skills: dict[str, float], **settings) -> Lake:
    """A lake with one predictions partition per recipe, on validation, and the test pool's studies in its manifest."""
    lake = Lake.open(path)
    for number, (name, skill) in enumerate(skills.items()):
        panel = make_panel(skill, noise_seed=number + 1, **settings).only(pool="validation")
        lake.write("predictions", rows_of(panel, name), name)
    return lake


def copy_of(lake: Lake, folder: Path) -> Lake:
    """A lake of one's own, of what was made once."""
    shutil.copytree(lake.root, folder, dirs_exist_ok=True)
    return Lake.open(folder, create=False)


def on_test(skills: dict[str, float], **settings) -> Scorer:
    """Stand in for the models of ``make_lake``: what they say of the test pool. Counts its calls in ``.asked``."""

    def score(lake: Lake, recipe: str):
        score.asked.append(recipe)
        number = list(skills).index(recipe)
        panel = make_panel(skills[recipe], noise_seed=number + 1, **settings).only(pool="test")
        return rows_of(panel, recipe)

    score.asked = []
    return score


def put_manifest(lake: Lake, panel: Panel) -> None:
    """Write a manifest of one image a study."""
    rows = [
        {
            "source": source,
            "image_id": key("image", study),
            "study_id": study,
            "patient_key": patient,
            "group_id": group,
            "path": "p.png",
            "view": "PA",
            "width_px": 8,
            "height_px": 8,
            "pool": pool,
            "fold": 0 if pool == "train" else None,
            "weight": 1.0,
            "excluded": None,
            "boxes": [],
            **{name: int(value) for name, value in zip(vocabulary().classes, label) if value in (0, 1)},
        }
        for source, study, patient, group, pool, label in zip(
            panel.source, panel.study_id, panel.patient_key, panel.group_id, panel.pool, panel.label
        )
    ]
    for source in sorted(set(panel.source)):
        lake.write("manifest", [row for row in rows if row["source"] == source], source)


def put_card(lake: Lake, recipe: str, manifest_versions: dict[str, str], init_from: str | None = None) -> None:
    """Leave what tells of a finished model: its card, which names the manifests that it learned from and the model that
    it started from."""
    folder = lake.models_dir / recipe / "f"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "model.json").write_text(
        json.dumps({"manifest_versions": manifest_versions, "recipe": {"init_from": init_from}, "parent": "f"})
    )
    point_latest(lake, recipe, folder)


def put_release(lake: Lake, rows: list[dict]) -> None:
    """Write an ensemble of one model and its scores of the test pool as released: rows of ``predictions``."""
    (model,) = {row["recipe"] for row in rows} - {ENSEMBLE} or {"only"}
    fixed = {
        "rule": f"single:{model}",
        "members": [model],
        "threshold": 0.5,
        "calibration_a": 1.0,
        "calibration_b": 0.0,
        "validation_positives": 0,
    }
    lake.write("ensemble", [{"class": name, **fixed} for name in vocabulary().classes])
    lake.write("test_predictions", [{**row, "release": release_id(lake)} for row in rows])

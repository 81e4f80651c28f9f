"""Lakes with a released ensemble, readings and a champion, made of invented predictions: no model is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation import gate
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.evaluation.champion import Signature
from radia_pipeline.evaluation.ensemble import build_ensemble
from radia_pipeline.evaluation.panel import Panel, rows_of
from radia_pipeline.evaluation.release import Release, release
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.truth import build_truth
from radia_pipeline.usecases.promotion import Approval, approve
from radia_pipeline_tests.evaluation.worlds import make_panel, put_manifest
from radia_pipeline_tests.readings.worlds import append_at_once, reading, with_set

STUDIES, BETTER = 700, 2.2
ALIKE, SHARED, OWN = 0.5, 0.35, 0.15
"""Parts of the variance of a study's scores: what all its classes have in common, so that parents rarely lie below;
what all models do; what each model has alone."""
SET = "hospital-1234abcd"
BY = Signature("A. Radiologist", "the readings were looked at together")
GIVEN = Release("A. Person", "frozen for its reading")
Spoil = Callable[[Panel, np.ndarray], np.ndarray]
"""A panel and what a model sees (n, K) → what one sees that went wrong."""


def steady(rate: float = 10.0, champion: float = 10.0) -> gate.Pace:
    """Return a measurement of images a second that comes out the same on every machine."""
    return lambda sides: (rate, champion)[: len(sides)]


def panel_of_skill(
    skill: float,
    noise: int,
    spoil: Spoil | None = None,
    studies: int = STUDIES,
    shares: tuple[float, float, float] = (ALIKE, SHARED, OWN),
) -> Panel:
    """Return a model's panel of both pools: labels closed upward, log odds that are right, spoilt where a test says.

    ``shares``: of the variance, as above.
    """
    panel, words = make_panel(1.0, studies=studies), vocabulary()
    label = (np.random.default_rng(0).random(panel.label.shape) < 0.12).astype(np.int8)
    for name in words.topological[::-1]:
        for above in words.parents(name):
            label[:, words.index(above)] |= label[:, words.index(name)]
    label[:, words.index(words.no_finding)] = 1 - label[:, : words.index(words.no_finding)].max(axis=1)
    same, own = np.random.default_rng(1), np.random.default_rng(noise + 1)
    parts = same.normal(size=(studies, 1)), same.normal(size=label.shape), own.normal(size=label.shape)
    seen = skill * label + sum(np.sqrt(part) * drawn for part, drawn in zip(shares, parts))
    if spoil is not None:
        seen = spoil(panel, seen)
    share = label.mean(axis=0)
    logit = skill * seen - skill**2 / 2 + np.log(share / (1 - share))
    return replace(panel, label=label, logit=logit, probability=sigmoid(logit))


def flipped(panel: Panel, seen: np.ndarray) -> np.ndarray:
    """Stand for a model that was trained on flipped labels."""
    return -seen


def worse_at_nih(panel: Panel, seen: np.ndarray) -> np.ndarray:
    """Stand for a model that is better everywhere but in the films of one source, which it half guesses."""
    noise = np.random.default_rng(9).normal(size=seen.shape)
    return np.where((panel.source == "nih_cxr14")[:, None], 0.4 * seen + 0.9 * noise, seen)


def put_model(lake: Lake, name: str, panel: Panel) -> None:
    """Publish what a model says of validation."""
    lake.write("predictions", rows_of(panel.only(pool="validation"), name), name)


def make_released(lake: Lake, panels: dict[str, Panel], members: Sequence[str] | None = None) -> None:
    """Build an ensemble of models and release it."""
    for name, panel in panels.items():
        put_model(lake, name, panel)
    build_ensemble(lake, list(members or panels))
    release(lake, GIVEN, lambda _, recipe: rows_of(panels[recipe].only(pool="test"), recipe))


def new_world(folder, skill: float = 1.2, *, is_read: bool = True, origin: str = "person") -> Lake:
    """Return a lake with one released model and, where wanted, a reading set of the hospital that was read."""
    lake = Lake.open(folder)
    panel = panel_of_skill(skill, 1)
    put_manifest(lake, panel)
    make_released(lake, {"first": panel})
    if is_read:
        read_set(lake, panel, origin=origin)
    return lake


def read_set(
    lake: Lake, panel: Panel, *, origin: str = "person", size: int = 40, readers: Sequence[str] = ("r1", "r2")
) -> None:
    """Close a set of the hospital's test studies, let readers read all of it, make its truth."""
    mine = panel.take((panel.pool == "test") & (panel.source == gate.HOSPITAL)).take(np.arange(size))
    with_set(lake, *mine.study_id.tolist(), set_id=SET, source=gate.HOSPITAL)
    rows = lake.read("reading_sets").to_pylist()
    assert {row["set_id"] for row in rows} == {SET}
    k = vocabulary().index("Mass")
    readings = [
        reading(
            {"Mass": int(label[k] == 1)}, source=gate.HOSPITAL, study_id=study, reader=who, set_id=SET, origin=origin
        )
        for study, label in zip(mine.study_id.tolist(), mine.label)
        for who in readers
    ]
    append_at_once(lake, readings)
    build_truth(lake)


def approval(**changes) -> Approval:
    """Return what a person says."""
    return Approval(BY, **changes)


def approved_world(folder) -> Lake:
    """Return a lake whose first ensemble is champion, by readings of the hospital."""
    lake = new_world(folder)
    assert gate.judge(lake, pace=steady()).refused == ()
    approve(lake, approval())
    return lake

"""Lakes whose labels were flipped in known cells, with answers of models that did not learn from the study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.evaluation.panel import Panel, rows_of
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images, put_labels

SOURCE = "nih_cxr14"
CLASSES = ("Cardiomegaly", "Pleural Effusion", "Nodule", "Hernia")
MODELS = ("one", "two")


@dataclass(frozen=True)
class World:
    """A lake, its studies' names, and which cells (n, classes) were flipped; ``pools`` by study."""

    lake: Lake
    names: list[str]
    truth: np.ndarray
    flipped: np.ndarray
    pools: list[str]

    def study(self, row: int) -> str:
        """The keyed id of a study."""
        return KEYS.study_id(SOURCE, self.names[row])

    @property
    def wrong(self) -> set[tuple[str, str]]:
        """The flipped cells as (study_id, class)."""
        return {(self.study(row), CLASSES[k]) for row, k in zip(*np.nonzero(self.flipped))}


def flipped_labels(seed: int, studies: int = 400, share: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Return (truth, flipped), (studies, classes) each."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((studies, len(CLASSES))) < (0.25, 0.2, 0.12, 0.08)).astype(np.int8)
    return truth, rng.random(truth.shape) < share


def seen(truth: np.ndarray, seed: int, skill: float = 3.0) -> np.ndarray:
    """Return logits (studies, classes) of a model that sees what is there, with noise of its own."""
    rng = np.random.default_rng(seed)
    return skill * (2 * truth - 1) * 0.7 + rng.normal(size=truth.shape) - 1.0


def make_world(folder, seed: int = 0, models: tuple[str, ...] = MODELS, studies: int = 400) -> World:
    """Make a lake of one-study patients; every tenth lies in validation and every tenth in test, unanswered for."""
    lake = new_lake(folder)
    truth, flipped = flipped_labels(seed, studies)
    names = [f"s{row:04d}" for row in range(studies)]
    pools = ["validation" if row % 10 == 8 else "test" if row % 10 == 9 else "train" for row in range(studies)]
    said = np.where(flipped, 1 - truth, truth)
    put_images(lake, SOURCE, [image_row(SOURCE, f"{name}.png", f"p{name}", name) for name in names])
    labels = {name: (f"p{name}", dict(zip(CLASSES, map(int, said[row])))) for row, name in enumerate(names)}
    put_labels(lake, SOURCE, labels)
    put_splits(lake, names, pools)
    for number, model in enumerate(models):
        put_answers(lake, model, names, pools, seen(truth, seed * 10 + number + 1))
    return World(lake, names, truth, flipped, pools)


def put_splits(lake: Lake, names: list[str], pools: list[str]) -> None:
    """Publish ``splits``: each study's patient in its pool, train in five folds."""
    keys = [KEYS.patient_key(SOURCE, f"p{name}") for name in names]
    lake.write(
        "splits",
        [
            {
                "source": SOURCE,
                "patient_key": key,
                "group_id": key,
                "pool": pool,
                "reason": "hash",
                "excluded": None,
                "fold": row % 5 if pool == "train" else None,
            }
            for row, (key, pool) in enumerate(zip(keys, pools))
        ],
    )


def put_answers(lake: Lake, model: str, names: list[str], pools: list[str], logits: np.ndarray) -> None:
    """Publish what a model says of the train pool, out of fold: logits (studies, classes)."""
    rows = [row for row, pool in enumerate(pools) if pool == "train"]
    ids = np.array([KEYS.study_id(SOURCE, names[row]) for row in rows], dtype=object)
    patients = np.array([KEYS.patient_key(SOURCE, f"p{names[row]}") for row in rows], dtype=object)
    logit = np.full((len(rows), len(vocabulary().classes)), np.nan)
    logit[:, [vocabulary().index(name) for name in CLASSES]] = logits[rows]
    fixed = np.array([SOURCE] * len(rows), dtype=object), np.array(["train"] * len(rows), dtype=object)
    panel = Panel(
        fixed[0],
        ids,
        patients,
        patients,
        fixed[1],
        np.ones(len(rows), int),
        logit,
        sigmoid(logit),
        np.zeros(logit.shape, np.int8),
        np.zeros(len(rows), bool),
    )
    table = rows_of(panel, model).drop_columns(["is_held"])
    fold_of = {study: row % 5 for study, row in zip(ids.tolist(), rows)}
    folds = pa.array([fold_of[study] for study in table["study_id"].to_pylist()], pa.int8())
    lake.write("predictions_out_of_fold", table.append_column("fold", folds), model)


def put_report_world(folder, sentence: str, studies: int = 120) -> Lake:
    """Make a lake of reports: each third study has a nodule by one rule, each fourth denies it, some do both."""
    from radia_pipeline.contracts.tables import contract
    from radia_pipeline_tests.contracts.plantings import valid_table

    lake = new_lake(folder)
    names = [f"r{row:04d}" for row in range(studies)]
    ids = [KEYS.study_id("ccsmtl", name) for name in names]
    put_images(lake, "ccsmtl", [image_row("ccsmtl", f"{name}.png", f"p{name}", name) for name in names])
    mentions, labels = [], {}
    for row, (name, study) in enumerate(zip(names, ids)):
        found = [(1, "affirmed", "nodule")] * (row % 3 == 0) + [(0, "negated", "pas de")] * (row % 4 == 0)
        mentions += [
            {
                "source": "ccsmtl",
                "study_id": study,
                "mention_index": place,
                "concept": "nodule",
                "class": "Nodule",
                "status": status,
                "section": "findings",
                "sentence": sentence,
                "span_start": 0,
                "span_end": 1,
                "cue": cue,
                "rule_id": rule,
            }
            for place, (status, rule, cue) in enumerate(found)
        ]
        said = {"Nodule": max(status for status, *_ in found)} if found else {}
        labels[name] = (f"p{name}", {**said, "Fracture": row % 2})
    lake.write("report_mentions", mentions, "ccsmtl")
    attributes = valid_table(contract("report_attributes"), 1).to_pylist()[0]
    lake.write("report_attributes", [{**attributes, "source": "ccsmtl", "study_id": study} for study in ids], "ccsmtl")
    put_labels(lake, "ccsmtl", labels, origin="rules")
    keys = [KEYS.patient_key("ccsmtl", f"p{name}") for name in names]
    lake.write(
        "splits",
        [
            {
                "source": "ccsmtl",
                "patient_key": key,
                "group_id": key,
                "pool": "train",
                "reason": "hash",
                "excluded": None,
                "fold": row % 5,
            }
            for row, key in enumerate(keys)
        ],
    )
    logit = np.full((studies, len(vocabulary().classes)), np.nan)
    rng = np.random.default_rng(0)
    logit[:, vocabulary().index("Nodule")] = 3.0 * (np.arange(studies) % 3 == 0) - 1.5 + rng.normal(size=studies)
    group = np.array(keys, dtype=object)
    panel = Panel(
        np.array(["ccsmtl"] * studies, dtype=object),
        np.array(ids, dtype=object),
        group,
        group,
        np.array(["train"] * studies, dtype=object),
        np.ones(studies, int),
        logit,
        sigmoid(logit),
        np.zeros(logit.shape, np.int8),
        np.zeros(studies, bool),
    )
    table = rows_of(panel, "one").drop_columns(["is_held"])
    folds = pa.array([ids.index(study) % 5 for study in table["study_id"].to_pylist()], pa.int8())
    lake.write("predictions_out_of_fold", table.append_column("fold", folds), "one")
    return lake

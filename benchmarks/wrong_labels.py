"""A training lake whose training pool has planted wrong labels, and the review queue that finds them: for
``techniques.py``. What the queue finds of planted errors is measured by ``label_noise.py``, not here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from training_lake import write_training_lake

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE
from radia_pipeline.contracts.pools import TRAIN
from radia_pipeline.contracts.tables import conform
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.evaluation.panel import read_out_of_fold
from radia_pipeline.readings.confident_learning import confidence
from radia_pipeline.readings.label_grounds import TABLE
from radia_pipeline.readings.label_noise import label_noise
from radia_pipeline.training.standing import QUEUE

MISSED, INVENTED = 0.25, 0.02
"""Share of a pathology's findings in train that labels deny, and of its absent ones that they affirm."""
SEED = 5


def write_wrong_lake(root: Path, patients: dict[str, int]):
    """Write the lake unless it stands there already; validation keeps its labels."""
    from radia_pipeline.lake.lake import Lake

    lake = Lake.open(root)
    if set(lake.partitions("manifest")) == set(patients):
        return lake
    lake = write_training_lake(root, patients)
    for source in patients:
        rows = lake.read("manifest", source).to_pylist()
        random = np.random.default_rng([SEED, len(source)])
        flips: dict[str, np.ndarray] = {}
        for row in rows:
            if row["pool"] != TRAIN:
                continue
            chance = flips.setdefault(row["study_id"], random.random(len(vocabulary().pathologies)))
            for name, drawn in zip(vocabulary().pathologies, chance):
                if row[name] == 1 and drawn < MISSED:
                    row[name] = 0
                elif row[name] == 0 and drawn < INVENTED:
                    row[name] = 1
        lake.write("manifest", rows, partition=source)
    return lake


def write_queue(lake, recipe: str) -> int:
    """Write the review queue of a recipe's answers out of fold: every judged label with its chance to be wrong.

    As the pipeline's step, as if all labels were a table's: this lake knows no reports. Returns how many.
    """
    panel = read_out_of_fold(lake, recipe)
    classes = list(vocabulary().pathologies)
    columns = [vocabulary().index(name) for name in classes]
    label = panel.label[:, columns]
    noise = label_noise(panel.logit[None, :, columns], label, np.zeros(label.shape, dtype=np.int64))
    quality = confidence(panel.probability[:, columns], label)
    row, column = np.nonzero(np.isfinite(noise.wrong) & (label != MISSING))
    order = np.argsort(-noise.wrong[row, column], kind="stable")
    row, column = row[order], column[order]
    assert set(np.unique(label[row, column])) <= {POSITIVE, NEGATIVE}
    found = pa.table(
        {
            "position": np.arange(1, len(row) + 1),
            "source": panel.source[row].tolist(),
            "study_id": panel.study_id[row].tolist(),
            "pool": [TRAIN] * len(row),
            "class": [classes[k] for k in column],
            "label": label[row, column],
            "wrong_probability": noise.wrong[row, column],
            "probability": noise.present[row, column],
            "models": np.ones(len(row), dtype=np.int64),
            "label_quality": quality.quality[row, column],
            "is_label_issue": quality.is_issue[row, column],
            "rests_on": [TABLE] * len(row),
        }
    )
    lake.write(QUEUE, conform(QUEUE, found))
    return len(row)

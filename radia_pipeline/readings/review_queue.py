"""The table ``label_review_queue``: labels of the train pool that are most likely wrong, in the order of reading.

Models answer that did not learn from the study: those that left out its fold. Studies of validation and test are never
queued: a label that is mended where a model contradicts it makes that model look better than it is. Not here: the
chance that a label is wrong (``label_noise``), what it rests on (``label_grounds``), the order (``queue_order``), the
list that a reader takes (``queue_list``).

Shape legend: M models, n studies, K classes that can be asked. A cell is a study × class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.contracts.pools import TRAIN
from radia_pipeline.contracts.tables import conform, empty
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import RunFailed
from radia_pipeline.evaluation.calibration import sigmoid
from radia_pipeline.evaluation.panel import Panel, read_out_of_fold
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.confident_learning import Confidence, confidence
from radia_pipeline.readings.frame import pools_of_studies
from radia_pipeline.readings.in_force import cells_read
from radia_pipeline.readings.label_grounds import GROUNDS, Grounds, asked_classes, grounds_of
from radia_pipeline.readings.label_noise import LabelNoise, label_noise
from radia_pipeline.readings.queue_order import in_turn, urgency

TABLE, PREDICTIONS = "label_review_queue", "predictions_out_of_fold"
KEPT_SHARE, KEPT_AT_LEAST = 0.1, 1000
"""How much of all labels that can be doubted is queued: nobody reads to the end, and most of the rest is right."""


@dataclass(frozen=True)
class QueueResult:
    """What was queued. ``judged``: labels that can be doubted, that models answer for and that nobody read; ``read``:
    those that were; ``expected_wrong``: how many of the judged, and of the queued, are thought to be wrong;
    ``left_out_studies``: answered for, and in train no longer. ``by_class``: cells queued; ``missed``, ``invented``:
    share of a class's present findings that labels deny, of its absent ones that they affirm."""

    models: tuple[str, ...] = ()
    judged: int = 0
    queued: int = 0
    read: int = 0
    expected_wrong: float = 0.0
    expected_wrong_queued: float = 0.0
    left_out_studies: int = 0
    by_class: Mapping[str, int] = field(default_factory=dict)
    missed: Mapping[str, float] = field(default_factory=dict)
    invented: Mapping[str, float] = field(default_factory=dict)
    version: str = ""


def build_review_queue(lake: Lake) -> QueueResult:
    """Write ``label_review_queue`` of all recipes that answer out of fold; empty where none does.

    Needs ``labels``, ``splits`` and ``images`` of the sources that were answered for. Raises MissingTable.
    """
    models = tuple(lake.partitions(PREDICTIONS))
    if not models:
        return QueueResult(version=lake.write(TABLE, empty(TABLE)).version)
    answers = Answers.of(models, [read_out_of_fold(lake, name) for name in models])
    pools = pools_of_studies(lake)
    in_train = np.array([pools.get(study) == TRAIN for study in answers.study_id.tolist()], dtype=bool)
    doubts = doubted(lake, answers.take(in_train), cells_read(lake))
    order = in_turn(doubts.urgency, doubts.is_open)
    kept = order[: max(KEPT_AT_LEAST, round(KEPT_SHARE * len(order)))]
    table = _rows(doubts, kept)
    _require_train(pools, table)
    return _result(doubts, order, kept, int((~in_train).sum()), lake.write(TABLE, table).version)


@dataclass(frozen=True)
class Answers:
    """What models say out of fold: ``source``, ``study_id`` (n,) in order, ``logit`` (M, n, K), NaN for nothing."""

    models: tuple[str, ...]
    source: np.ndarray
    study_id: np.ndarray
    logit: np.ndarray

    @classmethod
    def of(cls, models: tuple[str, ...], panels: list[Panel]) -> Answers:
        """Put the answers of models side by side; a study need not be known to all of them."""
        keys = [list(zip(panel.source.tolist(), panel.study_id.tolist())) for panel in panels]
        studies = sorted(set().union(*keys))
        row_of = {study: row for row, study in enumerate(studies)}
        columns = [vocabulary().index(name) for name in asked_classes()]
        logits = np.full((len(panels), len(studies), len(columns)), np.nan)
        for model, (panel, mine) in enumerate(zip(panels, keys)):
            logits[model, [row_of[study] for study in mine]] = panel.logit[:, columns]
        source, study_id = (np.array([study[side] for study in studies], dtype=object) for side in (0, 1))
        return cls(models, source, study_id, logits)

    def take(self, kept: np.ndarray) -> Answers:
        """Return the studies of a mask."""
        return Answers(self.models, self.source[kept], self.study_id[kept], self.logit[:, kept])

    @property
    def probability(self) -> np.ndarray:
        """The mean probability (n, K) of the models that say something, NaN where none does."""
        known = np.isfinite(self.logit)
        total = np.where(known, sigmoid(np.where(known, self.logit, 0.0)), 0.0).sum(axis=0)
        count = known.sum(axis=0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


@dataclass(frozen=True)
class Doubts:
    """All labels of the studies that were answered for. ``by_source``: source → its rows and their grounds; ``label``,
    ``is_open`` (what can be queued), ``is_read`` (n, K)."""

    answers: Answers
    by_source: Mapping[str, tuple[np.ndarray, Grounds]]
    label: np.ndarray
    is_open: np.ndarray
    is_read: np.ndarray
    noise: LabelNoise
    confidence: Confidence

    @property
    def urgency(self) -> np.ndarray:
        """The chance (n, K) that a reading mends what no reading of a more special class would."""
        return urgency(self.noise.wrong, self.label, self.answers.source)


def doubted(lake: Lake, answers: Answers, read: Collection[tuple[str, str, str]]) -> Doubts:
    """Judge the labels of these studies. ``read``: cells (source, study_id, class) that are not asked again."""
    classes, shape = asked_classes(), answers.logit.shape[1:]
    columns = [vocabulary().index(name) for name in classes]
    label, ground = np.full(shape, MISSING, dtype=np.int8), np.zeros(shape, dtype=np.int64)
    can_be_doubted, by_source, names = np.zeros(shape, dtype=bool), {}, 0
    for source in dict.fromkeys(answers.source.tolist()):
        rows = np.flatnonzero(answers.source == source)
        found = grounds_of(lake, source, answers.study_id[rows].tolist())
        by_source[source] = rows, found
        label[rows], ground[rows] = found.label[:, columns], found.name[:, columns] + names
        can_be_doubted[rows] = found.is_open[:, columns]
        names += len(found.names)
    noise = label_noise(answers.logit, label, ground)
    can_be_doubted &= np.isfinite(noise.wrong)
    row_of, column_of = ({value: place for place, value in enumerate(order)} for order in (answers.study_id, classes))
    is_read = np.zeros(shape, dtype=bool)
    for _, study, name in read:
        if study in row_of and name in column_of:
            is_read[row_of[study], column_of[name]] = True
    return Doubts(
        answers, by_source, label, can_be_doubted & ~is_read, is_read, noise, confidence(answers.probability, label)
    )


def _rows(doubts: Doubts, kept: np.ndarray) -> pa.Table:
    """Return the rows of the table of cells, in their order."""
    classes, width = asked_classes(), len(asked_classes())
    row, column = kept // width, kept % width
    answers, noise = doubts.answers, doubts.noise
    kind, mention, rule = (np.empty(len(kept), dtype=object) for _ in range(3))
    for rows, found in doubts.by_source.values():
        mine = np.flatnonzero(np.isin(row, rows))
        at = np.searchsorted(rows, row[mine]), np.array([vocabulary().index(classes[k]) for k in column[mine]], int)
        kind[mine] = [GROUNDS[place] for place in found.kind[at]]
        deciding = found.mention[at]
        mention[mine] = [int(found.mention_index[one]) if one >= 0 else None for one in deciding]
        rule[mine] = [found.rule_id[one] if one >= 0 else None for one in deciding]
    spread = noise.spread[row, column]
    columns = {
        "position": np.arange(1, len(kept) + 1),
        "source": answers.source[row],
        "study_id": answers.study_id[row],
        "pool": [TRAIN] * len(kept),
        "class": [classes[k] for k in column],
        "label": doubts.label[row, column],
        "wrong_probability": noise.wrong[row, column],
        "probability": noise.present[row, column],
        "models": np.isfinite(answers.logit[:, row, column]).sum(axis=0),
        "spread": pa.array(spread, mask=~np.isfinite(spread)),
        "label_quality": doubts.confidence.quality[row, column],
        "is_label_issue": doubts.confidence.is_issue[row, column],
        "rests_on": kind.tolist(),
        "mention_index": mention.tolist(),
        "rule_id": rule.tolist(),
    }
    typed = {
        name: pa.array(values, pa.string()) if name in ("rests_on", "rule_id") else values
        for name, values in columns.items()
    }
    return conform(TABLE, pa.table({**typed, "mention_index": pa.array(typed["mention_index"], pa.int32())}))


def _require_train(pools: Mapping[str, str], table: pa.Table) -> None:
    """Raise RunFailed where a study of another pool would be queued: that would be a use of validation or test."""
    foreign = sum(pools.get(study) != TRAIN for study in table["study_id"].to_pylist())
    if foreign:
        raise RunFailed(f"{foreign} cells of studies outside the train pool would be queued", do="report it: a fault")


def _result(doubts: Doubts, order: np.ndarray, kept: np.ndarray, left_out: int, version: str) -> QueueResult:
    classes, wrong = asked_classes(), doubts.noise.wrong.reshape(-1)
    queued = Counter(classes[k] for k in (kept % len(classes)).tolist())
    judged = np.any(doubts.is_open, axis=0)

    def by_class(shares: np.ndarray) -> dict[str, float]:
        return {name: round(float(share), 4) for name, share, is_it in zip(classes, shares, judged) if is_it}

    return QueueResult(
        models=doubts.answers.models,
        judged=len(order),
        queued=len(kept),
        read=int((doubts.is_read & np.isfinite(doubts.noise.wrong)).sum()),
        expected_wrong=round(float(wrong[order].sum()), 1),
        expected_wrong_queued=round(float(wrong[kept].sum()), 1),
        left_out_studies=left_out,
        by_class={name: queued[name] for name in classes if queued[name]},
        missed=by_class(doubts.noise.missed),
        invented=by_class(doubts.noise.invented),
        version=version,
    )

"""How far a reading set is, and how large one must be: progress, agreement, what is next; plans before a draw."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from radia_pipeline.contracts.label_values import POSITIVE
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, VocabularyMismatch
from radia_pipeline.evaluation.intervals import auc_interval, effective, wilson
from radia_pipeline.evaluation.redraws import unread_weight
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.agreement import Agreement, agreement
from radia_pipeline.readings.drawing import REPEAT_SHARE, Turn, order_of
from radia_pipeline.readings.membership import classes_of, read_sets, rows_of_set
from radia_pipeline.readings.sets import Frame, frame_of
from radia_pipeline.readings.truth import OPEN, StudyAnswers, answers_by_set

SIZE_STEP = 50
READERS = 2


@dataclass(frozen=True)
class SetStatus:
    """Progress of one set. ``read``: studies by reader; ``rules``: cells by rule; ``between``, ``within``: agreement of
    the readers, and of each with itself on the hidden repeats; ``next_step``: in words.
    """

    set_id: str
    studies: int
    read: Mapping[str, int]
    rules: Mapping[str, int]
    between: Agreement
    within: Mapping[str, Agreement]
    next_step: str

    @property
    def is_open(self) -> bool:
        """Whether a cell waits for somebody."""
        return any(rule in self.rules for rule in OPEN)


def statuses(lake: Lake) -> list[SetStatus]:
    """Return the progress of every set, in the order of their ids."""
    answers = answers_by_set(lake)
    return [_status(set_id, rows, answers.get(set_id, {})) for set_id, rows in sorted(read_sets(lake).items())]


def _status(set_id: str, rows: list[dict], answers: Mapping[str, StudyAnswers]) -> SetStatus:
    said, asked = [answers.get(row["study_id"], StudyAnswers()) for row in rows], classes_of(rows)
    read = Counter(reader for one in said for reader in one.blind)
    rules = Counter(one.truth(name)[1] for one in said for name in (one.asked() or asked))
    unread = sum(len(one.blind) < READERS for one in said)
    disputed = sum(any(one.truth(name)[1] == OPEN[1] for name in one.asked()) for one in said)
    step = "nothing: the set is complete"
    if unread:
        step = f"{unread} studies need a reader (two blind readers a study)"
    elif disputed:
        step = f"{disputed} studies need the adjudicator"
    pairs = [pair for one in said for pair in itertools.combinations(one.blind.values(), 2)]
    own = {
        reader: [(one.blind[reader], one.repeat[reader]) for one in said if reader in one.blind.keys() & one.repeat]
        for reader in read
    }
    within = {reader: compared(both) for reader, both in sorted(own.items())}
    return SetStatus(set_id, len(rows), dict(sorted(read.items())), dict(rules), compared(pairs), within, step)


def compared(pairs: list[tuple[Mapping, Mapping]]) -> Agreement:
    """Return the agreement of pairs of answers over all classes that both answered."""
    cells = [(one[name], other[name]) for one, other in pairs for name in one.keys() & other.keys()]
    cells = [cell for cell in cells if None not in cell]
    first, second = (np.array([cell[side] for cell in cells], dtype=np.int8) for side in (0, 1))
    return agreement(first, second)


def reading_list(lake: Lake, set_id: str, reader: str) -> list[Turn]:
    """Return what a reader still has to read of a set, in the reader's own order; raises BadInput for no set."""
    rows = rows_of_set(lake, set_id)
    answers = answers_by_set(lake).get(set_id, {})
    turns = order_of([row["study_id"] for row in rows], reader, rows[0]["seed"])
    return [
        turn
        for turn in turns
        if reader
        not in (
            answers.get(turn.study_id, StudyAnswers()).repeat
            if turn.is_repeat
            else answers.get(turn.study_id, StudyAnswers()).blind
        )
    ]


def require_no_open_set(lake: Lake) -> None:
    """Raise VocabularyMismatch where a set is being read: its questions are asked in the words of one vocabulary."""
    open_ = [status.set_id for status in statuses(lake) if status.is_open]
    if open_:
        raise VocabularyMismatch(
            f"The reading set {', '.join(open_)} is being read in the words of the present vocabulary",
            do="finish its readings first, or carry it with --carry-open-sets: what is left is asked in the new words, "
            "what was answered is merged as labels are, and a class that is new is not asked",
        )


@dataclass(frozen=True)
class ClassPlan:
    """What a set gives one class: positives by its labels, how many equal ones they are worth with those that labels
    miss, half-widths of 95 %.
    """

    name: str
    positives: int
    effective_positives: float
    auc_half_width: float
    sensitivity_half_width: float


@dataclass(frozen=True)
class Expected:
    """What a plan counts on: the model's AUC, the share of positives that labels find, the seconds of a reading."""

    auc: float = 0.85
    label_sensitivity: float = 0.8
    seconds: float = 60.0

    def require(self) -> None:
        """Raise BadInput for what cannot be."""
        if not (0.5 < self.auc < 1 and 0 < self.label_sensitivity <= 1 and self.seconds > 0):
            accepted = "an AUC between .5 and 1, a sensitivity above 0 and up to 1, seconds above 0"
            raise BadInput("A plan for impossible numbers", accepted=accepted)


@dataclass(frozen=True)
class Plan:
    """A set's size for a wish. ``is_reached``: every class with a positive label gets it; ``hours``: all readers'."""

    studies: int
    hours: float
    is_reached: bool
    classes: tuple[ClassPlan, ...]


def plan_set(lake: Lake, pool: str, half_width: float, expected: Expected = Expected()) -> Plan:
    """Return the smallest set whose AUC intervals are as narrow as wished, else the whole pool's.

    Labels stand in for truth, which nobody has read yet, with what they miss.
    """
    expected.require()
    if not 0 < half_width < 0.5:
        raise BadInput("A plan for an impossible half-width", accepted="more than 0, less than .5")
    frame = frame_of(lake, pool)
    most = len(set(frame.groups.tolist()))
    sizes = [*range(SIZE_STEP, most, SIZE_STEP), most]
    low, high = 0, len(sizes) - 1
    while low < high:
        middle = (low + high) // 2
        is_enough = _widest(_classes(frame, sizes[middle], expected)) <= half_width
        low, high = (low, middle) if is_enough else (middle + 1, high)
    classes = _classes(frame, sizes[low], expected)
    hours = sizes[low] * READERS * (1 + REPEAT_SHARE) * expected.seconds / 3600
    return Plan(sizes[low], hours, _widest(classes) <= half_width, classes)


def _widest(classes: tuple[ClassPlan, ...]) -> float:
    return max((one.auc_half_width for one in classes), default=float("inf"))


def _classes(frame: Frame, size: int, expected: Expected) -> tuple[ClassPlan, ...]:
    drawn = frame.coded.draw(size, seed=0)
    weight, words = 1.0 / drawn.probability, vocabulary()
    found = []
    for name in words.pathologies:
        labels = frame.values[:, words.index(name)] == POSITIVE
        if not labels.any():
            continue
        positive, auc = labels[drawn.members], expected.auc
        worth = _worth(weight, positive, int(labels.sum()), expected.label_sensitivity)
        auc_low, auc_high = auc_interval(auc, worth, effective(weight[~positive])) if worth >= 1 else (0.0, 1.0)
        low, high = wilson(auc, worth) if worth else (0.0, 1.0)
        found.append(ClassPlan(name, int(positive.sum()), worth, (auc_high - auc_low) / 2, (high - low) / 2))
    return tuple(found)


def _worth(weight: np.ndarray, positive: np.ndarray, labelled: int, label_sensitivity: float) -> float:
    """Return how many equal positives a class's will be worth: those with a label as drawn, and those that labels miss,
    who lie anywhere in the pool and stand for as many as an unread study does.
    """
    missed = labelled * (1 / label_sensitivity - 1)
    squares = float(np.square(weight[positive]).sum()) + missed * max(1.0, unread_weight(weight))
    return float(weight[positive].sum() + missed) ** 2 / squares if positive.any() else 0.0

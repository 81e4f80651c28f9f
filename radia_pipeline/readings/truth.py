"""Truth by rule: what the readings of a closed set agree on, cell by cell. Derived; the answers stay in the store.

Two or more blind readers who answer the same make truth; else the adjudicator decides, who saw their answers and never
a model. Readings after a reveal, imported ones and those from before the set was closed have no part in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from radia_pipeline.contracts.label_values import POSITIVE
from radia_pipeline.contracts.tables import conform, empty
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.chain import CLOSED
from radia_pipeline.readings.in_force import publish_reviews, readings_in_force
from radia_pipeline.readings.reading import ADJUDICATION, BLIND, REPEAT
from radia_pipeline.readings.sets import read_sets
from radia_pipeline.readings.store import lines_of

AGREEMENT, ADJUDICATED, NOT_ASSESSABLE = "agreement", "adjudication", "not_assessable"
WAITS_FOR_READER, WAITS_FOR_ADJUDICATOR = "waits_for_reader", "waits_for_adjudicator"
OPEN = (WAITS_FOR_READER, WAITS_FOR_ADJUDICATOR)
MIN_READERS = 2

Answers = Mapping[str, int | None]
"""Class → answer; None where the study was not assessable."""


@dataclass
class StudyAnswers:
    """What was answered of one study of a set. ``blind``, ``repeat``: by reader; ``adjudicated``: the last word."""

    blind: dict[str, Answers] = field(default_factory=dict)
    repeat: dict[str, Answers] = field(default_factory=dict)
    adjudicated: Answers | None = None
    is_simulated: bool = False

    def asked(self) -> set[str]:
        """Return every class that somebody answered."""
        given = [*self.blind.values(), *([self.adjudicated] if self.adjudicated else [])]
        return {name for answers in given for name in answers}

    def truth(self, name: str, without: Collection[str] = ()) -> tuple[int | None, str]:
        """Return (value, rule) of a class; ``without``: readers who are compared with the truth, and left out of it."""
        blind = [answers[name] for who, answers in self.blind.items() if name in answers and who not in without]
        if len(blind) < MIN_READERS:
            return None, WAITS_FOR_READER
        if len(set(blind)) == 1:
            return _ruled(blind[0], AGREEMENT)
        if self.adjudicated is None or name not in self.adjudicated:
            return None, WAITS_FOR_ADJUDICATOR
        return _ruled(self.adjudicated[name], ADJUDICATED)


@dataclass(frozen=True)
class TruthResult:
    """``label_truth`` as published. ``cells``: by rule; ``head_sha256``: of the store of which it was made."""

    sets: int
    cells: Mapping[str, int]
    version: str
    head_lines: int
    head_sha256: str


def build_truth(lake: Lake) -> TruthResult:
    """Publish ``label_reviews`` and, of every closed set, ``label_truth``."""
    published = publish_reviews(lake)
    sets = read_sets(lake)
    answers = answers_by_set(lake)
    rows = [row for set_id, members in sets.items() for row in _rows(members, answers.get(set_id, {}))]
    written = lake.write("label_truth", conform("label_truth", rows) if rows else empty("label_truth"))
    cells = {rule: count for rule in RULES if (count := sum(row["rule"] == rule for row in rows))}
    return TruthResult(len(sets), cells, written.version, published.head_lines, published.head_sha256)


RULES = (AGREEMENT, ADJUDICATED, NOT_ASSESSABLE, *OPEN)


def _rows(members: Iterable[Mapping], answers: Mapping[str, StudyAnswers]) -> Iterable[dict]:
    for member in members:
        said = answers.get(member["study_id"], StudyAnswers())
        for name in sorted({*vocabulary().classes, *said.asked()} if not said.blind else said.asked()):
            value, rule = said.truth(name)
            blind = [given[name] for given in said.blind.values() if given.get(name) is not None]
            yield {
                "set_id": member["set_id"], "study_id": member["study_id"], "source": member["source"], "class": name,
                "value": value, "rule": rule, "present": sum(value == POSITIVE for value in blind),
                "readers": len(blind), "weight": 1.0 / member["inclusion_probability"],
                "is_simulated": said.is_simulated,
            }  # fmt: skip


def answers_by_set(lake: Lake) -> dict[str, dict[str, StudyAnswers]]:
    """Return set_id → study_id → answers in force, given after the set was closed."""
    closed = {
        line.content["set_id"]: line.sequence for _, line in lines_of(lake) if line is not None and line.kind == CLOSED
    }
    found: dict[str, dict[str, StudyAnswers]] = {}
    for sequence, reading in readings_in_force(lake):
        if reading.set_id not in closed or sequence < closed[reading.set_id]:
            continue
        said = found.setdefault(reading.set_id, {}).setdefault(reading.study_id, StudyAnswers())
        answers = {name: reading.answers.get(name) for name in reading.asked}
        said.is_simulated |= reading.origin == "simulated"
        if reading.phase == BLIND:
            said.blind[reading.reader] = answers
        elif reading.phase == REPEAT:
            said.repeat[reading.reader] = answers
        elif reading.phase == ADJUDICATION:
            said.adjudicated = answers
    return found


def _ruled(value: int | None, rule: str) -> tuple[int | None, str]:
    return (value, rule) if value is not None else (None, NOT_ASSESSABLE)

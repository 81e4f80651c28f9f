"""Truth by rule: what the readings of a closed set agree on, cell by cell. Derived; the answers stay in the store.

Two or more blind readers who answer the same make truth; else the adjudicator decides, who saw their answers and never
a model. Readings after a reveal, imported ones and those from before the set was closed have no part in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from radia_pipeline.contracts.label_values import POSITIVE
from radia_pipeline.contracts.tables import conform, empty
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.carried import Answers, answers_across
from radia_pipeline.readings.chain import CLOSED
from radia_pipeline.readings.in_force import in_force, publish_reviews
from radia_pipeline.readings.membership import classes_of, read_sets, require_as_closed
from radia_pipeline.readings.reading import ADJUDICATION, BLIND, REPEAT, Reading
from radia_pipeline.readings.store import lines_of

AGREEMENT, ADJUDICATED, NOT_ASSESSABLE = "agreement", "adjudication", "not_assessable"
WAITS_FOR_READER, WAITS_FOR_ADJUDICATOR = "waits_for_reader", "waits_for_adjudicator"
OPEN = (WAITS_FOR_READER, WAITS_FOR_ADJUDICATOR)
MIN_READERS = 2


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


def _rows(members: Sequence[Mapping], answers: Mapping[str, StudyAnswers]) -> Iterable[dict]:
    classes = classes_of(members)
    for member in members:
        said = answers.get(member["study_id"], StudyAnswers())
        for name in sorted(said.asked() if said.blind else classes):
            value, rule = said.truth(name)
            blind = [given[name] for given in said.blind.values() if given.get(name) is not None]
            yield {
                "set_id": member["set_id"],
                "study_id": member["study_id"],
                "source": member["source"],
                "class": name,
                "value": value,
                "rule": rule,
                "present": sum(value == POSITIVE for value in blind),
                "readers": len(blind),
                "weight": 1.0 / member["inclusion_probability"],
                "is_simulated": said.is_simulated,
            }


def is_open(said: StudyAnswers) -> bool:
    """Tell whether a study still waits for somebody."""
    return not said.blind or any(said.truth(name)[1] in OPEN for name in said.asked())


def answers_by_set(lake: Lake) -> dict[str, dict[str, StudyAnswers]]:
    """Return set_id → study_id → answers in force, given after the set was closed, in the installed vocabulary's words.

    Raises DamagedFile where a set's table is not what was closed.
    """
    lines = [line for _, line in lines_of(lake) if line is not None]
    closings: dict[str, list[tuple[int, str]]] = {}
    for line in lines:
        if line.kind == CLOSED:
            closings.setdefault(line.content["set_id"], []).append((line.sequence, line.content["members_sha256"]))
    asked = {}
    for set_id, rows in read_sets(lake).items():
        require_as_closed(set_id, rows, [sha256 for _, sha256 in closings.get(set_id, ())])
        asked[set_id] = frozenset(classes_of(rows))
    found: dict[str, dict[str, StudyAnswers]] = {}
    for sequence, reading in in_force(lake, lines):
        if reading.set_id in asked and sequence > closings[reading.set_id][0][0]:
            said = found.setdefault(reading.set_id, {}).setdefault(reading.study_id, StudyAnswers())
            _take_in(said, reading, asked[reading.set_id])
    return found


def _take_in(said: StudyAnswers, reading: Reading, asked: Collection[str]) -> None:
    answers = {name: value for name, value in answers_across(reading).items() if name in asked}
    if reading.phase == BLIND:
        said.blind[reading.reader] = answers
    elif reading.phase == REPEAT:
        said.repeat[reading.reader] = answers
    elif reading.phase == ADJUDICATION:
        said.adjudicated = answers
    else:
        return
    said.is_simulated |= reading.origin == "simulated"


def _ruled(value: int | None, rule: str) -> tuple[int | None, str]:
    return (value, rule) if value is not None else (None, NOT_ASSESSABLE)

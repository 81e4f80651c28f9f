"""A reader's desk: what a list still wants of a reader, as what an answer counts, and taking it in.

It follows the store as it grows, so that a turn takes the same time at any length. Not here: what a reading is
(``reading``), who may append what in the end (``store``), agreement and truth (``progress``, ``truth``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.carried import answers_across
from radia_pipeline.readings.chain import READ, Line, file_of
from radia_pipeline.readings.drawing import Turn
from radia_pipeline.readings.lists import CELLS, SET, ReadingList
from radia_pipeline.readings.reading import ADJUDICATION, BLIND, PHASES, REPEAT
from radia_pipeline.readings.store import Store
from radia_pipeline.readings.truth import MIN_READERS

READER, ADJUDICATOR = "reader", "adjudicator"
Opinion = Mapping[str, int | None]
"""Class → answer of one reader; None where the study was not assessable."""


@dataclass(frozen=True)
class Given:
    """A reading in force, as the desk keeps it."""

    sequence: int
    reader: str
    phase: str
    study_id: str
    set_id: str | None
    asked: tuple[str, ...]
    answers: Mapping[str, int]
    decided_at: str

    @property
    def opinion(self) -> Opinion:
        """The answer to each class that was asked."""
        return {name: self.answers.get(name) for name in self.asked}


@dataclass(frozen=True)
class Place:
    """One turn with its place in a reader's order, from 0, and the phase in which an answer to it counts."""

    position: int
    turn: Turn
    phase: str


@dataclass
class _Known:
    """What the store holds, by list and study; ``by_cell``: (study, class) → readings that may change its label."""

    by_sequence: dict[int, Given] = field(default_factory=dict)
    by_place: dict[tuple[str | None, str], list[int]] = field(default_factory=dict)
    by_key: dict[str, int] = field(default_factory=dict)
    by_cell: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)


class Desk:
    """An open store of readings, seen from the lists that are read."""

    def __init__(self, lake: Lake) -> None:
        self._lake, self.store, self._is_demo = lake, Store(lake), Pseudonymizer.is_demo(lake)
        self._file = file_of(lake)
        self._inode: int | None = None
        self._mark, self._known = self._file.beginning, _Known()
        self._orders: dict[tuple[str, str, int], list[Place]] = {}

    def refresh(self) -> None:
        """Take in what was appended since; a store that was replaced (somebody was forgotten) is read anew."""
        path = self._file.path
        stat = path.stat() if path.exists() else None
        if stat is None or stat.st_ino != self._inode or stat.st_size < self._mark.offset:
            self._mark, self._known = self._file.beginning, _Known()
            self._inode = stat.st_ino if stat else None
        for mark, line in self._file.follow(self._mark) if stat else ():
            self._mark = mark
            if line is not None:
                self._take_in(line)

    def given(self, sequence: int) -> Given | None:
        """Return a reading in force by its sequence, None where there is none, or none any more."""
        return None if sequence in self._known.gone else self._known.by_sequence.get(sequence)

    def just_given(self, sequence: int) -> Given:
        """Return a reading that was appended just now."""
        return self._known.by_sequence[sequence]

    def any_given(self, sequence: int) -> Given | None:
        """Return a reading by its sequence, in force or not."""
        return self._known.by_sequence.get(sequence)

    def of_key(self, request_key: str) -> Given | None:
        """Return the reading that bears a request key, in force or not."""
        sequence = self._known.by_key.get(request_key)
        return None if sequence is None else self._known.by_sequence[sequence]

    def of_study(self, list_id: str | None, study_id: str) -> list[Given]:
        """Return the readings in force of a study in a list (None: outside all lists), oldest first."""
        found = self._known.by_place.get((list_id, study_id), ())
        return [self._known.by_sequence[one] for one in found if one not in self._known.gone]

    def places(self, one: ReadingList, reader: str) -> list[Place]:
        """Return every turn of a reader in a list, in order; a list loses studies, but never gets others."""
        key = (one.list_id, reader, len(one.asked))
        if key not in self._orders:
            self._orders[key] = [
                Place(number, turn, REPEAT if turn.is_repeat else one.phase)
                for number, turn in enumerate(one.order(reader))
            ]
        return self._orders[key]

    def answer_to(
        self, one: ReadingList, place: Place, reader: str, classes: Collection[str] | None = None
    ) -> Given | None:
        """Return a reader's latest answer to a turn, None while there is none; to a shared list's, to any of
        ``classes`` (None: of those that the list asks).
        """
        study = place.turn.study_id
        wanted = set(one.asked[study] if classes is None else classes)
        own = [
            given
            for given in self.of_study(one.list_id, study)
            if (given.reader, given.phase) == (reader, place.phase)
            and (one.kind == SET or (wanted & set(given.asked) if one.is_shared else wanted <= set(given.asked)))
        ]
        return own[-1] if own else None

    def open_cells(self, one: ReadingList, study_id: str) -> tuple[str, ...]:
        """Return the classes of a study that a list still asks: a shared one those that nobody has read."""
        if not one.is_shared:
            return one.asked[study_id]
        read, gone = self._known.by_cell, self._known.gone
        return tuple(name for name in one.asked[study_id] if gone.issuperset(read.get((study_id, name), ())))

    def left(self, one: ReadingList, reader: str) -> list[Place]:
        """Return a reader's turns that wait for an answer, in order."""
        places = self.places(one, reader)
        if one.is_shared:
            return [place for place in places if self.open_cells(one, place.turn.study_id)]
        return [place for place in places if self.answer_to(one, place, reader) is None]

    def opinions(self, one: ReadingList, study_id: str) -> dict[str, Opinion]:
        """Return the latest blind opinion of each reader of a study."""
        blind = [given for given in self.of_study(one.list_id, study_id) if given.phase == BLIND]
        return {given.reader: given.opinion for given in blind}

    def disputed(self, one: ReadingList, study_id: str) -> tuple[str, ...]:
        """Return the classes of a study on which blind readers differ and nobody has decided yet."""
        given = self.opinions(one, study_id)
        decided = {
            name for said in self.of_study(one.list_id, study_id) if said.phase == ADJUDICATION for name in said.asked
        }
        if one.kind != SET or len(given) < MIN_READERS:
            return ()
        return tuple(
            name
            for name in one.asked[study_id]
            if name not in decided and len({said.get(name) for said in given.values() if name in said}) > 1
        )

    def adjudications(self, one: ReadingList, reader: str) -> list[Place]:
        """Return the studies of a set that wait for an adjudicator and that this person has not read, as turns.

        None for who still reads the set: others' opinions would be seen before one's own.
        """
        if not self.may_adjudicate(one, reader):
            return []
        return [
            Place(number, Turn(study, False), ADJUDICATION)
            for number, study in enumerate(sorted(one.asked))
            if self.disputed(one, study) and reader not in self.opinions(one, study)
        ]

    def may_adjudicate(self, one: ReadingList, reader: str) -> bool:
        """Tell whether a person may see what others answered: who has begun to read must first end."""
        left = self.left(one, reader)
        return one.kind == SET and (not left or len(left) == len(self.places(one, reader)))

    def withheld(self, lists: Iterable[ReadingList], reader: str) -> frozenset[str]:
        """Return the studies of which this reader may be shown nothing but images, since a blind answer is to come.

        A set asks everybody who has not answered while it waits for readers or an adjudicator, and those who began it
        until they end; a list of cells asks those who began it.
        """
        return frozenset(study for one in lists for study in self._withheld(one, reader))

    def reveals_at_end(self, one: ReadingList, reader: str) -> bool:
        """Tell whether a list has hidden repeats for a reader, whom a reveal would spoil."""
        return any(place.turn.is_repeat for place in self.places(one, reader))

    def _withheld(self, one: ReadingList, reader: str) -> Iterable[str]:
        first = one.phase
        phases = {
            study: {given.phase for given in self.of_study(one.list_id, study) if given.reader == reader}
            for study in one.asked
        }
        has_begun = any(first in said for said in phases.values())
        if not has_begun and (one.kind == CELLS or self.is_complete(one)):
            return ()
        if one.is_shared:
            return [place.turn.study_id for place in self.left(one, reader)]
        if self.reveals_at_end(one, reader) and self.left(one, reader):
            # A study that comes again must not be told from the others by what may be seen of it.
            adjudicates = not has_begun
            return [study for study, said in phases.items() if not (adjudicates and ADJUDICATION in said)]
        return [study for study, said in phases.items() if not said & {first, ADJUDICATION}]

    def is_complete(self, one: ReadingList) -> bool:
        """Tell whether nobody has anything left to read in a set."""
        return all(
            len(self.opinions(one, study)) >= MIN_READERS and not self.disputed(one, study) for study in one.asked
        )

    def _take_in(self, line: Line) -> None:
        content: Mapping[str, Any] = line.content
        self._known.gone.update(content.get("undoes", ()))
        if content.get("supersedes") is not None:
            self._known.gone.add(content["supersedes"])
        if line.kind != READ:
            return
        given = Given(
            line.sequence,
            content["reader"],
            content["phase"],
            content["study_id"],
            content["set_id"],
            tuple(content["asked"]),
            content["answers"],
            content["decided_at"],
        )
        self._known.by_sequence[line.sequence] = given
        self._known.by_key[content["request_key"]] = line.sequence
        self._known.by_place.setdefault((given.set_id, given.study_id), []).append(line.sequence)
        is_of_a_person = self._is_demo or content["origin"] == "person"
        if PHASES[given.phase].makes_label and is_of_a_person:
            for name in answers_across(line.reading):
                self._known.by_cell.setdefault((given.study_id, name), []).append(line.sequence)

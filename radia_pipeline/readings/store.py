"""The store of readings: who may append what, undoing by an event, forgetting with one.

Here: an open store that knows the proved part of its file, so that appending takes the same time at any length. Not
here: what a reading is (``reading``), how lines prove themselves (``chain``), what the first release wrote
(``first_release``), what labels become of it (``in_force``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import Mark
from radia_pipeline.readings.chain import (
    CLOSED,
    FORGOTTEN,
    READ,
    UNDONE,
    Head,
    Line,
    damage,
    file_of,
    now,
    parse,
    proved_lines,
    read_witness,
    record_of,
    require_number,
    write_witness,
)
from radia_pipeline.readings.first_release import bring_in
from radia_pipeline.readings.membership import classes_of, rows_of_set
from radia_pipeline.readings.reading import (
    ADJUDICATION,
    BLIND,
    IMPORTED,
    PHASES,
    REPEAT,
    REVEALING,
    Reading,
    as_record,
    require_sound,
)

LOCK = "reviews"
_FILLED_IN = ("decided_at", "vocabulary_version")
"""Fields that the store fills in where they are empty: they do not make a request another one."""


class Store:
    """An open store. Opening proves the whole chain once and imports what the first release left.

    Raises DamagedFile, naming the line, where the store cannot be trusted.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake, self._file = lake, file_of(lake)
        with lake.lock(LOCK):
            bring_in(lake)
            self._start_over()
            self._catch_up()

    @property
    def head(self) -> Head:
        """The head of the proved part."""
        return Head(self._mark.number, self._mark.tail)

    def append(self, reading: Reading) -> Line:
        """Append a reading and return its line; it and its witness are on disk when this returns.

        A request key that stands in the store with the same content is not written again: its line is returned. Raises
        BadInput or UnknownName for what is no reading, for a key that bears another content, for what an earlier
        reading of the same study forbids, and for a set that is not closed or does not hold the study; DamagedFile,
        LakeUnwritable.
        """
        require_sound(reading)
        with self._lake.lock(LOCK):
            self._catch_up()
            if reading.request_key in self._keys:
                return self._again(reading)
            self._require_place(reading)
            said = vocabulary().version
            stamped = replace(
                reading,
                decided_at=reading.decided_at or now(),
                vocabulary_version=reading.vocabulary_version or said,
            )
            return self._append(READ, as_record(stamped))

    def undo(self, sequence: int, reader: str) -> None:
        """Take a reading back by an event; the reading stays. Only its own reader may; twice is once."""
        with self._lake.lock(LOCK):
            self._catch_up()
            if self._place_of.get(sequence, (("",), ""))[0][0] != reader:
                raise BadInput(
                    f"Line {sequence} of the store is no reading of this reader's", do="undo one's own readings only"
                )
            if sequence not in self._undone:
                self._append(UNDONE, {"undoes": [sequence], "reader": reader, "at": now()})

    def close_set(self, set_id: str, members_sha256: str) -> None:
        """Write down that a reading set was closed: no reading of it is taken before this event.

        A set that lost a forgotten patient is closed again; closing it twice as it is is once.
        """
        with self._lake.lock(LOCK):
            self._catch_up()
            if self._closings.get(set_id, [None])[-1] != members_sha256:
                self._append(CLOSED, {"set_id": set_id, "members_sha256": members_sha256, "at": now()})

    def closings(self, set_id: str) -> tuple[str, ...]:
        """Return the hashes with which a set was closed, in order; none of a set that was not."""
        return tuple(self._closings.get(set_id, ()))

    def forget(self, study_ids: Collection[str]) -> int:
        """Remove every reading of these studies, with answers, boxes and comments; return how many there were.

        Each becomes a tombstone, and an event says which lines went; the witness is written between the two, so that
        killed anywhere the next call finishes.
        """
        with self._lake.lock(LOCK):
            self._catch_up()
            gone = [
                line.sequence
                for _, line in self._file.follow()
                if line is not None and line.kind == READ and line.content["study_id"] in study_ids
            ]
            if not gone:
                return 0
            found = frozenset(gone)
            self._append(FORGOTTEN, {"lines": gone, "at": now()})
            return self._file.forget(lambda line: line.sequence in found)

    def _again(self, reading: Reading) -> Line:
        before, content = self._keys[reading.request_key]
        if content != _sha256(as_record(reading)):
            raise BadInput("A request key that stands in the store with another reading", do="use a new key")
        _, line = next(iter(self._file.follow(before)))
        if line is None:
            raise BadInput("A request key of a reading that was forgotten", do="use a new key")
        return line

    def _require_place(self, reading: Reading) -> None:
        """Refuse what contradicts an earlier reading of the same study, or the set that it names."""
        own, phase = (reading.reader, reading.study_id, reading.set_id), reading.phase
        if reading.supersedes is not None and self._place_of.get(reading.supersedes) != (own, phase):
            raise BadInput("A reading that supersedes another study's, set's, phase's or reader's", do="name one's own")
        if PHASES[phase].needs_set:
            self._require_set(reading)
        earlier = self._blind.get(own)
        has_read = earlier is not None and earlier not in self._undone
        if phase == REPEAT and not has_read:
            raise BadInput("A repeat of what its reader has not read in the set", do="send it as a blind reading")
        if phase == ADJUDICATION and has_read:
            raise BadInput("An adjudication by one of the two readers", do="let a third person decide")
        if phase != BLIND:
            return
        if own[:2] in self._revealed:
            raise BadInput("A blind reading after its reader saw the answer", do="call it a reread")
        if has_read and earlier != reading.supersedes:
            raise BadInput(f"A second blind reading of a study in {reading.set_id}", do=f"supersede reading {earlier}")

    def _require_set(self, reading: Reading) -> None:
        """Refuse a reading of a set that is not closed, of a study outside it, or of classes that it does not ask."""
        set_id = str(reading.set_id)
        if set_id not in self._closings:
            do = "draw it with `radia review draw`: a set is closed and hashed before anybody reads"
            raise BadInput(f"A {reading.phase} reading in a set that is not closed", do=do)
        if set_id not in self._sets:
            rows = rows_of_set(self._lake, set_id)
            studies = frozenset((row["source"], row["study_id"]) for row in rows)
            self._sets[set_id] = (studies, frozenset(classes_of(rows)))
        studies, classes = self._sets[set_id]
        if (reading.source, reading.study_id) not in studies:
            raise BadInput(f"A study that is not in {set_id}", do="ask `radia review next` what to read")
        if foreign := sorted(set(reading.asked) - classes):
            raise BadInput(f"{', '.join(foreign)} was not asked when {set_id} was drawn", do="draw a new set for it")

    def _append(self, kind: str, content: Mapping[str, Any]) -> Line:
        record = record_of(self._mark.number + 1, kind, content)
        self._file.append([record])
        self._catch_up()
        return parse(record)

    def _start_over(self) -> None:
        self._mark = self._file.beginning
        self._inode: int | None = None
        self._keys: dict[str, tuple[Mark, bytes]] = {}
        self._place_of: dict[int, tuple[tuple[str, str, str | None], str]] = {}
        self._closings: dict[str, list[str]] = {}
        self._sets: dict[str, tuple[frozenset[tuple[str, str]], frozenset[str]]] = {}
        self._blind: dict[tuple[str, str, str | None], int] = {}
        self._revealed: set[tuple[str, str]] = set()
        self._undone: set[int] = set()

    def _catch_up(self) -> None:
        """Prove and take in what was appended since; a file that was replaced is read anew from its beginning."""
        path = self._file.path
        stat = path.stat() if path.exists() else None
        if stat is None or stat.st_ino != self._inode:
            self._start_over()
            found = proved_lines(self._lake)
        elif stat.st_size < self._mark.offset:
            raise damage(self._mark.number, "it was cut off while the store was open")
        else:
            found = self._file.follow(self._mark)
        for mark, line in found:
            if line is not None:
                self._take_in(line, mark.number)
            self._mark = mark
        self._inode = path.stat().st_ino if path.exists() else None
        if read_witness(self._lake) != self.head:
            write_witness(self._lake, self.head)

    def _take_in(self, line: Line, number: int) -> None:
        require_number(line, number)
        content = line.content
        self._undone.update(content.get("undoes", ()))
        if line.kind == CLOSED:
            self._closings.setdefault(content["set_id"], []).append(content["members_sha256"])
            self._sets.pop(content["set_id"], None)
        if line.kind != READ:
            return
        self._keys[content["request_key"]] = (self._mark, _sha256(content))
        own, phase = (content["reader"], content["study_id"], content["set_id"]), content["phase"]
        self._place_of[line.sequence] = (own, phase)
        if phase == BLIND:
            self._blind[own] = line.sequence
        is_open = not PHASES[phase].is_blind and phase != IMPORTED
        if is_open or phase == ADJUDICATION or set(content["shown"]["visible"]) & set(REVEALING):
            self._revealed.add(own[:2])


def lines_of(lake: Lake) -> Iterator[tuple[Mark, Line | None]]:
    """Yield each line with the place after it, None for a forgotten one, as ``chain.proved_lines`` does."""
    if lake.reviews_path.exists():
        with lake.lock(LOCK):
            bring_in(lake)
    return proved_lines(lake)


def _sha256(content: Mapping[str, Any]) -> bytes:
    """Return the hash of what a reader sent: a reading's record without what the store fills in."""
    kept = {name: value for name, value in content.items() if name not in _FILLED_IN}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).digest()

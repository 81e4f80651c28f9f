"""Lists and turns as a page is told of them: what waits for whom, in whose order, and nothing that would unblind.

Read only; whoever calls holds the store as it now is. Not here: answers and reveals (``reading_room``), which answers
count as what (``readings.desk``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.pools import TRAIN
from radia_pipeline.contracts.tables import contract_names
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.desk import ADJUDICATOR, Desk, Given, Place
from radia_pipeline.readings.drawing import Turn
from radia_pipeline.readings.frame import pools_of_studies
from radia_pipeline.readings.lists import SET, ReadingList, answerable, cells_of_file, list_of_cells, sets_of
from radia_pipeline.readings.reading import ADJUDICATION, ANSWERS
from radia_pipeline.review.problems import Problem
from radia_pipeline.review.settings import Settings
from radia_pipeline.usecases.lake_studies import LakeStudies

QUEUE_TABLE = "label_review_queue"
"""A table of cells to read, worst first, with the columns of ``lists.CELL_COLUMNS``; read where a lake has one."""
NOT_ASSESSABLE = "not_assessable"
WORD_OF = {value: word for word, value in ANSWERS.items()}
Images = Callable[[str, bool], list[dict[str, Any]]]
"""(study, is it blind) → its images as a page is told of them, in the order in which they hang."""


class Turns:
    """The lists of one lake."""

    def __init__(self, lake: Lake, settings: Settings, studies: LakeStudies, desk: Desk, images: Images) -> None:
        self._lake, self._studies, self._desk, self._images = lake, studies, desk, images
        self._files = [cells_of_file(path) for path in settings.cells]
        self._known_lists: tuple[object, list[ReadingList]] = (None, [])

    def all(self) -> list[ReadingList]:
        """Return every list: reading sets, the review queue where there is one, files of cells."""
        has_queue = QUEUE_TABLE in contract_names() and self._lake.exists(QUEUE_TABLE)
        tables = ["reading_sets", *([QUEUE_TABLE, "splits"] if has_queue else [])]
        paths = [self._lake.path(name) for name in tables]
        stats = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in paths if path.exists()]
        if self._known_lists[0] != stats:
            queue = [queue_of(self._lake)] if has_queue else []
            self._known_lists = (stats, [*sets_of(self._lake), *queue, *self._files])
        return self._known_lists[1]

    def one(self, list_id: str) -> ReadingList:
        """Return one list; raises Problem ``unknown``."""
        found = next((one for one in self.all() if one.list_id == list_id), None)
        if found is None:
            raise Problem("unknown", "No list of that name", do="fetch the lists again")
        return found

    def hidden(self, user: str) -> frozenset[str]:
        """Return the studies of which a user may see images alone: to be read, and others of their patients."""
        return self._studies.of_same_patients(self._desk.withheld(self.all(), user))

    def waiting(self, one: ReadingList, role: str, user: str) -> list[Place]:
        """Return what waits for a user in a role, in order."""
        return self._desk.adjudications(one, user) if role == ADJUDICATOR else self._desk.left(one, user)

    def place(self, one: ReadingList, position: int, role: str, user: str, study_id: str | None = None) -> Place:
        """Return a turn by its place in a user's order; raises Problem where there is none, or another study there."""
        if role == ADJUDICATOR:
            studies, found = sorted(one.asked), []
            is_open = self._desk.may_adjudicate(one, user) and 0 <= position < len(studies)
            if is_open and user not in self._desk.opinions(one, studies[position]):
                found = [Place(position, Turn(studies[position], False), ADJUDICATION)]
        else:
            found = self._desk.places(one, user)[position : position + 1] if position >= 0 else []
        if not found:
            raise Problem("unknown", "No turn of that place", do="fetch the next turn")
        if study_id is not None and found[0].turn.study_id != study_id:
            raise Problem("changed", do="fetch the list again")
        return found[0]

    def position(self, one: ReadingList, given: Given, role: str) -> int | None:
        """Return the place of a reading in its reader's order, None where its study left the list."""
        if role == ADJUDICATOR:
            return sorted(one.asked).index(given.study_id) if given.study_id in one.asked else None
        places = self._desk.places(one, given.reader)
        return next(
            (place.position for place in places if (place.turn.study_id, place.phase) == (given.study_id, given.phase)),
            None,
        )

    def asked(self, one: ReadingList, place: Place, role: str) -> tuple[str, ...]:
        """Return the classes that a turn asks: an adjudicator what is disputed, a reader what is open, or was."""
        study = place.turn.study_id
        if role == ADJUDICATOR:
            return self._desk.disputed(one, study)
        return self._desk.open_cells(one, study) or one.asked[study]

    def told(self, one: ReadingList, place: Place, role: str, user: str) -> dict[str, Any]:
        """Return what a page is told of a turn: images, and of opinions nothing but an adjudicator's anonymous ones."""
        study = place.turn.study_id
        priors = self._studies.priors_of(study)
        return {
            "list_id": one.list_id,
            "position": place.position,
            "role": role,
            "study_id": study,
            "asked": list(self.asked(one, place, role)),
            "images": self._images(study, True),
            "priors": [
                {"study_id": prior, "days_before": days, "images": self._images(prior, True)} for prior, days in priors
            ],
            "answers": self._anonymous(one, study) if role == ADJUDICATOR else [],
        }

    def _anonymous(self, one: ReadingList, study: str) -> list[dict[str, str]]:
        """Return the opinions on what is disputed, in an order that tells nothing of who gave them."""
        disputed = self._desk.disputed(one, study)
        if not disputed:
            return []
        told = [
            {
                name: NOT_ASSESSABLE if (value := said[name]) is None else WORD_OF[value]
                for name in disputed
                if name in said
            }
            for said in self._desk.opinions(one, study).values()
        ]
        return sorted(told, key=lambda one: hashlib.sha256(repr((study, sorted(one.items()))).encode()).digest())

    def told_list(self, one: ReadingList, user: str) -> dict[str, Any]:
        """Return what a user is told of a list."""
        left, disputes = self._desk.left(one, user), self._desk.adjudications(one, user)
        turns = len(self._desk.places(one, user))
        is_complete = one.kind == SET and self._desk.is_complete(one)
        has_begun = len(left) < turns
        step = "reader" if left and (has_begun or not is_complete) else "adjudicator" if disputes else "done"
        return {
            "list_id": one.list_id,
            "kind": one.kind,
            "studies": len(one.asked),
            "classes": list(one.classes),
            "left": len(left),
            "turns": turns,
            "adjudications": len(disputes),
            "reveals": "at_end" if self._desk.reveals_at_end(one, user) else "after_answer",
            "next_step": "complete" if is_complete and not (has_begun and left) else step,
        }

    def progress(self, one: ReadingList, role: str, user: str) -> dict[str, int]:
        """Return how far a user is in a list."""
        left = len(self.waiting(one, role, user))
        if role == ADJUDICATOR:
            decided = sum(
                any(
                    (given.reader, given.phase) == (user, ADJUDICATION)
                    for given in self._desk.of_study(one.list_id, study)
                )
                for study in one.asked
            )
            return {"done": decided, "of": decided + left, "left": left}
        total = len(self._desk.places(one, user))
        return {"done": total - left, "of": total, "left": left}


def queue_of(lake: Lake) -> ReadingList:
    """Return the review queue of a lake as a list, whose id stays as long as the table does.

    Not asked: cells of classes that follow from others, and studies that have left the pool in which labels may be
    mended.
    """
    cells = lake.read(QUEUE_TABLE).sort_by("position")
    answered = pa.array(answerable(vocabulary().classes), pa.string())
    found = list_of_cells(cells.filter(pc.is_in(cells["class"], value_set=answered)), "queue")
    pools = pools_of_studies(lake)
    asked = {study: names for study, names in found.asked.items() if pools.get(study) == TRAIN}
    return replace(found, asked=asked, is_shared=True)

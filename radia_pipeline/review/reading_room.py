"""The reading screen's side of the server: lists and turns as a page gets them, answers taken in, undone, revealed.

Blindness is kept here: what a turn tells holds images alone, and what stands about a study leaves only by ``reveal``,
after an answer, or where no answer is to come. Which answers count as what is ``readings``'; no HTTP here.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from radia_pipeline import __version__
from radia_pipeline.errors import BadInput, NotTrained, UnknownName
from radia_pipeline.evaluation.in_use import in_use
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.access import AccessLog
from radia_pipeline.readings.chain import Line, now
from radia_pipeline.readings.desk import ADJUDICATOR, READER, Desk, Given, Place
from radia_pipeline.readings.lists import SET, ReadingList
from radia_pipeline.readings.progress import statuses
from radia_pipeline.readings.reading import ADJUDICATION, QUEUE, REREAD, Reading, Shown
from radia_pipeline.readings.truth import MIN_READERS
from radia_pipeline.review.problems import Problem
from radia_pipeline.review.settings import Settings
from radia_pipeline.review.shapes import PostedReading, PostedWrong
from radia_pipeline.review.turns import WORD_OF, Images, Turns
from radia_pipeline.usecases.lake_studies import LakeStudies

MOST_AHEAD = 3
_MOST_OPENED = 4096


class ReadingRoom:
    """One lake's lists and its store, for all readers of one server; calls are taken one after the other."""

    def __init__(self, lake: Lake, settings: Settings, studies: LakeStudies, access: AccessLog, images: Images) -> None:
        self._lake, self._studies = lake, studies
        self._access = access
        self._desk, self._lock = Desk(lake), threading.RLock()
        self._turns = Turns(lake, settings, studies, self._desk, images)
        self._opened: OrderedDict[tuple[str, str, int], dict[str, str]] = OrderedDict()

    # --- lists ------------------------------------------------------------------------------------------------------
    def lists(self, user: str) -> list[dict[str, Any]]:
        """Return every list with what it wants of a reader."""
        with self._fresh():
            return [self._turns.told_list(one, user) for one in self._turns.all()]

    def withheld(self, user: str) -> frozenset[str]:
        """Return the studies of which a user may see images alone: those to be read, and others of their patients."""
        with self._fresh():
            return self._turns.hidden(user)

    def require_open(self, user: str, study_id: str) -> None:
        """Raise Problem ``blind`` for a study that a user still has to read."""
        if study_id in self.withheld(user):
            raise Problem("blind", do="read it on the reading screen first")

    def next_turns(self, list_id: str, role: str, user: str, ahead: int) -> dict[str, Any]:
        """Return progress, the next turn and up to ``ahead`` more."""
        with self._fresh():
            one = self._turns.one(list_id)
            places = self._turns.waiting(one, role, user)
            turns = [self._told(one, place, role, user) for place in places[: 1 + min(ahead, MOST_AHEAD)]]
            if places:
                self._note(user, list_id, places[0].position, "opened_at")
            return {"progress": self._turns.progress(one, role, user), "turns": turns}

    def turn(self, list_id: str, position: int, role: str, user: str) -> dict[str, Any]:
        """Return one turn by its place in a reader's order, answered or not."""
        with self._fresh():
            one = self._turns.one(list_id)
            found = self._told(one, self._turns.place(one, position, role, user), role, user)
            self._note(user, list_id, position, "opened_at")
            return found

    def painted(self, list_id: str, position: int, user: str) -> None:
        """Take note that every view of a turn stands on a reader's screen, by the server's clock."""
        with self._lock:
            self._turns.one(list_id)
            self._note(user, list_id, position, "painted_at")

    def done(self, list_id: str, user: str) -> dict[str, Any]:
        """Return the figures of a list; agreement only for who has nothing left to read in it."""
        with self._fresh():
            one = self._turns.one(list_id)
            told, left = self._turns.told_list(one, user), self._desk.left(one, user)
            given = ((place, self._desk.answer_to(one, place, user)) for place in self._desk.places(one, user))
            read = [(place, answer) for place, answer in given if answer is not None]
            own = [] if left else [(place, answer) for place, answer in read if not place.turn.is_repeat]
            result = {
                "list_id": list_id,
                "studies": len(one.asked),
                "next_step": told["next_step"],
                "yours": {"read": len(read), "left": len(left), "repeats": sum(one.turn.is_repeat for one, _ in read)},
                "between": None,
                "within": None,
                "waiting_for_readers": None,
                "waiting_for_adjudicator": None,
                "own": [{"position": place.position, "sequence": answer.sequence} for place, answer in own],
            }
            if one.kind == SET and not left:
                opinions = [len(self._desk.opinions(one, study)) for study in one.asked]
                result["waiting_for_readers"] = sum(readers < MIN_READERS for readers in opinions)
                result["waiting_for_adjudicator"] = sum(bool(self._desk.disputed(one, study)) for study in one.asked)
                status = next(status for status in statuses(self._lake) if status.set_id == list_id)
                result["between"] = vars(status.between)
                result["within"] = vars(status.within[user]) if user in status.within else None
            return result

    # --- answers ----------------------------------------------------------------------------------------------------
    def append(self, posted: PostedReading, user: str) -> tuple[dict[str, Any], bool]:
        """Take an answer in; returns what is told of it, and whether it is new. On the disk when this returns."""
        with self._fresh():
            one = self._turns.one(posted.list_id)
            place = self._turns.place(one, posted.position, posted.role, user, study_id=posted.study_id)
            known = self._desk.of_key(posted.request_key)
            if known is not None:
                return self._told_reading(one, self._same(known, posted, user), posted), False
            line = self._append(self._reading(one, place, posted, user))
            self._desk.refresh()
            return self._told_reading(one, self._desk.just_given(line.sequence), posted), True

    def wrong(self, study_id: str, posted: PostedWrong, user: str) -> tuple[dict[str, Any], bool]:
        """Take in that something said of a study is wrong, as a reading of phase ``queue`` of one class."""
        with self._fresh():
            rows = self._studies.images_of(study_id)
            if not rows:
                raise Problem("unknown")
            known = self._desk.of_key(posted.request_key)
            if known is not None:
                is_same = (known.reader, known.study_id, known.asked) == (user, study_id, (posted.class_name,))
                if not is_same or known.answers != posted.values:
                    raise Problem("other_content", do="make a new key for each click")
                return {"sequence": known.sequence, "decided_at": known.decided_at}, False
            line = self._append(
                Reading(
                    rows[0]["source"],
                    study_id,
                    user,
                    QUEUE,
                    posted.request_key,
                    posted.values,
                    (posted.class_name,),
                    not_assessable=posted.not_assessable,
                    boxes=posted.read_boxes,
                    comment=posted.said,
                    shown=Shown(
                        self._pixels(study_id),
                        visible=self._visible(rows[0]["source"]),
                        app_version=__version__,
                        language=posted.language,
                        screen=posted.screen,
                    ),
                )
            )
            return {"sequence": line.sequence, "decided_at": line.content["decided_at"]}, True

    def wrongs(self, study_id: str, user: str) -> list[dict[str, Any]]:
        """Return what a user called wrong of a study, in force."""
        with self._fresh():
            given = [one for one in self._desk.of_study(None, study_id) if (one.reader, one.phase) == (user, QUEUE)]
        return [
            {
                "sequence": one.sequence,
                "class": name,
                "answer": _word(one.answers.get(name)),
                "decided_at": one.decided_at,
            }
            for one in given
            for name in one.asked
        ]

    def undo(self, sequence: int, user: str) -> dict[str, Any]:
        """Take back a reading of one's own, before any reveal; twice is once."""
        with self._fresh():
            given = self._own(sequence, user, in_force=False)
            if given.set_id is not None and self._access.has_revealed(user, given.set_id, given.study_id):
                raise Problem("revealed", do="send a reread")
            try:
                self._desk.store.undo(sequence, user)
            except BadInput as error:
                raise Problem("not_sound", error.received) from None
            position = None
            if given.set_id is not None:
                one = self._turns.one(given.set_id)
                role = ADJUDICATOR if given.phase == ADJUDICATION else READER
                position = self._turns.position(one, given, role)
            return {"undone": sequence, "list_id": given.set_id, "position": position}

    def reveal(self, sequence: int, user: str) -> tuple[Given, str | None]:
        """Open what stands about a study to the reader who answered; returns the reading and its list.

        It is written down first, so that no later answer to it can count as blind.
        """
        with self._fresh():
            given = self._own(sequence, user)
            if given.set_id is not None:
                if not self._may_reveal(given):
                    raise Problem("not_yet", do="read the list to its end first")
                self._access.reveal(user, given.set_id, given.study_id)
            return given, given.set_id

    @staticmethod
    def words(given: Given) -> dict[str, str]:
        """Return a reading's answers in words."""
        return {name: WORD_OF[value] for name, value in given.answers.items()}

    # --- how it is done ---------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _fresh(self) -> Iterator[None]:
        """Hold the room for one call, with the store as it now is."""
        with self._lock:
            self._desk.refresh()
            yield

    def _may_reveal(self, given: Given) -> bool:
        return given.study_id not in self._turns.hidden(given.reader)

    def _told(self, one: ReadingList, place: Place, role: str, user: str) -> dict[str, Any]:
        """Return a turn; that others' opinions leave with it is written down first: no blind answer may follow."""
        if role == ADJUDICATOR:
            self._access.reveal(user, _opinions_of(one), place.turn.study_id)
        return self._turns.told(one, place, role, user)

    def _reading(self, one: ReadingList, place: Place, posted: PostedReading, user: str) -> Reading:
        """Return the reading that a posted answer is; raises Problem for one that cannot be it."""
        study, asked = place.turn.study_id, self._asked(one, place, posted)
        source, pixels = one.source_of[study], self._pixels(study)
        if missing := set(pixels) - set(posted.shown.images):
            raise Problem("not_sound", f"{len(missing)} views were not painted", do="answer when every view is there")
        times = self._opened.get((user, one.list_id, place.position), {})
        reading = Reading(
            source,
            study,
            user,
            place.phase,
            posted.request_key,
            posted.values,
            asked,
            posted.role,
            one.list_id,
            place.position,
            posted.not_assessable,
            posted.read_boxes,
            posted.comment,
            replace(
                posted.shown.as_shown, images=pixels, views=tuple(sorted(self._views(study))), app_version=__version__
            ),
            times.get("opened_at", ""),
            times.get("painted_at", ""),
            active_s=posted.active_s,
            supersedes=posted.supersedes,
        )
        if posted.is_reread:
            if not self._access.has_revealed(user, one.list_id, study):
                raise Problem("not_sound", "A reread of what was not revealed", do="send it as a first answer")
            asked = asked if one.is_shared else one.asked[study]
            return replace(
                reading,
                phase=REREAD,
                role=READER,
                asked=asked,
                shown=replace(reading.shown, visible=self._visible(source)),
            )
        self._require_first(one, place, posted, user)
        if set(asked) != set(posted.answers) and posted.not_assessable is None:
            raise Problem("changed", "Other classes were asked", do="fetch the turn again")
        return reading

    def _asked(self, one: ReadingList, place: Place, posted: PostedReading) -> tuple[str, ...]:
        """Return the classes that an answer is about; in a shared list others may have read some meanwhile, and an
        answer that waited in a page is kept whole.
        """
        if one.is_shared and posted.answers:
            return tuple(name for name in one.asked[place.turn.study_id] if name in posted.answers)
        return self._turns.asked(one, place, posted.role)

    def _require_first(self, one: ReadingList, place: Place, posted: PostedReading, user: str) -> None:
        """Raise Problem for an answer that comes after another one, or after the reveal."""
        study = place.turn.study_id
        if posted.role == ADJUDICATOR:
            own = [
                given
                for given in self._desk.of_study(one.list_id, study)
                if (given.reader, given.phase) == (user, ADJUDICATION)
            ]
            before = own[-1] if own else None
        else:
            before = self._desk.answer_to(one, place, user, posted.answers or None)
        if before is not None and posted.supersedes != before.sequence:
            raise Problem("already_read", sequence=before.sequence, decided_at=before.decided_at)
        if posted.role == ADJUDICATOR and not self._desk.disputed(one, study) and before is None:
            raise Problem("already_read", "Somebody else has decided", do="fetch the next turn")
        seen = [one.list_id] if posted.role == ADJUDICATOR else [one.list_id, _opinions_of(one)]
        if any(self._access.has_revealed(user, name, study) for name in seen):
            raise Problem("revealed", do="send it as a reread")

    def _append(self, reading: Reading) -> Line:
        try:
            return self._desk.store.append(reading)
        except UnknownName as error:
            raise Problem("not_sound", error.received, do=error.accepted or "") from None
        except BadInput as error:
            raise Problem("not_sound", error.received, do=error.do or error.accepted or "") from None

    def _same(self, known: Given, posted: PostedReading, user: str) -> Given:
        """Return what a request key stands for; raises Problem where it was sent with something else."""
        place = (known.reader, known.study_id, known.set_id)
        if place != (user, posted.study_id, posted.list_id) or known.answers != posted.values:
            raise Problem("other_content", do="make a new key for each answer")
        return known

    def _told_reading(self, one: ReadingList, given: Given, posted: PostedReading) -> dict[str, Any]:
        """Return what is told of a reading; a hidden repeat is called as any other first answer."""
        phases = {QUEUE: QUEUE, REREAD: REREAD, ADJUDICATION: ADJUDICATION}
        return {
            "sequence": given.sequence,
            "decided_at": given.decided_at,
            "request_key": posted.request_key,
            "phase": phases.get(given.phase, "blind"),
            "can_reveal": self._may_reveal(given),
            "progress": self._turns.progress(one, posted.role, given.reader),
        }

    def _own(self, sequence: int, user: str, *, in_force: bool = True) -> Given:
        given = self._desk.given(sequence) if in_force else self._desk.any_given(sequence)
        if given is None:
            raise Problem("unknown", "No reading in force of that sequence")
        if given.reader != user:
            raise Problem("not_yours")
        return given

    def _pixels(self, study: str) -> dict[str, str]:
        return {row["image_id"]: row["pixel_sha256"] for row in self._studies.images_of(study)}

    def _views(self, study: str) -> set[str]:
        return {row["view"] for row in self._studies.images_of(study)}

    def _visible(self, source: str) -> Mapping[str, str]:
        """Return what is visible beside a study that is not blind, with versions."""
        versions = self._studies.versions_shown(source)
        with contextlib.suppress(NotTrained):
            versions["prediction"] = versions["map"] = in_use(self._lake).ensemble_version
        return versions

    def _note(self, user: str, list_id: str, position: int, what: str) -> None:
        times = self._opened.setdefault((user, list_id, position), {})
        times.setdefault(what, now())
        while len(self._opened) > _MOST_OPENED:
            self._opened.popitem(last=False)


def _opinions_of(one: ReadingList) -> str:
    """Return under which name it is written down that a reader saw others' opinions."""
    return f"{one.list_id}~opinions"


def _word(answer: int | None) -> str | None:
    return None if answer is None else WORD_OF[answer]

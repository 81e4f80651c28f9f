"""Whether what is said in a clause is said of the finding before it, or of another side, another finding, another noun.

Belongs here: "présent à gauche, absent à droite", "stase présente, sonde absente", "on n'en voit pas d'autre". Does not
belong here: what a denial or a change then makes of the finding (``denial``, ``change``).
"""

from __future__ import annotations

from radia_pipeline.reports.kinds import Event, kinds
from radia_pipeline.reports.sentence.after import After
from radia_pipeline.reports.sentence.clause import ENDS_CLAUSE, REACH, K

_NO_FINDING = kinds("device filler mimic")
"""Labels without a class: "stase présente, sonde absente", "stase présente rotation absente"."""
_DENIES_A_SIDE = kinds("deny_after none_after resolved resolved_after lessened")
_SIDE = kinds("comma and contrast modifier of article place quality semicolon prior partial")
"""What may stand between "absent à droite" and "présent à gauche"."""


class Others(After):
    """Tells what is said of the finding before from what is said of another."""

    __slots__ = ()

    def is_of_others(self, event: Event, behind: int) -> bool:
        """ "Nodule apical, on n'en voit pas d'autre", "épanchement droit, il n'y en a pas à gauche"."""
        if not self.words.other.isdisjoint(self.symbols[event[2] + 2 : event[2] + 6 : 2]):
            return True
        is_described = self.has_named() and self.events[self.sep_event][1] - self.mentions[-1].last > 1
        return self.sep == "comma" and is_described and self.says_where(behind)

    def is_apart(self, first: int, last: int) -> bool:
        """Say whether a clause ends between two tokens."""
        return any(e[0] in ENDS_CLAUSE and first < e[1] < last for e in self.events)

    def says_where(self, symbol: int) -> bool:
        """Say whether a word begins a place: "absent à droite", and not "absent aujourd'hui"."""
        words = self.words
        return symbol in words.places or symbol in words.modifiers or symbol in words.of or symbol in words.partitive

    def is_of_another_side(self, behind: int) -> bool:
        return self.says_where(behind) and self.is_there_elsewhere()

    def is_there_elsewhere(self) -> bool:
        """ "Épanchement : présent à gauche, absent à droite": one side's answer takes nothing from the other's."""
        if not self.has_named():
            return False
        if self.sep == "comma" and self.names_the_other_side():
            return True
        until = self.events[self.sep_event if self.sep == "comma" else self.i][1]
        return not self.words.there.isdisjoint(self.symbols[self.mentions[-1].last + 2 : until : 2])

    def names_the_other_side(self) -> bool:
        """ "Épanchement droit, absent à gauche"."""
        symbols, sides, event = self.symbols, self.words.left_and_right, self.events[self.i]
        before = sides.intersection(symbols[self.mentions[-1].last + 2 : self.events[self.sep_event][1] : 2])
        behind = sides.intersection(symbols[event[2] + 2 : event[2] + 6 : 2])
        return bool(before and behind and not before & behind)

    def other_side_was_denied(self) -> bool:
        """Say whether nothing but a side stands between the finding's denial behind it and here, and no other subject
        ("PNO absent; le liquide persiste à gauche")."""
        last = self.mentions[-1] if self.mentions else None
        if last is None or last.status != 0 or last.cue is None or last.cue[0] not in _DENIES_A_SIDE:
            return False
        at, before = self.events[self.i][1] - 2, self.events[self.i - 1]
        if before[2] < at - 1 and not (self.symbols[at] in self.words.pronouns and before[2] >= at - 2):
            return False
        since = max(last.cue[2], last.last)
        between = [e[0] for e in self.events[max(0, self.i - REACH) : self.i] if e[1] > since]
        return all(kind in _SIDE for kind in between)

    def other_side_is_there(self, event: Event) -> bool:
        """ "Épanchement : à droite inchangé, à gauche résorbé": one side's answer takes nothing from the other's."""
        if self.sep not in ("comma", "and") or not self.has_named() or not self.answers_the_other_side(event):
            return False
        since, until = self.mentions[-1].last, self.events[self.sep_event][1]
        told = (e for e in self.events[max(0, self.sep_event - REACH) : self.sep_event] if e[1] > since)
        return any(e[0] == K["state"] for e in told) or not self.words.there.isdisjoint(self.symbols[since:until])

    def other_side_stays(self, event: Event) -> None:
        """ "Épanchement : à droite résorbé, à gauche inchangé": it is there."""
        last = self.mentions[-1] if self.has_named() and self.sep in ("comma", "and") else None
        if last is None or last.status != 0 or last.cue is None or last.cue[0] not in _DENIES_A_SIDE:
            return
        if last.cue[1] > last.last and self.answers_the_other_side(event):
            last.status, last.cue, last.rule = 1, event, event[3].rule

    def answers_the_other_side(self, event: Event) -> bool:
        """Say whether nothing but a side stands beside this word between its comma and the end of its clause, and
        another side before the comma."""
        symbols, words, first = self.symbols, self.words, self.events[self.sep_event]
        before, token = symbols[(first[2] + 1) | 1 : event[1] : 2], event[2] + 2
        while token <= self.end and not symbols[token - 1] and self.is_of_a_side(symbols[token]):
            token += 2
        if token <= self.end and not symbols[token - 1] and symbols[token] not in words.joiners:
            return False
        own = words.left_and_right.intersection((*before, *symbols[event[2] + 2 : token : 2]))
        other = words.left_and_right.intersection(symbols[self.mentions[-1].last + 2 : first[1] : 2])
        return bool(own and other) and not own & other and all(map(self.is_of_a_side, before))

    def is_of_a_side(self, symbol: int) -> bool:
        words = self.words
        return symbol in words.left_and_right or symbol in words.places or symbol in words.of_the_place

    def says_it_of_another(self, event: Event) -> bool:
        """ "Stase présente, sonde absente": said of the noun right before it, where the finding has its own answer."""
        if not self.has_named():
            return False
        answer, noun = self.mentions[-1].last + 2, event[1] - 2
        while answer < noun and not self.symbols[answer - 1] and self.symbols[answer] in self.words.modifiers:
            answer += 2  # "opacité gauche présente, rotation absente"
        if noun <= answer or self.symbols[answer] not in self.words.there or self.symbols[answer - 1]:
            return False
        before = self.events[self.i - 1]
        if before[2] >= noun:
            return before[0] in _NO_FINDING
        return self.symbols[noun] not in self.words.joiners and self.symbols[noun] not in self.words.modifiers

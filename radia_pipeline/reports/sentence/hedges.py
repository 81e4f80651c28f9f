"""Doubt before and after a finding.

Belongs here: possible, évoquant, pourrait, semble, à éliminer. Not here: alternatives with "ou" (``nouns``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radia_pipeline.reports.kinds import Event, kinds
from radia_pipeline.reports.sentence.after import After
from radia_pipeline.reports.sentence.clause import BOUNDARY, DENIED, HEDGED, LIGHT, NAMES, REACH, SILENT, TARGETS, K
from radia_pipeline.reports.words import NUMBERS, UNKNOWN

_DESCRIBES = kinds("of article modifier filler")
"""What may stand beside a noun that has no rule."""
NOT_ITSELF = kinds("advice_subject change lessened")
"""A doubt behind one of these is no doubt about the finding: "diminution possible de l'épanchement"."""


class Hedges(After):
    """Doubt before and after a finding."""

    __slots__ = ()

    if TYPE_CHECKING:  # what other parts of the reader do

        def anatomy_between(self) -> bool: ...

    def hedge_near(self, event: Event) -> None:
        """Possible, on either side of its noun: forward when only modifiers stand between."""
        if (
            (self.in_denial() and not self.begins_anew())
            or self.previous_kind() in NOT_ITSELF
            or self.is_suspicious_look(event)
        ):
            return
        if self.enlarging is not None and not self.sep and not self.anatomy_between():
            self.enlarging = (event, HEDGED)  # "élargissement possible du médiastin"
            return
        position = event[2]
        touches = self.touches_finding(event)
        for later in self.ahead():
            kind = later[0]
            if kind == K["mimic"] and self.sep == "comma":
                return  # "opacité apicale, probable superposition": how it comes about is in doubt
            if kind == K["partial"]:
                position = later[2]
                continue  # "possible début de surcharge"
            if touches and position == event[2] and kind == K["modifier"] and later[1] - position > 2:
                break  # "pneumonie probable à gauche"
            if later[1] - position > 4 or (kind not in LIGHT and kind not in TARGETS):
                break
            if kind in (K["change"], K["lessened"]):
                return  # "possible progression de l'opacité": the change is in doubt
            if kind in TARGETS:
                if kind == K["anatomy"] and touches:
                    break  # "masse possible au hile gauche"
                self.open(HEDGED, event)
                return
            position = later[2]
        if self.is_the_cause(event) or self.unknown_follows(event):
            return
        if not self.other_noun_before(event) and not self.speaks_of_the_cause(event):
            self.back(-1, event, event[3].rule, whole=False)

    def unknown_follows(self, event: Event) -> bool:
        """ "Atélectasie du LIG, probable bouchon": right behind a comma a doubt is one about the noun that follows."""
        symbols = self.symbols
        if self.previous_kind() != K["comma"] or event[1] - self.events[self.i - 1][1] != 1:
            return False
        following = event[2] + 2
        return following <= self.end and not symbols[following - 1] and symbols[following] == UNKNOWN

    def is_the_cause(self, event: Event) -> bool:
        """ "Opacité de cause infectieuse probable": the infection is in doubt, the opacity is there."""
        behind = self.behind()[:2]
        if len(behind) < 2 or behind[0].link != "adj" or behind[0].status != 1:
            return False
        last, parent = behind
        if self.words.causes.isdisjoint(self.symbols[parent.last + 2 : last.first : 2]):
            return False
        last.status, last.cue, last.rule = -1, event, event[3].rule
        return True

    def begins_anew(self) -> bool:
        """ "Pas d'infiltrat possible pneumonie": a bare noun right after the hedge is another statement."""
        following = self.following()
        if self.scope != DENIED or self.fresh or following is None or following[0] not in NAMES:
            return False
        return following[1] - self.events[self.i][2] == 2 and self.previous_kind() in NAMES

    def other_noun_before(self, event: Event) -> bool:
        """ "Opacité basale, lipome possible": an unknown word between the comma and the hedge is what is hedged."""
        if self.explains_by_another(event):
            return True
        if self.sep not in ("comma", "with") or self.direct():
            return False
        if self.intro == "article" and event[0] == K["hedge_after"]:
            return True  # "infiltrat basal, un syndrome aigu est à considérer"
        tokens = range(max(self.events[self.sep_event][2] + 1, event[1] - REACH), event[1])
        return any(self.symbols[t] == UNKNOWN for t in tokens)

    def explains_by_another(self, event: Event) -> bool:
        """ "Médiastin élargi : rupture à exclure": a noun without a rule behind the colon is what is in doubt."""
        named = event[1]
        for kind, first, last, _ in self.events[max(self.i - REACH, 0) : self.i][::-1]:
            if kind == K["colon"]:
                token = last + 1
                while token < event[1] and self.symbols[token] in self.words.small:
                    token += 2
                symbol = self.symbols[token]
                return token < named and symbol not in self.words.modifiers and symbol not in NUMBERS
            if kind not in _DESCRIBES:
                return False
            named = first if kind != K["article"] else named
        return False

    def is_suspicious_look(self, event: Event) -> bool:
        """A suspicious nodule is there; a suspected pneumonia is not known to be. Both are typed "suspecte"."""
        words, symbol = self.words, self.symbols[event[1]]
        if symbol not in words.suspect or self.verb or not self.mentions:
            return False
        last = self.mentions[-1]
        masculine = "masculine" in last.leaf.traits or self.symbols[last.first] in words.masculine
        if symbol in words.suspect_feminine and masculine:
            return False  # "nodule suspecté"
        return "suspicious" in last.leaf.traits and not self.sep

    def hedge_before(self, event: Event) -> None:
        """Évoquant, possiblement: forward; at the very end of a clause, backward."""
        if self.in_denial():
            if self.scope == DENIED and "not_excluded" in event[3].traits:
                self.open(HEDGED, event)
            return
        if "not_excluded" in event[3].traits and self.has_named() and not self.target_ahead():
            self.back(-1, event, event[3].rule, whole=True)  # "une pneumonie est difficile à exclure"
            return
        if self.symbols[event[2]] in self.words.of_a_measure and self.number_follows(event):
            return  # "lésion suspecte de 3 cm"
        if self.symbols[event[2]] in self.words.than and not self.target_ahead():
            return  # "à gauche plutôt qu'à droite"
        if event[1] != event[2] and self.touches_finding(event) and self.place_follows():
            if not self.is_suspicious_look(event):
                self.back(-1, event, event[3].rule, whole=False)  # "fracture suspectée du sternum"
            return
        if not self.target_ahead():
            following = self.following()
            stop = following[1] - 1 if following is not None and following[0] in BOUNDARY else self.end
            at_end = event[2] >= stop - (following is not None)
            if at_end and self.mentions and event[1] - self.mentions[-1].last <= 6:
                self.back(-1, event, event[3].rule, whole=False)
        self.open(HEDGED, event)

    def place_follows(self) -> bool:
        """Say whether what comes next in the clause is a place and not a finding."""
        for event in self.ahead():
            if event[0] in NAMES or event[0] == K["quality"]:
                return False
            if event[0] == K["anatomy"] or event[0] in BOUNDARY:
                return True
            if event[0] == K["article"] and self.symbols[event[1]] not in self.words.of_the_place:
                return False  # "consolidation faisant évoquer une aspiration": another noun is in doubt
            if event[0] not in LIGHT:
                return False
        return True

    def number_follows(self, event: Event) -> bool:
        following = event[2] + 2
        return following < len(self.symbols) and self.symbols[following] in NUMBERS

    def hedge_verb(self, event: Event) -> None:
        if not self.in_denial() and self.target_ahead():
            self.open(HEDGED, event)

    def seem(self, event: Event) -> None:
        if not self.in_denial():
            self.open(HEDGED, event)

    def hedge_after(self, event: Event) -> None:
        """À exclure, est possible: backward; forward when nothing stands before."""
        if self.scope == SILENT or self.other_noun_before(event):
            return  # "infiltrat excavé, BK à éliminer"
        status = None if "unseen" in event[3].traits else -1
        if (
            not self.back(status, event, event[3].rule, whole=True, strong="overrides" in event[3].traits)
            and not self.group
        ):
            self.open(HEDGED, event)
        self.opened = self.negated = False

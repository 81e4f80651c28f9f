"""How far an open scope goes: over which commas, conjunctions and articles a denial, a doubt or history still holds.

Belongs here: lists and their ends. Does not belong here: which cue opens a scope (the other modules of this folder).
"""

from __future__ import annotations

from radia_pipeline.reports.kinds import Event, kinds
from radia_pipeline.reports.sentence.clause import BOUNDARY, DENIED, HEDGED, LIGHT, NAMES, REACH, SILENT, Clause, K
from radia_pipeline.reports.words import NUMBERS, UNKNOWN

AFTERTHOUGHT = kinds("yes_after foreign modifier state hedge_near place enlarged")
PREDICATES = kinds("verb yes_after state deny_after resolved_after hedge_after hedge_verb seem particle limit")
LOOSE = kinds("modifier article state hedge_near")
"""What may stand between two nouns that nothing joins."""


_APART = LIGHT | kinds("partial")
_FIRST_NOUN = 8
"""Tokens and separators from a cue to the preposition of its first noun."""
_COMMA = K["comma"]
"""What may stand between a separator and its noun: "atélectasie versus début de pneumonie"."""


class Reach(Clause):
    """How far an open scope goes."""

    __slots__ = ()

    def is_over(self, event: Event) -> bool:
        """Say whether the open scope has ended before the noun ``event``."""
        if self.scope and (self.sep or not self.fresh) and not self.holds():
            return True
        if self.scope == DENIED and self.other_than(event):
            return True
        return self.scope in (DENIED, HEDGED) and self.runs_on(event)

    def runs_on(self, event: Event) -> bool:
        """ "Pas de pneumothorax petit épanchement": punctuation was not typed; a described noun is a new statement."""
        if self.fresh or self.sep or not self.stands_alone(event):
            return False
        before = self.events[self.i - 1]
        if before[0] == K["article"] or self.symbols[before[1]] in self.words.size_words or self.is_placed(event):
            return True
        closes, _, described = self.chain()
        return described and not closes

    def is_placed(self, event: Event) -> bool:
        """Say whether the noun is located or measured: "fracture de la 5e côte", "nodule de 6 mm"."""
        symbols, words = self.symbols, self.words
        token = event[2] + 2
        while token <= self.end and not symbols[token - 1] and symbols[token] in words.modifiers:
            if symbols[token] in words.lobes:
                return True
            token += 2
        if token > self.end or symbols[token - 1]:
            return False
        if symbols[token] in words.places or symbols[token] in NUMBERS:
            return True
        following = symbols[token + 2] if token + 2 <= self.end and not symbols[token + 1] else -1
        return following in NUMBERS or (
            symbols[token] in words.measures and (following in words.definite or following == UNKNOWN)
        )

    def stands_alone(self, event: Event) -> bool:
        """Say whether nothing joins this noun to the finding before it: no preposition, no adjective, no link."""
        position, symbols, seen = event[1], self.symbols, self.words.seen
        for k in range(self.i - 1, max(self.i - REACH, -1), -1):
            kind, first, last = self.events[k][:3]
            if position - last == 4 and symbols[last + 2] in seen and not (symbols[last + 1] or symbols[last + 3]):
                position = last + 2  # "pas de pneumothorax visible fracture de la clavicule"
            if position - last > 2:
                return False
            if kind in NAMES:
                return True
            if kind not in LOOSE:
                return False
            position = first
        return False

    def other_than(self, event: Event) -> bool:
        """ "Pas d'autre anomalie qu'une opacité": the opacity is there."""
        if not self.compares:
            return False
        words, cue = self.words, self.cue
        if words.other.isdisjoint(self.symbols[cue[1] : cue[2] + 1]):
            return False
        since = self.mentions[-1].last if self.mentions else cue[2]
        return not words.than.isdisjoint(self.symbols[max(since + 2, event[1] - 12) : event[1] : 2])

    def holds(self) -> bool:
        """Say whether the open scope still covers the noun at the current event."""
        sep = self.sep
        if self.scope == SILENT:
            return self.history_goes_on(sep)
        if not sep:
            return True
        if sep == "or":
            return True
        if self.scope == HEDGED:
            return self.hedge_goes_on(sep)
        if self.intro == "of":
            return not self.names_a_look()
        if self.intro == "article":
            return self.full and sep == "and" and not self.predicate_ahead()
        if sep == "with":
            return False
        if self.adjective or not self.direct():
            return False
        return self.denied_list_goes_on(sep)

    def names_a_look(self) -> bool:
        """ "Malgré l'absence de fièvre, aspect de pneumonie": what "de" goes with is no item of the list."""
        if self.sep != "comma" or self.sep_event + 1 >= self.i:
            return False
        return self.symbols[self.events[self.sep_event + 1][1]] in self.words.looks

    def chain(self) -> tuple[bool, int, bool]:
        """Look ahead over bare nouns: (ends in ou/ni, how many items, whether the last is described)."""
        items, described, after = 0, False, ""
        plain = self.words.type_words
        for event in self.events[self.i : self.i + REACH]:
            kind = event[0]
            if kind in NAMES or kind == K["enlargement"]:
                if items and not after:
                    break  # "opacités diffuses œdème ou contusions": another statement
                items += 1
                if after == "or":
                    return True, items, described
                after = ""
            elif kind == K["comma"]:
                after = "comma"
            elif kind in (K["or"], K["nor"]):
                if items:
                    return True, items, described
                after = "or"
            elif kind == K["and"]:
                after = "and"
            elif kind in AFTERTHOUGHT:
                described = described or self.symbols[event[1]] not in plain
            elif kind not in (K["of"], K["article"], K["filler"]):
                break
        return False, items, described

    def direct(self) -> bool:
        """Say whether only small words and modifiers stand between the last separator and this noun."""
        events, i, start = self.events, self.i, self.sep_event
        position = events[i][1]
        for k in range(i - 1, start, -1):
            kind = events[k][0]
            is_apart = kind in _APART or (kind == _COMMA and self.sep == "or")
            if not is_apart or position - events[k][2] > 2 + self.repeats(position):
                return False
            position = events[k][1]
        return start < 0 or position - events[start][2] <= 2 + self.repeats(position)

    def repeats(self, position: int) -> int:
        """ "Correspondre à un œdème, à une pneumonie": tokens and separators of a preposition that a doubt repeats."""
        before = self.symbols[position - 2]
        is_repeated = self.scope == HEDGED and before in self.words.places
        return 2 if is_repeated and before in self.symbols[self.cue[2] + 2 : self.cue[2] + _FIRST_NOUN : 2] else 0

    def list_ahead(self) -> bool:
        """Say whether the comma before this noun is one of a list that an "ou" closes later in the clause."""
        for event in self.ahead():
            if event[0] == K["or"]:
                return True
            if event[0] not in LIGHT and event[0] not in NAMES and event[0] != K["comma"]:
                return False
        return False

    def denied_list_goes_on(self, sep: str) -> bool:
        """A bare noun after a comma or "et" goes on only in a list: "pas d'infiltrat, nodule ou masse"."""
        closes, items, described = self.chain()
        if sep == "and":
            return not described
        self.in_list = closes or ((items > 1 or self.in_list) and not described)
        return self.in_list

    def hedge_goes_on(self, sep: str) -> bool:
        """A hedge covers alternatives and what "et" joins; over a comma only before a final "ou"."""
        if sep == "and":
            if self.adjective or (self.cue[0] == K["hedge_near"] and self.intro == "article"):
                return False
            return not self.predicate_ahead() and not self.size_follows()
        if sep != "comma" or not self.direct():
            return False
        if self.fresh and (self.is_fronted() or self.is_announced()):
            return True
        if self.fresh and self.cue[0] == K["hedge_before"] and self.lacks_its_noun():
            return True
        if self.symbols[self.cue[1]] in self.words.list_hedges:
            return True
        return self.chain()[0] or self.list_ahead()

    def is_fronted(self) -> bool:
        """ "Sans certitude, petit nodule": a doubt alone before the first comma is one about what follows."""
        return self.sep_event == 1 and self.cue is self.events[0] and self.events[1][1] - self.cue[2] <= 2

    def is_announced(self) -> bool:
        """ "Sans pouvoir l'écarter, un épanchement": the pronoun of a doubt stands for what follows its comma."""
        cue = self.cue
        if "not_excluded" not in cue[3].traits or self.mentions or self.symbols[cue[1] - 2] not in self.words.articles:
            return False
        commas = [event for event in self.events[: self.sep_event + 1] if event[0] == _COMMA and event[1] > cue[1]]
        return len(commas) == 1

    def lacks_its_noun(self) -> bool:
        """ "Évoquant un 35 %, œdème": between the cue and the comma an article waits for its noun."""
        between = self.events[max(0, self.sep_event - REACH) : self.sep_event]
        return any(event[0] == K["article"] and event[1] > self.cue[2] for event in between)

    def history_goes_on(self, sep: str) -> bool:
        """History and advice cover what follows; history ends at "avec" and at a described finding."""
        if self.cue[0] == K["not"]:
            return not sep  # "pas plus d'épanchement qu'hier, condensation"
        if self.advice_from >= 0 or self.cue[0] == K["advice"] or "then" in self.cue[3].traits:
            return True
        if sep == "comma" and self.symbols[self.cue[1]] in self.words.follow_up:
            return False
        if sep == "comma" and self.cue[0] == K["no_label"]:
            return "fronted" not in self.cue[3].traits and not (self.direct() and self.chain()[2])
        return sep != "with"

    def size_follows(self) -> bool:
        """ "Possible pneumonie et épanchement modéré": a size is seen, not supposed."""
        following = self.following()
        return following is not None and self.symbols[following[1]] in self.words.size_words

    def predicate_ahead(self) -> bool:
        """Say whether something is said of this noun before the clause ends: "et l'opacité est stable"."""
        for event in self.ahead():
            if event[0] in PREDICATES:
                return True
            if event[0] in BOUNDARY:
                return False
        return False

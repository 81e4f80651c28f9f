"""Negation before and after a finding, and exclusion, which hedges when it is itself denied.

Belongs here: pas, aucun, ni, sans, absent, exclu, n'est plus visible. Does not belong here: which words these are
(``cues.yaml``), whether it is said of another side or noun (``others``).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from radia_pipeline.reports.kinds import Event, kinds
from radia_pipeline.reports.sentence.clause import (
    AFFIRMED,
    DENIED,
    HEDGED,
    NAMES,
    NONE,
    PRESENT,
    REACH,
    SILENT,
    UNREAD,
    K,
    Mention,
)
from radia_pipeline.reports.sentence.others import Others
from radia_pipeline.reports.words import UNKNOWN, YEAR

_JOINS = kinds("comma and or nor")
"""What may stand between the nouns of a label."""
_OTHER_EXAM = kinds("other_exam showed")
_ARTICLES = kinds("of article")
_BEFORE_VALUES = kinds("colon dash open")
_BEFORE_NOUNS = _ARTICLES | kinds("modifier")
_WHERE = kinds("modifier anatomy place")
"""What says where something is that a clause speaks of."""
_DESCRIBES = kinds("modifier anatomy place quality of article comma")
"""What may stand between the two "ni" of one finding."""
_DENIES_VERB = kinds("particle deny_after")
_SUBJECTS = NAMES | kinds("anatomy device other_exam showed prior")
"""What may be the subject of a verb that is denied."""


class Denial(Others):
    """Negation before and after a finding, and exclusion, which hedges when it is itself denied."""

    __slots__ = ()

    if TYPE_CHECKING:  # what other parts of the reader do

        def or_(self, event: Event) -> None: ...

        def normal(self, event: Event) -> None: ...

        def state(self, event: Event) -> None: ...

        def verb_(self, event: Event) -> None: ...

        def search_was_negative(self, event: Event) -> bool: ...

    def deny(self, event: Event) -> None:
        """pas de, aucun, sans, absence de: what follows is denied; right after "X :" it is X that is denied."""
        if self.after_colon(event) or self.answers_at_the_end(event) or self.denies_nothing(event):
            return
        if self.scope == SILENT and self.advice_from < 0 and self.cue[0] == K["advice"]:
            return
        if self.scope == SILENT and self.cue[0] in _OTHER_EXAM and not self.sep and not self.fresh:
            return  # "le scan montrait un nodule sans adénopathie": told of the same examination
        if self.scope == HEDGED and self.fresh and not self.sep and "not_excluded" in self.cue[3].traits:
            return  # "on ne saurait affirmer l'absence d'un pneumothorax"
        self.open(DENIED, event, full="frees" in event[3].traits)
        self.negated = True

    def nor(self, event: Event) -> None:
        not_excluded = self.scope == HEDGED and "not_excluded" in self.cue[3].traits
        if self.scope == PRESENT or not_excluded:  # "pas de changement de l'épanchement ni de l'opacité"
            self.or_(event)
            return
        if self.is_neither(event):
            self.back(0, event, event[3].rule, whole=True)
        self.open(DENIED, event)

    def is_neither(self, event: Event) -> bool:
        """ "Épanchement ni liquidien ni gazeux": neither the one kind of it nor the other, so none; behind a comma only
        where a verb is denied too."""
        last = self.mentions[-1] if self.has_named() and self.scope == NONE else None
        if last is None or last.rule != AFFIRMED or event[1] - last.last != 2:
            return False
        ahead = self.ahead()
        again = next((k for k, e in enumerate(ahead) if e[0] not in _DESCRIBES), len(ahead))
        if again == len(ahead) or ahead[again][0] != K["nor"]:
            return False
        return not self.symbols[event[1] - 1] or any(e[0] in _DENIES_VERB for e in ahead[again:])

    def after_colon(self, event: Event) -> bool:
        """ "Épanchement : aucun." denies the finding before the colon."""
        _, first, last, _ = event
        if self.previous_kind() not in _BEFORE_VALUES or self.symbols[first] not in self.words.none:
            return False
        if (last != first and event[0] != K["none_after"]) or not self.ends_here() or not self.has_named():
            return False
        return bool(self.back(0, event, "none_after_colon", whole=True) + self.label_before(event, "none_after_colon"))

    def answers_at_the_end(self, event: Event) -> bool:
        """ "Épanchement nul.", "fracture costale aucune": nothing stands behind the denial that it could deny."""
        if event[2] < self.end or event[1] != event[2] or self.symbols[event[1]] not in self.words.none or self.scope:
            return False
        return self.touches_finding(event) and bool(self.back(0, event, "none_after_colon", whole=False))

    def denies_nothing(self, event: Event) -> bool:
        """ "Fracture pas.", "épanchement sans": a denial of which nothing follows is not understood."""
        if event[2] < self.end or self.scope:
            return False
        if self.opened:
            return self.denies_what_was_named(event)
        if event[1] != event[2] and event[0] == K["deny"] and self.previous_kind() == K["comma"] and self.has_named():
            return bool(self.back(0, event, event[3].rule, whole=False))  # "de nodule, aucune trace."
        if not self.touches_finding(event):
            return False
        last = self.mentions[-1]
        if last.rule == AFFIRMED:
            last.status, last.cue, last.rule = None, event, UNREAD
        return True

    def denies_what_was_named(self, event: Event) -> bool:
        """ "Épanchement, je n'en saisis pas.", "épanchement : je n'en saisis aucun": a verb denied of which nothing
        follows, and which has no subject of its own: not understood."""
        since = max(self.comma_at, self.clause)
        named = self.mentions[max(since, len(self.mentions) - REACH) :]
        if not named:
            after = self.mentions[-1].last if self.mentions else event[1]
            if any(e[0] in _SUBJECTS and e[1] > after for e in self.events[max(0, self.i - REACH) : self.i]):
                return False
            named = self.mentions[max(self.clause, len(self.mentions) - REACH) :] or self.mentions[-1:]
        elif event[0] == K["not"]:
            return False
        changed = [mention for mention in named if mention.status == 1 and mention.rule == AFFIRMED]
        for mention in changed:
            mention.status, mention.cue, mention.rule = None, event, UNREAD
        return bool(changed)

    def label_before(self, cue: Event, rule: str, status: int | None = 0) -> list[Mention]:
        """ "Épanchement, pneumothorax : absents": of a label made of bare nouns the value is that of all."""
        changed: list[Mention] = []
        behind = self.behind()
        for later, mention in itertools.pairwise(behind):
            if mention.status != 1 or mention.rule != AFFIRMED or later.first - mention.last > 4:
                break
            between = (e[0] for e in self.events[max(0, self.i - REACH) : self.i] if mention.last < e[1] < later.first)
            if not _JOINS.issuperset(between):
                break
            mention.status, mention.cue, mention.rule = status, cue, rule
            changed.append(mention)
        return changed

    def none_after(self, event: Event) -> None:
        """A bare "non" ends a statement: "Pneumothorax : non"."""
        if self.after_colon(event) or self.search_was_negative(event):
            return
        if event[2] < self.end and not self.symbols[event[2] + 1]:
            self.negated = True
            if self.previous_kind() == K["and"] and self.noun_follows():
                self.open(DENIED, event)  # "un nodule et non une masse"
            return  # "non cloisonné": says which kind
        is_near = self.has_named() and (event[1] - self.mentions[-1].last <= 2 or self.lies_before(event[1]))
        if is_near and self.ends_here():
            self.back(0, event, "none_after_colon", whole=True)
        self.negated = True

    def noun_follows(self) -> bool:
        """Say whether a finding comes next, but for its article."""
        following = next((e for e in self.ahead() if e[0] not in _BEFORE_NOUNS), None)
        return following is not None and following[0] in NAMES

    def yes_after(self, event: Event) -> None:
        """ "Pneumothorax : oui" undoes a denial of the same statement, "présent à gauche" that of the other side."""
        if event[1] != event[2] and not self.other_side_was_denied():
            self.verb_(event)
            self.state(event)
            return  # "et l'atélectasie persiste à gauche"
        for mention in self.mentions[-1:] if event[1] != event[2] else self.behind()[:1]:
            if mention.status == 0 and mention.cue is not None and mention.cue[0] == K["deny"] and self.is_value(event):
                return  # "absence de pneumothorax : oui"
            mention.status, mention.cue, mention.rule = 1, event, event[3].rule

    def is_value(self, event: Event) -> bool:
        return self.previous_kind() == K["colon"] and self.events[self.i - 1][1] == event[1] - 1

    def not_(self, event: Event) -> None:
        """A bare "pas": denies the object; what stands before it in the same breath is not understood."""
        if self.after_colon(event) or self.denies_nothing(event):
            return
        if self.compares and self.compares_amounts(event):
            self.open(SILENT, (*event[:3], event[3]._replace(rule=UNREAD)))
            return
        self.negated = True
        if self.scope == HEDGED and self.cue[0] == K["exclude_word"]:
            return
        if self.opened:
            for mention in self.mentions[max(self.comma_at, self.clause, len(self.mentions) - REACH) :]:
                if mention.status == 1 and mention.rule == AFFIRMED:
                    mention.status, mention.cue, mention.rule = None, event, UNREAD
        self.open(DENIED, event)

    def compares_amounts(self, event: Event) -> bool:
        """ "Pas plus d'épanchement qu'hier": as much as then, or none then either; "pas plus d'épanchement que de
        pneumothorax" denies both."""
        symbols, words, token = self.symbols, self.words, event[2] + 2
        if token + 2 > self.end or symbols[token] not in words.amounts or symbols[token + 2] not in words.of:
            return False
        than = next((t for t in range(token + 4, self.end + 1, 2) if symbols[t] in words.than), 0)
        behind = itertools.takewhile(lambda e: e[0] != K["comma"], (e for e in self.ahead() if e[1] > than))
        return than > 0 and not any(e[0] in NAMES for e in behind)

    def no_more(self, event: Event) -> None:
        """ "plus" denies after "ne", or "Plus de …" at the start when nothing is compared."""
        _, first, last, _ = event
        if self.scope == SILENT and self.fresh and self.cue[3].rule == UNREAD:
            return
        if last == first:
            following = self.symbols[last + 2] if last + 2 < len(self.symbols) else -1
            if following in self.words.than:
                self.opened = False  # "il ne reste plus qu'un petit épanchement"
            elif self.opened:
                self.not_(event)
            return
        rest = self.symbols[last + 2 : min(self.events[-1][2] + 8, last + 2 * REACH) : 2]
        compared = not self.words.than.isdisjoint(rest)
        if self.opened or not (self.i or compared):
            self.open(DENIED, event)
            self.negated = True

    def particle(self, event: Event) -> None:
        """ "n'"; a lone "N" after an anatomy is "normal"."""
        if self.group and event[2] >= self.end:
            self.normal(event)
            return
        self.opened = True

    def deny_after(self, event: Event) -> None:
        """n'est plus visible, absent: the finding before is denied, unless that was at an earlier examination."""
        _, first, last, leaf = event
        if self.at_once_denied() and self.cue[0] == K["not"]:
            self.scope = NONE
        words, spoken = self.words, set(self.symbols[first : last + 1 : 2])
        now = words.no_longer & spoken or (self.opened and words.is_now & spoken)
        behind = self.symbols[last + 2] if last + 2 <= self.end and not self.symbols[last + 1] else -1
        if behind in words.than:
            self.undo_unread()  # "n'est plus visible que de profil", "il n'en reste plus qu'une lame"
        elif "takes_up" in leaf.traits and self.is_of_others(event, behind):
            return
        elif "takes_up" in leaf.traits and not self.has_named() and self.mentions:
            self.take_up(event)
        elif behind in (words.partitive if "takes_up" in leaf.traits else words.of) and self.target_ahead():
            self.open(DENIED, event)  # "il n'est pas noté d'épanchement"
        elif words.was & spoken or (not now and self.then(event)):
            self.undo_unread()
        elif last == first and self.i == 0:
            self.open(DENIED, event)
        elif (
            last == first and (self.is_of_another_side(behind) or self.says_it_of_another(event))
        ) or self.other_side_is_there(event):
            return
        else:
            self.back(0, event, leaf.rule, whole=True)
            if self.previous_kind() == K["colon"]:
                self.label_before(event, leaf.rule)

    def take_up(self, event: Event) -> None:
        """ "L'épanchement a été drainé ; il n'en persiste rien": denied of what the clause before named, unless a place
        is named first ("à gauche, il n'en persiste rien")."""
        since = self.mentions[-1].last
        if any(e[0] in _WHERE and since < e[1] < event[1] and self.is_apart(since, e[1]) for e in self.events):
            return
        self.clause = 0
        self.back(0, event, event[3].rule, whole=True)

    def then(self, event: Event) -> bool:
        """Say whether an earlier examination or a year is named before the clause ends."""
        for later in self.ahead():
            if later[0] in NAMES or later[0] in (K["comma"], K["contrast"], K["semicolon"]):
                break
            if later[0] == K["filler"]:
                return False  # "non visible comparativement à l'examen antérieur": it has gone
            if later[0] == K["prior"]:
                return True
        symbols, token = self.symbols, event[2] + 2
        while token < len(symbols) and token < event[2] + 16 and not symbols[token - 1]:
            if symbols[token] == YEAR:
                return True
            token += 2
        return False

    def exclude_word(self, event: Event) -> None:
        """Excluding: an order at the start of a sentence asks; denied it hedges; otherwise it denies."""
        symbol = self.symbols[event[1]]
        infinitive = symbol in self.words.to_exclude
        if infinitive and self.previous_kind() in (-1, K["dash"]) and not self.mentions:
            self.open(SILENT, event)
        elif self.opened or self.negated or (self.scope == DENIED and self.fresh):
            self.not_excluded(event, infinitive)
        elif infinitive or symbol in self.words.excludes:
            self.open(SILENT if infinitive else DENIED, event)
        elif not self.back(0, event, event[3].rule, whole=True):
            self.open(DENIED, event)

    def not_excluded(self, event: Event, infinitive: bool) -> None:
        """Exclusion denied: a doubt about what stands before it, or about what follows an active verb."""
        ahead = self.target_ahead()
        is_active = infinitive or self.symbols[event[1]] in self.words.excludes_it
        is_active = is_active or self.previous_kind() == K["particle"]  # "n'élimine pas une pneumonie"
        if self.has_named() and not (is_active and ahead):
            self.back(-1, event, event[3].rule, whole=True, strong=True)
            self.neither_excluded(event)
            self.scope = NONE
        elif not ahead and self.goes_on_about_the_denied():
            self.clause = 0  # "une masse n'est pas évidente mais ne peut être exclue"
            self.back(-1, event, event[3].rule, whole=True, strong=True)
            self.scope = NONE
        else:
            self.undo_unread()
            self.open(HEDGED, event)
        self.opened = self.negated = False

    def goes_on_about_the_denied(self) -> bool:
        """Say whether a clause without a noun of its own follows the one that denied a finding last."""
        last = self.mentions[-1] if self.mentions and not self.has_named() else None
        if last is None or last.status != 0:
            return False
        behind = [e for e in self.events[max(0, self.i - REACH) : self.i] if e[1] > last.last]
        turn = next((e for e in behind if e[0] == K["contrast"]), None)
        if turn is None or any(e[0] in _SUBJECTS or e[0] == K["article"] for e in behind):
            return False
        return UNKNOWN not in self.symbols[turn[2] + 2 : self.events[self.i][1] : 2]

    def neither_excluded(self, event: Event) -> None:
        """ "Ni l'atélectasie ni la pneumonie ne peuvent être exclues": what holds of the last holds of all."""
        for mention in self.behind()[1:]:
            if mention.status != 0 or mention.cue is None or mention.cue[0] != K["nor"]:
                break
            mention.status, mention.cue, mention.rule = -1, event, event[3].rule

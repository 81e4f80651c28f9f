"""Commas, conjunctions, contrasts and links: where a scope goes on and where a new statement begins.

Belongs here: punctuation and small words. Does not belong here: words with a meaning of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radia_pipeline.reports.kinds import Event, kinds
from radia_pipeline.reports.sentence.after import After
from radia_pipeline.reports.sentence.clause import (
    AFFIRMED,
    BOUNDARY,
    DENIED,
    HEDGED,
    NAMES,
    NONE,
    PRESENT,
    SILENT,
    UNREAD,
    K,
    Mention,
)
from radia_pipeline.reports.words import NUMBER, NUMBERS

_IN_ASIDE = kinds("comma filler hedge_before hedge_near partial")
_PREDICATES = kinds("normal clear free enlarged limit")
_TELLS = kinds("state resolved_after deny_after normal")
"""Behind the colon of a search they say what was found."""
_OPENS_ASIDE = kinds("or nor")
_BEFORE_ADVERBS = kinds("verb particle hedge_verb seem")
"""Behind one of these an adverb stands inside the verb: "n'est toutefois pas visible"."""
_SAID_OF_A_SUBJECT = kinds("verb yes_after state deny_after resolved_after hedge_after hedge_verb seem particle")
"""Behind the second comma of "X, toutefois, …" they go on about X."""
_LONGEST_VALUE = 5
"""Words of what stands behind the colon of a label with a side; more are a statement of their own."""
_NEGATES = kinds("deny not no_more exclude_word nor deny_after")
_ASIDE = 12
"""Tokens and separators from an "ou" or a "ni" to the comma that ends an aside."""


class Structure(After):
    """Commas, conjunctions, contrasts and links: where a scope goes on and where a new statement begins."""

    __slots__ = ()

    if TYPE_CHECKING:  # what other parts of the reader do

        def unknown_alternative(self, event: Event) -> bool: ...

        def elsewhere_instead(self, event: Event) -> bool: ...

        def label_before(self, cue: Event, rule: str, status: int | None = 0) -> list[Mention]: ...

        def other_side_stays(self, event: Event) -> None: ...

    def comma(self, event: Event) -> None:
        if self.mentions and self.aside_ends(event):
            return  # "atélectasie ou, à défaut, foyer infectieux"
        self.sep, self.sep_event, self.intro, self.adjective = "comma", self.i, "", False
        self.comma_at = len(self.mentions)
        self.opened = self.negated = False
        self.enlarging = self.normal_before = None

    def aside_ends(self, event: Event) -> bool:
        """Say whether a comma opens or closes an aside right behind an "ou" or a "ni": the noun is still to come."""
        k = self.i - 1
        while k >= 0 and self.events[k][0] in _IN_ASIDE:
            k -= 1
        if k < 0 or self.events[k][0] not in _OPENS_ASIDE or event[1] - self.events[k][2] > _ASIDE:
            return False
        if k + 1 < self.i and self.events[k + 1][0] != K["comma"]:
            return False
        if self.events[k][0] == K["nor"]:
            return True  # "ni épanchement, ni, à plus forte raison, pneumothorax"
        self.sep, self.sep_event = "or", k
        return True

    def bracket_closes(self, event: Event) -> None:
        """ "L'épanchement (tumeur fantôme) a disparu": what is denied behind the bracket is denied of both."""
        if 0 < self.in_bracket < len(self.mentions):
            for mention in self.mentions[self.in_bracket :]:
                mention.link = "gloss"
        self.in_bracket = 0
        self.comma(event)

    def bracket(self, event: Event) -> None:
        """ "Ni gazeux (pneumothorax)": what stands alone in brackets right behind a finding explains it."""
        last = self.mentions[-1] if self.mentions else None
        bare = self.next_kind() in NAMES and (
            self.i + 2 >= len(self.events) or self.events[self.i + 2][0] == K["close"]
        )
        self.comma(event)
        self.in_bracket = len(self.mentions) if last is not None and len(self.mentions) > self.clause else 0
        self.gloss_of = last if bare and last is not None and event[1] - last.last == 1 else None

    def and_(self, event: Event) -> None:
        self.sep, self.sep_event, self.intro, self.adjective = "and", self.i, "", False

    def or_(self, event: Event) -> None:
        if self.scope in (NONE, HEDGED) and self.next_kind() == K["link"] and self.speaks_of_the_cause(event):
            self.open(HEDGED, event)  # "élargi, d'origine vasculaire ou lié à un goitre": causes are alternatives
            return
        if (
            self.scope in (NONE, HEDGED)
            and self.mentions
            and (self.unknown_alternative(event) or self.elsewhere_instead(event))
        ):
            self.back(-1, event, event[3].rule, whole=False)
        self.sep, self.sep_event, self.intro, self.adjective = "or", self.i, "", False

    def with_(self, event: Event) -> None:
        self.sep, self.sep_event, self.intro, self.adjective = "with", self.i, "", False

    def contrast(self, event: Event) -> None:
        """mais, à part, il y a: a new statement."""
        if self.stands_inside(event):
            return
        if not self.stays_silent(event):
            self.scope = NONE
        if self.opened and "turns" in event[3].traits and self.negation_follows():
            return
        self.sep, self.sep_event, self.intro, self.adjective = "", -1, "", False
        self.clause = self.comma_at = len(self.mentions)
        self.opened = self.negated = False
        self.enlarging = None

    def stands_inside(self, event: Event) -> bool:
        """ "Pas de signe, par ailleurs, d'épanchement", "n'est toutefois pas visible": between a denial and its
        partitive, and between a subject and what is said of it, nothing begins."""
        if "turns" not in event[3].traits:
            return False
        if self.splits_a_verb(event):
            return True
        if self.scope != DENIED or not self.fresh:
            return False
        kinds_ahead = [e[0] for e in self.events[self.i + 1 : self.i + 3]]
        return kinds_ahead[:1] == [K["of"]] or kinds_ahead == [K["comma"], K["of"]]

    def splits_a_verb(self, event: Event) -> bool:
        """ "A toutefois disparu", "l'épanchement, cependant, n'est plus visible"."""
        symbols, words, before = self.symbols, self.words, event[1] - 2
        if before > 0 and not symbols[before + 1]:
            is_joined = self.previous_kind() in _BEFORE_ADVERBS and self.events[self.i - 1][2] == before
            return is_joined or symbols[before] in words.singular or symbols[before] in words.plural
        ahead = self.events[self.i + 1 : self.i + 3]
        return (
            self.previous_kind() == K["comma"]
            and len(ahead) > 1
            and ahead[0][0] == K["comma"]
            and (ahead[0][1] == event[2] + 1 and ahead[1][0] in _SAID_OF_A_SUBJECT)
        )

    def stays_silent(self, event: Event) -> bool:
        """Advice goes on over a contrast; another examination over "on note", not over "mais"."""
        if self.scope != SILENT or self.advice_from >= 0:
            return False
        if self.cue[0] == K["other_exam"]:
            return self.symbols[event[1]] in self.words.notices
        return self.cue[0] == K["advice"]

    def presence(self, event: Event) -> None:
        """Présence de: a new statement, unless it stands right under a denial or hedge."""
        if not (self.scope and self.fresh and not self.sep):
            self.contrast(event)

    def negation_follows(self) -> bool:
        return self.next_kind() in _NEGATES

    def hard_stop(self, event: Event) -> None:
        """Semicolon, dash: like a full stop, but in the same sentence; "épanchement - aucun" is like a colon."""
        following = self.following()
        none = following is not None and (
            following[0] == K["deny_after"] or self.symbols[following[1]] in self.words.none
        )
        if none and event[0] == K["dash"]:
            last = self.i + 2 >= len(self.events) or self.events[self.i + 2][0] in BOUNDARY
            if last and following is not None and following[2] + 1 >= self.end:
                return
        if event[0] == K["dash"] and self.group and self.next_kind() in _PREDICATES:
            return  # "cœur - normal"
        if event[0] == K["dash"] and self.has_named() and self.next_kind() == K["hedge_after"]:
            return  # "emphysème - à éliminer"
        self.contrast(event)
        self.group = []

    def colon(self, event: Event) -> None:
        self.title_group = len(self.group) if self.group and not self.mentions else 0
        if self.title_group:
            self.headed_by = self.group[0]
        following = self.following()
        self.value_unread(event)
        if self.scope == SILENT and self.cue[0] == K["imperative"] and not self.mentions:
            self.scope = NONE  # "Contrôle post ponction : diminution de l'épanchement"
        if self.scope == SILENT and "fronted" in self.cue[3].traits:
            self.scope = NONE  # "après drainage d'un épanchement : pneumothorax"
        if self.scope == SILENT and "search" in self.cue[3].traits and self.is_answered():
            self.scope = NONE  # "contrôle de pneumonie : résolution de la condensation"
        looks = self.scope == SILENT and ("search" in self.cue[3].traits or self.cue[0] == K["imperative"])
        if looks and self.next_kind() in _TELLS:
            self.found_out()
        if self.scope == DENIED and self.fresh and self.cue[0] == K["not"] and event[1] - self.cue[2] > 1:
            self.scope = NONE  # "le poumon n'est pas réexpandu : atélectasie"
        if (
            self.scope
            and not self.fresh
            and not (following is not None and following[0] in (K["deny"], K["none_after"], K["not"]))
        ):
            self.scope = NONE

    def found_out(self) -> None:
        """ "Suivi du nodule : stable", "contrôle de l'épanchement : disparu": said of what was looked for."""
        for mention in self.behind():
            if mention.cue is self.cue:
                mention.status, mention.cue, mention.rule = 1, None, AFFIRMED
        self.scope = NONE

    def is_answered(self) -> bool:
        """Say whether a search says what it is for, and another noun follows its colon."""
        named = bool(self.mentions) or self.symbols[self.cue[2]] not in self.words.of
        return named and self.target_ahead()

    def value_unread(self, event: Event) -> None:
        """ "Pneumothorax : NA", "à préciser": a value that no rule knows labels nothing."""
        last = self.mentions[-1] if len(self.mentions) > self.clause else None
        if last is None or last.rule != AFFIRMED or not self.heads_value(last, event):
            return
        if self.says_nothing_known(last, event):
            self.label_before(event, UNREAD, None)
            last.status, last.cue, last.rule = None, event, UNREAD

    def says_nothing_known(self, last: Mention, colon: Event) -> bool:
        """Say whether what stands behind the colon of a label is no value, none that is told, or none that is known."""
        token, following, words = colon[1] + 1, self.following(), self.words
        if token > self.end or self.is_still_open(token):
            return True  # "Masse : ---"
        is_letter = following is not None and following[0] == K["particle"] and following[2] >= self.end
        is_label = following is not None and following[0] in NAMES and self.i + 2 < len(self.events)
        if is_label and self.events[self.i + 2][0] == K["colon"]:
            return True  # "Masse : ⏎ Nodule : non"
        if following is not None and following[0] not in BOUNDARY and not is_letter:
            return False
        symbol = self.symbols[token]
        if "heals" in last.leaf.traits and symbol in words.healed:
            return False  # "Fractures costales : consolidées"
        alone = token >= self.end or self.symbols[token + 1]
        says_where = symbol in words.places or symbol in words.measures or symbol in words.definite
        return (symbol == NUMBER and bool(alone)) or not (symbol in NUMBERS or says_where)

    def is_still_open(self, token: int) -> bool:
        """Say whether a value that is yet to be told begins at ``token``: "à préciser"."""
        words, symbols = self.words, self.symbols
        return (
            token < self.end
            and symbols[token] in words.places
            and symbols[min(token + 2, self.end)] in words.still_open
        )

    def heads_value(self, last: Mention, colon: Event) -> bool:
        """ "Pneumothorax : …", "épanchement droit : …", "nodule LSD : ND": a label, with its place before a short
        value; any where the value says that it is not told."""
        between = self.symbols[last.last + 2 : colon[1] : 2]
        if not between:
            return True
        words, first = self.words, self.symbols[min(colon[1] + 1, self.end)]
        if between[-1] in words.attributes:
            return False  # "fracture d'âge : indéterminé"
        if self.is_still_open(colon[1] + 1):
            return True  # however much is said behind: "nodule du LSD : à préciser masse du LSG : à préciser"
        if (self.end - colon[1]) // 2 >= _LONGEST_VALUE:
            return False
        if first in words.not_told or words.left_and_right.issuperset(between):
            return True
        return self.lies_before(colon[1])

    def of(self, event: Event) -> None:
        if not self.adjective:  # "quelques bandes d'atélectasie" is no "d'atélectasie"
            self.intro = "of"

    def article(self, event: Event) -> None:
        if self.intro == "of" and self.previous_kind() == K["of"]:
            return  # "absence d'épanchement, d'un pneumothorax"
        self.intro = "article"
        if (self.full or self.scope == PRESENT) and self.symbols[event[1]] in self.words.partitive:
            self.intro = "of"  # "résolution de l'épanchement, du pneumothorax et des opacités"

    def modifier(self, event: Event) -> None:
        self.adjective = self.adjective or (self.intro == "" and bool(self.sep))
        if self.sep and self.mentions and self.symbols[event[1]] in self.words.size_words:
            self.other_side_stays(event)  # "absent à droite, minime à gauche"

    def verb_(self, event: Event) -> None:
        self.verb = True
        if self.scope == SILENT and self.cue[0] == K["no_label"] and self.advice_from < 0:
            if self.symbols[event[1]] in self.words.shows:
                self.scope = NONE
            return
        if self.sep in ("comma", "and") and self.scope in (DENIED, HEDGED):
            self.scope = NONE

    def linked(self, event: Event) -> None:
        """ "Clarté sans trame en faveur d'un pneumothorax": the denial ended with the sign that is missing."""
        last = self.mentions[-1] if self.mentions else None
        if (
            self.scope == DENIED
            and not self.fresh
            and not self.sep
            and "lacks" in self.cue[3].traits
            and last is not None
            and "pattern" in last.leaf.traits
        ):
            self.scope = NONE
        following = self.following()
        if (
            self.scope == DENIED
            and not self.fresh
            and following is not None
            and following[0] == K["article"]
            and self.symbols[following[1]] in self.words.definite
        ):
            self.scope = NONE  # "pas d'épanchement associé à la consolidation": the consolidation is there

"""Findings as they are named: their status from the open scope, alternatives, adjectives that add a class.

Belongs here: what happens at a noun. Does not belong here: neutral anatomy (``anatomy``).
"""

from __future__ import annotations

from radia_pipeline.reports.kinds import Event, Leaf, kinds
from radia_pipeline.reports.sentence.after import After
from radia_pipeline.reports.sentence.clause import (
    AFFIRMED,
    DENIED,
    HEDGED,
    LIGHT,
    NAMES,
    NONE,
    PRESENT,
    REACH,
    SILENT,
    STATUS,
    K,
    Mention,
)
from radia_pipeline.reports.words import COMMA, UNKNOWN

NO_NOUN = kinds("device anatomy")
"""Between a denial and a statement they are what is denied: "plus de drain le poumon est à la paroi"."""

SECOND_CHOICE = "second_choice"
"""Rule id of a finding to which another one is preferred."""
_SECOND_CHOICE = 8
_SUBJECTS = NAMES | {K["anatomy"], K["device"]}
"""Tokens and separators from a finding to the "que" behind it."""
_RIGHT_BEHIND = 8
"""The same from an anatomy to what is said of it: "les poumons ne sont pas distendus"."""
BROKEN = Leaf(K["other"], "broken_device")
"""What a device that is broken stands for."""


class Nouns(After):
    """Findings as they are named: their status from the open scope, alternatives, adjectives that add a class."""

    __slots__ = ()

    def name(self, event: Event) -> None:
        """A finding (or an abnormality without a class) is named."""
        traits = event[3][5]
        if traits and "of_the_pleura" in traits and not self.is_of_the_pleura():
            return
        if traits and "of_the_lung" in traits and not self.is_of_the_lung(event):
            if event[0] != K["other"]:
                return
            event = (*event[:3], event[3]._replace(classes=()))
        sep = self.sep
        if 0 <= self.advice_from <= self.i:
            self.scope, self.cue = SILENT, self.events[self.advice_from]
        elif self.scope and self.is_over(event):
            self.scope = NONE
            if not sep:
                self.opened = self.negated = False
        elif self.enlarging is not None and self.scope in (DENIED, HEDGED) and not sep:
            # "pas d'augmentation de l'épanchement (ni de l'opacité)", "possible augmentation …": it is there
            self.scope = PRESENT if self.scope == DENIED else NONE
        if self.title_group:
            self.keep_named(event)
        if sep == "and" and self.intro == "article":
            self.opened = self.negated = False
        link = self.link() if len(self.mentions) > self.clause else ""
        if link == "far" and not sep and self.repeats_its_noun(event):
            link = "adj"
        if link and self.is_place(event):
            link = "at"  # "nodule sous l'épanchement"
            if self.scope in (DENIED, HEDGED) and not self.fresh:
                self.scope = NONE
        mention = self.mention(event, link)
        if traits and "breaks" in traits and self.speaks_of_a_device(event):
            broken = mention.status != 0
            mention.leaf, mention.rule = BROKEN, BROKEN.rule
            mention.status = mention.status if broken else None
        if self.gloss_of is not None and not self.scope and self.next_kind() in (K["close"], -1):
            mention.status, mention.cue, mention.rule = self.gloss_of.status, self.gloss_of.cue, self.gloss_of.rule
        if self.compares and self.is_second_choice(event):
            self.doubt_second(mention)
        elif sep == "and" and mention.status == 1 and self.goes_on_likewise():
            last = self.mentions[-1]
            mention.status, mention.cue, mention.rule = last.status, last.cue, last.rule
        if sep != "or":
            pass
        elif (
            link == "or" and self.scope in (NONE, HEDGED) and not self.mimic_between() and not self.unknown_before_or()
        ):
            self.alternatives(mention)
        elif mention.status == 1 and (
            self.mimic_at == self.sep_event - 1 or self.mimic_between() or self.unknown_before_or()
        ):
            mention.status, mention.cue, mention.rule = -1, self.events[self.sep_event], "hedge_or"
        self.mentions.append(mention)
        self.settle()

    def repeats_its_noun(self, event: Event) -> bool:
        """ "Une lésion pulmonaire néoplasique est possible": two names of one thing, which a cue behind covers both."""
        last = self.mentions[-1]
        return event[1] - last.last == 2 and event[3].rule == last.leaf.rule

    def is_second_choice(self, event: Event) -> bool:
        """ "Plutôt une atélectasie qu'une pneumonie": the second is what the first is preferred to."""
        symbols, words = self.symbols, self.words
        token = event[1] - 2
        while (
            token > 1
            and (symbols[token] in words.articles or symbols[token] in words.places or symbols[token] in words.favours)
            and not symbols[token - 1]
        ):
            token -= 2
        if token < 1 or symbols[token] not in words.than:
            return False
        first = self.preferred(token)
        token = first - 2
        while (
            token > 1
            and (
                symbols[token] in words.small
                or symbols[token] in words.places
                or symbols[token] in words.articles
                or symbols[token] in words.favours
            )
            and not symbols[token - 1]
        ):
            token -= 2
        return first > 0 and token > 0 and symbols[token] in words.rather

    def preferred(self, than: int) -> int:
        """Return the first token of what another finding is preferred to: a finding, or what mimics one; 0: none."""
        if self.mimic_at > 0 and 0 < than - self.events[self.mimic_at][2] <= _SECOND_CHOICE:
            return self.events[self.mimic_at][1]
        last = self.mentions[-1] if len(self.mentions) > self.clause else None
        return last.first if last is not None and than - last.last <= _SECOND_CHOICE else 0

    def doubt_second(self, mention: Mention) -> None:
        """What another finding is preferred to is in doubt, if it was not denied."""
        if mention.status == 1:
            mention.status, mention.cue, mention.rule = -1, None, SECOND_CHOICE

    def goes_on_likewise(self) -> bool:
        """ "Une surcharge est possible, de même qu'un épanchement": the same is said of both."""
        if not self.mentions or "likewise" not in self.events[self.sep_event][3].traits:
            return False
        last = self.mentions[-1]
        is_behind = last.cue is not None and last.cue[1] > last.last
        return is_behind and last.status in (0, -1) and self.direct() and not self.predicate_ahead()

    def is_of_the_pleura(self) -> bool:
        """ "Plèvre : épaississement", "plèvre sans épaississement", and not "plèvre libre, épaississement du hile"."""
        symbols, words = self.symbols, self.words
        if self.headed_by is not None and symbols[self.headed_by[1]] in words.pleura:
            return True
        return bool(self.group) and symbols[self.group[-1][1]] in words.pleura and self.next_kind() != K["of"]

    def is_of_the_lung(self, event: Event) -> bool:
        """ "Parenchyme sans lésion": denied of the lung; "les poumons sont distendus": said right behind it."""
        lung = self.group[-1] if self.group else self.headed_by
        if lung is None or self.symbols[lung[1]] not in self.words.lungs:
            return False
        if event[0] == K["other"]:
            return self.scope == DENIED
        return not self.sep and event[1] - lung[2] <= _RIGHT_BEHIND

    def mimic_between(self) -> bool:
        """ "Opacité, superposition versus pneumonie": not the opacity, but what it may be is the other alternative."""
        if not self.mentions or not 0 < self.mimic_at < self.sep_event:
            return False
        is_apart = self.events[self.mimic_at - 1][0] in (K["comma"], K["colon"])
        return is_apart and self.events[self.mimic_at][1] > self.mentions[-1].last

    def mention(self, event: Event, link: str) -> Mention:
        """Return the finding as the open scope has it; affirmed, or with its own value, where none is open."""
        _, first, last, leaf = event
        if self.scope:
            if self.scope == SILENT and "past" in self.cue[3].traits and leaf.classes:
                self.tells_history = True
            status = None if self.says_normal and not leaf.classes and self.is_reserve() else STATUS[self.scope]
            return Mention(leaf, first, last, status, self.cue, self.cue[3].rule, link)
        status = leaf.value if leaf.value is not None and leaf.kind != K["other"] else 1
        return Mention(leaf, first, last, status, None, AFFIRMED, link)

    def is_reserve(self) -> bool:
        """ "Radiographie normale, ce qui n'exclut pas une embolie": what has no class is not said to be there."""
        return self.scope == HEDGED and self.cue[0] == K["exclude_word"]

    def speaks_of_a_device(self, event: Event) -> bool:
        """ "Sondes intactes, sans coude ni fracture": a bare word where a device is named and nothing else; "fracture
        possible de la sonde"."""
        following = next((e[0] for e in self.ahead() if e[0] not in LIGHT and e[0] != K["of"]), -1)
        if following == K["device"]:
            return True
        before = [e[0] for e in self.events[max(0, self.i - REACH) : self.i] if e[0] in _SUBJECTS]
        if self.verb and before and before[-1] == K["device"] and event[1] == event[2]:
            return True  # "la sonde est fracturée en regard de la clavicule"
        return (
            event[1] == event[2]
            and self.events[0][0] == K["device"]
            and not any(e[0] in NAMES or e[0] == K["anatomy"] for e in self.events if e is not event)
            and not self.is_placed(event)
            and self.symbols[event[1] - 2] not in self.words.places  # "clou sur fracture consolidée"
        )

    def keep_named(self, event: Event) -> None:
        """ "COEUR ET MÉDIASTIN: Déviation du médiastin, sans élargissement": said of the mediastinum."""
        named = self.symbols[event[1] : event[2] + 1]
        self.group = [anatomy for anatomy in self.group if self.symbols[anatomy[1]] in named]
        self.title_group = 0

    def unknown_before_or(self) -> bool:
        """ "Rejet versus pneumonie": the alternative before is a word that the lexicon does not know."""
        token = self.events[self.sep_event][1] - 2
        if token < 1 or self.symbols[token] != UNKNOWN or not self.direct():
            return False
        return not self.mentions or self.symbols[token - 1] == COMMA  # "condensation, rejet versus infection"

    def is_place(self, event: Event) -> bool:
        """Say whether a finding is named only to say where another one lies."""
        symbols, words, at = self.symbols, self.words, event[1] - 4
        if at > 2 and symbols[at] not in words.locatives and symbols[at] in words.places and not symbols[at - 1]:
            at -= 2  # "sous-jacente à l'épanchement"
        return at > 0 and symbols[at] in words.locatives and symbols[event[1] - 2] in words.definite

    def link(self) -> str:
        """How this noun is joined to the finding before it in the clause."""
        sep = self.sep
        if sep == "or":
            return "or" if self.direct() else "far"
        return sep if sep in ("and", "comma") and not self.verb and self.direct() else "far"

    def alternatives(self, mention: Mention) -> None:
        """ "X ou Y": each is uncertain; so are the earlier members of a bare list."""
        cue = self.events[self.sep_event] if self.sep_event >= 0 else None
        if mention.status == 1:
            mention.status, mention.cue, mention.rule = -1, cue, "hedge_or"
        later = mention
        for previous in self.behind():
            if later.link == "comma" and (later.first - previous.last > 2 or "sign" in previous.leaf.traits):
                break  # "opacité basale, atélectasie ou pneumonie": the opacity is no alternative
            if previous.status == 1:
                previous.status, previous.cue, previous.rule = -1, cue, "hedge_or"
            if previous.link not in ("comma", "adj", "or"):
                break
            later = previous

    def settle(self) -> None:
        """After a noun: separators and articles before it are used up."""
        self.sep, self.sep_event, self.intro, self.adjective = "", -1, "", False
        self.fresh = False
        self.verb = False
        self.gloss_of = None
        self.enlarging = self.normal_before = None
        self.described = ()

    def quality(self, event: Event) -> None:
        """An adjective that adds a class to the finding before it: "opacité nodulaire", "infiltrat infectieux"."""
        leaf = event[3]
        if leaf.kind == K["place"] and self.previous_kind() == K["close"]:
            return  # "nodule (coin lesion) du LSG": where the noun before the bracket lies
        for parent in self.behind() if self.mentions else ():
            if parent.leaf.rule.partition(".")[0] in leaf.after:
                break
        else:
            self.denied_image(event)
            return
        own_scope = self.scope in (HEDGED, DENIED) and self.cue[1] > parent.first and leaf.kind != K["place"]
        own_scope = own_scope and (self.scope == HEDGED or (self.fresh and self.cue[0] in (K["deny"], K["nor"])))
        status = STATUS[self.scope] if own_scope and parent.status == 1 else parent.status
        cue, rule = (self.cue, self.cue[3].rule) if own_scope else (parent.cue, parent.rule)
        if status == 1 and self.sep == "or" and self.unknown_before_or():
            status, cue, rule = -1, self.events[self.sep_event], "hedge_or"  # "condensation, rejet versus infection"
        mention = Mention(leaf, event[1], event[2], status, cue, rule, "adj")
        if self.compares and self.is_second_choice(event):
            self.doubt_second(mention)
        self.mentions.append(mention)
        self.settle()

    def denied_image(self, event: Event) -> None:
        """ "Aucune image nodulaire": the noun belongs to the cue."""
        if self.scope in (DENIED, HEDGED) and self.fresh and self.symbols[self.cue[2]] in self.words.image:
            status, rule = STATUS[self.scope], self.cue[3].rule
            self.mentions.append(
                Mention(event[3], event[1], event[2], status, self.cue, rule, self.link() if self.has_named() else "")
            )
            self.settle()

    def fixed(self, event: Event) -> None:
        """A whole statement with a value of its own ("poumons à la paroi")."""
        denied = self.at_once_denied() and not any(
            e[0] in NO_NOUN and e[1] > self.cue[2] for e in self.events[max(self.i - REACH, 0) : self.i]
        )
        status = None if denied else event[3].value
        if self.advice_from < 0:
            self.mentions.append(Mention(event[3], event[1], event[2], status, event, event[3].rule, "far"))
        self.says_normal = True
        self.settle()

    def same(self, event: Event) -> None:
        """ "Pas d'autre nodule que celui du lobe moyen": that one is there."""
        for mention in self.behind():
            if mention.status != 0 or mention.cue is not self.cue:
                break
            mention.status, mention.cue, mention.rule = 1, event, event[3].rule
        self.scope = NONE

    def that_one(self, event: Event) -> None:
        """ "L'épanchement droit a disparu, celui de gauche persiste": the same finding, named once more."""
        if self.mentions and self.mentions[-1].leaf.classes:
            leaf = self.mentions[-1].leaf
            self.name((leaf.kind, event[1], event[2], leaf))

    def mimic(self, event: Event) -> None:
        """ "Infiltrat ou superposition", "superposition ou infiltrat": the finding is uncertain."""
        self.mimic_at = self.i
        if self.sep == "or" and self.scope != DENIED and self.direct():
            self.back(-1, self.events[self.sep_event], "hedge_or", whole=False)

    def unknown_alternative(self, event: Event) -> bool:
        """ "Pneumothorax vs ligne de drap", "nodule ou une verrue": an alternative that the lexicon does not know."""
        words, symbols = self.words, self.symbols
        versus = symbols[event[1]] in words.versus
        token = event[2] + 2
        articles = words.small
        articled = False
        while (
            token < len(symbols)
            and not symbols[token - 1]
            and (symbols[token] in articles or symbols[token] in words.modifiers)
        ):
            articled = articled or symbols[token] in articles
            token += 2
        follows = token < len(symbols) and not symbols[token - 1]
        is_diagnosis = self.is_diagnosis()
        unknown = follows and (symbols[token] == UNKNOWN or ((versus or is_diagnosis) and not self.target_ahead()))
        is_noun = versus or articled or is_diagnosis
        return unknown and is_noun and event[1] - self.mentions[-1].last <= 12

    def is_diagnosis(self) -> bool:
        """ "Verre dépoli : œdème ou poussée inflammatoire": what a colon behind a finding explains it by."""
        if self.previous_kind() not in NAMES or len(self.mentions) < 2:
            return False
        for event in self.events[max(0, self.i - REACH) : self.i - 1][::-1]:
            if event[0] not in LIGHT:
                return event[0] == K["colon"]
        return False

    def elsewhere_instead(self, event: Event) -> bool:
        """ "Calcification pleurale ou costale": it may be of what is no class."""
        last, following = self.mentions[-1], event[2] + 2
        if event[1] - last.last > 4 or "heals" in last.leaf.traits or not last.leaf.classes:
            return False
        return following <= self.end and self.symbols[following] in self.words.elsewhere

"""What one sentence says of each finding in it: affirmed, denied, uncertain, or nothing.

Belongs here: scopes, lists, clauses, the order in which cues win (not-excluded, denial, hedge). Does not belong here:
which words are cues (``cues.yaml``) and which sentences are read (``sections``).

A sentence is walked once, left to right; each event goes to the handler of its kind. State is a scope opened by a cue
before its findings, and the findings of the clause so far, for cues that stand after them.
"""

from __future__ import annotations

from radia_pipeline.reports.rules import KIND, KINDS, Leaf, Rulebook
from radia_pipeline.reports.words import NUMBER, UNKNOWN, YEAR

NONE, DENIED, HEDGED, SILENT, PRESENT = range(5)
"""Scopes: plain, denied (0), hedged (-1), silent (history, advice: no label), present
(what does not change is there)."""

STATUS = {DENIED: 0, HEDGED: -1, SILENT: None, PRESENT: 1}

AFFIRMED = "affirmed"
"""Rule id of a finding that is named and neither denied nor hedged."""
REACH = 60
"""Events or findings that a cue looks over, so that time stays linear in texts that never end a sentence."""
UNREAD = "unread"
"""Rule id of a finding in a clause with a denial that no rule understands: no label, listed for review."""

K = KIND
_LIGHT = frozenset(
    K[k]
    for k in (
        "de",
        "article",
        "modifier",
        "hedge_near",
        "filler",
        "seem",
        "hedge_verb",
        "link",
        "hedge_before",
        "state",
        "presence",
        "place",
    )
)
_NAMES = frozenset(K[k] for k in ("finding", "fixed_finding", "other", "fixed"))
_TARGETS = _NAMES | {
    K["anatomy"],
    K["enlargement"],
    K["quality"],
    K["limit"],
    K["resolved"],
    K["lessened"],
    K["change"],
}
_BOUNDARY = frozenset(
    K[k] for k in ("comma", "and", "or", "avec", "contrast", "colon", "semicolon", "dash", "open", "close", "nor")
)
_ENDS_CLAUSE = frozenset(K[k] for k in ("contrast", "semicolon", "dash", "avec"))
_AFTERTHOUGHT = frozenset(K[k] for k in ("modifier", "state", "hedge_near", "place"))


_PREDICATES = frozenset(
    K[k] for k in ("verb", "state", "deny_after", "resolved_after", "hedge_after", "hedge_verb", "seem", "ne", "limit")
)


class Mention:
    """One finding named in a sentence. ``status`` None: makes no label. Tokens, not characters; see ``engine``."""

    __slots__ = ("cue", "first", "last", "leaf", "link", "rule", "status")

    def __init__(
        self, leaf: Leaf, first: int, last: int, status: int | None, cue: tuple | None, rule: str, link: str
    ) -> None:
        self.leaf, self.first, self.last = leaf, first, last
        self.status, self.cue, self.rule, self.link = status, cue, rule, link


class SentenceReader:
    """Walks the events of one sentence. One instance per sentence; ``mentions`` and ``says_normal`` are the result."""

    # What a sentence begins with; kept on the class so that a new reader costs four assignments.
    scope, cue, fresh, full = NONE, None, True, False
    sep, sep_event, intro, adjective = "", -1, "", False
    clause = segment = i = 0
    ne = negated = verb = says_normal = False
    enlarging = normal_before = None
    enlarging_at = 0
    mimic_at = -2
    described: tuple | list = ()
    advice_from = end = -1
    in_list = False

    def __init__(self, events: list[tuple], symbols: list[int], book: Rulebook) -> None:
        self.events, self.symbols, self.book = events, symbols, book
        self.mentions: list[Mention] = []
        self.group: list[tuple] = []

    def read(self, asked: bool, has_advice: int, end: int) -> None:
        """Fill ``mentions``. ``asked``: the sentence ends in a question mark, at token ``end``."""
        self.end = end
        if has_advice:
            self.advice_from = _advice_start(self.events)
        handlers = HANDLERS
        for i, event in enumerate(self.events):
            handler = handlers[event[0]]
            if handler is not None:
                self.i = i
                handler(self, event)
        if asked:
            self.back(-1, None, "question_mark", whole=True)

    def ahead(self) -> list[tuple]:
        """The events after this one, as far as a cue can reach."""
        return self.events[self.i + 1 : self.i + 1 + REACH]

    def behind(self) -> list[Mention]:
        """The findings of this clause, last first, as far as a cue can reach."""
        return self.mentions[max(self.clause, len(self.mentions) - REACH) :][::-1]

    # ------------------------------------------------------------------ scopes
    def open(self, scope: int, cue: tuple, *, full: bool = False) -> None:
        """Begin a scope at ``cue``. ``full``: its list goes on over definite articles ("résolution de l'x et du y")."""
        self.scope, self.cue, self.full, self.fresh = scope, cue, full, True
        self.in_list = False
        self.sep, self.sep_event, self.intro, self.adjective = "", self.i, "", False

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
        if self.intro == "de":
            return True
        if self.intro == "article":
            return self.full and sep == "and" and not self.predicate_ahead()
        if sep == "avec":
            return not self.adjective
        if self.adjective or not self.direct():
            return False
        return self.denied_list_goes_on(sep)

    def history_goes_on(self, sep: str) -> bool:
        """History and advice cover what follows; history ends at "avec" and where a described finding follows a comma."""
        if self.advice_from >= 0 or self.cue[0] == K["advice"]:
            return True
        if sep == "comma" and self.cue[0] == K["no_label"]:
            return self.cue[3].rule != "history_fronted" and not (self.direct() and self.chain()[2])
        return sep != "avec"

    def hedge_goes_on(self, sep: str) -> bool:
        """A hedge covers alternatives and what "et" joins; over a comma only before a final "ou"."""
        if sep == "and":
            if self.adjective or (self.cue[0] == K["hedge_near"] and self.intro == "article"):
                return False
            return not self.predicate_ahead() and not self.size_follows()
        if sep != "comma" or not self.direct():
            return False
        if self.symbols[self.cue[1]] in self.book.list_hedges:
            return True
        return self.chain()[0] or self.list_ahead()

    def size_follows(self) -> bool:
        """ "Possible pneumonie et épanchement modéré": a size is seen, not supposed."""
        following = self.events[self.i + 1] if self.i + 1 < len(self.events) else None
        return following is not None and self.symbols[following[1]] in self.book.size_words

    def list_ahead(self) -> bool:
        """Say whether the comma before this noun is one of a list that an "ou" closes later in the clause."""
        for event in self.ahead():
            if event[0] == K["or"]:
                return True
            if event[0] not in _LIGHT and event[0] not in _NAMES and event[0] != K["comma"]:
                return False
        return False

    def denied_list_goes_on(self, sep: str) -> bool:
        """A bare noun after a comma or "et" goes on only in a list: "pas d'infiltrat, nodule ou masse"."""
        closes, items, described = self.chain()
        if sep == "and":
            return not described
        self.in_list = closes or ((items > 1 or self.in_list) and not described)
        return self.in_list

    def predicate_ahead(self) -> bool:
        """Say whether something is said of this noun before the clause ends: "et l'opacité est stable"."""
        for event in self.ahead():
            if event[0] in _PREDICATES:
                return True
            if event[0] in _BOUNDARY:
                return False
        return False

    def chain(self) -> tuple[bool, int, bool]:
        """Look ahead over bare nouns: (ends in ou/ni, how many items, whether the last is described)."""
        items, described, after = 0, False, ""
        plain = self.book.type_words
        for event in self.events[self.i : self.i + REACH]:
            kind = event[0]
            if kind in _NAMES or kind == K["enlargement"]:
                items += 1
                if after == "or":
                    return True, items, described
            elif kind == K["comma"]:
                after = "comma"
            elif kind in (K["or"], K["nor"]):
                if items:
                    return True, items, described
                after = "or"
            elif kind == K["and"]:
                after = "and"
            elif kind in _AFTERTHOUGHT:
                described = described or self.symbols[event[1]] not in plain
            elif kind not in (K["de"], K["article"], K["filler"]):
                break
        return False, items, described

    def direct(self) -> bool:
        """Say whether only small words and modifiers stand between the last separator and this noun."""
        events, i, start = self.events, self.i, self.sep_event
        position = events[i][1]
        for k in range(i - 1, start, -1):
            if events[k][0] not in _LIGHT or position - events[k][2] > 2:
                return False
            position = events[k][1]
        return start < 0 or position - events[start][2] <= 2

    # ------------------------------------------------------------------ nouns
    def name(self, event: tuple) -> None:
        """A finding (or an abnormality without a class) is named."""
        leaf = event[3]
        if 0 <= self.advice_from <= self.i:
            self.scope, self.cue = SILENT, self.events[self.advice_from]
        elif self.scope and (self.sep or not self.fresh) and not self.holds():
            self.scope = NONE
        elif self.scope == DENIED and self.other_than(event):
            self.scope = NONE
        elif self.enlarging is not None and self.scope == DENIED and not self.sep:
            self.scope = NONE  # "pas d'augmentation de l'épanchement": it is there
        if self.sep == "and" and self.intro == "article":
            self.ne = self.negated = False
        link = self.link()
        if not self.scope:
            base = leaf.value if leaf.value is not None and leaf.kind != K["other"] else 1
            mention = Mention(leaf, event[1], event[2], base, None, AFFIRMED, link)
        else:
            status = STATUS[self.scope]
            mention = Mention(leaf, event[1], event[2], status, self.cue, self.cue[3].rule, link)
        if link == "or" and self.scope in (NONE, HEDGED):
            self.alternatives(mention)
        elif mention.status == 1 and self.sep == "or" and self.mimic_at == self.sep_event - 1:
            mention.status, mention.cue, mention.rule = -1, self.events[self.sep_event], "hedge_or"
        self.mentions.append(mention)
        self.settle()

    def other_than(self, event: tuple) -> bool:
        """ "Pas d'autre anomalie qu'une opacité": the opacity is there."""
        words = self.book.words
        cue = self.cue
        if words["autr"] not in self.symbols[cue[1] : cue[2] + 1]:
            return False
        since = self.mentions[-1].last if self.mentions else cue[2]
        between = self.symbols[max(since + 2, event[1] - 12) : event[1] : 2]
        return words["que"] in between or words["qu"] in between

    def same(self, event: tuple) -> None:
        """ "Pas d'autre nodule que celui du lobe moyen": that one is there."""
        for mention in self.behind():
            if mention.status != 0 or mention.cue is not self.cue:
                break
            mention.status, mention.cue, mention.rule = 1, event, event[3].rule
        self.scope = NONE

    def link(self) -> str:
        """How this noun is joined to the finding before it in the clause; "" when it is not."""
        if len(self.mentions) == self.clause:
            return ""
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
            if later.link == "comma" and later.first - previous.last > 2:
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
        self.enlarging = self.normal_before = None
        self.described = ()

    def quality(self, event: tuple) -> None:
        """An adjective that adds a class to the finding before it: "opacité nodulaire", "infiltrat infectieux"."""
        leaf = event[3]
        for parent in self.behind():
            if parent.leaf.rule.split(".")[0] in leaf.after:
                break
        else:
            return
        own_scope = self.scope == HEDGED and self.cue[1] > parent.first and leaf.kind != K["place"]
        status = -1 if own_scope and parent.status == 1 else parent.status
        cue, rule = (self.cue, self.cue[3].rule) if own_scope else (parent.cue, parent.rule)
        self.mentions.append(Mention(leaf, event[1], event[2], status, cue, rule, "adj"))
        self.settle()

    def fixed(self, event: tuple) -> None:
        """A whole statement with a value of its own ("poumons à la paroi")."""
        status = None if self.scope == DENIED and self.fresh and not self.sep else event[3].value
        if self.advice_from < 0:
            self.mentions.append(Mention(event[3], event[1], event[2], status, event, event[3].rule, "far"))
        self.says_normal = True
        self.settle()

    # ------------------------------------------------------------------ anatomy
    def anatomy(self, event: tuple) -> None:
        """Neutral anatomy waits for what is said of it, or takes it from an enlargement named before."""
        leaf = event[3]
        if self.scope == SILENT and self.cue[0] == K["other_exam"] and leaf.rule == "exam_anatomy":
            self.scope = NONE
        if self.enlarging is not None:
            self.enlarged_anatomy(event)
            return
        if self.normal_before is not None and not self.sep:
            self.label(event, 0, self.normal_before)
            return
        last = self.mentions[-1] if self.mentions else None
        if (
            last is not None
            and last.status == 0
            and last.leaf.rule == "anomaly"
            and self.sep in ("", "and", "or")
            and not self.verb
        ):
            self.label(event, 0, last.cue)
            self.mentions[-1], self.mentions[-2] = self.mentions[-2], self.mentions[-1]
            return
        if self.sep in ("comma", "and") and (self.verb or self.scope):
            self.scope = NONE if self.intro != "de" else self.scope
            if self.verb:
                self.group = []
        self.group.append(event)
        self.described = ()
        self.verb = False
        self.normal_before = None

    def label(self, event: tuple, status: int | None, cue: tuple | None) -> None:
        """Turn an anatomy into a mention of its classes."""
        leaf = event[3]
        if not leaf.classes or 0 <= self.advice_from <= self.i:
            return
        if leaf.rule == "cardiomediastinum" and status != 0:
            leaf = leaf._replace(classes=("Enlarged Cardiomediastinum",))
        rule = cue[3].rule if cue is not None else AFFIRMED
        self.mentions.append(Mention(leaf, event[1], event[2], status, cue, rule, "far"))

    def enlarged_anatomy(self, event: tuple) -> None:
        cue, scope = self.enlarging
        if event[3].rule == "exam_anatomy" or (self.anatomy_between() and self.sep not in ("and", "or")):
            return
        status = STATUS.get(scope, 1)
        if event[3].rule == "costophrenic":
            return
        if event[3].classes:
            self.label(event, status, cue)
        elif status != 0:
            self.block(cue, status)
        self.fresh = False

    def block(self, cue: tuple, status: int | None) -> None:
        """Something without a class is enlarged or abnormal: it only blocks No Finding."""
        leaf = Leaf(K["other"], "other_anatomy")
        self.mentions.append(Mention(leaf, cue[1], cue[2], status, cue, cue[3].rule, "far"))

    def predicate_scope(self) -> int:
        """The scope that covers a predicate: a denial only if it stands right before ("n'est pas élargi")."""
        if self.scope == DENIED and (self.sep or not self.fresh):
            return NONE
        if self.scope == SILENT and self.cue[0] == K["other_exam"] and self.group:
            return NONE
        if self.scope == HEDGED and (self.sep == "comma" or not self.fresh):
            return NONE
        return self.scope

    def normal(self, event: tuple) -> None:
        """Normal, said of the anatomy before it (or after: "taille normale du cœur")."""
        if not self.i and self.symbols[event[1]] == self.book.words["s"] and self.target_ahead():
            self.open(SILENT, event)  # "S/P pneumothorax": status post
            return
        scope = self.predicate_scope()
        self.says_normal = self.says_normal or scope in (NONE, HEDGED)
        if scope in (DENIED, SILENT):
            self.group = []
            self.search_was_negative(event)
            return
        hedged = scope == HEDGED and self.cue[0] != K["seem"] and not self.says_look()
        bare = not self.group
        for anatomy in self.group or self.still_described():
            self.label(anatomy, -1 if hedged else 0, self.cue if hedged else event)
        if bare:
            self.normal_before = event
        self.close_predicate(event)

    def still_described(self) -> tuple | list:
        """The anatomy of the last predicate, when another predicate follows: "médiastin centré, non élargi"."""
        return self.described if self.described and self.sep in ("comma", "and") and self.direct() else ()

    def says_look(self) -> bool:
        """ "D'allure normale" is normal."""
        words = self.book.words
        return self.symbols[self.cue[1]] in (words["allur"], words["apparenc"])

    def close_predicate(self, event: tuple) -> None:
        self.described = self.group or self.described
        self.group = []
        self.verb = False
        if self.scope != SILENT:
            self.scope = NONE
        self.sep, self.sep_event, self.intro = "", -1, ""

    def clear(self, event: tuple) -> None:
        """Praise that labels nothing, but frees a costophrenic angle."""
        self.says_normal = True
        if event[3].rule == "free" or self.symbols[event[1]] != self.book.words.get("plac"):
            self.free_angles(event)
        if self.group:
            self.close_predicate(event)

    def free_angles(self, event: tuple) -> None:
        if self.predicate_scope() == DENIED:
            for anatomy in self.group:
                if anatomy[3].rule == "costophrenic":
                    self.label(anatomy, -1, event)
            return
        for anatomy in self.group:
            if anatomy[3].rule == "costophrenic":
                self.label(anatomy, 0, event)

    def at_wall(self, event: tuple) -> None:
        """Said of a lung: no air around it."""
        lung = self.group[-1] if self.group else None
        if lung is None or self.symbols[lung[1]] not in self.book.lung_words or self.predicate_scope() != NONE:
            return
        if not self.mentions or self.mentions[-1].first < lung[1]:
            leaf = Leaf(K["fixed"], "lungs_at_wall", ("Pneumothorax",), 0)
            self.mentions.append(Mention(leaf, lung[1], event[2], 0, event, event[3].rule, "far"))
            self.says_normal = True
            self.close_predicate(event)

    def enlarged(self, event: tuple) -> None:
        """Augmented, of the anatomy before it; of a finding it only says that it is there."""
        following = self.events[self.i + 1] if self.i + 1 < len(self.events) else None
        if not self.group and event[1] == event[2] and self.symbols[event[1]] in self.book.enlarged_words:
            self.group = list(self.still_described())
        if not self.group or (following is not None and following[0] in _NAMES and following[1] - event[2] <= 2):
            self.adjective = True
            return
        scope = self.predicate_scope()
        status = STATUS.get(scope, 1)
        for anatomy in self.group:
            if anatomy[3].rule == "costophrenic":
                continue
            if anatomy[3].classes:
                self.label(anatomy, status, self.cue if scope else event)
            elif status != 0:
                self.block(event, status)
        self.close_predicate(event)

    def limit(self, event: tuple) -> None:
        """At the upper limit: uncertain."""
        for anatomy in self.group or self.still_described():
            if anatomy[3].rule != "costophrenic":
                self.label(anatomy, -1, event)
        if not self.group and len(self.mentions) > self.clause and self.mentions[-1].leaf.rule == "cardiomegaly":
            self.back(-1, event, event[3].rule, whole=False)
        self.close_predicate(event)

    def blunted(self, event: tuple) -> None:
        """A blunted angle is uncertain; "non émoussé" is free."""
        status = 0 if self.predicate_scope() == DENIED else -1
        for anatomy in self.group:
            if anatomy[3].rule == "costophrenic":
                self.label(anatomy, status, event)
        if self.group:
            self.close_predicate(event)

    def enlargement(self, event: tuple) -> None:
        """Élargissement de …: waits for the anatomy."""
        if self.scope and (self.sep or not self.fresh) and not self.holds():
            self.scope = NONE
        elif self.scope == DENIED and self.other_than(event):
            self.scope = NONE
        if self.group and not self.anatomy_ahead():
            self.enlarged(event)
            return
        self.enlarging = (self.cue if self.scope else event, self.scope)
        self.enlarging_at = self.i
        self.group = []
        self.sep, self.sep_event = "", -1

    def anatomy_ahead(self) -> bool:
        """Say whether a noun of which the enlargement may be said follows before the clause ends."""
        for event in self.ahead():
            if event[0] == K["anatomy"] or event[0] in _NAMES:
                return True
            if event[0] not in _LIGHT:
                return False
        return False

    # ------------------------------------------------------------------ denial
    def deny(self, event: tuple) -> None:
        """pas de, aucun, sans, absence de: what follows is denied; right after "X :" it is X that is denied."""
        if self.after_colon(event):
            return
        if self.scope == SILENT and self.advice_from < 0 and self.cue[0] == K["advice"]:
            return
        self.open(DENIED, event, full=event[3].rule == "no_absence")
        self.negated = True

    def nor(self, event: tuple) -> None:
        not_excluded = self.scope == HEDGED and self.cue[3].rule in ("not_excluded", "hard_to_exclude")
        if self.scope == PRESENT or not_excluded:  # "pas de changement de l'épanchement ni de l'opacité"
            self.or_(event)
            return
        self.open(DENIED, event)

    def after_colon(self, event: tuple) -> bool:
        """ "Épanchement : aucun." denies the finding before the colon."""
        i, events = self.i, self.events
        if (
            not i
            or events[i - 1][0] not in (K["colon"], K["dash"])
            or self.symbols[event[1]] not in self.book.none_words
        ):
            return False
        if (
            event[2] != event[1]
            or (i + 1 < len(events) and events[i + 1][0] not in _BOUNDARY)
            or len(self.mentions) == self.clause
        ):
            return False
        return bool(self.back(0, event, "none_after_colon", whole=True))

    def none_after(self, event: tuple) -> None:
        """A bare "non" ends a statement: "Pneumothorax : non"."""
        if self.after_colon(event):
            return
        if self.search_was_negative(event):
            return
        last_token = self.i + 1 >= len(self.events) or self.events[self.i + 1][0] in _BOUNDARY
        if last_token and len(self.mentions) > self.clause and event[1] - self.mentions[-1].last <= 2:
            self.back(0, event, "none_after_colon", whole=True)
        self.negated = True

    def search_was_negative(self, event: tuple) -> bool:
        """ "La recherche d'un foyer infectieux est négative" denies what was looked for."""
        if (
            self.scope != SILENT
            or self.cue[3].rule != "history"
            or self.symbols[event[2]] != self.book.words["negatif"]
        ):
            return False
        for mention in self.behind():
            mention.status, mention.cue, mention.rule = 0, event, event[3].rule
        return True

    def not_(self, event: tuple) -> None:
        """A bare "pas": denies the object; what stands before it in the same breath is not understood."""
        if self.after_colon(event):
            return
        self.negated = True
        if self.scope == HEDGED and self.cue[0] == K["exclude_word"]:
            return
        if self.ne:
            for mention in self.mentions[max(self.segment, self.clause, len(self.mentions) - REACH) :]:
                if mention.status == 1 and mention.rule == AFFIRMED:
                    mention.status, mention.cue, mention.rule = None, event, UNREAD
        self.open(DENIED, event)

    def no_more(self, event: tuple) -> None:
        """ "plus" denies after "ne", or "Plus de …" at the start when nothing is compared."""
        if event[2] == event[1]:
            if self.ne:
                self.not_(event)
            return
        words = self.book.words
        rest = self.symbols[event[2] + 2 : self.events[-1][2] + 8 : 2]
        compared = words["que"] in rest or words["qu"] in rest
        if self.ne or not (self.i or compared):
            self.open(DENIED, event)
            self.negated = True

    def ne_(self, event: tuple) -> None:
        self.ne = True

    def deny_after(self, event: tuple) -> None:
        """n'est plus visible, absent: the finding before is denied, unless that was at an earlier examination."""
        if self.scope == DENIED and self.fresh and not self.sep and self.cue[0] == K["not"]:
            self.scope = NONE
        words = self.symbols[event[1] : event[2] + 1 : 2]
        now = self.book.words.get("plu") in words or (
            self.ne and {self.book.words["est"], self.book.words["sont"]} & set(words)
        )
        if self.next_kind() == K["de"] and self.events[self.i + 1][1] - event[2] == 2 and self.target_ahead():
            self.open(DENIED, event)  # "il n'est pas noté d'épanchement"
            return
        past = {self.book.words["etait"], self.book.words["etaient"]} & set(words)
        if past or (not now and self.then(event)):
            self.undo_unread()
            return
        if event[2] == event[1] and self.i == 0:
            self.open(DENIED, event)
            return
        self.back(0, event, event[3].rule, whole=True)

    def then(self, event: tuple) -> bool:
        """Say whether an earlier examination or a year is named before the clause ends."""
        for later in self.ahead():
            if later[0] in _NAMES or later[0] in (K["comma"], K["contrast"], K["semicolon"]):
                break
            if later[0] == K["prior"]:
                return True
        symbols, token = self.symbols, event[2] + 2
        while token < len(symbols) and token < event[2] + 16 and not symbols[token - 1]:
            if symbols[token] == YEAR:
                return True
            token += 2
        return False

    def undo_unread(self) -> None:
        for mention in self.behind():
            if mention.rule == UNREAD:
                mention.status, mention.cue, mention.rule = 1, None, AFFIRMED

    def exclude_word(self, event: tuple) -> None:
        """Excluding: an order at the start of a sentence asks; denied it hedges; otherwise it denies."""
        words = self.book.words
        symbol = self.symbols[event[1]]
        infinitive = symbol in (words["exclur"], words["eliminer"], words["ecarter"], words["infirmer"])
        if infinitive and (not self.i or self.events[self.i - 1][0] in (K["dash"],)) and not self.mentions:
            self.open(SILENT, event)
        elif self.ne or self.negated or (self.scope == DENIED and self.fresh):
            self.not_excluded(event, infinitive)
        elif infinitive or symbol in (words["exclut"], words["excluant"]):
            self.open(SILENT if infinitive else DENIED, event)
        elif not self.back(0, event, event[3].rule, whole=True):
            self.open(DENIED, event)

    def not_excluded(self, event: tuple, infinitive: bool) -> None:
        ahead = self.target_ahead()
        behind = len(self.mentions) > self.clause
        active = infinitive or self.symbols[event[1]] in (self.book.words["exclut"], self.book.words["ignor"])
        if behind and not (active and ahead):
            previous = self.events[self.i - 1] if self.i else None
            if ahead and previous is not None and previous[0] == K["ne"]:
                behind = False  # "n'élimine pas une pneumonie"
        if behind and not (active and ahead):
            self.back(-1, event, event[3].rule, whole=True, strong=True)
            self.scope = NONE
        else:
            self.undo_unread()
            self.open(HEDGED, event)
        self.ne = self.negated = False

    # ------------------------------------------------------------------ change
    def next_kind(self) -> int:
        return self.events[self.i + 1][0] if self.i + 1 < len(self.events) else -1

    def previous_kind(self) -> int:
        return self.events[self.i - 1][0] if self.i else -1

    def present(self) -> None:
        """A scope ends because something is said to be there."""
        if self.scope in (DENIED, HEDGED):
            self.scope = NONE

    def resolved(self, event: tuple) -> None:
        """Disparition de: denies, unless partial, under way or itself denied."""
        if self.scope == SILENT:
            return
        denied = self.scope == DENIED and self.fresh and not self.sep
        if denied or K["partial"] in (self.next_kind(), self.previous_kind()):
            self.present()
            return
        if not self.target_ahead() and self.back(0, event, event[3].rule, whole=False):
            return
        self.open(DENIED, event, full=True)

    def lessened(self, event: tuple) -> None:
        """Régression: still there; complete: gone."""
        if self.scope == SILENT:
            return
        denied = self.scope == DENIED and self.fresh and not self.sep
        self.present()
        gone = not denied and self.next_kind() == K["complete"]
        if gone and (self.target_ahead() or not self.back(0, event, event[3].rule, whole=False)):
            self.open(DENIED, event, full=True)

    def resolved_after(self, event: tuple) -> None:
        """A disparu: gone, unless nearly or not."""
        if (
            self.previous_kind() == K["partial"]
            or self.negated
            or (self.previous_kind() == K["complete"] and self.before_previous_partial())
        ):
            self.undo_unread()
            self.present()
            return
        if len(self.mentions) > self.clause:
            self.back(0, event, event[3].rule, whole=True)

    def before_previous_partial(self) -> bool:
        return self.i > 1 and self.events[self.i - 2][0] == K["partial"]

    def change(self, event: tuple) -> None:
        """Pas de changement de X ou de Y: both are there."""
        if self.scope == DENIED and self.fresh and not self.sep:
            self.open(PRESENT, event)
        else:
            self.present()

    def state(self, event: tuple) -> None:
        """Inchangé, connu: said of what is there."""
        self.undo_unread()
        if self.scope == HEDGED and self.cue[0] == K["seem"]:
            self.scope = NONE
        if self.group and not self.sep and self.next_kind() != K["and"]:
            self.group = []
        self.ne = False

    # ------------------------------------------------------------------ hedges
    def target_ahead(self) -> bool:
        """Say whether a noun follows before the clause ends."""
        for event in self.ahead():
            kind = event[0]
            if kind in _TARGETS or kind == K["enlarged"]:
                return True
            if kind in _ENDS_CLAUSE or kind == K["comma"]:
                return False
        return False

    def in_denial(self) -> bool:
        """Inside a denial that still runs, hedges decide nothing: "pas de foyer évoquant une pneumonie"."""
        return self.scope == SILENT or (self.scope in (DENIED, PRESENT) and not self.sep)

    def hedge_near(self, event: tuple) -> None:
        """Possible, on either side of its noun: forward when only modifiers stand between."""
        if self.in_denial() or self.previous_kind() == K["advice_subject"] or self.is_suspicious_look(event):
            return
        if self.enlarging is not None and not self.sep and not self.anatomy_between():
            self.enlarging = (event, HEDGED)  # "élargissement possible du médiastin"
            return
        position = event[2]
        for later in self.ahead():
            kind = later[0]
            if later[1] - position > 4 or (kind not in _LIGHT and kind not in _TARGETS):
                break
            if kind in _TARGETS:
                if kind == K["anatomy"] and self.touches_finding(event):
                    break  # "masse possible au hile gauche"
                self.open(HEDGED, event)
                return
            position = later[2]
        if not self.other_noun_before(event):
            self.back(-1, event, event[3].rule, whole=False)

    def anatomy_between(self) -> bool:
        return any(e[0] == K["anatomy"] for e in self.events[self.enlarging_at : self.i])

    def touches_finding(self, event: tuple) -> bool:
        """Say whether a finding stands right before this word, but for modifiers."""
        return len(self.mentions) > self.clause and not self.sep and event[1] - self.mentions[-1].last <= 6

    def other_noun_before(self, event: tuple) -> bool:
        """ "Opacité basale, lipome possible": an unknown word between the comma and the hedge is what is hedged."""
        if self.sep != "comma" or self.direct():
            return False
        tokens = range(self.events[self.sep_event][2] + 1, event[1], 1)
        return any(self.symbols[t] == UNKNOWN for t in tokens)

    def is_suspicious_look(self, event: tuple) -> bool:
        """A suspicious nodule is there; a suspected pneumonia is not known to be. Both are typed "suspecte"."""
        words = self.book.words
        symbol = self.symbols[event[1]]
        if symbol not in (words["suspect"], words["suspecte"]) or self.verb or not self.mentions:
            return False
        last = self.mentions[-1]
        masculine = last.leaf.rule == "nodule" or self.symbols[last.first] == words["voil"]
        if symbol == words["suspecte"] and masculine:
            return False  # "nodule suspecté"
        return self.mentions[-1].leaf.rule in ("opacity", "lesion", "nodule", "mass", "nodule.quality") and not self.sep

    def hedge_before(self, event: tuple) -> None:
        """Évoquant, possiblement: forward; at the very end of a clause, backward."""
        if self.in_denial():
            if self.scope == DENIED and event[3].rule == "hard_to_exclude":
                self.open(HEDGED, event)
            return
        if self.symbols[event[2]] == self.book.words["de"] and self.number_follows(event):
            return  # "lésion suspecte de 3 cm"
        if event[1] != event[2] and self.touches_finding(event) and self.place_follows():
            if not self.is_suspicious_look(event):
                self.back(-1, event, event[3].rule, whole=False)  # "fracture suspectée du sternum"
            return
        if not self.target_ahead():
            following = self.events[self.i + 1] if self.i + 1 < len(self.events) else None
            stop = following[1] - 1 if following is not None and following[0] in _BOUNDARY else self.end
            at_end = event[2] >= stop - (following is not None)
            if at_end and self.mentions and event[1] - self.mentions[-1].last <= 6:
                self.back(-1, event, event[3].rule, whole=False)
        self.open(HEDGED, event)

    def place_follows(self) -> bool:
        """Say whether what comes next in the clause is a place and not a finding."""
        for event in self.ahead():
            if event[0] in _NAMES or event[0] == K["quality"]:
                return False
            if event[0] == K["anatomy"] or event[0] in _BOUNDARY:
                return True
            if event[0] not in _LIGHT:
                return False
        return True

    def number_follows(self, event: tuple) -> bool:
        following = event[2] + 2
        return following < len(self.symbols) and self.symbols[following] in (NUMBER, YEAR)

    def hedge_verb(self, event: tuple) -> None:
        if not self.in_denial() and self.target_ahead():
            self.open(HEDGED, event)

    def seem(self, event: tuple) -> None:
        if not self.in_denial():
            self.open(HEDGED, event)

    def hedge_after(self, event: tuple) -> None:
        """À exclure, est possible: backward; forward when nothing stands before."""
        if self.scope == SILENT:
            return
        if not self.back(-1, event, event[3].rule, whole=True, strong=event[3].rule == "to_exclude") and not self.group:
            self.open(HEDGED, event)
        self.ne = self.negated = False

    def back(self, status: int, cue: tuple | None, rule: str, *, whole: bool, strong: bool = False) -> list[Mention]:
        """Give ``status`` to the finding before a cue and to those joined with it; return them.

        ``whole``: also over "et" and the commas of its list; else only over "ou". ``strong`` overrides a denial.
        """
        changed: list[Mention] = []
        listed = False
        behind = self.behind()
        for k, mention in enumerate(behind):
            open_to_change = mention.rule == UNREAD or mention.status == 1 or (mention.status == -1 and status == 0)
            if (open_to_change or strong) and mention.leaf.kind != K["fixed"]:
                mention.status, mention.cue, mention.rule = status, cue, rule
                changed.append(mention)
            link = mention.link
            if link in ("adj", "or"):
                listed = listed or link == "or"
                continue
            if not whole or k + 1 == len(behind):
                break
            near = mention.first - behind[k + 1].last <= 4
            if not ((link == "and" and self.said_of_both(mention, cue)) or (link == "comma" and listed and near)):
                break
            listed = True
        return changed

    def said_of_both(self, last: Mention, cue: tuple | None) -> bool:
        """Say whether a cue after "X et Y" speaks of both: in the plural, or without a verb and both are bare nouns."""
        if cue is None or len(self.mentions) < 2:
            return True
        symbols, book = self.symbols, self.book
        between = set(symbols[last.last + 2 : cue[2] + 1 : 2])
        if between & book.plural:
            return True
        if between & book.singular:
            return False
        first = self.mentions[self.mentions.index(last) - 1]
        articled = self.is_article(first.first - 2), self.is_article(last.first - 2)
        apart = last.first - first.last > 4 + 2 * articled[1]
        return articled[0] == articled[1] and not apart

    def is_article(self, token: int) -> bool:
        words = self.book.words
        return token > 0 and self.symbols[token] in tuple(
            words[w] for w in ("un", "une", "le", "la", "l", "les", "des")
        )

    # ------------------------------------------------------------------ structure
    def comma(self, event: tuple) -> None:
        self.sep, self.sep_event, self.intro, self.adjective = "comma", self.i, "", False
        self.segment = len(self.mentions)
        self.ne = self.negated = False
        self.enlarging = self.normal_before = None

    def and_(self, event: tuple) -> None:
        if self.sep != "comma" or self.sep_event != self.i - 1:
            self.normal_before = None
        self.sep, self.sep_event, self.intro, self.adjective = "and", self.i, "", False

    def or_(self, event: tuple) -> None:
        if self.scope in (NONE, HEDGED) and self.mentions and self.unknown_alternative(event):
            self.back(-1, event, event[3].rule, whole=False)
        self.sep, self.sep_event, self.intro, self.adjective = "or", self.i, "", False

    def unknown_alternative(self, event: tuple) -> bool:
        """ "Pneumothorax vs ligne de drap", "nodule ou une verrue": an alternative that the lexicon does not know."""
        words, symbols = self.book.words, self.symbols
        versus = symbols[event[1]] in (words["versu"], words["vs"])
        token = event[2] + 2
        articles = (
            words["un"],
            words["une"],
            words["de"],
            words["d"],
            words["du"],
            words["l"],
            words["la"],
            words["le"],
        )
        articled = False
        while (
            token < len(symbols)
            and not symbols[token - 1]
            and (symbols[token] in articles or symbols[token] in self.book.modifiers)
        ):
            articled = articled or symbols[token] in articles
            token += 2
        unknown = token < len(symbols) and not symbols[token - 1] and symbols[token] == UNKNOWN
        return unknown and (versus or articled) and event[1] - self.mentions[-1].last <= 12

    def mimic(self, event: tuple) -> None:
        """ "Infiltrat ou superposition", "superposition ou infiltrat": the finding is uncertain."""
        self.mimic_at = self.i
        if self.sep == "or" and self.scope != DENIED and self.direct():
            self.back(-1, self.events[self.sep_event], "hedge_or", whole=False)

    def avec(self, event: tuple) -> None:
        self.sep, self.sep_event, self.intro, self.adjective = "avec", self.i, "", False

    def contrast(self, event: tuple) -> None:
        """mais, à part, il y a: a new statement."""
        if self.advice_from >= 0 or not (self.scope == SILENT and self.cue[0] == K["advice"]):
            self.scope = NONE
        if self.ne and event[3].rule == "contrast" and self.negation_follows():
            return
        self.sep, self.sep_event, self.intro, self.adjective = "", -1, "", False
        self.clause = self.segment = len(self.mentions)
        self.ne = self.negated = False
        self.enlarging = None

    def presence(self, event: tuple) -> None:
        """Présence de: a new statement, unless it stands right under a denial or hedge."""
        if not (self.scope and self.fresh and not self.sep):
            self.contrast(event)

    def negation_follows(self) -> bool:
        return self.next_kind() in (K["deny"], K["not"], K["no_more"], K["exclude_word"], K["nor"])

    def hard_stop(self, event: tuple) -> None:
        """Semicolon, dash: like a full stop, but in the same sentence; "épanchement - aucun" is like a colon."""
        following = self.events[self.i + 1] if self.i + 1 < len(self.events) else None
        none = following is not None and (
            following[0] == K["deny_after"] or self.symbols[following[1]] in self.book.none_words
        )
        if none and event[0] == K["dash"]:
            last = self.i + 2 >= len(self.events) or self.events[self.i + 2][0] in _BOUNDARY
            if last and following[2] + 1 >= self.end:
                return
        self.contrast(event)
        self.group = []

    def colon(self, event: tuple) -> None:
        following = self.events[self.i + 1] if self.i + 1 < len(self.events) else None
        if (
            self.scope
            and not self.fresh
            and not (following is not None and following[0] in (K["deny"], K["none_after"], K["not"]))
        ):
            self.scope = NONE

    def de(self, event: tuple) -> None:
        self.intro = "de"

    def article(self, event: tuple) -> None:
        if self.intro == "de" and self.previous_kind() == K["de"]:
            return  # "absence d'épanchement, d'un pneumothorax"
        self.intro = "article"
        if (self.full or self.scope == PRESENT) and self.symbols[event[1]] in self.partitive():
            self.intro = "de"  # "résolution de l'épanchement, du pneumothorax et des opacités"

    def partitive(self) -> tuple[int, ...]:
        words = self.book.words
        return words["du"], words["des"], words["de"]

    def modifier(self, event: tuple) -> None:
        self.adjective = self.adjective or (self.intro == "" and bool(self.sep))

    def verb_(self, event: tuple) -> None:
        self.verb = True
        if self.sep in ("comma", "and") and self.scope in (DENIED, HEDGED):
            self.scope = NONE

    def no_label(self, event: tuple) -> None:
        self.open(SILENT, event)

    def other_exam(self, event: tuple) -> None:
        """What another examination shows is not on this radiograph, unless both are named together."""
        if not any(anatomy[3].rule == "exam_anatomy" for anatomy in self.group):
            self.open(SILENT, event)

    def linked(self, event: tuple) -> None:
        """ "Clarté sans trame en faveur d'un pneumothorax": the denial ended with the sign that is missing."""
        last = self.mentions[-1] if self.mentions else None
        if (
            self.scope == DENIED
            and not self.fresh
            and not self.sep
            and self.cue[3].rule == "no_sans"
            and last.leaf.rule == "interstitial"
        ):
            self.scope = NONE
        following = self.events[self.i + 1] if self.i + 1 < len(self.events) else None
        if (
            self.scope == DENIED
            and not self.fresh
            and following is not None
            and following[0] == K["article"]
            and self.symbols[following[1]] in self.definite()
        ):
            self.scope = NONE  # "pas d'épanchement associé à la consolidation": the consolidation is there

    def definite(self) -> tuple[int, ...]:
        words = self.book.words
        return tuple(words[w] for w in ("le", "la", "l", "cet", "ce"))

    def advice(self, event: tuple) -> None:
        self.open(SILENT, event)

    def suggests(self, event: tuple) -> None:
        """ "Suggère" without an examination to be done is a hedge."""
        if self.advice_from < 0 and self.symbols[event[1]] == self.book.words["sugger"]:
            self.hedge_before(event)

    def imperative(self, event: tuple) -> None:
        if not self.i and self.next_kind() in _NAMES | {K["de"], K["article"], K["modifier"]}:
            self.open(SILENT, event)


def _advice_start(events: list[tuple]) -> int:
    """Return the index of the event at which advice begins (its subject, else its verb), or -1 when none is given."""
    verb = subject = -1
    for i, event in enumerate(events):
        if event[0] == K["advice_verb"] and verb < 0:
            verb = i
        elif event[0] in (K["advice_subject"], K["imperative"]) and (verb < 0 or subject < 0):
            subject = i
    return -1 if verb < 0 or subject < 0 else min(verb, subject)


_BY_KIND = {
    "finding": "name",
    "fixed_finding": "name",
    "other": "name",
    "fixed": "fixed",
    "quality": "quality",
    "anatomy": "anatomy",
    "normal": "normal",
    "clear": "clear",
    "free": "clear",
    "enlarged": "enlarged",
    "enlargement": "enlargement",
    "blunted": "blunted",
    "limit": "limit",
    "deny": "deny",
    "nor": "nor",
    "not": "not_",
    "no_more": "no_more",
    "ne": "ne_",
    "deny_after": "deny_after",
    "none_after": "none_after",
    "resolved": "resolved",
    "resolved_after": "resolved_after",
    "lessened": "lessened",
    "change": "change",
    "state": "state",
    "hedge_near": "hedge_near",
    "hedge_before": "hedge_before",
    "hedge_verb": "hedge_verb",
    "hedge_after": "hedge_after",
    "seem": "seem",
    "or": "or_",
    "exclude_word": "exclude_word",
    "contrast": "contrast",
    "presence": "presence",
    "mimic": "mimic",
    "at_wall": "at_wall",
    "same": "same",
    "place": "quality",
    "avec": "avec",
    "no_label": "no_label",
    "other_exam": "other_exam",
    "link": "linked",
    "advice": "advice",
    "advice_verb": "suggests",
    "imperative": "imperative",
    "de": "de",
    "article": "article",
    "and": "and_",
    "verb": "verb_",
    "modifier": "modifier",
    "comma": "comma",
    "open": "comma",
    "close": "comma",
    "colon": "colon",
    "semicolon": "hard_stop",
    "dash": "hard_stop",
}
HANDLERS = [getattr(SentenceReader, _BY_KIND[name]) if name in _BY_KIND else None for name in KINDS]

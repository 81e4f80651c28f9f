"""What is known at one event of a sentence: the open scope, the clause, the list, and what stands before and after.

Belongs here: state, and questions about it. Does not belong here: how far a scope goes (``reach``), and what a cue does
(the other modules of this folder).
"""

from __future__ import annotations

from collections.abc import Sequence

from radia_pipeline.reports.kinds import KIND, Event, Leaf, kinds
from radia_pipeline.reports.language import Words

NONE, DENIED, HEDGED, SILENT, PRESENT = range(5)
"""Scopes: plain, denied (0), hedged (-1), silent (history, advice: no label), present
(what does not change is there)."""

STATUS = {DENIED: 0, HEDGED: -1, SILENT: None, PRESENT: 1}

AFFIRMED = "affirmed"
"""Rule id of a finding that is named and neither denied nor hedged."""
REACH = 60
"""Events or findings that a cue looks over, so that time stays linear in texts that never end a sentence."""
QUESTION_MARK = "question_mark"
"""Rule id of a finding in a question."""
UNREAD = "unread"
"""Rule id of a finding in a clause with a denial that no rule understands: no label, listed for review."""

K = KIND
LIGHT = kinds(
    "foreign of article modifier hedge_near filler seem hedge_verb link hedge_before state presence place enlarged"
)
NAMES = kinds("finding fixed_finding other fixed")
TARGETS = NAMES | kinds("anatomy enlargement quality limit resolved lessened change")
BOUNDARY = kinds("comma and or with contrast colon semicolon dash open close nor")
_END = BOUNDARY | {-1}
_SAYS_WHERE = kinds("modifier anatomy place of article")
ENDS_CLAUSE = kinds("contrast semicolon dash with")


class Mention:
    """One finding named in a sentence. ``status`` None: makes no label. Tokens, not characters; see ``engine``.

    ``link``: how it is joined to the finding before it in the clause: "and", "comma", "or", "adj" (an adjective of it),
    "at" (says only where it lies), "gloss" (stands in brackets behind it), "far", "" (none before it).
    """

    __slots__ = ("cue", "first", "last", "leaf", "link", "rule", "status")

    def __init__(
        self, leaf: Leaf, first: int, last: int, status: int | None, cue: Event | None, rule: str, link: str
    ) -> None:
        self.leaf, self.first, self.last = leaf, first, last
        self.status, self.cue, self.rule, self.link = status, cue, rule, link


class Clause:
    """The state of one sentence while it is walked. One instance per sentence."""

    __slots__ = (
        "adjective", "advice_from", "clause", "comma_at", "compares", "cue", "described", "device_before", "end",
        "enlarging", "enlarging_at", "events", "fresh", "full", "gloss_of", "group", "headed_by", "i", "in_bracket",
        "in_list", "intro", "inverted", "mentions", "mimic_at", "negated", "normal_before", "opened", "says_normal",
        "scope", "sep", "sep_event", "shows_device", "symbols", "tells_history", "title_group", "verb", "words",
    )  # fmt: skip

    def __init__(self, events: list[Event], symbols: Sequence[int], words: Words) -> None:
        self.events, self.symbols, self.words = events, symbols, words
        self.compares = not words.than.isdisjoint(symbols)
        """Whether anything is compared: "plutôt une atélectasie qu'une pneumonie"."""
        self.mentions: list[Mention] = []
        self.i = 0
        """The event at which the walk is."""
        self.end = -1
        """Last token of the sentence."""
        self.advice_from = -1
        """The event at which advice begins; -1: none is given."""
        self.scope = NONE
        self.cue: Event = None  # type: ignore[assignment]  # it is read only where a scope is open
        """The open scope, and the event that opened it."""
        self.fresh, self.full, self.in_list = True, False, False
        """Whether no noun has come under the scope yet; see ``open``; whether its nouns make a list."""
        self.sep, self.sep_event, self.intro, self.adjective = "", -1, "", False
        """Between the last noun and here: the last separator ("comma", "and", "or", "with") and its event, what
        introduces the next noun ("of", "article"), whether a modifier stands right behind the separator."""
        self.clause = self.comma_at = 0
        """How many findings had been named when the clause began (contrast, semicolon), and at the last comma."""
        self.opened = self.negated = self.verb = False
        """Whether a particle has opened a negation, whether a negation has been said, whether a verb."""
        self.tells_history = False
        """Whether a finding was named that is past: it blocks No Finding."""
        self.says_normal = False
        """Whether something was said to be normal: with nothing else, the report is."""
        self.group: list[Event] = []
        """The anatomy of which nothing has been said yet; ``described`` is that of the last predicate."""
        self.described: tuple | list = ()
        self.headed_by: Event | None = None
        """The anatomy that heads the sentence, before a colon."""
        self.title_group = 0
        """How many of the group stand before a colon."""
        self.enlarging: tuple[Event, int] | None = None
        self.enlarging_at = 0
        """(cue, scope) of an enlargement that waits for its anatomy, and its event."""
        self.normal_before: Event | None = None
        self.inverted = False
        """A normal that waits for its anatomy; whether a verb stands between ("normaux sont le cœur et …")."""
        self.gloss_of: Mention | None = None
        """The finding right before an opening bracket: a bare noun inside only says it again."""
        self.in_bracket = 0
        """How many findings had been named when a bracket opened behind one of them; 0: none is open."""
        self.shows_device = False
        """Whether a device is named that is seen, and not only told of."""
        self.device_before = False
        """Whether the sentence before named a device."""
        self.mimic_at = -2
        """The event that named what a finding may be instead."""

    def open(self, scope: int, cue: Event, *, full: bool = False) -> None:
        """Begin a scope at ``cue``. ``full``: its list goes on over definite articles ("résolution de l'x et du y")."""
        self.scope, self.cue, self.full, self.fresh = scope, cue, full, True
        self.in_list = False
        self.sep, self.sep_event, self.intro, self.adjective = "", self.i, "", False

    def at_once_denied(self) -> bool:
        """Say whether a denial stands right before, with no noun and no separator between."""
        return self.scope == DENIED and self.fresh and not self.sep

    def has_named(self) -> bool:
        """Say whether the clause has named a finding."""
        return len(self.mentions) > self.clause

    def ends_here(self) -> bool:
        """Say whether the clause ends behind this event."""
        return self.next_kind() in _END

    def ahead(self) -> list[Event]:
        """The events after this one, as far as a cue can reach."""
        return self.events[self.i + 1 : self.i + 1 + REACH]

    def behind(self) -> list[Mention]:
        """The findings of this clause, last first, as far as a cue can reach."""
        return self.mentions[max(self.clause, len(self.mentions) - REACH) :][::-1]

    def following(self) -> Event | None:
        """The next event, None at the end of the sentence."""
        return self.events[self.i + 1] if self.i + 1 < len(self.events) else None

    def next_kind(self) -> int:
        """The kind of the next event, -1 at the end of the sentence."""
        return self.events[self.i + 1][0] if self.i + 1 < len(self.events) else -1

    def previous_kind(self) -> int:
        """The kind of the event before, -1 at the start of the sentence."""
        return self.events[self.i - 1][0] if self.i else -1

    def in_denial(self) -> bool:
        """Inside a denial that still runs, hedges decide nothing: "pas de foyer évoquant une pneumonie"."""
        return self.scope == SILENT or (self.scope in (DENIED, PRESENT) and not self.sep)

    def present(self) -> None:
        """A scope ends because something is said to be there."""
        if self.scope in (DENIED, HEDGED):
            self.scope = NONE

    def target_ahead(self) -> bool:
        """Say whether a noun follows before the clause ends; an adverb right behind the cue ends none ("pourrait
        toutefois correspondre à")."""
        ahead = self.ahead()
        if ahead and ahead[0][0] == K["contrast"] and ahead[0][1] == self.events[self.i][2] + 2:
            del ahead[0]
        for event in ahead:
            kind = event[0]
            if (kind in TARGETS and "examination" not in event[3].traits) or kind == K["enlarged"]:
                return True
            if kind in ENDS_CLAUSE or kind == K["comma"]:
                return False
        return False

    def touches_finding(self, event: Event) -> bool:
        """Say whether a finding stands right before this word, but for modifiers."""
        return self.has_named() and not self.sep and event[1] - self.mentions[-1].last <= 6

    def lies_before(self, until: int) -> bool:
        """Say whether nothing stands between the finding named last and token ``until`` but where it lies: "opacité de
        la base gauche :"."""
        last, symbols, words = self.mentions[-1].last, self.symbols, self.words
        spoken = {
            token
            for kind, first, end, _ in self.events[max(0, self.i - REACH) : self.i]
            if kind in _SAYS_WHERE
            for token in range(first, end + 1, 2)
        }
        return not any(symbols[last + 1 : until : 2]) and all(
            token in spoken or symbols[token] in words.places or symbols[token] in words.left_and_right
            for token in range(last + 2, until, 2)
        )

    def undo_unread(self) -> None:
        for mention in self.behind():
            if mention.rule == UNREAD:
                mention.status, mention.cue, mention.rule = 1, None, AFFIRMED

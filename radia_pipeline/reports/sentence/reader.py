"""What one sentence says of each finding in it: affirmed, denied, uncertain, or nothing.

Belongs here: the walk, and which handler an event goes to. Does not belong here: which words are cues (``cues.yaml``)
and which sentences are read (``reports.sections``).

A sentence is walked once, left to right; each event goes to the handler of its kind. State is a scope opened by a cue
before its findings, and the findings of the clause so far, for cues that stand after them. The order in which cues win
is: not-excluded, denial, hedge.
"""

from __future__ import annotations

from radia_pipeline.reports.kinds import KINDS, Event
from radia_pipeline.reports.sentence.anatomy import Anatomy
from radia_pipeline.reports.sentence.change import Change
from radia_pipeline.reports.sentence.clause import BOUNDARY, QUESTION_MARK, K
from radia_pipeline.reports.sentence.denial import Denial
from radia_pipeline.reports.sentence.hedges import Hedges
from radia_pipeline.reports.sentence.nouns import Nouns
from radia_pipeline.reports.sentence.silence import Silence
from radia_pipeline.reports.sentence.structure import Structure


class SentenceReader(Nouns, Anatomy, Denial, Change, Hedges, Structure, Silence):
    """Walks the events of one sentence. One instance per sentence; ``mentions`` and ``says_normal`` are the result."""

    __slots__ = ()

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
            self.back(-1, None, QUESTION_MARK, whole=True)


def _advice_start(events: list[Event]) -> int:
    """Return the index of the event at which advice begins (its subject, else its verb), or -1 when none is given."""
    verb = subject = -1
    broken = False
    for i, event in enumerate(events):
        kind = event[0]
        if kind == K["advice_verb"] and verb < 0:
            verb = i
        elif kind in (K["advice_subject"], K["imperative"]) and (subject < 0 or (broken and verb < 0)):
            subject, broken = i, False
        elif kind in BOUNDARY:
            broken = True
    return -1 if verb < 0 or subject < 0 else min(verb, subject)


_BY_KIND = {
    "finding": "name",
    "fixed_finding": "name",
    "other": "name",
    "fixed": "fixed",
    "quality": "quality",
    "anatomy": "anatomy",
    "misplaced": "misplaced",
    "device": "device",
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
    "particle": "particle",
    "deny_after": "deny_after",
    "none_after": "none_after",
    "yes_after": "yes_after",
    "it": "it",
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
    "that_one": "that_one",
    "place": "quality",
    "with": "with_",
    "no_label": "no_label",
    "other_exam": "other_exam",
    "showed": "showed",
    "link": "linked",
    "advice": "advice",
    "advice_verb": "suggests",
    "imperative": "imperative",
    "of": "of",
    "article": "article",
    "and": "and_",
    "verb": "verb_",
    "modifier": "modifier",
    "comma": "comma",
    "open": "bracket",
    "close": "bracket_closes",
    "colon": "colon",
    "semicolon": "hard_stop",
    "dash": "hard_stop",
}
HANDLERS = [getattr(SentenceReader, _BY_KIND[name]) if name in _BY_KIND else None for name in KINDS]

"""Sentences that speak of the one before: "Pneumothorax ? Non.", "Il n'en persiste rien.", "Il est élargi.".

Belongs here: answers, denials and predicates of what was named, in a sentence of their own. Does not belong here:
answers within one sentence (``sentence``).
"""

from __future__ import annotations

from collections.abc import Sequence

from radia_pipeline.reports.kinds import KIND, Event, kinds
from radia_pipeline.reports.language import Words
from radia_pipeline.reports.reading import Mention
from radia_pipeline.reports.sentence.clause import QUESTION_MARK, UNREAD

ANSWERED = "answered"
"""Rule id of a question that a later sentence answers."""
_ANSWER = kinds("deny deny_after none_after yes_after")
_ANSWERS_ALONE = kinds("none_after yes_after")
_PREDICATES = kinds("enlarged normal limit")
_MAY_BE_MEANT = kinds("finding fixed_finding fixed other anatomy device")
_FINDINGS = kinds("finding fixed_finding")
_SAYS_NO_PLACE = kinds("article of verb filler comma it not no_more particle device colon imperative advice_subject")
"""What may stand beside "il n'en reste rien": no side and no part, which would speak of a part only."""
_DESCRIBES = kinds("comma modifier article of place quality hedge_near state and anatomy misplaced normal clear")
"""What an answer may go on with: "Pneumothorax ? Oui, apical droit."."""


def answer(rows: list[Mention], question: Sequence[int], span: list[Event], symbols: list[int], words: Words) -> None:
    """Let a sentence of nothing but an answer (``span``) answer the question before it (``question``: its rows)."""
    if span[0][:2] == (KIND["colon"], 2) and symbols[1] in words.answers and len(span) > 1:
        span = span[1:]  # "Réponse : non."
    first = span[0]
    is_of_a_kind = len(span) > 1 and _none_of_a_kind(span, len(symbols) - 2)
    if first[0] not in _ANSWER or not (is_of_a_kind or all(event[0] in _DESCRIBES for event in span[1:])):
        return
    if first[0] == KIND["deny"] and first[1] + 2 < len(symbols) and not symbols[first[1] + 1] and not is_of_a_kind:
        return
    status = 1 if first[0] == KIND["yes_after"] else 0
    asked = [k for k in question if rows[k].rule_id == QUESTION_MARK] or question
    for k in asked:  # "cœur limite, épanchement ? non": the heart stays at the limit
        if rows[k].status == -1:
            rows[k] = rows[k]._replace(status=status, rule_id=first[3].rule)


def answers_first(span: list[Event]) -> bool:
    """ "Masse ? Non, hernie hiatale.": an answer of one word, and behind its comma what is there instead."""
    first, following = span[0], span[1] if len(span) > 1 else None
    if first[0] not in _ANSWERS_ALONE or following is None or following[0] != KIND["comma"]:
        return False
    return first[1] == first[2] == 1 and following[1] == 2


def _none_of_a_kind(span: list[Event], end: int) -> bool:
    """ "Corps étranger ? Aucun d'opaque.": one word behind the denial and its partitive, and no noun of the lexicon."""
    first, following, *rest = span
    if first[1] != first[2] or first[1] != 1 or following[:2] != (KIND["of"], 3) or end != following[2] + 2:
        return False
    return all(event[0] in _DESCRIBES for event in rest)


def take_up(rows: list[Mention], last: Sequence[int], span: list[Event], behind: int) -> None:
    """Let a sentence that says of nothing else (``span``) that nothing is left deny what the one before named last.

    ``last``: rows of the sentence before; ``behind``: its words that stand behind the phrases of ``span``. What it
    names with it, in a list, is not denied and is not sure any more.
    """
    cue = next((event for event in span if "takes_up" in event[3].traits), None)
    if cue is None or behind or not all(event is cue or event[0] in _SAYS_NO_PLACE for event in span):
        return  # "je n'en vois pas ailleurs", "à gauche, il n'en reste rien"
    present = [k for k in last if rows[k].status in (1, -1) and rows[k].class_ is not None]
    for k in present:
        same = rows[k].start == rows[present[-1]].start
        rows[k] = rows[k]._replace(status=0 if same else None, rule_id=cue[3].rule if same else UNREAD)


def subject_of(span: list[Event], before: list[Event]) -> Event | None:
    """Return the anatomy of the sentence ``before`` of which a sentence with a pronoun (``span``) says something; None
    where something else may be meant, or where nothing is said."""
    if _PREDICATES.isdisjoint(event[0] for event in span):
        return None
    named = [event for event in before if event[0] in _MAY_BE_MEANT]
    is_one = len(named) == 1 and named[0][0] == KIND["anatomy"]
    return named[0] if is_one and named[0][3].classes else None


def named_again(span: list[Event], before: list[Event]) -> list[Event]:
    """Return the events of a sentence that begins with "celui de gauche" (``span``) with the finding that the sentence
    ``before`` named last in its place; [] where that named none."""
    _, first, last, _ = span[0]
    leaf = next((event[3] for event in before[::-1] if event[0] in _FINDINGS), None)
    return [(leaf.kind, first, last, leaf), *span[1:]] if leaf is not None else []


def settle(rows: list[Mention]) -> None:
    """Let a question that a later sentence answers make no label itself."""
    answered: set[str | None] = set()
    for k in range(len(rows) - 1, -1, -1):
        row = rows[k]
        if row.rule_id == QUESTION_MARK and row.class_ in answered:
            rows[k] = row._replace(status=None, rule_id=ANSWERED)
        elif row.status is not None and row.class_ is not None:
            answered.add(row.class_)

"""Questions that a report answers itself: "Pneumothorax ? Non.", and a later sentence that says more.

Belongs here: an answer in a sentence of its own. Does not belong here: answers within one sentence (``sentence``).
"""

from __future__ import annotations

from collections.abc import Sequence

from radia_pipeline.reports.kinds import KIND, Event, kinds
from radia_pipeline.reports.reading import Mention
from radia_pipeline.reports.sentence.clause import QUESTION_MARK

ANSWERED = "answered"
"""Rule id of a question that a later sentence answers."""
_ANSWER = kinds("deny deny_after none_after yes_after")
_DESCRIBES = kinds("comma modifier article of place quality hedge_near state and anatomy")
"""What an answer may go on with: "Pneumothorax ? Oui, apical droit."."""


def answer(rows: list[Mention], question: Sequence[int], span: list[Event], symbols: list[int]) -> None:
    """Let a sentence of nothing but an answer (``span``) answer the question before it (``question``: its rows)."""
    first = span[0]
    if first[0] not in _ANSWER or not all(event[0] in _DESCRIBES for event in span[1:]):
        return
    if first[0] == KIND["deny"] and first[1] + 2 < len(symbols) and not symbols[first[1] + 1]:
        return
    status = 1 if first[0] == KIND["yes_after"] else 0
    for k in question:
        if rows[k].status == -1:
            rows[k] = rows[k]._replace(status=status, rule_id=first[3].rule)


def settle(rows: list[Mention]) -> None:
    """Let a question that a later sentence answers make no label itself."""
    answered: set[str | None] = set()
    for k in range(len(rows) - 1, -1, -1):
        row = rows[k]
        if row.rule_id == QUESTION_MARK and row.class_ in answered:
            rows[k] = row._replace(status=None, rule_id=ANSWERED)
        elif row.status is not None and row.class_ is not None:
            answered.add(row.class_)

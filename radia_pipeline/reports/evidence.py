"""A reading made visible: coloured text for a terminal, a plain record for machines.

Belongs here: how evidence looks. Does not belong here: deciding anything.
"""

from __future__ import annotations

from radia_pipeline.reports.reading import Reading

_RESET = "\x1b[0m"
_COLOUR = {1: "\x1b[1;31m", -1: "\x1b[1;33m", 0: "\x1b[1;32m", None: "\x1b[2m"}
"""Red: there. Yellow: uncertain. Green: denied. Dim: named, makes no label (indication, history, advice, unread)."""
_SIGN = {1: "+", -1: "?", 0: "-", None: "·"}


def as_record(reading: Reading) -> dict:
    """Return what ``radia label`` prints: labels as said (nulls omitted), and the mentions that they come from."""
    return {
        "labels": dict(reading.labels),
        "mentions": [
            {
                "class": mention.class_,
                "concept": mention.concept,
                "status": mention.status,
                "start": mention.start,
                "end": mention.end,
                "section": mention.section,
                "cue": mention.cue,
                "rule": mention.rule_id,
            }
            for mention in reading.mentions
        ],
        "is_unlabelled": reading.attributes.is_unlabelled,
        "unread_count": reading.attributes.unread_count,
    }


def colour(text: str, reading: Reading) -> str:
    """Return ``text`` with every finding coloured by its status, then one line per mention with its cue and rule."""
    pieces, at = [], 0
    shown: dict[tuple[int, int], int | None] = {}
    for mention in reading.mentions:
        shown.setdefault((mention.start, mention.end), mention.status)
    for (start, end), status in sorted(shown.items()):
        if start < at:
            continue
        pieces += [text[at:start], _COLOUR[status], text[start:end], _RESET]
        at = end
    pieces.append(text[at:])
    lines = ["".join(pieces)]
    for m in reading.mentions:
        cue = f' by "{" ".join(m.cue.split())}"' if m.cue else ""
        lines.append(f"  {_SIGN[m.status]} {m.class_ or m.concept}{cue} ({m.rule_id}, {m.section})")
    return "\n".join(lines)

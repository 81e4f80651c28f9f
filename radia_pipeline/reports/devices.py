"""Which devices a report describes, by kind, and which of them lie wrong.

Belongs here: one sentence's devices. Does not belong here: words (the language's files), labels (``engine``).
"""

from __future__ import annotations

from radia_pipeline.reports.kinds import KIND, Event, kinds

_DEVICE, _REMOVED, _MISPLACED = KIND["device"], KIND["removed"], KIND["misplaced"]
_ABSENT = kinds("deny nor removed not no_more")
_GONE = kinds("removed deny_after resolved_after")
_BETWEEN = kinds("of article modifier and comma or device")


def devices_of(span: list[Event]) -> tuple[set[str], set[str]]:
    """Return (kinds of devices that are there, kinds of those that lie wrong) in the events of one sentence."""
    found = {event[3].value for k, event in enumerate(span) if event[0] == _DEVICE and not _is_gone(span, k)}
    if "other" in found and len(found) > 1:
        found.discard("other")
    wrong = any(e[0] == _MISPLACED and not (k and span[k - 1][0] in _ABSENT) for k, e in enumerate(span))
    return found, found if wrong else set()


def _is_gone(span: list[Event], at: int) -> bool:
    """Say whether a device is denied or removed: "pas de drain", "retrait du drain", "drain retiré"."""
    for k in range(at - 1, -1, -1):
        if span[k][0] in _ABSENT:
            return True
        if span[k][0] not in _BETWEEN:
            break
    for event in span[at + 1 :]:
        if event[0] in _GONE:
            return True
        if event[0] not in _BETWEEN and event[0] != KIND["verb"]:
            return False
    return False

"""Which devices a report describes, by kind, and which of them lie wrong.

Belongs here: one sentence's devices. Does not belong here: words (the language's files), labels (``engine``).
"""

from __future__ import annotations

from radia_pipeline.reports.kinds import KIND, Event, kinds

_DEVICE, _REMOVED, _MISPLACED = KIND["device"], KIND["removed"], KIND["misplaced"]
_AND, OTHER = KIND["and"], "other"
_ABSENT = kinds("deny nor removed not no_more")
_DENIES = _ABSENT | {KIND["none_after"]}
_GONE = kinds("removed deny_after resolved_after")
_ANSWERS = kinds("none_after deny_after")
_BETWEEN = kinds("of article modifier and comma or device")
_JOINED = kinds("of article modifier and or comma")
"""What may stand between two devices of which the same is said."""
_PARTS = kinds("contrast semicolon dash comma")
_OTHERS = kinds("finding fixed_finding fixed")
"""Between a device and a word of place they are what lies there: "drain en place, pneumothorax controlatéral"."""


def devices_of(span: list[Event]) -> tuple[set[str], set[str]]:
    """Return (kinds of devices that are there, kinds of those that lie wrong) in the events of one sentence."""
    there = [k for k, event in enumerate(span) if event[0] == _DEVICE and not _is_gone(span, k)]
    found = {span[k][3].value for k in there}
    wrong: set[str] = set()
    for k, event in enumerate(span):
        if event[0] == _MISPLACED and not _is_denied(span, k):
            wrong.update(span[at][3].value for at in _meant(span, k, there))
    for said in (wrong, found):
        if len(said) > 1:
            said.discard(OTHER)
    if wrong == {OTHER} and len(found) == 1:
        wrong = set(found)  # "pacemaker : électrode déplacée"
    return found | wrong, wrong


def _is_denied(span: list[Event], k: int) -> bool:
    """Say whether what lies wrong is denied or answered no: "non malpositionné", "malpositionné : non"."""
    if k and span[k - 1][0] in _DENIES:
        return True
    rest = [event[0] for event in span[k + 1 : k + 3] if event[0] != KIND["colon"]]
    return bool(rest) and rest[0] in _ANSWERS


def _meant(span: list[Event], k: int, there: list[int]) -> list[int]:
    """Return the devices of ``there`` that the word at ``k`` speaks of: the one before it and those joined with it;
    where none stands before, the next behind it."""
    before = [at for at in there if at < k]
    if before:
        last = before[-1]
        if any(event[0] in _OTHERS for event in span[last + 1 : k]):
            return []
        meant, joined = [last], False
        for at in reversed(before[:-1]):
            between = {event[0] for event in span[at + 1 : meant[0]]}
            joined = joined or _AND in between
            if not (joined and between <= _JOINED):
                break  # "tube en place, sonde trop haute"
            meant.insert(0, at)
        behind = next((at for at in there if at > k), None)
        is_apart = any(event[0] in _PARTS for event in span[last + 1 : k])
        if behind is not None and is_apart and not any(event[0] in _PARTS for event in span[k + 1 : behind]):
            return [behind]  # "tube en place, malposition de la sonde"
        return meant
    return there[:1]


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

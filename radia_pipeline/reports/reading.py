"""What a report says, as it is handed out: mentions, attributes, labels.

Belongs here: the shape of a reading, and the labels that follow from its mentions. Does not belong here: how mentions
are found (``assembly``).
"""

from __future__ import annotations

from collections.abc import Set
from operator import itemgetter
from typing import NamedTuple

from radia_pipeline.contracts.label_values import no_finding, strongest_by_class
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.reports.sentence.clause import UNREAD

_new = tuple.__new__
"""Makes a named tuple at a fifth of the cost of calling its class."""
_SAID = itemgetter(1, 2)
"""Class and status of a mention."""


class Mention(NamedTuple):
    """One finding named in the text, one row per class.

    concept: lexicon rule; class_: vocabulary class or None; status: 1, 0, -1, or None where it makes no label; section:
    where it stands; sentence: as written; start, end: characters in the text; cue: the words that decided, as written;
    rule_id: the rule that decided ("affirmed": none had to; "unread": a denial that no rule understands).
    """

    concept: str
    class_: str | None
    status: int | None
    section: str
    sentence: str
    start: int
    end: int
    cue: str | None
    rule_id: str


class Attributes(NamedTuple):
    """What is known of a report beside its labels, for weighting, review and drift."""

    has_findings_text: bool
    is_unlabelled: bool
    is_signed_unread: bool
    is_concordance_impossible: bool
    is_quality_limited: bool
    is_reference_only: bool
    has_open_question: bool
    has_other_abnormality: bool
    mention_count: int
    uncertain_share: float
    unread_count: int
    repaired: int
    devices: str
    misplaced_devices: str


class Asides(NamedTuple):
    """What reading gathers beside mentions: classes that the indication asks about, remarks, whether the findings speak
    of a picture, whether history was told, repaired places, devices and those that lie wrong."""

    asked: Set[str] = frozenset()
    remarks: Set[str] = frozenset()
    is_described: bool = False
    past: bool = False
    repaired: int = 0
    devices: Set[str] = frozenset()
    misplaced: Set[str] = frozenset()


class Reading(NamedTuple):
    """``labels``: class -> 1 | 0 | -1 as said, before closure; classes that are not mentioned are absent."""

    mentions: tuple[Mention, ...]
    attributes: Attributes
    labels: dict[str, int]


def concluded(rows: list[Mention], about: Asides) -> Reading:
    """Return the reading of a report from its mentions and what was gathered beside them."""
    labels = strongest_by_class(map(_SAID, rows))
    read = uncertain = unread = 0
    other, remarks = about.past, about.remarks
    for row in rows:
        status = row[2]
        if status is None:
            unread += row[8] == UNREAD
            continue
        read += 1
        if status:
            uncertain += status == -1
            other = other or row[1] is None
    has_text = bool(read or about.is_described)
    normal = no_finding(any(labels.values()), has_text and not other and unread == 0)
    if normal is not None:
        labels[vocabulary().no_finding] = normal
    attributes = (
        has_text,
        not labels,
        "is_signed_unread" in remarks,
        "is_concordance_impossible" in remarks,
        "is_quality_limited" in remarks,
        "is_reference" in remarks and not has_text,
        not about.asked <= labels.keys(),
        other,
        len(rows),
        uncertain / read if read else 0.0,
        unread,
        about.repaired,
        " ".join(sorted(about.devices)) if about.devices else "",
        " ".join(sorted(about.misplaced)) if about.misplaced else "",
    )
    return _new(Reading, (tuple(rows), _new(Attributes, attributes), labels))

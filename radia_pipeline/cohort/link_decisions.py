"""What people decided about links: an append-only file of the lake, each line with name and reason.

A rejected link joins nobody, a confirmed one joins whatever else it would be; the newest line about a pair holds. What
follows for pools is made at the next run of ``image_links`` and ``splits``. Not here: how links are found (``links``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from radia_pipeline.errors import BadInput, DamagedFile, UnknownName
from radia_pipeline.lake import renamed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile

NEAR_DUPLICATE = "near_duplicate"
"""The kind of link that is open to doubt: equal pixels are a fact."""
REJECTED, CONFIRMED = "rejected", "confirmed"
_LEAST_DIGITS = 6
"""Of an image's keyed id that name it in a command."""


@dataclass(frozen=True)
class Decision:
    """One line: what somebody said of a pair of images (keyed ids, the smaller first)."""

    at: str
    kind: str
    by: str
    reason: str
    image_id_a: str
    image_id_b: str


def decisions(lake: Lake) -> Mapping[tuple[str, str], Decision]:
    """Return the decision that holds for each pair of today's ids, the smaller first.

    Raises DamagedFile where a line was changed or is gone.
    """
    return {_pair(one.image_id_a, one.image_id_b): one for one in _file(lake) if one is not None}


def decide(lake: Lake, kind: str, one: str, other: str, *, by: str, reason: str) -> Decision:
    """Append a decision about a near-duplicate that stands in ``image_links``.

    ``one``, ``other``: keyed ids of its images, or their first digits. Raises BadInput without a name or a reason, and
    UnknownName where the two name no link, or several.
    """
    if not by.strip() or not reason.strip():
        raise BadInput("A link is decided with a name and a reason", accepted="--by WHO and --reason WHY")
    links = lake.read("image_links", columns=["image_id_a", "image_id_b", "kind"]).to_pylist()
    pairs = {_pair(row["image_id_a"], row["image_id_b"]) for row in links if row["kind"] == NEAR_DUPLICATE}
    found = sorted(pair for pair in pairs if _names(pair, one, other) or _names(pair, other, one))
    if len(found) != 1:
        raise UnknownName(
            f"{len(found) or 'No'} near-duplicates are between these two images",
            accepted="two keyed ids of one link, or their first digits, as `radia links list` shows them",
        )
    at = datetime.now(UTC).isoformat(timespec="seconds")
    decision = Decision(at, kind, by.strip(), reason.strip(), *found[0])
    _file(lake).append([asdict(decision)])
    return decision


def _pair(one: str, other: str) -> tuple[str, str]:
    return min(one, other), max(one, other)


def _names(pair: tuple[str, ...], one: str, other: str) -> bool:
    ends = zip(pair, (one, other))
    return all(len(digits) >= _LEAST_DIGITS and image.startswith(digits.lower()) for image, digits in ends)


def _parse(record: Mapping[str, object]) -> Decision:
    if record["kind"] not in (REJECTED, CONFIRMED):
        raise ValueError(record["kind"])
    return Decision(**{name: str(record[name]) for name in Decision.__dataclass_fields__})


_FORM = LineForm("decision about a link", _parse, drops_cut_end=True)


def _file(lake: Lake) -> LinesFile[Decision]:
    return LinesFile(lake.ledger_path.with_name("links.jsonl"), renamed.following(lake.root, _FORM), _damage)


def _damage(number: int, what: str) -> DamagedFile:
    return DamagedFile(
        f"The decisions about links are damaged at line {number}: {what}",
        do="restore ledger/links.jsonl of the lake from a backup",
    )

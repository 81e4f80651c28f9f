"""Mentions to one value per class (LABELING_GUIDE, "From report to label", 3 and 4). Closure upward is the cohort's."""

from __future__ import annotations

from collections.abc import Iterable

_RANK = {0: 0, -1: 1, 1: 2}
NO_FINDING = "No Finding"


def aggregate(said: Iterable[tuple[str | None, int | None]]) -> dict[str, int]:
    """Return class -> value: any positive is 1, else any uncertain -1, else any negative 0; the rest is absent."""
    labels: dict[str, int] = {}
    for name, status in said:
        if name is None or status is None:
            continue
        known = labels.get(name)
        if known is None or _RANK[status] > _RANK[known]:
            labels[name] = status
    return labels


def no_finding(labels: dict[str, int], *, has_text: bool, has_other: bool) -> int | None:
    """Return No Finding: 0 with a finding or a doubt, 1 with findings text and nothing else, None otherwise."""
    if any(value != 0 for name, value in labels.items() if name != NO_FINDING):
        return 0
    return 1 if has_text and not has_other else None

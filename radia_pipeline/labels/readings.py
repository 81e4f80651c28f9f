"""Readings on top: what people said of a source's cells, brought to the installed vocabulary and laid over its values.

Who read what, and which verdict is in force, is known by ``readings``, which stands above this package: its answer is
handed in. What a migration of the vocabulary is stands in ``contracts.migrations``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE, UNCERTAIN, merged
from radia_pipeline.contracts.migrations import ADD, RETIRE, Migration, Step, steps_of
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import ORIGIN_CODE


class Verdict(Protocol):
    """What is in force of one cell. ``review_id`` grows in the order in which verdicts were given."""

    @property
    def review_id(self) -> str:
        """Where the verdict stands among all."""

    @property
    def value(self) -> int | None:
        """1, 0 or −1; None says nothing."""


Verdicts = Mapping[tuple[str, str, str], Verdict]
"""(source, study_id, class) → the verdict in force; withdrawn cells are absent."""


def reviewed_values(verdicts: Verdicts, source: str) -> dict[tuple[str, str], int]:
    """Return the value in force for each (study_id, class) of a source, in the installed vocabulary.

    Verdicts on classes of an earlier vocabulary follow them to the installed one; names are never used twice, so that
    a name tells its class.
    """
    mine = {
        (study, name): (verdict.review_id, verdict.value)
        for (where, study, name), verdict in verdicts.items()
        if where == source and verdict.value is not None
    }
    return reviews_across(mine, vocabulary().migrations)


def reviews_across(
    verdicts: Mapping[tuple[str, str], tuple[str, int]], path: Sequence[Migration]
) -> dict[tuple[str, str], int]:
    """Follow reviewers' verdicts, given in the words of their day, to the end of a way.

    ``verdicts``: (study, class) → (order, value). A verdict on the class into which others were merged replaces those
    on the others that were given before it.
    """
    by_study: dict[str, dict[str, tuple[str, int]]] = {}
    for (study, name), verdict in verdicts.items():
        by_study.setdefault(study, {})[name] = verdict
    added: set[str] = set()
    for step in steps_of(path):
        if step.kind == ADD:
            added |= set(step.names)
        else:
            for said in by_study.values():
                _review_across(said, step, is_new=step.into in added)
    return {(study, name): value for study, said in by_study.items() for name, (_, value) in said.items()}


def _review_across(said: dict[str, tuple[str, int]], step: Step, *, is_new: bool) -> None:
    """Apply one merge or retirement to a study's verdicts, in place."""
    parts = {name: said.pop(name) for name in step.names if name in said}
    if not parts or step.kind == RETIRE or step.into is None:
        return
    last, own = max(order for order, _ in parts.values()), said.get(step.into)
    if own is not None and own[0] > last:
        return
    values = [np.array([parts[name][1] if name in parts else MISSING], dtype=np.int8) for name in step.names]
    kept = None if is_new and own is None else np.array([own[1] if own else MISSING], dtype=np.int8)
    together = int(merged(values, kept)[0])
    if together != MISSING:
        said[str(step.into)] = (last, together)


def put_on_top(
    study_ids: Sequence[str],
    said: np.ndarray,
    base: np.ndarray,
    reviewed: Mapping[tuple[str, str], int],
    problems: Counter,
) -> int:
    """Put reviewed values over what was said, in place, and return how many cells were set.

    ``said``, ``base``: int8 (studies, 21), values and the codes of their origins. A review that finds something ends an
    unreviewed No Finding. Reviews of a study or class that is not there are counted.
    """
    if not reviewed:
        return 0
    words = vocabulary()
    normal = words.index(words.no_finding)
    row_of = {study: row for row, study in enumerate(study_ids)}
    applied = 0
    for (study, name), value in reviewed.items():
        row = row_of.get(study)
        if row is None or name not in words.classes:
            problems["reviews_without_study"] += 1
            continue
        applied += 1
        column = words.index(name)
        said[row, column] = value
        base[row, column] = ORIGIN_CODE["review"]
        is_found = value in (POSITIVE, UNCERTAIN) and column != normal
        if is_found and said[row, normal] == POSITIVE and (study, words.no_finding) not in reviewed:
            said[row, normal] = NEGATIVE
            base[row, normal] = ORIGIN_CODE["review"]
    return applied

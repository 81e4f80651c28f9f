"""What a label value means and how values travel up the vocabulary: the only place with these rules.

Arrays are int8 of shape (n, classes) in vocabulary order, with MISSING where Parquet has null. Tables keep two columns:
``said`` (the source's own value) and ``value`` (what this module makes of it).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from radia_pipeline.contracts.vocabulary import Vocabulary, vocabulary

POSITIVE, NEGATIVE, UNCERTAIN = 1, 0, -1
MISSING = -9
"""Stands for null in arrays: not mentioned in a class that the source labels, unknown in one that it does not."""

# Closure only raises along null < 0 < −1 < 1 (DESIGN, label values); ranks make that a plain maximum.
_RANK_OF = {MISSING: 0, NEGATIVE: 1, UNCERTAIN: 2, POSITIVE: 3}
_VALUE_OF_RANK = np.array([MISSING, NEGATIVE, UNCERTAIN, POSITIVE], dtype=np.int8)
_RANK_TABLE = np.zeros(256, dtype=np.int8)
for _value, _rank in _RANK_OF.items():
    _RANK_TABLE[np.uint8(np.int8(_value))] = _rank


def _ranks(values: np.ndarray) -> np.ndarray:
    return _RANK_TABLE[values.astype(np.int8).view(np.uint8)]


def labelled_with_unions(labels: Iterable[str], words: Vocabulary | None = None) -> frozenset[str]:
    """Return the classes that a source labels: those it says, and each union all of whose children are labelled."""
    words = words or vocabulary()
    labelled = set(labels)
    for name in reversed(words.topological):
        if name in words.unions and all(child in labelled for child in words.children(name)):
            labelled.add(name)
    return frozenset(labelled)


def close_up(values: np.ndarray, words: Vocabulary | None = None) -> np.ndarray:
    """Raise every parent to its highest child: 1 makes all ancestors 1, −1 makes them at least −1.

    ``values``: int8 (n, classes), not changed. Zeros do not travel: a child's absence says nothing of its parent.
    """
    words = words or vocabulary()
    ranks = _ranks(values)
    raising = _RANK_OF[UNCERTAIN]
    for name in reversed(words.topological):
        child = ranks[:, words.index(name)]
        for parent in words.parents(name):
            column = words.index(parent)
            ranks[:, column] = np.where(child >= raising, np.maximum(ranks[:, column], child), ranks[:, column])
    return _VALUE_OF_RANK[ranks]


def resolve(said: np.ndarray, labelled: frozenset[str], words: Vocabulary | None = None) -> np.ndarray:
    """Turn what a source said into label values: int8 (n, classes) → int8 (n, classes).

    No Finding 1 sets nulls of classes that the source labels to 0; closure then raises; a union of labelled children
    that are all 0 is 0. A finding group is 0 only when the source (or No Finding) said so.
    """
    words = words or vocabulary()
    values = said.astype(np.int8, copy=True)
    clear = values[:, words.index(words.no_finding)] == POSITIVE
    for name in labelled - {words.no_finding}:
        column = words.index(name)
        values[clear & (values[:, column] == MISSING), column] = NEGATIVE
    values = close_up(values, words)
    for name in reversed(words.topological):
        if name in words.unions and name in labelled:
            column = words.index(name)
            children = values[:, [words.index(child) for child in words.children(name)]]
            absent = (children == NEGATIVE).all(axis=1) & (values[:, column] == MISSING)
            values[absent, column] = NEGATIVE
    return values


def merged(parts: Sequence[np.ndarray], kept: np.ndarray | None) -> np.ndarray:
    """Return one class's said values from those of the classes that are merged into it: int8 (n,).

    ``kept``: what was said of the target itself where it existed. One part that is 1 is enough, then −1; the target's
    own 0 stands; the parts' absence says 0 only of a new class, and only when each of them is 0.
    """
    ranks = [_ranks(part) for part in (*parts, *([] if kept is None else [kept]))]
    strongest = np.maximum.reduce(ranks)
    values = np.where(strongest >= _RANK_OF[UNCERTAIN], strongest, _RANK_OF[MISSING])
    if kept is None:
        is_absent = np.logical_and.reduce([rank == _RANK_OF[NEGATIVE] for rank in ranks])
    else:
        is_absent = (_ranks(kept) == _RANK_OF[NEGATIVE]) & (strongest < _RANK_OF[UNCERTAIN])
    values[is_absent] = _RANK_OF[NEGATIVE]
    return _VALUE_OF_RANK[values]

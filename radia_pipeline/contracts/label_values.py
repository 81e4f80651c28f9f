"""What a label value means, which of two is stronger, and how values travel up the vocabulary: these rules stand here
alone.

Arrays are int8 of shape (n, classes) in vocabulary order, with MISSING where Parquet has null; single values are 1, 0,
−1 or None. Tables keep two columns: ``said`` (the source's own value) and ``value`` (what this module makes of it).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np

from radia_pipeline.contracts.vocabulary import Vocabulary, vocabulary

POSITIVE, NEGATIVE, UNCERTAIN = 1, 0, -1
MISSING = -9
"""Stands for null in arrays: not mentioned in a class that the source labels, unknown in one that it does not."""
ORDER = (MISSING, NEGATIVE, UNCERTAIN, POSITIVE)
"""From the weakest to the strongest: of several values of one cell the strongest holds, and closure only raises."""

CLASS_SEPARATOR = "; "
"""Between the names of classes in one text."""
_PLACE = {value: place for place, value in enumerate(ORDER)} | {None: 0}
_VALUES = np.array(ORDER, dtype=np.int8)
_PLACES = np.array([_PLACE.get(value, 0) for value in np.arange(256, dtype=np.uint8).view(np.int8).tolist()], np.int8)
_CELLS_AT_ONCE = 1 << 20
_NO_FINDING = ((MISSING, POSITIVE), (NEGATIVE, NEGATIVE))
"""No Finding by [is something found or suspected][does what was read hold nothing else]."""


def strengths(values: np.ndarray) -> np.ndarray:
    """Return the place of each value in ORDER: int8, same shape. What is no label value counts as missing."""
    return _PLACES[values.astype(np.int8).view(np.uint8)]


def values_of(places: np.ndarray) -> np.ndarray:
    """Return the label values at these places of ORDER: int8, same shape."""
    return _VALUES[places]


def strongest(*values: np.ndarray) -> np.ndarray:
    """Return the strongest value of each cell over arrays of one shape: int8."""
    return values_of(np.maximum.reduce([strengths(part) for part in values]))


def strongest_by_cell(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return int8 of ``shape`` from values (n,) of cells (rows, columns) that may come several times."""
    places = np.zeros(shape, dtype=np.int8)
    for start in range(0, len(rows), _CELLS_AT_ONCE):  # indices of another type are copied
        part = slice(start, start + _CELLS_AT_ONCE)
        np.maximum.at(places, (rows[part], columns[part]), strengths(values[part]))
    return values_of(places)


@overload
def stronger(one: int, other: int) -> int: ...
@overload
def stronger(one: int | None, other: int | None) -> int | None: ...
def stronger(one: int | None, other: int | None) -> int | None:
    """Return the stronger of two single values; null is the weakest."""
    return other if _PLACE[other] > _PLACE[one] else one


def strongest_by_class(said: Iterable[tuple[str | None, int | None]]) -> dict[str, int]:
    """Return class → strongest value, in order of first mention; pairs without a class or a value say nothing."""
    labels: dict[str, int] = {}
    for name, value in said:
        if name is not None and value is not None:
            known = labels.get(name)
            if known != value:
                labels[name] = value if known is None else stronger(known, value)
    return labels


def no_finding(is_found: bool, is_clear: bool) -> int | None:
    """Return No Finding of one study, None where nobody can tell.

    ``is_found``: a class is positive or uncertain. ``is_clear``: something was read, and nothing in it is abnormal.
    """
    value = _NO_FINDING[bool(is_found)][bool(is_clear)]
    return None if value == MISSING else value


def no_findings(is_found: np.ndarray, is_clear: np.ndarray) -> np.ndarray:
    """Return ``no_finding`` of each study: bool (n,), bool (n,) → int8 (n,)."""
    return np.array(_NO_FINDING, dtype=np.int8)[is_found.astype(np.intp), is_clear.astype(np.intp)]


def has_finding(values: np.ndarray, words: Vocabulary | None = None) -> np.ndarray:
    """Tell of which rows (n, classes) a class other than No Finding is positive or uncertain: bool (n,)."""
    words = words or vocabulary()
    others = np.delete(values, words.index(words.no_finding), axis=1)
    return ((others == POSITIVE) | (others == UNCERTAIN)).any(axis=1)


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
    places = strengths(values)
    for name in reversed(words.topological):
        child = places[:, words.index(name)]
        raising = np.where(child >= _PLACE[UNCERTAIN], child, 0)
        for parent in words.parents(name):
            column = words.index(parent)
            places[:, column] = np.maximum(places[:, column], raising)
    return values_of(places)


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
    together = strongest(*parts, *([] if kept is None else [kept]))
    is_found = strengths(together) >= _PLACE[UNCERTAIN]
    if kept is None:
        is_absent = np.logical_and.reduce([part == NEGATIVE for part in parts])
    else:
        is_absent = (kept == NEGATIVE) & ~is_found
    return np.where(is_found, together, np.where(is_absent, NEGATIVE, MISSING)).astype(np.int8)

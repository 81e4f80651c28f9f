"""From a dataset's own tokens to the vocabulary, by exact token and nothing else: the sheet's ``label_map`` applied.

Substrings are never searched: *pseudonodule* holds "nodule", *subcutaneous emphysema* holds "emphysema".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE, UNCERTAIN, stronger
from radia_pipeline.contracts.sheets import SourceSheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadTable
from radia_pipeline.sources.base import LABEL_SCHEMA, Delivered


def targets_of(entry: Any) -> list[tuple[str, int]]:
    """Return (class, value) pairs of one entry of a label map: a class, a list of entries, or {class, value}.

    An entry {open: classes} names none: see ``opened_by``.
    """
    if entry is None:
        return []
    if isinstance(entry, str):
        return [(entry, POSITIVE)]
    if isinstance(entry, Mapping):
        return [(entry["class"], int(entry.get("value", POSITIVE)))] if "class" in entry else []
    return [pair for part in entry for pair in targets_of(part)]


def opened_by(entry: Any) -> set[str]:
    """Return the classes that an entry leaves open: it does not say them, and their absence neither."""
    if isinstance(entry, Mapping):
        named = entry.get("open", ())
        return {named} if isinstance(named, str) else set(named)
    return set() if entry is None or isinstance(entry, str) else {name for part in entry for name in opened_by(part)}


def open_classes(sheet: SourceSheet) -> dict[str, frozenset[str]]:
    """Return, for each token of a sheet, the classes that are blank and not 0 where no other token says them.

    These are the classes that its entry leaves open, what the tokens above it in the publisher's tree say or leave open
    (it is one of their kind), what those below it say (it may be any of them), and the ancestors of all of these in the
    vocabulary: a parent cannot be absent where its child may be there.
    """
    above: dict[str, set[str]] = {}
    for parent, children in sheet.tree.items():
        for child in children:
            above.setdefault(child, set()).add(parent)
    entries = {str(token).strip(): entry for token, entry in sheet.label_map.items()}
    found = {}
    for token in {*entries, *sheet.tree, *above}:
        open_ = opened_by(entries.get(token))
        for kin in _reached(token, above):
            open_ |= opened_by(entries.get(kin)) | {name for name, _ in targets_of(entries.get(kin))}
        for kin in _reached(token, sheet.tree):
            open_ |= {name for name, _ in targets_of(entries.get(kin))}
        ancestors = {parent for name in open_ for parent in vocabulary().ancestors(name)}
        found[token] = frozenset((open_ | ancestors) & set(sheet.labels))
    return found


def _reached(start: str, steps: Mapping[str, Iterable[str]]) -> set[str]:
    """Return everything that can be reached from a token by these steps, the token itself left out."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        for token in steps.get(todo.pop(), ()):
            if token not in seen:
                seen.add(token)
                todo.append(token)
    return seen


class TokenMap:
    """Exact tokens of one source → values of the classes that the source labels."""

    def __init__(self, sheet: SourceSheet) -> None:
        self.classes = tuple(sheet.labels)
        self._column = {name: index for index, name in enumerate(self.classes)}
        self._targets = {str(token).strip(): targets_of(entry) for token, entry in sheet.label_map.items()}
        self._open = {
            token: [self._column[name] for name in names] for token, names in open_classes(sheet).items() if names
        }
        self._open_tokens = frozenset(sheet.open_tokens)
        for token, pairs in self._targets.items():
            for name, value in pairs:
                if name not in self._column or value not in (POSITIVE, NEGATIVE, UNCERTAIN):
                    raise BadTable(
                        f"{sheet.source}.yaml maps {token!r} to a class or value that it does not label",
                        accepted=", ".join(self.classes) + "; values 1, 0, -1",
                        do="list the class under labels, or mend the map",
                    )

    def said(self, rows: Iterable[Sequence[str]]) -> tuple[np.ndarray, Counter]:
        """Return int8 (n, labels) from each row's tokens, and the number of rows with tokens that the map lacks.

        A class that no token names is 0, or blank where a token leaves it open (``open_classes``, or all of them for
        one of the sheet's ``open_tokens``); of several tokens the strongest value holds.
        """
        cache: dict[tuple[str, ...], np.ndarray] = {}
        problems: Counter = Counter()
        matrix = []
        for row in rows:
            tokens = tuple(token.strip() for token in row)
            if tokens not in cache:
                cache[tokens] = self._one(tokens)
            problems["unknown_label_tokens"] += sum(1 for token in tokens if token and token not in self._targets)
            matrix.append(cache[tokens])
        empty = np.zeros((0, len(self.classes)), dtype=np.int8)
        return (np.stack(matrix) if matrix else empty), +problems

    def _one(self, tokens: Sequence[str]) -> np.ndarray:
        values = np.full(len(self.classes), NEGATIVE, dtype=np.int8)
        for token in tokens:
            for name, value in self._targets.get(token, ()):
                column = self._column[name]
                values[column] = stronger(int(values[column]), value)
        absent = values == NEGATIVE
        if not self._open_tokens.isdisjoint(tokens):
            values[absent] = MISSING
        for token in tokens:
            for column in self._open.get(token, ()):
                if absent[column]:
                    values[column] = MISSING
        normal = self._column.get(vocabulary().no_finding)
        if normal is not None and values[normal] == MISSING and np.isin(values, (POSITIVE, UNCERTAIN)).any():
            values[normal] = NEGATIVE
        return values


def said_table(
    studies: Sequence[str],
    patients: Sequence[str],
    said: np.ndarray,
    classes: Sequence[str],
    problems: Mapping[str, int],
    *,
    is_expert: np.ndarray | None = None,
) -> Delivered:
    """Return LABEL_SCHEMA rows for every cell of ``said`` (n, classes) that is not MISSING.

    ``is_expert``: bool, as ``said``: which cells radiologists said; None where the sheet says it of all. A study of
    which every cell is MISSING keeps one row with a null, so that it is known to have been in the table.
    """
    keep = said != MISSING
    silent = ~keep.any(axis=1)
    keep[silent, 0] = True
    rows = pa.array(np.repeat(np.arange(len(said), dtype=np.int32), keep.sum(axis=1)))
    columns = pa.array(np.broadcast_to(np.arange(said.shape[1], dtype=np.int8), said.shape)[keep])
    values = said[keep]
    study_column = pa.array(studies, pa.string()).take(rows)
    patient_column = pa.array(patients, pa.string()).take(rows)
    class_column = pa.array(classes, pa.string()).take(columns)
    value_column = pa.array(values, pa.int8(), mask=values == MISSING)
    by_expert = pa.repeat(False, len(values)) if is_expert is None else pa.array(is_expert[keep])
    origin_column = pc.if_else(by_expert, pa.scalar("expert"), pa.scalar(None, pa.string()))
    columns_ = [study_column, patient_column, class_column, value_column, origin_column]
    table = pa.table(columns_, schema=LABEL_SCHEMA)
    return Delivered(table, {name: count for name, count in problems.items() if count})

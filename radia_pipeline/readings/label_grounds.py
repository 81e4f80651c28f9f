"""What labels of studies rest on: a mention of the report by a rule, its silence, a stated normality, a table's row.

Here: labels as training takes them, with the ground of each. Not here: how often a ground is wrong (``label_noise``).

Shape legend: n studies, K classes of the vocabulary in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE, strengths
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.labels.origins import ORIGIN_CODE, ORIGINS
from radia_pipeline.labels.table import StudyLabels, codes_of, positions, read_matrices
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.lists import answerable

MENTION, SILENCE, NORMAL, TABLE = "mention", "not_mentioned", "no_finding", "table"
GROUNDS = (MENTION, SILENCE, NORMAL, TABLE)
"""What a label that can be doubted rests on. Others follow from a child's label, or a radiologist gave them."""
_KIND_OF = {"rules": MENTION, "table": TABLE, "no_finding": NORMAL, "none": SILENCE}
CONTRADICTED = "beside another"
"""Of a ground: the report says otherwise of the class elsewhere."""


@dataclass(frozen=True)
class Grounds:
    """Labels of studies of one source, (n, K) each.

    ``label``: 1, 0 (silence of a labelled class too), −1 or MISSING; MISSING in classes that the source does not label:
    some are positive there by a child's label and none is negative, so that any curve would say "always". ``kind``:
    place in GROUNDS, −1 where no reading is asked for. ``name``: place in ``names`` of the ground whose habits are
    learned, a rule with its cue for example.
    ``mention``: row of ``report_mentions`` as read here, −1 where none decided.
    """

    label: np.ndarray
    kind: np.ndarray
    name: np.ndarray
    mention: np.ndarray
    names: tuple[str, ...]
    mention_index: np.ndarray
    rule_id: np.ndarray

    @property
    def is_open(self) -> np.ndarray:
        """Which labels can be doubted: bool (n, K)."""
        return (self.kind >= 0) & ((self.label == POSITIVE) | (self.label == NEGATIVE))


def asked_classes() -> tuple[str, ...]:
    """Return the classes that somebody can say: neither unions nor No Finding, which follow from the others."""
    return answerable(vocabulary().classes)


def grounds_of(lake: Lake, source: str, study_ids: Sequence[str]) -> Grounds:
    """Return the labels of these studies of a source, and what each rests on; a study without labels has none.

    Needs ``labels``, and ``report_mentions`` of a source that is read from reports.
    """
    ids, sheet, words = pa.array(study_ids, pa.string()), source_sheet(source), vocabulary()
    studies, matrices = read_matrices(lake, source, ["value", "origin"])
    value, code = (_of(StudyLabels(studies, matrix), ids) for matrix in matrices)
    is_labelled_study = (value != MISSING).any(axis=1)
    is_labelled = np.array([name in sheet.labelled for name in words.classes])
    can_be_silent = is_labelled & is_labelled_study[:, None]
    label = np.where((value == MISSING) & can_be_silent, np.int8(NEGATIVE), value)
    label[:, ~is_labelled] = MISSING
    kind = _kinds(code, can_be_silent)
    if sheet.label_origin not in _KIND_OF:
        kind[:] = -1
    mention, mentions = _deciding(lake, source, ids)
    kind[(kind == GROUNDS.index(MENTION)) & (mention < 0)] = -1
    mention = np.where(kind == GROUNDS.index(MENTION), mention, -1)
    name, names = _named(source, code, mention, mentions)
    return Grounds(label, kind, name, mention, names, mentions["mention_index"], mentions["rule_id"])


def _of(found: StudyLabels, ids: pa.Array) -> np.ndarray:
    """Return a dense matrix in the order of ``ids``, MISSING for those that are not in it."""
    rows = found.rows_of(ids)
    out = np.full((len(ids), len(vocabulary().classes)), MISSING, dtype=np.int8)
    out[rows >= 0] = found.values[rows[rows >= 0]]
    return out


def _kinds(code: np.ndarray, can_be_silent: np.ndarray) -> np.ndarray:
    """Return the place in GROUNDS of each label, −1 where it is none of them: int8 (n, K)."""
    kind = np.full(code.shape, -1, dtype=np.int8)
    for origin, ground in _KIND_OF.items():
        kind[code == ORIGIN_CODE[origin]] = GROUNDS.index(ground)
    kind[(code == ORIGIN_CODE["none"]) & ~can_be_silent] = -1
    asked = np.isin(np.array(vocabulary().classes), asked_classes())
    kind[:, ~asked] = -1
    return kind


def _deciding(lake: Lake, source: str, ids: pa.Array) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the mention that decided each cell, as a row of the mentions (n, K), −1 for none, and these mentions."""
    classes = vocabulary().classes
    row_of = np.full((len(ids), len(classes)), -1, dtype=np.int64)
    if not lake.exists("report_mentions", source):
        return row_of, {name: np.array([]) for name in ("mention_index", "rule_id", "cue", "contradicted")}
    columns = ["study_id", "mention_index", "class", "status", "rule_id", "cue"]
    table = lake.read("report_mentions", source, columns=columns)
    table = table.filter(pc.and_(pc.is_valid(table["class"]), pc.is_valid(table["status"])))
    study, column = positions(table["study_id"], ids), codes_of(table["class"], classes)
    here = (study >= 0) & (column >= 0)
    table, study, column = table.filter(pa.array(here)), study[here], column[here]
    place = strengths(table["status"].to_numpy())
    index = table["mention_index"].to_numpy()
    order = np.lexsort((-index, place))  # the strongest comes last; of equal ones the first of the report
    row_of[study[order], column[order]] = order
    least = np.full(row_of.shape, np.iinfo(np.int8).max, dtype=np.int8)
    np.minimum.at(least, (study, column), place)
    found = {name: table[name].to_numpy(zero_copy_only=False) for name in ("mention_index", "rule_id", "cue")}
    return row_of, {**found, "contradicted": least[study, column] != place}


def _named(
    source: str, code: np.ndarray, mention: np.ndarray, mentions: dict[str, np.ndarray]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the ground of each cell as a place in the names, and the names."""
    names = [f"{source} {origin}" for origin in ORIGINS]
    rules = [
        f"{source} {rule} {cue or ''} {CONTRADICTED if is_contradicted else ''}".strip()
        for rule, cue, is_contradicted in zip(mentions["rule_id"], mentions["cue"], mentions["contradicted"])
    ]
    distinct, of_mention = np.unique(np.array(rules, dtype=object).astype(str), return_inverse=True)
    places = np.clip(code, 0, None).astype(np.int64)
    decided = mention >= 0
    places[decided] = len(names) + of_mention.reshape(-1)[mention[decided]]
    return places, (*names, *distinct.tolist())

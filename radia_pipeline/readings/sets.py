"""Reading sets: a sample of a pool that radiologists read, closed and hashed before anybody does.

Here: the frame and its strata, drawing from it, closing again what lost a forgotten patient. Not here: the draw itself
(``drawing``), what a set holds (``membership``), truth (``truth``), progress and plans (``progress``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from radia_pipeline.contracts.label_values import MISSING, POSITIVE
from radia_pipeline.contracts.pools import POOLS, TEST
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, EmptyPool, UnknownName
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, read_panel
from radia_pipeline.evaluation.pool_uses import note_use
from radia_pipeline.evaluation.release import released_panels
from radia_pipeline.labels.table import read_labels
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.drawing import REST, Coded
from radia_pipeline.readings.frame import Placed, placed_studies
from radia_pipeline.readings.membership import TABLE, members_sha256, read_sets, sha256_of
from radia_pipeline.readings.store import Store

HIGH_SCORE = "high score, label not positive"
HIGH_SHARE = 0.02
"""Of each class, studies among this highest share of the pool's scores whose label is not positive are a stratum."""
_VERSION_CHARACTERS = 8
_NAME = re.compile(r"[\w.-]{1,40}")


@dataclass(frozen=True)
class DrawnSet:
    """A set that was drawn and closed. ``strata``: studies in the set by stratum; ``uses_scores``: had a stratum."""

    set_id: str
    studies: int
    frame_studies: int
    frame_groups: int
    uses_scores: bool
    members_sha256: str
    strata: Mapping[str, int]


@dataclass(frozen=True)
class Frame:
    """A whole pool. ``values``: int8 (n, classes), its labels; ``strata`` (n,): the stratum of each study."""

    studies: Sequence[Placed]
    values: np.ndarray
    strata: np.ndarray

    @property
    def groups(self) -> np.ndarray:
        """The group of each study: (n,)."""
        return np.array([study.group_id for study in self.studies])

    @cached_property
    def coded(self) -> Coded:
        """The frame as it is drawn from."""
        return Coded.of(self.groups, self.strata)


def frame_of(lake: Lake, pool: str) -> Frame:
    """Return a pool as a frame, uncertain and unlabelled studies too; raises EmptyPool, UnknownName."""
    if pool not in POOLS:
        raise UnknownName(f"Unknown pool {pool!r}", accepted=", ".join(POOLS))
    studies = [study for study in placed_studies(lake) if study.pool == pool]
    if not studies:
        raise EmptyPool(f"The pool {pool} holds no studies", do="ingest a source and materialize splits first")
    values = _labels(lake, studies)
    return Frame(studies, values, strata_of(values, _is_high(_scores(lake, pool), studies, values)))


def strata_of(values: np.ndarray, is_high: np.ndarray) -> np.ndarray:
    """Return each study's stratum (n,): its rarest pathology with a positive label, else a high score, else the rest.

    ``values``: int8 (n, classes); ``is_high``: bool (n,).
    """
    words = vocabulary()
    strata = np.where(is_high, HIGH_SCORE, REST).astype(object)
    columns = {name: values[:, words.index(name)] == POSITIVE for name in words.pathologies}
    for name in sorted(columns, key=lambda name: (-int(columns[name].sum()), name)):
        strata[columns[name]] = name
    return strata.astype(str)


def draw_set(lake: Lake, pool: str, size: int, *, name: str | None = None, seed: int = 0) -> DrawnSet:
    """Draw a reading set from a pool, close it in the store of readings and publish it in ``reading_sets``.

    The same pool, size and seed over the same tables give the same set, which is published once. Raises BadInput for a
    size that is none, EmptyPool, UnknownName.
    """
    if size < 1 or seed < 0:
        raise BadInput("A reading set of that size or seed cannot be drawn", accepted="a size from 1, a seed from 0")
    if not _NAME.fullmatch(name or pool):
        raise BadInput("A name that no reading set can have", accepted="1 to 40 letters, digits, '_', '.' or '-'")
    frame = frame_of(lake, pool)
    drawn = frame.coded.draw(size, seed)
    members = [frame.studies[place] for place in drawn.members]
    closed = [(m.study_id, s, float(p)) for m, s, p in zip(members, drawn.stratum.tolist(), drawn.probability)]
    sha256 = members_sha256(closed)
    set_id = f"{name or pool}-{sha256[:_VERSION_CHARACTERS]}"
    counts = {"frame_studies": len(frame.studies), "frame_groups": len(set(frame.groups.tolist()))}
    result = DrawnSet(
        set_id,
        len(members),
        **counts,
        uses_scores=HIGH_SCORE in frame.strata,
        members_sha256=sha256,
        strata={stratum: int((drawn.stratum == stratum).sum()) for stratum in sorted(set(drawn.stratum.tolist()))},
    )
    with lake.lock(TABLE):
        known = read_sets(lake)
        if set_id in known:
            return result
        rows = [
            {
                "set_id": set_id,
                "study_id": m.study_id,
                "source": m.source,
                "group_id": m.group_id,
                "pool": pool,
                "stratum": stratum,
                "inclusion_probability": probability,
                **counts,
                "members_sha256": sha256,
                "seed": seed,
                "vocabulary_version": vocabulary().version,
            }
            for m, (_, stratum, probability) in zip(members, closed)
        ]
        if pool == TEST and result.uses_scores:
            note_use(lake, "reading set", set_id, len(frame.studies))
        Store(lake).close_set(set_id, sha256)
        lake.write(TABLE, [*(row for rows_ in known.values() for row in rows_), *rows])
    return result


def close_without(lake: Lake, study_ids: Collection[str]) -> None:
    """Close each set again without studies that are about to be forgotten; what remains proves itself as before.

    A set that is not as it was closed is left alone: forgetting a patient must not make it look sound.
    """
    gone, store = frozenset(study_ids), None
    for set_id, rows in read_sets(lake).items() if gone else ():
        kept = [row for row in rows if row["study_id"] not in gone]
        if len(kept) == len(rows):
            continue
        store = store or Store(lake)
        if sha256_of(rows) in store.closings(set_id):
            store.close_set(set_id, sha256_of(kept))


def _labels(lake: Lake, studies: Sequence[Placed]) -> np.ndarray:
    """Return the labels of studies: int8 (n, classes), MISSING where a source has none."""
    values = np.full((len(studies), len(vocabulary().classes)), MISSING, dtype=np.int8)
    ids = pa.array([study.study_id for study in studies], pa.string())
    for source in {study.source for study in studies}:
        if lake.exists("labels", source):
            labels = read_labels(lake, source)
            rows = labels.rows_of(ids)
            values[rows >= 0] = labels.values[rows[rows >= 0]]
    return values


def _scores(lake: Lake, pool: str) -> Panel | None:
    """Return the ensemble's scores of a pool, on test those of its release; None where there are none."""
    if pool == TEST:
        return released_panels(lake).get(ENSEMBLE)
    return read_panel(lake, ENSEMBLE).only(pool=pool) if lake.exists("predictions", ENSEMBLE) else None


def _is_high(scores: Panel | None, studies: Sequence[Placed], values: np.ndarray) -> np.ndarray:
    """Tell which studies the ensemble finds suspicious against their label: bool (n,), none without scores."""
    is_high = np.zeros(len(studies), dtype=bool)
    if scores is None or not len(scores):
        return is_high
    place = {study: row for row, study in enumerate(scores.study_id.tolist())}
    rows = np.array([place.get(study.study_id, -1) for study in studies], dtype=int)
    for name in vocabulary().pathologies:
        column = np.where(rows >= 0, scores.probability[rows, vocabulary().index(name)], np.nan)
        scored = np.isfinite(column)
        if scored.any():
            is_high |= scored & (column >= np.quantile(column[scored], 1 - HIGH_SHARE))
    return is_high

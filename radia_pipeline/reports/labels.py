"""Stored mentions and attributes -> what each report says per class, before closure.

Belongs here: the guide's aggregation over tables. Does not belong here: closure, reviews, other sources (``cohort``).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.reports.aggregate import NO_FINDING

SAID_SCHEMA = pa.schema([("study_id", pa.string()), ("class", pa.string()), ("said", pa.int8())])
_SAID_OF_RANK = np.array([0, -1, 1], dtype=np.int8)


def said_from_mentions(mentions: pa.Table, attributes: pa.Table) -> pa.Table:
    """Return study_id, class, said (1, 0, -1; a class that is not mentioned has no row), No Finding included.

    ``mentions``: study_id, class, status. ``attributes``: study_id, has_findings_text, has_other_abnormality,
    unread_count. Any positive is 1, else any uncertain -1, else 0.
    """
    labelling = mentions.select(["study_id", "class", "status"]).drop_null()
    status = labelling.column("status").cast(pa.int8())
    rank = pc.if_else(pc.equal(status, 1), 2, pc.if_else(pc.equal(status, -1), 1, 0))
    best = labelling.append_column("rank", rank).group_by(["study_id", "class"]).aggregate([("rank", "max")])
    ranks = best.column("rank_max").to_numpy()
    said = pa.table(
        [best.column("study_id"), best.column("class"), pa.array(_SAID_OF_RANK[ranks.astype(np.int64)])],
        schema=SAID_SCHEMA,
    )
    table = pa.concat_tables([said, _no_findings(said, attributes)])
    return table.sort_by([("study_id", "ascending"), ("class", "ascending")])


def _no_findings(said: pa.Table, attributes: pa.Table) -> pa.Table:
    """Return the No Finding rows (rule 4 of the guide)."""
    found = pc.unique(said.filter(pc.not_equal(said.column("said"), 0)).column("study_id"))
    has_finding = pc.is_in(attributes.column("study_id"), value_set=found)
    blocked = pc.or_(attributes.column("has_other_abnormality"), pc.greater(attributes.column("unread_count"), 0))
    clear = pc.and_(attributes.column("has_findings_text"), pc.invert(blocked))
    value = pc.if_else(has_finding, 0, pc.if_else(clear, 1, None)).cast(pa.int8())
    names = pa.array([NO_FINDING] * len(attributes), pa.string())
    return pa.table([attributes.column("study_id"), names, value], schema=SAID_SCHEMA).drop_null()

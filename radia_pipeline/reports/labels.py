"""Stored mentions and attributes -> what each report says per class, before closure.

Belongs here: several mentions to one value, over tables. Does not belong here: closure, reviews, other sources
(the package ``labels``).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.label_values import MISSING, no_findings, strengths, values_of
from radia_pipeline.contracts.vocabulary import vocabulary

ATTRIBUTES = ("study_id", "has_findings_text", "has_other_abnormality", "unread_count")
"""Columns of ``report_attributes`` that say whether there is No Finding."""
SAID_SCHEMA = pa.schema([("study_id", pa.string()), ("class", pa.string()), ("said", pa.int8())])


def said_from_mentions(mentions: pa.Table, attributes: pa.Table) -> pa.Table:
    """Return study_id, class, said (1, 0, -1; a class that is not mentioned has no row), No Finding included.

    ``mentions``: study_id, class, status. ``attributes``: study_id, has_findings_text, has_other_abnormality,
    unread_count. Of several mentions the strongest holds.
    """
    labelling = mentions.select(["study_id", "class", "status"]).drop_null()
    places = pa.array(strengths(labelling.column("status").to_numpy()))
    best = labelling.append_column("place", places).group_by(["study_id", "class"]).aggregate([("place", "max")])
    values = pa.array(values_of(best.column("place_max").to_numpy()))
    said = pa.table([best.column("study_id"), best.column("class"), values], schema=SAID_SCHEMA)
    table = pa.concat_tables([said, _no_findings(said, attributes)])
    return table.sort_by([("study_id", "ascending"), ("class", "ascending")])


def _no_findings(said: pa.Table, attributes: pa.Table) -> pa.Table:
    """Return the No Finding rows (0 with a finding or a doubt, 1 with a text that holds nothing else)."""
    found = pc.unique(said.filter(pc.not_equal(said.column("said"), 0)).column("study_id"))
    has_finding = pc.is_in(attributes.column("study_id"), value_set=found)
    blocked = pc.or_(attributes.column("has_other_abnormality"), pc.greater(attributes.column("unread_count"), 0))
    clear = pc.and_(attributes.column("has_findings_text"), pc.invert(blocked))
    values = no_findings(has_finding.to_numpy(), clear.to_numpy())
    names = pa.array([vocabulary().no_finding] * len(attributes), pa.string())
    said = pa.array(values, mask=values == MISSING)
    return pa.table([attributes.column("study_id"), names, said], schema=SAID_SCHEMA).drop_null()

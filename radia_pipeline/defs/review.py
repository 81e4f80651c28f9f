"""Assets of the group ``review``: the store of readings, which people fill and no run makes, as a table."""

from __future__ import annotations

from radia_pipeline.defs.tables import table_spec

label_reviews = table_spec("label_reviews", kinds=("jsonl",))

ASSETS = [label_reviews]

"""What reviewers said, newest first: from the append-only review store's records to one value per study and class."""

from __future__ import annotations

import json

import pyarrow as pa

from radia_pipeline.contracts.tables import conform, contract, empty
from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake.lake import Lake


def read_label_reviews(lake: Lake) -> pa.Table:
    """Return every label review of the lake (table ``label_reviews``), an empty table where nobody has reviewed.

    The store is one JSON object per line; records of other kinds (boxes, comments) are passed over.
    """
    path = lake.reviews_path
    if not path.exists():
        return empty("label_reviews")
    names = contract("label_reviews").columns
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            raise DamagedFile(f"The review store cannot be read at line {number}", do="restore the file from a backup") from None
        if all(name in record for name in names):
            rows.append({name: record[name] for name in names})
    return conform("label_reviews", rows)


def latest_values(reviews: pa.Table, source: str) -> dict[tuple[str, str], int | None]:
    """Return the newest review of each (study_id, class) of a source; None where the reviewer took the label back."""
    rows = [row for row in reviews.to_pylist() if row["source"] == source]
    rows.sort(key=lambda row: (row["reviewed_at"], row["review_id"]))
    return {(row["study_id"], row["class"]): row["value"] for row in rows}

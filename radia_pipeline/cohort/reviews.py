"""What reviewers said of a source's studies. The store itself, and what a verdict is, belong to ``review.store``."""

from __future__ import annotations

from radia_pipeline.lake.lake import Lake


def reviewed_values(lake: Lake, source: str) -> dict[tuple[str, str], int]:
    """Return the verdict in force for each (study_id, class) of a source; withdrawn cells are absent.

    Raises DamagedFile where the store cannot be trusted.
    """
    from radia_pipeline.review.store import latest_reviews

    latest = latest_reviews(lake)
    return {(study, name): review.value for (where, study, name), review in latest.items() if where == source}

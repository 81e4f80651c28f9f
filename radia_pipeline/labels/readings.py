"""What reviewers said of a source's studies. The store itself, and what a verdict is, belong to ``review.store``."""

from __future__ import annotations

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.lake.lake import Lake


def reviewed_values(lake: Lake, source: str) -> dict[tuple[str, str], int]:
    """Return the verdict in force for each (study_id, class) of a source; withdrawn cells are absent.

    Verdicts on classes of an earlier vocabulary follow them to the installed one; names are never used twice, so that
    a name tells its class. Raises DamagedFile where the store cannot be trusted.
    """
    from radia_pipeline.labels.migration import reviews_across
    from radia_pipeline.readings.store import latest_reviews

    verdicts = {
        (study, name): (review.review_id, review.value)
        for (where, study, name), review in latest_reviews(lake).items()
        if where == source
    }
    return reviews_across(verdicts, vocabulary().migrations)

"""Labels of the same patient's earlier report, for reports that say only that nothing changed.

Off by default: "inchangé" alone is no label. A lake's setting ``carry_from_prior_days`` turns it on: then such a study
takes what the newest earlier labelled report within so many days says, with the origin ``carried``; the manifest gives
it less weight and keeps it out of validation and test. Does not belong here: what a text says (``reports``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow.compute as pc

from radia_pipeline.contracts.label_values import MISSING
from radia_pipeline.lake.lake import Lake
from radia_pipeline.reports.french.unchanged import says_unchanged

_ATTRIBUTES = ("study_id", "is_unlabelled", "is_reference_only", "unread_count")


def carry(
    lake: Lake, source: str, study_ids: Sequence[str], patients: Sequence[str | None], said: np.ndarray, days: int
) -> np.ndarray:
    """Fill ``said``, int8 (studies, 21), in place and return which cells were carried, bool of the same shape.

    Dates are those of the studies' images; a study without one neither takes nor gives. What was carried is never
    carried on.
    """
    dated = _dates(lake, source)
    asks = unchanged_studies(lake, source)
    before: dict[str, list[tuple[date, int]]] = defaultdict(list)
    for row, (study, patient) in enumerate(zip(study_ids, patients)):
        if patient is not None and study in dated and (said[row] != MISSING).any():
            before[patient].append((dated[study], row))
    carried = np.zeros(said.shape, dtype=bool)
    for row, (study, patient) in enumerate(zip(study_ids, patients)):
        if study not in asks or patient is None or study not in dated or (said[row] != MISSING).any():
            continue
        gap = {other: (dated[study] - day).days for day, other in before[patient]}
        near = [(distance, other) for other, distance in gap.items() if 0 < distance <= days]
        if near:
            said[row] = said[min(near)[1]]
            carried[row] = said[row] != MISSING
    return carried


def unchanged_studies(lake: Lake, source: str) -> frozenset[str]:
    """Return the studies whose report says that nothing changed, and nothing that a rule could read."""
    attributes = lake.read("report_attributes", source, columns=list(_ATTRIBUTES)).to_pylist()
    silent = {
        row["study_id"]
        for row in attributes
        if row["is_unlabelled"] and not row["is_reference_only"] and not row["unread_count"]
    }
    texts = lake.read("reports", source, columns=["study_id", "report_text"])
    texts = texts.filter(pc.is_valid(texts.column("report_text"))).to_pylist()
    return frozenset(
        row["study_id"] for row in texts if row["study_id"] in silent and says_unchanged(row["report_text"])
    )


def _dates(lake: Lake, source: str) -> Mapping[str, date]:
    """Return study → the first date of its images."""
    images = lake.read("images", source, columns=["study_id", "study_date"])
    found: dict[str, date] = {}
    for study, text in zip(images.column("study_id").to_pylist(), images.column("study_date").to_pylist()):
        if text is not None:
            day = text if isinstance(text, date) else date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}")
            found[study] = min(day, found.get(study, day))
    return found

"""Which studies of a month are read blind, to measure the models on what arrives: a simple random sample of patients.

Not of the test pool, which is scored for releases alone, nor of what the models learned from. Not here: reading them
(``review``), what comes of it (``performance``).
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from radia_pipeline.contracts.pools import TEST
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, EmptyPool
from radia_pipeline.lake.atomic import write_text
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.arrived import arrived
from radia_pipeline.monitoring.learned import answers, learned_from
from radia_pipeline.monitoring.observed import pools_of
from radia_pipeline.monitoring.protocol import protocol_of
from radia_pipeline.monitoring.windows import one_each
from radia_pipeline.readings.lists import CELL_COLUMNS, MONITORED, answerable
from radia_pipeline.training.studies import FRONTAL_ORDER


def write_sample(lake: Lake, month: str, path: Path) -> int:
    """Write the cells of a month's sample as CSV and return how many studies it holds; the same month gives the same.

    Raises BadInput for what is no month or a file whose name does not say what it is, EmptyPool where nothing arrived.
    """
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month) or not path.name.startswith(MONITORED):
        raise BadInput(
            "No such sample can be written", accepted=f"a month YYYY-MM, a file whose name begins with {MONITORED}"
        )
    pools, most = pools_of(lake), protocol_of(lake.root).performance.studies_a_month
    candidates: list[tuple[str, str, str]] = []
    for source in lake.partitions("images"):
        days, learned = arrived(lake, source).studies, learned_from(lake, source, answers(lake))
        for row in lake.read("images", source, ["study_id", "patient_key", "view"]).to_pylist():
            day = days.get(row["study_id"])
            is_new = day is not None and day.isoformat()[:7] == month and row["study_id"] not in learned
            if is_new and row["view"] in FRONTAL_ORDER and pools.get(row["patient_key"], TEST) != TEST:
                candidates.append((source, row["study_id"], row["patient_key"]))
    if not candidates:
        do = "materialize splits; wait for deliveries, or choose another month"
        raise EmptyPool(f"No study outside the test pool arrived in {month}", do=do)
    chosen = one_each([one[2] for one in candidates], [month + one[1] for one in candidates])
    ordered = sorted((candidates[row] for row in chosen), key=lambda one: _mark(month, one[1]))[:most]
    classes = answerable(vocabulary().classes)
    lines = [",".join(CELL_COLUMNS), *(f"{source},{study},{name}" for source, study, _ in ordered for name in classes)]
    write_text(path, "\n".join(lines) + "\n")
    return len(ordered)


def _mark(month: str, study: str) -> bytes:
    return hashlib.blake2b((month + study).encode(), digest_size=8).digest()

"""Lakes with a pool of studies, labels and scores, from which reading sets can be drawn."""

from __future__ import annotations

from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.membership import read_sets
from radia_pipeline.readings.sets import DrawnSet, draw_set
from radia_pipeline.readings.store import Store
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images, put_labels
from radia_pipeline_tests.readings.worlds import SOURCE, reading


def pool_lake(folder, patients: int = 40, pool: str = "test") -> Lake:
    """Return a lake whose patients all lie in one pool; every fifth has a mass, every third patient two studies."""
    lake = new_lake(folder)
    studies = {f"s{number}": f"p{number}" for number in range(patients)}
    studies |= {f"t{number}": f"p{number}" for number in range(0, patients, 3)}
    put_images(lake, SOURCE, [image_row(SOURCE, f"{s}.png", p, s) for s, p in studies.items()])
    labels = {s: (p, {"Mass": int(int(s[1:]) % 5 == 0)}) for s, p in studies.items()}
    put_labels(lake, SOURCE, labels)
    keys = sorted({KEYS.patient_key(SOURCE, patient) for patient in studies.values()})
    fixed = {"source": SOURCE, "pool": pool, "fold": 0 if pool == "train" else None, "reason": "hash", "excluded": None}
    lake.write("splits", [{**fixed, "patient_key": key, "group_id": key} for key in keys])
    return lake


def drawn_set(lake: Lake, size: int = 12) -> tuple[DrawnSet, list[str]]:
    """Draw a set of the test pool; returns it with its studies."""
    found = draw_set(lake, "test", size)
    return found, [row["study_id"] for row in read_sets(lake)[found.set_id]]


def answer(lake: Lake, set_id: str, study: str, reader: str, value: int, **changes) -> None:
    """Append a reading of one study, of Mass alone."""
    given = reading({"Mass": value}, source=SOURCE, study_id=study, reader=reader, set_id=set_id, **changes)
    Store(lake).append(given)

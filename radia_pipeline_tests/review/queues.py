"""A review queue in a world: cells of its studies, in an order of one's own."""

from __future__ import annotations

from radia_pipeline.contracts.tables import contract
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.contracts.plantings import valid_table
from radia_pipeline_tests.review.worlds import SOURCE, study

CELLS = ((7, "Edema"), (7, "Nodule"), (3, "Mass"), (9, "Edema"))


def put_queue(lake: Lake, cells: tuple[tuple[int, str], ...] = CELLS) -> None:
    """Publish ``label_review_queue`` with these (number of a study, class), in this order."""
    row = valid_table(contract("label_review_queue"), 1).to_pylist()[0]
    own = {"source": SOURCE, "pool": "train"}
    lake.write(
        "label_review_queue",
        [
            {**row, **own, "position": place, "study_id": study(number), "class": name}
            for place, (number, name) in enumerate(cells, 1)
        ],
    )

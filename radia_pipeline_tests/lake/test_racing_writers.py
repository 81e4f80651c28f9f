"""Two processes that write the same table at once: one waits, every reader sees one of the two tables, never a mix."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from radia_pipeline.cohort.ledger import read_ledger
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.cohort.lakes import image_row, new_lake, one_image_per_patient, put_images

ROUNDS, ROWS = 8, 40


def write_many(root: Path, name: str) -> None:
    """Publish the same table again and again, each time with the writer's name in every row and another last row."""
    lake = Lake(root)
    for number in range(ROUNDS):
        names = [f"{place}-{number if place == ROWS - 1 else 0}" for place in range(ROWS)]
        put_images(lake, "nih_cxr14", [image_row("nih_cxr14", one, "p", manufacturer=name) for one in names])


def place_all(root: Path) -> None:
    build_splits(Lake(root))


def together(target, arguments: list[tuple]) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=one) for one in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0


def test_two_writers_leave_whole_tables_and_a_history_of_both(tmp_path):
    lake = new_lake(tmp_path)
    together(write_many, [(lake.root, "one"), (lake.root, "two")])
    history = lake.history("images", "nih_cxr14")
    assert len(history) == 2 * ROUNDS
    for record in history:
        rows = lake.read_version("images", "nih_cxr14", record.version)
        assert rows.num_rows == ROWS
        assert len(set(rows.column("manufacturer").to_pylist())) == 1
    assert lake.version("images", "nih_cxr14") == history[-1].version
    assert not list(lake.root.rglob("*.tmp"))


def test_two_placings_at_once_place_everybody_once(tmp_path):
    lake = new_lake(tmp_path)
    one_image_per_patient(lake, "ccsmtl", [f"p{number}" for number in range(300)])
    together(place_all, [(lake.root,), (lake.root,)])
    assert len(read_ledger(lake).placements) == 300
    assert len(lake.ledger_path.read_bytes().splitlines()) == 301

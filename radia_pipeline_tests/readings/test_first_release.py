"""A store of the first release is taken in once, whole: its verdicts mend labels as they did, and are never truth."""

from __future__ import annotations

import json

import pytest

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile, as_it_stands
from radia_pipeline.readings.chain import MIGRATED, READ, UNDONE
from radia_pipeline.readings.in_force import labels_in_force, publish_reviews
from radia_pipeline.readings.store import Store, lines_of
from radia_pipeline_tests.readings.worlds import OTHER, STUDY, unset

WRITTEN = (
    '{"checksum": "251ada537e125a95205a2e203f01f2cd", "class_name": "Mass", "is_blind": true, "request_key": "click-1",'
    ' "review_id": "r00000001-28218f2b", "reviewed_at": "2025-03-01T10:00:00.000+00:00", "reviewer": "r1",'
    ' "source": "nih_cxr14", "study_id": "0123456789abcdef0123456789abcdef", "value": 1}\n'
    '{"checksum": "7cd2f62c4586370c0c4d72bf2000932a", "class_name": "Mass", "is_blind": false, "request_key": null,'
    ' "review_id": "r00000002-2edfdb4c", "reviewed_at": "2025-03-02T10:00:00.000+00:00", "reviewer": "r1",'
    ' "source": "nih_cxr14", "study_id": "0123456789abcdef0123456789abcdef", "value": null}\n'
    '{"checksum": "382aa5235de84e7704037a3b8eb0462f", "class_name": "Mass", "is_blind": true, "request_key": null,'
    ' "review_id": "r00000003-5a8b046f", "reviewed_at": "2025-03-03T10:00:00.000+00:00", "reviewer": "r1",'
    ' "source": "nih_cxr14", "study_id": "fedcba9876543210fedcba9876543210", "value": -1}\n'
)
"""A store as the first release wrote it."""
CELL = {"class_name": "Mass", "is_blind": True, "request_key": None, "source": "nih_cxr14", "study_id": STUDY}


@pytest.fixture
def old(tmp_path) -> Lake:
    lake = Lake.open(tmp_path / "lake")
    lake.reviews_path.parent.mkdir()
    lake.reviews_path.write_text(WRITTEN)
    return lake


def go_on(lake: Lake, *verdicts: tuple[str, int | None]) -> None:
    """Append verdicts as the last version of the first release did: chained after the old lines."""
    file = LinesFile(lake.reviews_path, LineForm("verdict", dict, as_it_stands), lambda number, what: DamagedFile(what))
    at = "2026-02-01T10:00:00.000+00:00"
    file.append(
        {**CELL, "reviewer": reader, "value": value, "reviewed_at": at, "review_id": f"r{number:08d}-00000000"}
        for number, (reader, value) in enumerate(verdicts, start=4)
    )


def kinds(lake: Lake) -> list[str]:
    return [line.kind for _, line in lines_of(lake) if line is not None]


def test_verdicts_become_imported_readings_and_withdrawals_events(old):
    assert kinds(old) == [READ, UNDONE, READ, MIGRATED]
    assert not old.reviews_path.exists()
    first = next(line for _, line in lines_of(old)).reading
    assert (first.phase, first.role, first.reader, first.answers) == ("imported", "none", "r1", {"Mass": 1})
    assert (first.decided_at, first.made_from) == ("2025-03-01T10:00:00.000+00:00", "first_release, blind")
    assert {cell[1]: found.value for cell, found in labels_in_force(old).items()} == {OTHER: -1}
    assert Store(old).append(unset()).sequence == 5
    assert publish_reviews(old).rows == 3


def test_a_withdrawal_takes_back_ones_own_verdict_and_no_other_readers(old):
    go_on(old, ("r1", 1), ("r2", 0), ("r1", None))
    assert {cell[1]: found.value for cell, found in labels_in_force(old).items()} == {STUDY: 0, OTHER: -1}


def test_forgetting_reaches_what_was_taken_in(old):
    assert Store(old).forget({STUDY}) == 1
    assert not any(STUDY in path.read_text() for path in old.readings_path.parent.iterdir())


@pytest.mark.parametrize("step", ["move_files", "sync_folder"])
def test_killed_on_the_way_it_is_taken_in_once(old, monkeypatch, step):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(atomic, step, stop)
        Store(old)
    before = old.reviews_path.exists()
    assert before or old.readings_path.exists()
    assert kinds(old) == [READ, UNDONE, READ, MIGRATED]
    old.reviews_path.write_text(WRITTEN)
    assert kinds(old) == [READ, UNDONE, READ, MIGRATED]


def test_a_damaged_store_is_not_taken_in(old):
    old.reviews_path.write_text(WRITTEN.replace('"value": 1', '"value": 0'))
    with pytest.raises(DamagedFile, match="Line 1 of the first release"):
        Store(old)
    assert json.loads(old.reviews_path.read_text().splitlines()[0])["value"] == 0


def test_two_stores_are_not_mixed(old):
    Store(old)
    go_on(old, ("r2", 1))
    with pytest.raises(DamagedFile, match="stands beside"):
        Store(old)

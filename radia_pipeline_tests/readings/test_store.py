"""The review store keeps every verdict, in order, and says when it cannot be trusted."""

from __future__ import annotations

import multiprocessing
import resource

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, DamagedFile, LakeUnwritable, UnknownName
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.store import (
    Review,
    append_review,
    forget_studies,
    latest_reviews,
    publish_reviews,
    read_reviews,
)

STUDY = "0123456789abcdef" * 2
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
OTHER = "fedcba9876543210" * 2
SOURCE = "nih_cxr14"


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.open(tmp_path / "lake")


def verdict(value=1, **changes) -> Review:
    fields = {"source": SOURCE, "study_id": STUDY, "class_name": "Mass", "reviewer": "r1", "is_blind": True}
    return Review(value=value, **{**fields, **changes})


def test_store_is_empty_before_the_first_verdict(lake):
    assert read_reviews(lake).num_rows == 0
    assert latest_reviews(lake) == {}


def test_verdicts_come_back_in_order_and_can_be_published(lake):
    kept = [append_review(lake, verdict(value)) for value in (1, 0, -1, None)]
    table = read_reviews(lake)
    assert table["value"].to_pylist() == [1, 0, -1, None]
    assert table["review_id"].to_pylist() == [review.review_id for review in kept]
    assert publish_reviews(lake).rows == 4
    assert lake.read("label_reviews")["value"].to_pylist() == [1, 0, -1, None]


def test_last_verdict_on_a_cell_is_in_force(lake):
    append_review(lake, verdict(1))
    append_review(lake, verdict(0, reviewer="r2"))
    append_review(lake, verdict(1, study_id=OTHER))
    assert {cell: review.value for cell, review in latest_reviews(lake).items()} == {
        (SOURCE, STUDY, "Mass"): 0,
        (SOURCE, OTHER, "Mass"): 1,
    }


def test_withdrawn_cell_has_no_verdict(lake):
    append_review(lake, verdict(1))
    append_review(lake, verdict(None))
    assert latest_reviews(lake) == {}


def test_click_sent_twice_is_kept_once(lake):
    first = append_review(lake, verdict(1, request_key="click-1"))
    assert append_review(lake, verdict(1, request_key="click-1")) == first
    assert read_reviews(lake).num_rows == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"source": "nowhere"}, UnknownName),
        ({"class_name": "Gout"}, UnknownName),
        ({"study_id": "1.2.840.113"}, BadInput),
        ({"value": 2}, BadInput),
        ({"value": True}, BadInput),
        ({"reviewer": "first last"}, BadInput),
    ],
)
def test_what_is_no_verdict_is_refused(lake, changes, error):
    with pytest.raises(error) as caught:
        append_review(lake, verdict(**{"value": 1, **changes}))
    assert "1.2.840" not in str(caught.value)
    assert read_reviews(lake).num_rows == 0


def damaged(lake, change) -> str:
    """Append three verdicts, damage the file's lines with ``change`` and return the refusal."""
    for value in (1, 0, 1):
        append_review(lake, verdict(value))
    lines = lake.reviews_path.read_text().splitlines(keepends=True)
    lake.reviews_path.write_text("".join(change(lines)))
    with pytest.raises(DamagedFile) as read:
        read_reviews(lake)
    with pytest.raises(DamagedFile):
        append_review(lake, verdict(1))
    assert STUDY not in str(read.value)
    return str(read.value)


def test_changed_verdict_is_found(lake):
    message = damaged(lake, lambda lines: [lines[0], lines[1].replace('"value":0', '"value":1'), lines[2]])
    assert "Line 2 " in message


def test_missing_line_is_found(lake):
    assert "Line 2 " in damaged(lake, lambda lines: [lines[0], lines[2]])


def test_torn_end_is_found(lake):
    assert "Line 3 " in damaged(lake, lambda lines: [*lines[:2], lines[2][:20]])


def test_foreign_line_is_found(lake):
    assert "Line 1 " in damaged(lake, lambda lines: ["[]\n", *lines[1:]])


@pytest.fixture
def old_store(lake) -> Lake:
    lake.reviews_path.parent.mkdir()
    lake.reviews_path.write_text(WRITTEN)
    return lake


def test_a_store_that_stands_is_read_and_goes_on(old_store):
    assert read_reviews(old_store)["value"].to_pylist() == [1, None, -1]
    assert append_review(old_store, verdict(1, request_key="click-1")).review_id == "r00000001-28218f2b"
    new = append_review(old_store, verdict(0, reviewed_at="2025-03-04T10:00:00.000+00:00"))
    assert new.review_id.startswith("r00000004-")
    assert old_store.reviews_path.read_text().startswith(WRITTEN)
    assert read_reviews(old_store)["review_id"].to_pylist()[-1] == new.review_id
    assert {cell[1]: review.value for cell, review in latest_reviews(old_store).items()} == {STUDY: 0, OTHER: -1}


@pytest.mark.parametrize(
    ("harm", "number"),
    [
        (lambda all_: [all_[0].replace('"value": 1', '"value": 0'), *all_[1:]], 1),
        (lambda all_: [all_[0], all_[2]], 2),
        (lambda all_: [all_[0], all_[0], *all_[1:]], 2),
        (lambda all_: [*all_[:2], all_[2][:40]], 3),
    ],
)
@pytest.mark.parametrize("goes_on", [False, True])
def test_damage_in_a_store_that_stands_is_named(old_store, harm, number, goes_on):
    lines = WRITTEN.splitlines(keepends=True)
    if goes_on:
        append_review(old_store, verdict(1))
        lines = old_store.reviews_path.read_text().splitlines(keepends=True)
    old_store.reviews_path.write_text("".join(harm(lines[:3])) + "".join(lines[3:]))
    with pytest.raises(DamagedFile, match=f"Line {number} "):
        read_reviews(old_store)


def test_a_forgotten_study_leaves_the_other_verdicts_their_ids(old_store):
    append_review(old_store, verdict(1))
    assert forget_studies(old_store, {STUDY}) == 3
    assert STUDY not in old_store.reviews_path.read_text()
    assert read_reviews(old_store)["review_id"].to_pylist() == ["r00000003-5a8b046f"]
    assert append_review(old_store, verdict(1, study_id=OTHER)).review_id.startswith("r00000005-")
    assert read_reviews(old_store).num_rows == 2
    assert forget_studies(old_store, {STUDY}) == 0


def test_forgetting_in_a_lake_without_reviews_is_nothing(lake):
    assert forget_studies(lake, {STUDY}) == 0
    assert not lake.reviews_path.exists()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_noticed(tmp_path_factory, data):
    """No single byte of the store can change without a refusal (or the change leaves the same JSON value)."""
    lake = Lake(tmp_path_factory.mktemp("reviews"))
    append_review(lake, verdict(1))
    append_review(lake, verdict(0))
    before = read_reviews(lake)
    content = bytearray(lake.reviews_path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    lake.reviews_path.write_bytes(bytes(content))
    try:
        after = read_reviews(lake)
    except DamagedFile:
        return
    assert after.equals(before)


def _append_many(root, reviewer):
    for _ in range(10):
        append_review(Lake(root), verdict(1, reviewer=reviewer))


def test_two_readers_at_once_lose_nothing(lake):
    context = multiprocessing.get_context("spawn")
    readers = [context.Process(target=_append_many, args=(lake.root, name)) for name in ("r1", "r2")]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    table = read_reviews(lake)
    assert table.num_rows == 20
    assert sorted(table["review_id"].to_pylist()) == table["review_id"].to_pylist()


def _append_with_full_disk(root, limit):
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        append_review(Lake(root), verdict(0))
    except LakeUnwritable:
        raise SystemExit(7) from None


def test_full_disk_leaves_the_store_whole(lake):
    append_review(lake, verdict(1))
    limit = lake.reviews_path.stat().st_size + 50
    child = multiprocessing.get_context("spawn").Process(target=_append_with_full_disk, args=(lake.root, limit))
    child.start()
    child.join()
    assert child.exitcode == 7
    assert read_reviews(lake)["value"].to_pylist() == [1]


def test_every_class_can_be_reviewed(lake):
    for name in vocabulary().classes:
        append_review(lake, verdict(1, class_name=name))
    assert set(read_reviews(lake)["class"].to_pylist()) == set(vocabulary().classes)

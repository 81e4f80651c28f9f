"""The lake mends itself: what is damaged or changed by hand is named, taken back, and replaced by the next write."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys

import pytest

from radia_pipeline.errors import BadInput, DamagedFile, LakeUnreadable, LakeUnwritable, MissingTable, RadiaError
from radia_pipeline.lake.collect import collect
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.restoring import restore
from radia_pipeline.lake.show import listing, violations
from radia_pipeline_tests.lake.breaking import NEVER, READS, edit, failing, history_path, labels, rewrite

NIH = ("labels", "nih_cxr14")
TRUE, OTHER = labels(40), labels(40, value=0)


@pytest.fixture
def lake(tmp_path) -> Lake:
    made = Lake.open(tmp_path / "lake")
    made.write("labels", TRUE, "nih_cxr14")
    return made


def values(lake: Lake, partition: str = "nih_cxr14") -> set[int]:
    return set(lake.read("labels", partition)["value"].to_pylist())


def cut(lake: Lake, *, in_place: bool = False) -> None:
    path = lake.path(*NIH)
    rewrite(path, path.read_bytes()[:-200], in_place=in_place)


def changed(lake: Lake, *, in_place: bool = False) -> None:
    edit(lake.path(*NIH), "value", 0, in_place=in_place)


def emptied(lake: Lake, *, in_place: bool = False) -> None:
    rewrite(lake.path(*NIH), b"", in_place=in_place)


def exchanged(lake: Lake, *, in_place: bool = False) -> None:
    lake.write("labels", labels(40, 0, source="ccsmtl"), "ccsmtl")
    rewrite(lake.path(*NIH), lake.path("labels", "ccsmtl").read_bytes(), in_place=in_place)


def put_back_by_hand(lake: Lake, *, in_place: bool = False) -> None:
    old = lake.path(*NIH).read_bytes()
    lake.write("labels", OTHER, "nih_cxr14")
    lake.write("labels", TRUE, "nih_cxr14")
    lake.write("labels", OTHER, "nih_cxr14")
    rewrite(lake.path(*NIH), old, in_place=in_place)


FAULTS = (cut, changed, emptied, exchanged, put_back_by_hand)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_what_was_published_is_refused_by_name_and_taken_back(lake, fault, in_place):
    fault(lake, in_place=in_place)
    last = lake.history(*NIH)[-1].version
    for ask in (lake.read, lake.version, lake.frame):
        with pytest.raises(
            DamagedFile, match=r"labels/nih_cxr14.*radia tables restore labels --partition nih_cxr14.*anew"
        ):
            ask(*NIH)
    assert violations(lake)["labels/nih_cxr14"]
    assert [one.version for one in restore(lake, "labels")] == [last]
    assert lake.version(*NIH) == last
    assert not any(violations(lake).values())
    assert restore(lake, "labels") == []


@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_write_replaces_it_and_is_never_unchanged(lake, fault):
    fault(lake)
    written = lake.write("labels", TRUE, "nih_cxr14")
    assert (written.changed, values(lake)) == (True, {1})
    assert lake.history(*NIH)[-1].version == written.version
    assert not lake.write("labels", TRUE, "nih_cxr14").changed


def test_a_file_that_holds_the_published_rows_in_other_bytes_is_trusted(lake):
    import pandas as pd

    path = lake.path(*NIH)
    table = lake.read(*NIH)
    import pyarrow.parquet as pq

    path.unlink()
    pq.write_table(table, path, compression="gzip")
    assert values(lake) == {1}
    assert len(pd.read_parquet(path)) == 40
    assert lake.version(*NIH) == lake.history(*NIH)[-1].version


def test_one_damaged_table_is_listed_beside_the_others(lake):
    lake.write("labels", labels(3, source="ccsmtl"), "ccsmtl")
    cut(lake)
    header, rows = listing(lake)
    found = {row[1]: dict(zip(header, row, strict=True)) for row in rows}
    assert (found["ccsmtl"]["rows"], found["ccsmtl"]["state"]) == (3, "as published")
    assert found["nih_cxr14"]["rows"] is None
    assert "labels/nih_cxr14" in found["nih_cxr14"]["state"]


def test_an_earlier_version_is_taken_back_and_what_cannot_be_is_said(lake):
    first = lake.version(*NIH)
    lake.write("labels", OTHER, "nih_cxr14")
    assert restore(lake, *NIH, version=first[:10])[0].version == first
    assert [record.version for record in lake.history(*NIH)][-1] == first == lake.version(*NIH)
    with pytest.raises(BadInput, match="nih_cxr14"):
        restore(lake, "labels", version=first)
    with pytest.raises(MissingTable, match="Nothing of splits/all is kept"):
        restore(lake, "splits")
    cut(lake)
    kept = lake.place(*NIH).kept(first)
    kept.write_bytes(b"PAR1")
    with pytest.raises(DamagedFile, match=r"damaged too.*--version"):
        restore(lake, "labels")
    assert lake.write("labels", TRUE, "nih_cxr14").changed


def test_a_deleted_table_comes_back(lake):
    lake.path(*NIH).unlink()
    with pytest.raises(MissingTable, match="radia tables restore"):
        lake.read(*NIH)
    assert restore(lake, "labels") == []
    assert restore(lake, *NIH)[0].rows == 40


def test_what_stood_is_known_to_the_step_that_replaces_it(lake):
    cut(lake)
    assert lake.last_sound(*NIH, ["value"]).num_rows == 40
    shutil.rmtree(lake.root / "_versions")
    assert lake.last_sound(*NIH) is None
    assert lake.last_sound("labels", "ccsmtl") is None


def test_a_version_that_would_mend_a_damaged_table_is_not_collected(lake):
    cut(lake)
    assert collect(lake, keep_days=-1).deleted == 0
    assert restore(lake, "labels")


@pytest.mark.parametrize("lost", ["history", "line", "folder", "damaged"])
def test_a_table_whose_history_was_lost_is_read_and_the_next_write_mends_it(lake, lost):
    path = history_path(lake, *NIH)
    lake.write("labels", OTHER, "nih_cxr14")
    if lost == "folder":
        shutil.rmtree(path.parent)
    elif lost == "damaged":
        path.write_text(path.read_text().replace('"rows":40', '"rows":41'))
    else:
        path.write_text("" if lost == "history" else path.read_text().splitlines(keepends=True)[0])
    assert values(lake) == {0}
    assert lake.write("labels", OTHER, "nih_cxr14").changed is False
    assert lake.history(*NIH)[-1].version == lake.version(*NIH)
    assert restore(lake, *NIH) == []
    assert lake.write("labels", TRUE, "nih_cxr14").changed


def test_a_table_without_history_that_was_edited_is_refused_all_the_same(lake):
    shutil.rmtree(lake.root / "_versions")
    changed(lake)
    with pytest.raises(DamagedFile, match="not what was published"):
        lake.read(*NIH)
    assert lake.write("labels", TRUE, "nih_cxr14").changed


def writing(lake: Lake, number: int) -> None:
    """Publish other rows in a process that is killed at its call of that number."""
    code = (
        "import sys; from radia_pipeline.lake.lake import Lake; from radia_pipeline_tests.lake.breaking import *\n"
        "lake = Lake(sys.argv[1]); number = int(sys.argv[2])\n"
        "with failing(number, -1): lake.write('labels', labels(40, 0), 'nih_cxr14')"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, str(lake.root), str(number)], check=False)


def calls_of_a_write(lake: Lake, fault: int = errno.EIO) -> int:
    with failing(NEVER) as made:
        lake.write("labels", labels(39), "nih_cxr14")
    lake.write("labels", TRUE, "nih_cxr14")
    return len(made)


@pytest.mark.parametrize("fault", [errno.EIO, errno.ESTALE, errno.EXDEV, errno.ENOSPC])
def test_a_writer_that_is_cut_at_any_call_leaves_one_of_the_two_and_the_history_knows_it(lake, fault):
    for number in range(1, calls_of_a_write(lake) + 1):
        with failing(number, fault), pytest.raises(LakeUnwritable):
            lake.write("labels", OTHER, "nih_cxr14")
        assert values(lake) in ({0}, {1})
        assert lake.version(*NIH) in [record.version for record in lake.history(*NIH)][-2:]
        lake.write("labels", OTHER, "nih_cxr14")
        assert lake.history(*NIH)[-1].version == lake.version(*NIH)
        assert not [path for path in lake.root.rglob(".*") if path.is_file()]
        lake.write("labels", TRUE, "nih_cxr14")
        assert not any(violations(lake).values())


def test_a_killed_writer_is_finished_by_the_next(lake):
    with failing(NEVER) as made:
        lake.write("labels", labels(39), "nih_cxr14")
    for number in (2, len(made) - 1, len(made)):
        lake.write("labels", TRUE, "nih_cxr14")
        writing(lake, number)
        assert values(lake) in ({0}, {1})
        assert restore(lake, *NIH) == []
        assert lake.version(*NIH) == lake.history(*NIH)[-1].version
        assert not [path for path in lake.root.rglob(".*") if path.is_file()]


@pytest.mark.parametrize("fault", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_disk_that_gives_nothing_is_named_and_no_damage(lake, fault):
    for number in (1, 2, 3):
        with failing(number, fault, READS), pytest.raises(LakeUnreadable, match="labels/nih_cxr14 cannot be read"):
            lake.read(*NIH)
    assert values(lake) == {1}


def test_a_file_that_a_share_lost_sight_of_is_opened_again(lake, monkeypatch):
    real, left = os.pread, [2]

    def stale(*arguments):
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(*arguments)

    monkeypatch.setattr(os, "pread", stale)
    assert values(lake) == {1}


def test_every_error_of_a_broken_lake_is_one_of_the_tree(lake):
    for fault in FAULTS:
        fault(lake)
        with pytest.raises(RadiaError):
            lake.read(*NIH)
        lake.write("labels", TRUE, "nih_cxr14")

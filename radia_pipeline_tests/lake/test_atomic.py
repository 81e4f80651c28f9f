"""Files appear whole or not at all; a lock is had by one, waits no longer than it was told, and follows its file."""

from __future__ import annotations

import threading

import pytest

from radia_pipeline.errors import LakeLocked, LakeUnwritable
from radia_pipeline.lake import atomic


@pytest.fixture
def synced(monkeypatch) -> list[str]:
    """Return the names of the folders that were made durable, as it goes."""
    names: list[str] = []
    real = atomic.sync_folder

    def record(folder) -> None:
        names.append(folder.name)
        real(folder)

    monkeypatch.setattr(atomic, "sync_folder", record)
    return names


def test_a_replaced_file_has_a_durable_name_unless_its_writer_says_otherwise(tmp_path, synced):
    with atomic.replacing(tmp_path / "a" / "file", sync_name=False) as temporary:
        temporary.write_text("new")
    assert synced == []
    atomic.write_text(tmp_path / "b" / "file", "new")
    assert synced == ["b"]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["file", "file"]


def test_replacing_a_file_is_all_or_nothing(tmp_path):
    path = tmp_path / "file.txt"
    atomic.write_text(path, "old")
    with pytest.raises(ZeroDivisionError), atomic.replace_file(path) as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_refusals_of_the_disk_come_as_they_are_or_as_the_lakes_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileExistsError), atomic.replacing(tmp_path / "file" / "inside"):
        raise AssertionError("a folder was made of a file")
    with pytest.raises(LakeUnwritable, match="no space left"), atomic.replace_file(tmp_path / "other"):
        raise OSError(28, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_moved_files_replace_and_each_folder_is_synced_once(tmp_path, synced):
    moves = []
    for number in range(4):
        old, new = tmp_path / "staged" / str(number), tmp_path / str(number % 2) / f"{number}.png"
        atomic.write_text(old, str(number))
        moves.append((old, new))
    atomic.write_text(moves[0][1], "an earlier picture")
    synced.clear()
    atomic.move_files(moves)
    assert [new.read_text() for _, new in moves] == ["0", "1", "2", "3"]
    assert not any(old.exists() for old, _ in moves)
    assert sorted(synced) == ["0", "1"]


def test_a_lock_is_had_by_one_and_waited_for_no_longer_than_told(tmp_path):
    path = tmp_path / "a.lock"
    with atomic.file_lock(path):
        with pytest.raises(LakeLocked, match=r"a\.lock"), atomic.file_lock(path, wait_s=0.1):
            raise AssertionError("two held the lock")
        with atomic.file_lock(tmp_path / "b.lock", wait_s=0.0):
            pass
    with atomic.file_lock(path, wait_s=0.0):
        pass


@pytest.mark.parametrize("is_replaced", [True, False])
def test_who_waited_for_a_file_that_is_gone_locks_the_one_that_stands(tmp_path, is_replaced):
    path = tmp_path / "lines"
    path.write_text("old\n")
    is_held = threading.Event()

    def append() -> None:
        is_held.wait(10)
        with atomic.file_lock(path) as handle:
            handle.write(b"appended\n")

    writer = threading.Thread(target=append)
    writer.start()
    with atomic.file_lock(path):
        is_held.set()
        writer.join(0.2)
        assert writer.is_alive()
        if is_replaced:
            atomic.write_text(path, "new\n")
        else:
            path.unlink()
    writer.join(10)
    assert path.read_text() == ("new\nappended\n" if is_replaced else "appended\n")

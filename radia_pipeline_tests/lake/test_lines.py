"""The append-only file: what was appended comes back, nothing can change unseen, two processes lose nothing."""

from __future__ import annotations

import json
import multiprocessing
import resource
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.errors import DamagedFile, LakeUnwritable
from radia_pipeline.lake import atomic, lines
from radia_pipeline.lake.lines import CUT, UNFIT, LineForm, LinesFile, as_it_stands

FORM = LineForm("note", lambda record: record["n"])
WITH_OLD = LineForm("note", lambda record: record["n"], old=as_it_stands, drops_cut_end=True)
CHAINED = b'{"n":1,"~":"1331c627f758edb4"}\n'
records = st.dictionaries(
    st.text(st.characters(codec="utf-8", exclude_characters="~"), min_size=1, max_size=5),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    min_size=1,
)


def damaged(number: int, what: str) -> DamagedFile:
    return DamagedFile(f"line {number}: {what}")


def notes(path: Path, form: LineForm = FORM) -> LinesFile:
    return LinesFile(path, form, damaged)


def write(path: Path, *numbers: int, form: LineForm = FORM) -> list[bytes]:
    """Append a note for each number; returns the file's lines."""
    notes(path, form).append({"n": number} for number in numbers)
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "notes" / "notes.jsonl"


def test_a_file_that_does_not_exist_has_no_lines_and_is_not_made_for_nothing(path):
    assert list(notes(path)) == []
    assert notes(path).append([]) == 0
    assert not path.exists()


def test_lines_are_json_that_anyone_can_read_and_their_form_stays(path):
    first, second = write(path, 1, 2)
    assert first == CHAINED
    assert json.loads(second)["n"] == 2
    assert list(notes(path)) == [1, 2]


@given(st.lists(st.lists(records, max_size=4), max_size=4))
@settings(deadline=None, max_examples=50)
def test_what_was_appended_comes_back_however_it_was_portioned(tmp_path_factory, portions):
    folder, form = tmp_path_factory.mktemp("lines"), LineForm("record", dict)
    for portion in portions:
        notes(folder / "portions", form).append(portion)
    whole = [record for portion in portions for record in portion]
    notes(folder / "whole", form).append(whole)
    assert list(notes(folder / "portions", form)) == whole
    if whole:
        assert (folder / "portions").read_bytes() == (folder / "whole").read_bytes()


@pytest.mark.parametrize("record", [{}, {"~": 1}, {"~forgotten": "0" * 16}])
def test_records_that_could_pass_for_the_files_own_are_refused(path, record):
    with pytest.raises(ValueError, match="'~'"):
        notes(path).append([{"n": 1}, record])
    assert not path.exists()


FAULTS = {
    "edited": (lambda all_: [all_[0], all_[1].replace(b'"n":2', b'"n":7'), *all_[2:]], 2, UNFIT),
    "lost": (lambda all_: [all_[0], *all_[2:]], 2, UNFIT),
    "first lost": (lambda all_: all_[1:], 1, UNFIT),
    "moved": (lambda all_: [all_[0], all_[2], all_[1], *all_[3:]], 2, UNFIT),
    "twice": (lambda all_: [*all_[:2], all_[1], *all_[2:]], 3, UNFIT),
    "foreign": (lambda all_: [*all_[:3], b'{"n":9}\n', *all_[3:]], 4, UNFIT),
    "blank": (lambda all_: [*all_[:3], b"\n", *all_[3:]], 4, UNFIT),
    "cut": (lambda all_: [*all_[:-1], all_[-1][:-3]], 5, CUT),
    "cut to nothing but an end": (lambda all_: [*all_[:-1], all_[-1].rstrip()], 5, CUT),
}


@pytest.mark.parametrize(("harm", "number", "what"), FAULTS.values(), ids=FAULTS)
def test_a_damaged_line_is_named_and_what_stands_before_it_can_be_saved(path, harm, number, what):
    path.parent.mkdir()
    path.write_bytes(b"".join(harm(write(path.with_suffix(".whole"), 1, 2, 3, 4, 5))))
    with pytest.raises(DamagedFile, match=f"^line {number}: {what}"):
        list(notes(path))
    assert list(notes(path).sound()) == [1, 2, 3, 4, 5][: number - 1]


def test_a_line_of_another_owner_is_named(path):
    LinesFile(path, LineForm("word", dict), damaged).append([{"n": 1}, {"word": "x"}])
    with pytest.raises(DamagedFile, match=r"^line 2: it is no note"):
        list(notes(path))


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_no_single_byte_changes_unseen(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("lines") / "notes"
    content = bytearray(b"".join(write(path, 1, 2, 3)))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(DamagedFile):
        list(notes(path))


@pytest.mark.parametrize("harm", ["edited", "cut"])
def test_nothing_is_appended_to_an_end_that_cannot_be_trusted(path, harm):
    all_ = write(path, 1, 2)
    content = {"edited": all_[0] + all_[1].replace(b"2", b"7"), "cut": b"".join(all_)[:-3]}[harm]
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match="line 2"):
        notes(path).append([{"n": 3}])
    with pytest.raises(DamagedFile, match="line 2"):
        notes(path).require_sound_end()
    assert path.read_bytes() == content


def test_a_cut_end_goes_where_its_owner_never_confirmed_it(path):
    all_ = write(path, 1, 2, form=WITH_OLD)
    path.write_bytes(all_[0] + all_[1][:-5])
    assert list(notes(path, WITH_OLD)) == [1]
    assert write(path, 2, form=WITH_OLD) == all_


def test_appending_does_not_read_the_whole_file(path, monkeypatch):
    write(path, *range(2000))
    assert path.stat().st_size > 2 * lines._END_BYTES
    monkeypatch.setattr(LinesFile, "_walk", None)
    write(path, 2000)
    monkeypatch.undo()
    assert list(notes(path)) == list(range(2001))


def test_lines_longer_than_the_end_that_is_read_are_appended_to(path):
    form = LineForm("text", lambda record: len(record["text"]))
    for _ in range(3):
        notes(path, form).append([{"text": "x" * lines._END_BYTES}])
    notes(path, form).append([{"text": "x"}, {"text": "xx"}])
    assert list(notes(path, form)) == [lines._END_BYTES] * 3 + [1, 2]


# --- tombstones ------------------------------------------------------------------------------------------------------
def test_a_forgotten_line_leaves_a_tombstone_and_every_other_line_as_it_was(path):
    before = write(path, 1, 22222, 3, 22222)
    assert notes(path).forget(lambda n: n == 22222) == 2
    assert b"22222" not in path.read_bytes()
    after = path.read_bytes().splitlines(keepends=True)
    assert (after[0], after[2]) == (before[0], before[2])
    assert list(notes(path)) == [1, None, 3, None]
    assert list(notes(path).sound()) == [1, 3]
    assert notes(path).forget(lambda n: n == 22222) == 0
    write(path, 5, 6)
    assert list(notes(path)) == [1, None, 3, None, 5, 6]


def test_a_tombstone_is_proved_as_every_line_is(path):
    write(path, 1, 2, 3)
    notes(path).forget(lambda n: n == 2)
    one, stone, three = path.read_bytes().splitlines(keepends=True)
    for harmed, number in (((one, three), 2), ((one, stone, stone, three), 3), ((stone, three), 1)):
        path.write_bytes(b"".join(harmed))
        with pytest.raises(DamagedFile, match=f"line {number}"):
            list(notes(path))


def test_forgetting_in_a_damaged_file_changes_nothing(path):
    all_ = write(path, 1, 2, 3)
    path.write_bytes(all_[0] + all_[2])
    with pytest.raises(DamagedFile, match="line 2"):
        notes(path).forget(lambda n: n == 1)
    assert path.read_bytes() == all_[0] + all_[2]


# --- lines from before -----------------------------------------------------------------------------------------------
OLD = b'{"n": 1}\n{"n": 2}\n'


def test_old_lines_stay_and_the_first_new_one_binds_them(path):
    path.parent.mkdir()
    path.write_bytes(OLD)
    assert write(path, 3, 4, form=WITH_OLD)[:2] == OLD.splitlines(keepends=True)
    assert list(notes(path, WITH_OLD)) == [1, 2, 3, 4]
    path.write_bytes(path.read_bytes().replace(b'"n": 2', b'"n": 7'))
    with pytest.raises(DamagedFile, match="line 3"):
        list(notes(path, WITH_OLD))


def test_an_old_line_after_a_new_one_is_foreign(path):
    write(path, 1, form=WITH_OLD)
    with path.open("ab") as handle:
        handle.write(b'{"n": 2}\n')
    with pytest.raises(DamagedFile, match="line 2"):
        list(notes(path, WITH_OLD))
    with pytest.raises(DamagedFile, match="line 2"):
        write(path, 3, form=WITH_OLD)


def test_an_old_line_can_be_forgotten_and_what_was_chained_to_it_holds(path):
    path.parent.mkdir()
    path.write_bytes(OLD)
    assert notes(path, WITH_OLD).forget(lambda n: n == 1) == 1
    assert list(notes(path, WITH_OLD)) == [None, 2]
    write(path, 3, form=WITH_OLD)
    assert notes(path, WITH_OLD).forget(lambda n: n == 2) == 1
    assert list(notes(path, WITH_OLD)) == [None, None, 3]


# --- several writers -------------------------------------------------------------------------------------------------
def _append_many(path: Path, first: int) -> None:
    for number in range(first, first + 40):
        notes(path).append([{"n": number}, {"n": -number}])


def test_two_processes_lose_nothing_and_tear_nothing_apart(path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append_many, args=(path, first)) for first in (1, 101)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert writer.exitcode == 0
    found = list(notes(path))
    assert sorted(map(abs, found)) == sorted([*range(1, 41), *range(101, 141)] * 2)
    assert all(found[place] == -found[place + 1] for place in range(0, len(found), 2))


def test_who_waited_while_the_file_was_replaced_appends_to_the_new_one(path):
    write(path, *range(50))
    writer = threading.Thread(target=_append_many, args=(path, 1000))
    writer.start()
    for number in range(50):
        assert notes(path).forget(lambda n, number=number: n == number) == 1
    writer.join(60)
    assert list(notes(path)) == [None] * 50 + [sign * n for n in range(1000, 1040) for sign in (1, -1)]


def test_a_reader_waits_for_a_line_that_is_being_written(path):
    line = write(path.with_suffix(".whole"), 1)[0]
    is_half, seen = threading.Event(), []

    def write_slowly() -> None:
        with atomic.file_lock(path) as handle:
            handle.write(line[:9])
            is_half.set()
            assert not done.wait(0.3)
            handle.write(line[9:])

    done = threading.Event()
    writer = threading.Thread(target=write_slowly)
    writer.start()
    is_half.wait(10)
    seen += notes(path)
    done.set()
    writer.join(10)
    assert seen == [1]


def _append_with_full_disk(path: Path, limit: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        notes(path).append({"n": number} for number in range(9))
    except LakeUnwritable:
        raise SystemExit(7) from None


def test_a_full_disk_leaves_what_stood_there(path):
    before = b"".join(write(path, 1))
    child = multiprocessing.get_context("spawn").Process(target=_append_with_full_disk, args=(path, len(before) + 50))
    child.start()
    child.join(120)
    assert child.exitcode == 7
    assert path.read_bytes() == before


def test_a_file_that_was_appended_to_has_a_durable_name(path, monkeypatch):
    synced = []
    real = atomic.sync_folder
    monkeypatch.setattr(atomic, "sync_folder", lambda folder: (synced.append(folder), real(folder)))
    write(path, 1)
    assert synced == [path.parent]

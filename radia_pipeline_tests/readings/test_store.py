"""The store keeps every reading once and in order, takes none back but by events, and refuses what contradicts."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import signal
import time

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.errors import BadInput, DamagedFile, LakeUnwritable, UnknownName
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.chain import READ
from radia_pipeline.readings.reading import ReadBox, Shown
from radia_pipeline.readings.store import Store, lines_of
from radia_pipeline_tests.readings.worlds import OTHER, SET, STUDY, reading, revealed, unset, with_set


@pytest.fixture
def lake(tmp_path) -> Lake:
    return with_set(Lake.open(tmp_path / "lake"))


def read_of(lake: Lake) -> list:
    return [line.reading for _, line in lines_of(lake) if line is not None and line.kind == READ]


def test_a_reading_comes_back_as_it_was_given(lake):
    shown = Shown(
        images={STUDY: "a" * 64}, windows=((40.0, 400.0), (50.0, 350.0)), views=("PA",), visible={"prior": "1"}
    )
    box = ReadBox(STUDY, "Mass", 1.0, 2.0, 30.0, 40.0)
    given = reading({"Mass": 1, "Edema": -1}, shown=shown, boxes=(box,), comment="Opacité apicale.", active_s=130.0)
    kept = Store(lake).append(given)
    (back,) = read_of(lake)
    assert (back.answers, back.asked, back.boxes, back.shown) == (given.answers, given.asked, given.boxes, given.shown)
    assert back == kept.reading and back.decided_at and back.vocabulary_version and back.is_slow


def test_a_click_sent_twice_is_kept_once_and_a_reused_key_is_refused(lake):
    store, click = Store(lake), reading(request_key="click-a")
    first = store.append(click)
    store.append(reading(study_id=OTHER))
    assert store.append(click) == Store(lake).append(click) == first
    for other in (reading({"Mass": 0}, request_key="click-a"), reading(study_id=OTHER, request_key="click-a")):
        with pytest.raises(BadInput, match="request key"):
            store.append(other)
    assert len(read_of(lake)) == 2


def test_a_second_reader_overwrites_nothing_and_nobody_undoes_anothers_reading(lake):
    store = Store(lake)
    first = store.append(reading())
    store.append(reading({"Mass": 0}, reader="r2"))
    with pytest.raises(BadInput, match="no reading of this reader's"):
        store.undo(first.sequence, "r2")
    store.undo(first.sequence, "r1")
    store.undo(first.sequence, "r1")
    assert store.head.lines == 4
    assert [one.answers["Mass"] for one in read_of(lake)] == [1, 0]


@pytest.mark.parametrize("is_again", [False, True])
def test_what_contradicts_an_earlier_reading_of_the_study_is_refused(lake, is_again):
    other = SET.replace("1234", "5678")
    store = Store(with_set(lake, set_id=other))
    first = store.append(reading())
    store = Store(lake) if is_again else store
    with pytest.raises(BadInput, match="second blind"):
        store.append(reading())
    with pytest.raises(BadInput, match="supersedes another"):
        store.append(reading(study_id=OTHER, supersedes=first.sequence))
    store.append(reading({"Mass": 0}, supersedes=first.sequence))
    store.append(revealed())
    with pytest.raises(BadInput, match="after its reader saw"):
        store.append(reading(set_id=other))
    store.append(reading(reader="r2"))


def test_a_set_is_closed_before_anybody_reads_it(lake):
    """No name that nobody drew is accepted and no study from outside; a set closed again takes what it holds."""
    store = Store(lake)
    for phase, role in (("blind", "reader"), ("repeat", "reader"), ("adjudication", "adjudicator")):
        with pytest.raises(BadInput, match="not closed"):
            store.append(reading(set_id="test-00000000", phase=phase, role=role))
    with pytest.raises(BadInput, match="not in test-1234abcd"):
        store.append(reading(study_id="e" * 32))
    assert read_of(lake) == []
    with_set(lake, STUDY, OTHER, "e" * 32)
    assert store.append(reading(study_id="e" * 32)).sequence == 3


def test_each_phase_has_its_place(lake):
    store = Store(lake)
    with pytest.raises(BadInput, match="has not read"):
        store.append(reading(phase="repeat"))
    first = store.append(reading())
    store.append(reading({"Mass": 0}, phase="repeat"))
    with pytest.raises(BadInput, match="one of the two readers"):
        store.append(reading(phase="adjudication", role="adjudicator"))
    # After a reveal nobody takes a blind answer out of the truth by superseding it with what was seen since.
    with pytest.raises(BadInput, match="phase"):
        store.append(revealed({"Mass": 0}, supersedes=first.sequence))
    store.append(reading(phase="adjudication", role="adjudicator", reader="a1"))
    with pytest.raises(BadInput, match="after its reader saw"):
        store.append(reading(reader="a1"))
    with pytest.raises(BadInput, match="set's name"):
        store.append(unset(set_id="a name of somebody"))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"source": "nowhere"}, UnknownName),
        ({"answers": {"Gout": 1}, "asked": ("Gout",)}, UnknownName),
        ({"study_id": "1.2.840.113"}, BadInput),
        ({"answers": {"Mass": 2}}, BadInput),
        ({"answers": {"Mass": True}}, BadInput),
        ({"answers": {}}, BadInput),
        ({"not_assessable": "quality"}, BadInput),
        ({"answers": {}, "not_assessable": "boring"}, UnknownName),
        ({"asked": ("Mass", "Edema")}, BadInput),
        ({"reader": "first last"}, BadInput),
        ({"request_key": ""}, BadInput),
        ({"phase": "peeking"}, UnknownName),
        ({"set_id": None}, BadInput),
        ({"shown": Shown(visible={"prediction": "v1"})}, BadInput),
        ({"shown": Shown(images={"1.2.840.9": "a" * 64})}, BadInput),
        ({"role": "adjudicator"}, BadInput),
        ({"phase": "adjudication"}, BadInput),
        ({"boxes": (ReadBox(STUDY, "Mass", 1.0, 1.0, 0.0, 5.0),)}, BadInput),
        ({"decided_at": "yesterday"}, BadInput),
        ({"active_s": float("nan")}, BadInput),
        ({"active_s": -1.0}, BadInput),
        ({"position": -1}, BadInput),
        ({"boxes": (ReadBox(STUDY, "Mass", float("inf"), 1.0, 5.0, 5.0),)}, BadInput),
        ({"shown": Shown(windows=((float("nan"), 1.0),))}, BadInput),
        ({"shown": Shown(screen="that of Mme Tremblay, second floor; mine is broken")}, BadInput),
        ({"comment": "Vu avec Mme Tremblay, dossier 1.2.840.55."}, BadInput),
    ],
)
def test_what_is_no_reading_is_refused_and_not_repeated(lake, changes, error):
    with pytest.raises(error) as caught:
        Store(lake).append(reading(**{"answers": {"Mass": 1}, "asked": ("Mass",), **changes}))
    assert not {"1.2.840", "Tremblay", "first last"} & set(str(caught.value).split())
    assert read_of(lake) == []


def test_what_another_process_wrote_is_known_before_the_next_append(lake):
    mine, other = Store(lake), Store(lake)
    first = mine.append(reading(request_key="click-b", decided_at="2026-01-01T00:00:00.000+00:00"))
    assert other.head.lines == 1
    assert other.append(first.reading).sequence == 2
    other.forget({STUDY})
    assert mine.append(reading()).sequence == 4


def _append_many(root, reader, count):
    store = Store(Lake(root))
    for number in range(count):
        store.append(unset(reader=reader, study_id=f"{number:032x}", request_key=f"{reader}-{number}"))


def test_two_readers_at_once_lose_and_overwrite_nothing(lake):
    context = multiprocessing.get_context("spawn")
    readers = [context.Process(target=_append_many, args=(lake.root, name, 12)) for name in ("r1", "r2")]
    for process in readers:
        process.start()
    for process in readers:
        process.join()
    found = sorted((one.reader, one.request_key) for one in read_of(lake))
    assert found == sorted((name, f"{name}-{number}") for name in ("r1", "r2") for number in range(12))


def _append_and_confirm(root, pipe, start):
    store = Store(Lake(root))
    for number in range(start, start + 1000):
        store.append(unset(study_id=f"{number:032x}", request_key=f"k-{number}"))
        os.write(pipe, f"{number}\n".encode())


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_any_moment_every_confirmed_reading_stands_once_and_none_half(lake, kills):
    chance, confirmed = random.Random(kills), []
    Store(lake)
    for number in range(kills):
        ours, theirs = os.pipe()
        pid = os.fork()
        if not pid:
            _append_and_confirm(lake.root, theirs, number * 1000)
        os.close(theirs)
        with os.fdopen(ours) as told:
            confirmed += [told.readline().strip() for _ in range(chance.randint(1, 5))]
            time.sleep(0.02 * chance.random())  # somewhere in the next appends, however slow the disk is
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            confirmed += [line.strip() for line in told if line.endswith("\n")]
    found = [one.request_key for one in read_of(lake)]
    assert len(confirmed) > kills and len(found) == len(set(found))
    assert {f"k-{number}" for number in confirmed} <= set(found)
    assert len(found) - len(confirmed) <= kills


def _append_with_full_disk(root, limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = Store(Lake(root))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        store.append(reading(study_id=OTHER))
    except LakeUnwritable:
        raise SystemExit(7) from None


def test_a_full_disk_leaves_the_store_whole(lake):
    Store(lake).append(reading())
    limit = lake.readings_path.stat().st_size + 50
    child = multiprocessing.get_context("spawn").Process(target=_append_with_full_disk, args=(lake.root, limit))
    child.start()
    child.join()
    assert child.exitcode == 7
    assert len(read_of(lake)) == 1
    assert Store(lake).append(reading(study_id=OTHER)).sequence == 3


def test_the_commands_verify_undo_and_publish(lake, capsys):
    store = Store(lake)
    kept = store.append(reading())

    def run(*words: str) -> dict:
        code = main(["review", *words, "--lake", str(lake.root), "--json"])
        return {"code": code, **json.loads(capsys.readouterr().out.strip().splitlines()[-1])}

    assert run("verify") == {"code": 0, **vars(store.head)}
    assert run("undo", str(kept.sequence), "--reader", "r2")["code"] == 2
    assert run("undo", str(kept.sequence), "--reader", "r1") == {"code": 0, "undone": kept.sequence}
    published = run("publish")
    assert (published["readings"], published["rows"], published["head_lines"]) == (1, 1, 3)
    assert published["head_sha256"] == Store(lake).head.sha256
    assert lake.read("label_reviews")["is_in_force"].to_pylist() == [False]
    lake.readings_path.write_bytes(lake.readings_path.read_bytes().replace(b'"Mass":1', b'"Mass":0'))
    assert run("verify")["kind"] == DamagedFile.__name__


def test_a_set_is_part_of_what_is_read_once(lake):
    store = Store(lake)
    store.append(reading())
    other = SET.replace("1234", "5678")
    assert store.append(reading(set_id=with_set(lake, set_id=other) and other)).sequence == 4

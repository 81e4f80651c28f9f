"""Nothing in the store can change unseen, and a forgotten patient leaves a chain that still proves itself."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.chain import file_of
from radia_pipeline.readings.in_force import publish_reviews
from radia_pipeline.readings.reading import ReadBox
from radia_pipeline.readings.store import Store, lines_of
from radia_pipeline_tests.readings.worlds import OTHER, STUDY, unset


def filled(lake: Lake) -> Store:
    """Return a store with three readings, one of them undone."""
    store = Store(lake)
    for number in range(3):
        store.append(unset(study_id=f"{number:032x}"))
    store.undo(2, "r1")
    return store


def refuses(lake: Lake) -> str:
    """Return why both reading and opening refuse."""
    with pytest.raises(DamagedFile) as caught:
        list(lines_of(lake))
    with pytest.raises(DamagedFile):
        Store(lake)
    return str(caught.value)


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> tuple[Lake, bytes, bytes]:
    lake = Lake(tmp_path_factory.mktemp("chain"))
    filled(lake)
    return lake, lake.readings_path.read_bytes(), lake.readings_path.with_name("head.json").read_bytes()


def edited(lines: list[bytes], data) -> list[bytes]:
    number = data.draw(st.integers(0, len(lines) - 1))
    line = bytearray(lines[number])
    line[data.draw(st.integers(0, len(line) - 1))] ^= data.draw(st.integers(1, 255))
    return [*lines[:number], bytes(line), *lines[number + 1 :]]


def cut(lines: list[bytes], data) -> list[bytes]:
    number = data.draw(st.integers(0, len(lines) - 1))
    return [*lines[:number], *lines[number + 1 :]]


def swapped(lines: list[bytes], data) -> list[bytes]:
    one, other = data.draw(st.permutations(range(len(lines))))[:2]
    lines = list(lines)
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def inserted(lines: list[bytes], data) -> list[bytes]:
    place = data.draw(st.integers(0, len(lines)))
    foreign = st.sampled_from([*lines, b"{}\n", b"\n", b'{"~forgotten":"0","~":"1"}\n'])
    return [*lines[:place], data.draw(foreign), *lines[place:]]


def truncated(lines: list[bytes], data) -> list[bytes]:
    whole = b"".join(lines)
    return [whole[: data.draw(st.integers(0, len(whole) - 1))]]


@pytest.mark.parametrize("harm", [edited, cut, swapped, inserted, truncated])
def test_every_harm_is_detected(content, harm):
    lake, whole, witness = content

    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def holds(data):
        lake.readings_path.write_bytes(b"".join(harm(whole.splitlines(keepends=True), data)))
        lake.readings_path.with_name("head.json").write_bytes(witness)
        assert "damaged" in refuses(lake)

    holds()


def test_a_line_rechained_to_its_end_does_not_fit_the_witness(content):
    lake, whole, witness = content
    tail, lines = "0" * 64, []
    for raw in whole.replace(b'"Mass":1', b'"Mass":0').splitlines():
        body = raw.rpartition(b',"~":"')[0] + b"}"
        tail = hashlib.sha256(tail.encode() + b"\n" + body).hexdigest()
        lines.append(body[:-1] + b',"~":"' + tail.encode() + b'"}\n')
    lake.readings_path.write_bytes(b"".join(lines))
    lake.readings_path.with_name("head.json").write_bytes(witness)
    assert "witness" in refuses(lake)


@pytest.mark.parametrize("name", ["head.json", "readings.jsonl"])
def test_a_lost_half_is_noticed(tmp_path, name):
    lake = Lake.open(tmp_path / "lake")
    filled(lake)
    (lake.readings_path.parent / name).unlink()
    refuses(lake)


@pytest.mark.parametrize("content", [b"[]", b"\xff\xfe", b'{"lines": "x", "sha256": 5}', b'{"lines": 1}', b""])
def test_a_witness_that_is_none_is_damage(tmp_path, content):
    lake = Lake.open(tmp_path / "lake")
    filled(lake)
    lake.readings_path.with_name("head.json").write_bytes(content)
    with pytest.raises(DamagedFile):
        Store(lake)


@pytest.mark.parametrize("is_older", [False, True])
def test_another_store_in_the_place_of_the_published_one_is_noticed(tmp_path, is_older):
    """A whole store proves itself, but not that it is this lake's: what was published must go on to stand in it."""
    lake, other = (Lake.open(tmp_path / name) for name in ("lake", "other"))
    filled(lake)
    filled(other)
    if is_older:
        shutil.copytree(lake.readings_path.parent, other.readings_path.parent, dirs_exist_ok=True)
        Store(lake).append(unset(study_id=OTHER))
    publish_reviews(lake)
    Store(lake).forget({f"{0:032x}"})
    publish_reviews(lake)
    shutil.copytree(other.readings_path.parent, lake.readings_path.parent, dirs_exist_ok=True)
    with pytest.raises(DamagedFile, match="not the one that label_reviews was made of"):
        publish_reviews(lake)


def test_a_store_that_is_cut_while_it_is_open_takes_no_more(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    store = filled(lake)
    lines = lake.readings_path.read_bytes().splitlines(keepends=True)
    with lake.readings_path.open("r+b") as file:
        file.truncate(len(b"".join(lines[:2])))
    with pytest.raises(DamagedFile, match="cut off"):
        store.append(unset(study_id=OTHER))
    assert lake.readings_path.read_bytes() == b"".join(lines[:2])


def test_forgetting_keeps_the_chain_and_removes_what_was_read(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    store = Store(lake)
    box = ReadBox("a" * 32, "Hernia", 1.0, 2.0, 33.0, 44.0)
    store.append(unset({"Hernia": 1}, boxes=(box,), comment="Hernie hiatale."))
    store.append(unset(study_id=OTHER))
    head = store.head
    before = lake.readings_path.read_bytes().splitlines()
    assert Store(lake).forget({STUDY}) == 1
    text = lake.readings_path.read_text()
    assert not any(word in text for word in (STUDY, "a" * 32, "Hernie", "Hernia", "33.0"))
    assert [line is None for _, line in lines_of(lake)] == [True, False, False]
    # A head that was published before goes on to hold: the tombstone keeps the hash of what stood there.
    assert [mark.tail for mark, _ in lines_of(lake)][1] == head.sha256
    assert Store(lake).forget({STUDY}) == 0
    assert Store(lake).append(unset()).sequence == 4
    assert before[1] == lake.readings_path.read_bytes().splitlines()[1]


def test_a_tombstone_tells_nothing_to_who_tries_all_studies(tmp_path):
    """Whoever knows all of a forgotten line but its random bits cannot find its hash again."""
    lake = Lake.open(tmp_path / "lake")
    given = unset(decided_at="2026-01-01T00:00:00.000+00:00", request_key="known")
    Store(lake).append(given)
    line = lake.readings_path.read_bytes().splitlines()[0]
    record = json.loads(line.rpartition(b',"~":"')[0] + b"}")
    Store(lake).forget({STUDY})
    kept = json.loads(lake.readings_path.read_text().splitlines()[0])["~forgotten"]

    def hashed(nonce: str) -> str:
        body = json.dumps({**record, "nonce": nonce}, sort_keys=True, separators=(",", ":")).encode()
        return hashlib.sha256(b"0" * 64 + b"\n" + body).hexdigest()

    assert hashed(record["nonce"]) == kept
    assert len(record["nonce"]) * 4 == 128
    other = Store(Lake.open(tmp_path / "other"))
    other.append(given)
    assert other.head.sha256 != kept and hashed("0" * 32) != kept


def test_a_tombstone_without_its_event_counts_as_damage(tmp_path):
    lake = Lake.open(tmp_path / "lake")
    filled(lake)
    file_of(lake).forget(lambda line: line.sequence == 2)
    assert "tombstone" in refuses(lake)


def test_killed_between_event_and_tombstone_the_next_call_finishes(tmp_path, monkeypatch):
    lake = Lake.open(tmp_path / "lake")
    filled(lake)
    store = Store(lake)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store._file, "forget", stop)
        store.forget({f"{1:032x}"})
    assert f"{1:032x}" in lake.readings_path.read_text()
    assert Store(lake).forget({f"{1:032x}"}) == 1
    assert f"{1:032x}" not in lake.readings_path.read_text()

"""A folder is at rest when it has looked the same for a while, by the watcher's clock alone."""

from __future__ import annotations

import os
from pathlib import Path

from radia_pipeline.sources.watermark import ARRIVING, AT_REST, KNOWN, Watch, look_at

QUIET_S = 100.0


def put(folder: Path, name: str, content: bytes = b"x") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    os.utime(folder / name, (0, 0))  # as a copying tool does that keeps old times


def test_a_growing_copy_is_awaited_and_then_acted_on_once(tmp_path):
    watch, told = Watch(), []
    for number in range(5):
        put(tmp_path / "a", f"{number}.dcm")
        state, watch = watch.look(look_at(tmp_path), 30.0 * number, QUIET_S)
        told.append(state)
    for now_s in (200.0, 219.0, 221.0, 300.0, 400.0):
        state, watch = watch.look(look_at(tmp_path), now_s, QUIET_S)
        told.append(state)
    assert told == [ARRIVING] * 5 + [ARRIVING, ARRIVING, AT_REST, KNOWN, KNOWN]
    assert Watch.of(watch.record()) == watch


def test_a_file_that_grows_in_place_or_goes_is_a_change_and_back_is_known(tmp_path):
    put(tmp_path, "a.dcm")
    put(tmp_path, "b.dcm")
    first = look_at(tmp_path)
    put(tmp_path, "b.dcm", b"longer")
    grown = look_at(tmp_path)
    put(tmp_path, "b.dcm")
    assert grown.digest != first.digest == look_at(tmp_path).digest
    (tmp_path / "b.dcm").unlink()
    assert look_at(tmp_path).files == 1
    state, _ = Watch(grown.digest, 0.0, first.digest).look(first, 1.0, QUIET_S)
    assert state == KNOWN


def test_one_file_is_watched_too_and_nothing_is_nothing(tmp_path):
    put(tmp_path, "readings.jsonl")
    assert look_at(tmp_path / "readings.jsonl").files == 1
    assert look_at(tmp_path / "absent") is None
    (tmp_path / "empty").mkdir()
    assert look_at(tmp_path / "empty") is None

"""Between ingest and workers: a task arrives as it was, and only what has the form of a verdict is believed."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radia_pipeline.dicom import render, work
from radia_pipeline.dicom.examine import NO_HASH, Task, Verdict, examine
from radia_pipeline.errors import BadFrame, LakeLocked, LakeUnwritable
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS, Limits
from radia_pipeline.processes.frames import Decoder, Frame, encode
from radia_pipeline.processes.pool import CRASHED, TIMED_OUT, Lost
from radia_pipeline_tests.dicom import files

TASK = Task("/nowhere/a.dcm", "/nowhere/a.png", "ccsmtl", 1024, reads_text=False)
paths = st.text(min_size=1).map(lambda text: text.encode("utf-8", "ignore").decode("ascii", "surrogateescape"))


def crossed(record: object) -> object:
    decoder = Decoder()
    decoder.feed(encode(Frame(record)))
    return decoder.next().body


@pytest.fixture
def task(tmp_path) -> Task:
    """A sound file's task."""
    path = tmp_path / "one.dcm"
    path.write_bytes(files.clean_file(1))
    return replace(TASK, path=str(path), staged=str(tmp_path / "one.png"))


def judged(*tasks: Task, limits: Limits = DEFAULT_LIMITS) -> list:
    found = dict(work.judged(tasks, workers=1, limits=limits))
    return [found[number] for number in range(len(tasks))]


@given(paths, st.booleans(), st.none() | st.sampled_from(("PA", "LATERAL")), st.floats(1, 1e6), st.integers(1, 2**40))
def test_a_task_arrives_as_it_was(path, is_set, view, seconds, memory_bytes):
    limits = replace(DEFAULT_LIMITS, seconds=seconds, memory_bytes=memory_bytes)
    sent = Task(path, path, "ccsmtl", 1024, is_set, not is_set, view, only_pixels=is_set, limits=limits)
    assert work.task_of(crossed(work.task_record(sent))) == sent


def test_a_verdict_arrives_as_it_was(task):
    for given_task in (task, replace(task, path="/nowhere"), replace(task, only_pixels=True)):
        verdict = examine(given_task)
        assert work.verdict_of(crossed(work.verdict_record(verdict)), given_task) == verdict
    assert examine(task).native_ids is not None


def test_a_worker_comes_to_the_same_verdict(task):
    here = examine(task)
    missing = Verdict(NO_HASH, 0, 0, reasons.UNREADABLE, "FileNotFoundError")
    assert judged(task, TASK, replace(task, only_pixels=True)) == [
        here,
        missing,
        examine(replace(task, only_pixels=True)),
    ]


WRONG = {
    "file_sha256": (None, 5, "", "A" * 64, "0" * 65, "0" * 64 + "\n"),
    "size_bytes": (None, "5", 1.5, True),
    "mtime_ns": (None, [], float("nan")),
    "reason": ("no such reason", 1, ["truncated"]),
    "detail": (5, [], {}),
    "native_ids": ("1.2", ["a", "b"], ["a", "b", 3], {"a": 1}, None),
    "row": (
        None,
        [],
        {},
        {"no_such_column": 1},
        {"width_px": "wide"},
        {"flags": "blank"},
        {"phash": 7},
        {"view": ["PA"]},
        {"width_px": 2**70},
        {"pixel_sha256": "short"},
    ),
}


def test_the_form_of_a_verdict_names_every_field_in_its_order():
    assert list(work._FITS) == [field.name for field in fields(Verdict)]
    assert list(WRONG) == list(work._FITS)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_what_is_no_verdict_is_refused(name, value, task):
    verdict = examine(task)
    changed = {**verdict.row, **value} if name == "row" and value else value
    with pytest.raises(BadFrame):
        work.verdict_of(crossed(work.verdict_record(replace(verdict, **{name: changed}))), task)


def test_a_record_of_another_form_is_refused(task):
    record = work.verdict_record(examine(task))
    for changed in ([*record, 1], record[:-1], [record], vars(examine(task)), None, "verdict"):
        with pytest.raises(BadFrame):
            work.verdict_of(changed, task)


def test_an_error_of_a_codec_is_the_files_fault_and_one_of_the_disk_is_not(task, tmp_path, monkeypatch):
    (tmp_path / "no folder").write_bytes(b"")
    nowhere = replace(task, staged=str(tmp_path / "no folder" / "a.png"))
    (answer,) = judged(nowhere)
    assert isinstance(answer, LakeUnwritable)
    assert "earlier tables are intact" in str(answer) and str(tmp_path) not in str(answer)

    def fails(*_: object) -> None:
        raise OSError("as some codecs do on damaged bytes")

    monkeypatch.setattr(render, "picture_of_dicom", fails)
    with pytest.raises(OSError, match="as some codecs do"):  # which a worker answers as its kind alone
        examine(task)


FULL = LakeUnwritable("no space")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Lost(CRASHED), Lost(CRASHED)),
        (Lost(TIMED_OUT), Lost(TIMED_OUT)),
        (Lost("ValueError"), Lost("ValueError")),
        (LakeLocked("not a worker's to say"), Lost("LakeLocked")),
        (Frame({"row": "evil"}), Lost("BadFrame")),
        (BadFrame("too long"), Lost("BadFrame")),
        (FULL, FULL),
    ],
)
def test_what_is_neither_a_verdict_nor_a_full_disk_is_a_lost_file(answer, expected, monkeypatch):
    monkeypatch.setattr(work, "map_items", lambda _work, tasks, **_: ((n, answer) for n, _ in enumerate(tasks)))
    assert judged(TASK, TASK) == [expected] * 2

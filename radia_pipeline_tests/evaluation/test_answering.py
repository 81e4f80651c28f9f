"""What an ensemble answers with is made once, whoever comes first, and a lake that can only be read says so."""

from __future__ import annotations

import errno

import pytest

from radia_pipeline.errors import LakeUnwritable
from radia_pipeline.evaluation import answering
from radia_pipeline.lake.lake import Lake


def test_what_another_process_made_while_this_one_waited_is_not_made_again(tmp_path, monkeypatch):
    known = iter([None, ({}, "threshold")])
    monkeypatch.setattr(answering, "_described", lambda *_: next(known))
    monkeypatch.setattr(answering, "_fit", lambda *_: pytest.fail("made a second time"))
    said: list[str] = []
    assert answering._familiar(Lake.open(tmp_path), {}, {}, said.append) == ({}, "threshold")
    assert said == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_lake_that_can_only_be_read_says_who_can_make_what_is_missing(tmp_path, monkeypatch, number):
    def refused(*_args, **_options):
        raise OSError(number, "refused")

    lake = Lake.open(tmp_path)
    (tmp_path / "model").mkdir()
    monkeypatch.setattr(Lake, "lock", refused)
    with pytest.raises(LakeUnwritable, match=r"not there yet.*predict once with rights to write"):
        answering._served(lake, "one", tmp_path / "model", 0, lambda _: None)
    with pytest.raises(LakeUnwritable, match=r"not there yet.*predict once with rights to write"):
        answering._familiar(lake, {"one": tmp_path / "model"}, {}, lambda _: None)


def test_what_goes_wrong_with_what_is_read_is_not_said_of_writing(tmp_path, monkeypatch):
    def lost(*_):
        raise FileNotFoundError(errno.ENOENT, "a film is gone")

    monkeypatch.setattr(answering, "_fit", lost)
    with pytest.raises(FileNotFoundError):
        answering._familiar(Lake.open(tmp_path), {"one": tmp_path}, {}, lambda _: None)

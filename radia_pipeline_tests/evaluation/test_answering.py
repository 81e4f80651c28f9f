"""What an ensemble answers with is made once, whoever comes first, and a lake that can only be read says so."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from radia_pipeline.dicom import png16
from radia_pipeline.errors import LakeUnwritable
from radia_pipeline.evaluation import answering
from radia_pipeline.evaluation.sides import Sides
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


def test_what_films_tell_of_their_sides_is_asked_once_for_all_models(tmp_path, monkeypatch):
    lake, seen = Lake.open(tmp_path), []
    films = {"image_id": [f"{n:032x}" for n in range(4)], "view": ["PA", "LATERAL", "AP", "PA"]}
    films |= {"path": [f"{n}.png" for n in range(4)], "group_id": [str(n) for n in range(4)]}
    for name in films["path"]:
        (tmp_path / name).write_bytes(png16.encode(np.full((8, 8), 7, dtype=np.uint16)))
    monkeypatch.setattr(answering, "laid_out", lambda picture: seen.append(picture.shape) or np.zeros((64, 64)))
    monkeypatch.setattr(answering, "fit_sides", lambda features, groups: Sides((0.5,), -1.0, 0.01, 0.9))
    found = answering._sides(lake, films, [0, 1, 2, 3])
    assert found == Sides((0.5,), -1.0, 0.01, 0.9) and len(seen) == 3, "a lateral film has no side"
    assert answering._sides(lake, films, [0, 1, 2, 3]) == found and len(seen) == 3
    answering._sides(lake, films, [0, 2])
    assert len(seen) == 5, "other films tell something else"

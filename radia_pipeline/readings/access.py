"""Who was shown what, and when: a durable log of images, and of reveals, which end a reader's blindness for a study.

Two files of the lake beside the store of readings; a line holds a reader's code, a study's key and a time, no content.
Who is forgotten leaves tombstones. Not here: what may be shown (``desk``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from radia_pipeline.errors import DamagedFile
from radia_pipeline.lake import renamed
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.lines import LineForm, LinesFile
from radia_pipeline.readings.chain import now


@dataclass(frozen=True)
class Shown:
    """One line: ``reader`` was shown something of ``study_id`` at ``at``; ``set_id``: of a reveal, in which list."""

    at: str
    reader: str
    study_id: str
    set_id: str | None = None


def _parse(record: Mapping[str, object]) -> Shown:
    set_id = record.get("set_id")
    return Shown(
        str(record["at"]), str(record["reader"]), str(record["study_id"]), str(set_id) if set_id is not None else None
    )


_FORM = LineForm("entry of the access log", _parse, drops_cut_end=True)


class AccessLog:
    """The log of one lake, open for appending; several threads may use it."""

    def __init__(self, lake: Lake) -> None:
        folder = lake.readings_path.parent
        form = renamed.following(lake.root, _FORM)
        self._images = LinesFile(folder / "access.jsonl", form, _damaged("access.jsonl"))
        self._reveals = LinesFile(folder / "reveals.jsonl", form, _damaged("reveals.jsonl"))
        self._lock = threading.Lock()
        self._folder = folder
        self._revealed = {(one.reader, one.set_id, one.study_id) for one in self._reveals if one is not None}

    def image(self, reader: str, study_id: str) -> None:
        """Write down that an image of a study is about to be shown; raises DamagedFile, LakeUnwritable."""
        with self._lock:
            self._made(self._folder)
            self._images.append([{"at": now(), "reader": reader, "study_id": study_id}])

    def reveal(self, reader: str, set_id: str | None, study_id: str) -> None:
        """Write down, once, that a reader is about to see what others say of a study."""
        with self._lock:
            if (reader, set_id, study_id) not in self._revealed:
                self._made(self._folder)
                self._reveals.append([{"at": now(), "reader": reader, "study_id": study_id, "set_id": set_id}])
                self._revealed.add((reader, set_id, study_id))

    def has_revealed(self, reader: str, set_id: str | None, study_id: str) -> bool:
        """Tell whether that was shown to a reader."""
        return (reader, set_id, study_id) in self._revealed

    def entries(self) -> list[Shown]:
        """Return every image that was shown, in order; raises DamagedFile."""
        return [one for one in self._images if one is not None]

    def forget(self, study_ids: Collection[str]) -> int:
        """Put tombstones in the place of these studies' lines; returns how many there were."""
        with self._lock:
            return sum(file.forget(lambda one: one.study_id in study_ids) for file in (self._images, self._reveals))

    @staticmethod
    def _made(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)


def _damaged(name: str) -> Callable[[int, str], DamagedFile]:
    def error(number: int, what: str) -> DamagedFile:
        return DamagedFile(
            f"Line {number} of {name} is damaged: {what}", do="restore the folder reviews/ of the lake from a backup"
        )

    return error

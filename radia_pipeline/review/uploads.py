"""Films that somebody dropped on the page: held in memory for a while, for whoever dropped them, and never written.

Bounded in number, bytes and time; the oldest go first. Not here: what the models say of them (``models``).
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from radia_pipeline.review.problems import Problem
from radia_pipeline.review.settings import Settings
from radia_pipeline.usecases.held_bytes import HeldBytes
from radia_pipeline.usecases.looking import Looked


@dataclass(eq=False)
class Upload:
    """One drop. ``films``: those that were let in, by number from 1: their path in memory and what came of them."""

    user: str
    held: HeldBytes
    films: dict[int, tuple[Path, Looked]]
    since_s: float = field(default_factory=time.monotonic)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory."""
        pictures = sum(
            sum(part.nbytes for part in (*film.squares, *([film.picture] if film.picture is not None else ())))
            for _, film in self.films.values()
        )
        return self.held.size_bytes + pictures


class Uploads:
    """All drops of one server."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._held: OrderedDict[str, Upload] = OrderedDict()

    def keep(self, upload: Upload) -> str:
        """Keep a drop and return its id; older ones go where the room is too small."""
        name, limits = secrets.token_hex(16), self._settings
        with self._lock:
            self._held[name] = upload
            self._drop_old()
            while len(self._held) > 1 and (
                len(self._held) > limits.most_uploads
                or sum(one.size_bytes for one in self._held.values()) > limits.most_upload_bytes
            ):
                self._held.popitem(last=False)[1].held.close()
        return name

    def film(self, name: str, number: int, user: str) -> tuple[Path, Looked]:
        """Return a film of one's own drop; raises Problem ``gone`` where it is not there, ``unknown`` for no film."""
        with self._lock:
            self._drop_old()
            upload = self._held.get(name)
            if upload is None or upload.user != user:
                raise Problem("gone", do="drop the file again")
            if number not in upload.films:
                raise Problem("unknown")
            return upload.films[number]

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            while self._held:
                self._held.popitem()[1].held.close()

    def _drop_old(self) -> None:
        latest = time.monotonic() - self._settings.upload_lives_s
        for name in [name for name, one in self._held.items() if one.since_s < latest]:
            self._held.pop(name).held.close()

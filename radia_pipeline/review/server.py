"""One running server: what its routes share, made once; opened in the background, closed at the end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from radia_pipeline.errors import RadiaError
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.answered import count_answer
from radia_pipeline.processes.progress import say
from radia_pipeline.readings.access import AccessLog
from radia_pipeline.review.bodies import films_in, read_body, require_film_type
from radia_pipeline.review.gates import Gate
from radia_pipeline.review.models import Models
from radia_pipeline.review.problems import Problem, place_of
from radia_pipeline.review.reading_room import ReadingRoom
from radia_pipeline.review.settings import Settings
from radia_pipeline.review.uploads import Uploads
from radia_pipeline.usecases.lake_studies import LakeStudies, told_image

RETRY_S = 2


class Server:
    """The lake, its models, its readers. ``problem``: why it cannot get ready, in words; empty while it may."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self.lake, self.settings = lake, settings
        self.studies = LakeStudies(lake)
        self.access = AccessLog(lake)
        self.models = Models(lake, self.studies)
        self.room = ReadingRoom(lake, settings, self.studies, self.access, self.images)
        self.uploads = Uploads(settings)
        self.gate = Gate(settings.most_at_once, settings.most_waiting)
        self._is_ready = threading.Event()
        self.problem = ""

    @property
    def is_ready(self) -> bool:
        """Whether models and codecs are warm."""
        return self._is_ready.is_set()

    def open(self) -> None:
        """Open models and codecs; what fails is told, and the server never gets ready."""
        try:
            self.models.open()
        except Exception as error:
            self.problem = type(error).__name__
            say(f"The models cannot be opened: {error if isinstance(error, RadiaError) else place_of(error)}")
            return
        self._is_ready.set()

    def require_ready(self) -> None:
        """Raise Problem ``starting`` before the models are warm."""
        if not self.is_ready:
            raise Problem("starting", retry_after_s=RETRY_S)

    @contextlib.asynccontextmanager
    async def films(self, request: Request) -> AsyncIterator[list[bytes]]:
        """Hold a place in the queue and the films of a request's body; raises Problem before the models are warm."""
        self.require_ready()
        kind, boundary = require_film_type(request)
        async with self.gate.place():
            yield films_in(kind, boundary, await read_body(request, self.settings, self.settings.most_body_bytes))

    def count(self, studies: Sequence[Mapping[str, Any]]) -> None:
        """Count an answer of the API by its day, where the server was told to; what cannot be counted is answered all
        the same."""
        if not self.settings.counts_answers:
            return
        try:
            count_answer(self.lake, datetime.now(UTC).date(), studies)
        except RadiaError as error:
            say(f"An answer was not counted: {error}")

    def close(self) -> None:
        """Let go of what is held in memory."""
        self.uploads.close()

    def images(self, study_id: str, is_blind: bool) -> list[dict[str, Any]]:
        """Return a study's images as a page is told of them, with their addresses."""
        rows = self.studies.images_of(study_id)
        return [
            {
                **told_image(row, has_native=self.studies.native_path(row) is not None, is_blind=is_blind),
                "pixels": f"/page/images/{row['image_id']}/pixels",
                "maps": None if is_blind or row["view"] == "LATERAL" else f"/page/images/{row['image_id']}/maps",
            }
            for row in rows
        ]

"""The API for programs: a prediction for films that are sent, who answers, whether the server lives and is ready."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from radia_pipeline.contracts.location import contracts_root
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput
from radia_pipeline.review.bodies import FILM_TYPES, RELATED
from radia_pipeline.review.problems import CONTENT_TYPE, KINDS, Problem
from radia_pipeline.review.replies import with_objects
from radia_pipeline.review.server import Server
from radia_pipeline.usecases.answers import ANSWERED
from radia_pipeline.usecases.asking import Wish
from radia_pipeline.usecases.held_bytes import HeldBytes

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": dict.fromkeys((*FILM_TYPES, RELATED), _BINARY)}}
_FAILS = (
    "bad_input",
    "foreign_host",
    "too_slow",
    "no_length",
    "too_large",
    "unsupported_type",
    "refused",
    "busy",
    "starting",
)


def api_routes(server: Server) -> APIRouter:
    """Return the routes over one server."""
    routes = APIRouter()

    @routes.post(
        "/api/v1/predict",
        summary="Ask the models about films",
        openapi_extra=_BODY,
        responses={
            200: {"description": "An answer for each study", "content": _answer_content()},
            **_problems(*_FAILS),
        },
    )
    async def predict(
        request: Request,
        intake: Annotated[str, Query(pattern="^(deidentified|identified)$")] = "deidentified",
        maps: Annotated[str | None, Query(pattern="^png$")] = None,
        ocr: Annotated[str, Query(pattern="^(auto|off|require)$")] = "auto",
        dicom: Annotated[str | None, Query(pattern="^(sr|gsps|sr,gsps)$")] = None,
        one_study: bool = False,
    ) -> Any:
        """A DICOM, PNG or JPEG file as body, or several as `multipart/related; type="application/dicom"`.

        `intake=identified` is for files straight from a PACS: headers are not judged, and nothing of them is kept,
        logged or echoed. `ocr=off` is a person's word that no print stands in the pixels. `maps=png` adds the models'
        maps as data addresses. `dicom=sr,gsps` answers with `multipart/related`: this answer, then a Structured Report
        of each study and a presentation state of each of its films; they carry the patient and study modules of what
        was sent, and nothing else does. Films are called `image 1` and so on, in the order of the parts. Where no study
        got an answer the status is 422, and the answer, with its reasons, stands in the problem; with `dicom`, objects
        that say why follow it, but for films that were not let in.
        """
        async with server.films(request) as films:
            kinds = tuple(dicom.split(",")) if dicom else ()
            wish = Wish(
                server.settings.source,
                intake == "identified",
                one_study,
                ocr,
                wants_pictures=maps is not None,
                dicom=kinds,
            )
            answer, objects = await server.gate.run(lambda: _answer(server, films, wish, maps is not None))
        return with_objects(answer, objects) if dicom else answer

    @routes.get("/api/v1/model", summary="Who answers", responses=_problems("unknown", "starting"))
    def model() -> dict[str, Any]:
        """The models behind every answer, by version, and the classes that they know."""
        server.require_ready()
        head, ready = server.models.head(), server.models.reader.ready
        words = vocabulary()
        return {
            **(head or {}),
            "classes": [
                {
                    "class": name,
                    "kind": words.entry(name).kind,
                    "parents": list(words.parents(name)),
                    "is_known": name not in ready.unknown,
                }
                for name in words.classes
            ],
        }

    @routes.get("/health/live", summary="Whether the server runs")
    def live() -> dict[str, str]:
        return {"status": "live"}

    @routes.get("/health/ready", summary="Whether models and codecs are warm", responses=_problems("starting"))
    def ready() -> dict[str, Any]:
        if server.problem:
            raise Problem("starting", f"The models cannot be opened ({server.problem})", retry_after_s=60)
        server.require_ready()
        return {"status": "ready", "has_model": server.models.is_open}

    return routes


def _answer(
    server: Server, films: list[bytes], wish: Wish, wants_maps: bool
) -> tuple[dict[str, Any], list[tuple[str, bytes]]]:
    """Return the answer and the DICOM objects that were asked for, by Content-ID."""
    with HeldBytes(films) as held:
        found = server.models.answer_films(held, wish)
        server.count(found.answer["studies"])
        if wants_maps:
            server.models.map_pictures(found)
        objects = server.models.film_objects(found, held, wish.dicom) if wish.dicom else []
    if not any(study["status"] == ANSWERED for study in found.answer["studies"]):
        reasons = sorted({file["reason"] for study in found.answer["studies"] for file in study["files"]})
        raise Problem("refused", ", ".join(reasons), answer=found.answer, objects=objects)
    return found.answer, objects


def _answer_content() -> dict[str, Any]:
    schema = json.loads((contracts_root() / "answer.schema.json").read_text(encoding="utf-8"))
    told = {"title": schema["title"], "type": "object", "description": "As data_contracts/answer.schema.json has it."}
    return {"application/json": {"schema": told}}


def _problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return the responses of these codes as OpenAPI tells them."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        if code not in KINDS:
            raise BadInput(f"No problem has the code {code}")
        found[KINDS[code].status] = {"description": KINDS[code].title, "content": {CONTENT_TYPE: {}}}
    return found

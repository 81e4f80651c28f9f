"""Routes of the reading screen: lists, turns, answers, reveal, the done screen. What they do: ``reading_room``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from radia_pipeline.review.bodies import read_json
from radia_pipeline.review.problems import Problem
from radia_pipeline.review.server import Server
from radia_pipeline.review.shapes import PostedReading, PostedUndo, parsed
from radia_pipeline.review.users import user_of
from radia_pipeline.review.viewer_routes import study_view

ListId = Annotated[str, Path(pattern=r"^[\w.-]{1,64}$")]
Role = Annotated[str, Query(pattern="^(reader|adjudicator)$")]
Position = Annotated[int, Path(ge=0, le=10**7)]


def reading_routes(server: Server) -> APIRouter:
    """Return the routes over one server."""
    routes, room = APIRouter(include_in_schema=False), server.room

    def who(request: Request) -> str:
        return user_of(request, server.settings)

    @routes.get("/page/lists")
    def lists(request: Request) -> dict[str, Any]:
        return {"lists": room.lists(who(request))}

    @routes.get("/page/lists/{list_id}/next")
    def next_turns(
        request: Request, list_id: ListId, role: Role = "reader", ahead: Annotated[int, Query(ge=0, le=3)] = 3
    ) -> dict[str, Any]:
        return room.next_turns(list_id, role, who(request), ahead)

    @routes.get("/page/lists/{list_id}/turns/{position}")
    def turn(request: Request, list_id: ListId, position: Position, role: Role = "reader") -> dict[str, Any]:
        return room.turn(list_id, position, role, who(request))

    @routes.post("/page/lists/{list_id}/turns/{position}/painted")
    def painted(request: Request, list_id: ListId, position: Position) -> Response:
        room.painted(list_id, position, who(request))
        return Response(status_code=204)

    @routes.get("/page/lists/{list_id}/done")
    def done(request: Request, list_id: ListId) -> Response:
        return JSONResponse(finite(room.done(list_id, who(request))))

    @routes.post("/page/readings")
    async def append(request: Request) -> Response:
        user = who(request)
        posted = parsed(PostedReading, await read_json(request, server.settings))
        return await _in_thread(lambda: room.append(posted, user))

    @routes.post("/page/readings/undo")
    async def undo(request: Request) -> dict[str, Any]:
        user = who(request)
        posted = parsed(PostedUndo, await read_json(request, server.settings))
        return await run_in_threadpool(room.undo, posted.sequence, user)

    @routes.get("/page/readings/{sequence}/reveal")
    def reveal(request: Request, sequence: Annotated[int, Path(ge=1, le=2**53)]) -> dict[str, Any]:
        user = who(request)
        given, _ = room.reveal(sequence, user)
        answer = None
        if server.models.is_open:
            answer = server.models.answer(given.study_id, user)
        return {
            "sequence": sequence,
            "answers": room.words(given),
            "study": study_view(server, given.study_id, user),
            "answer": answer,
        }

    return routes


async def _in_thread(work: Callable[[], tuple[dict[str, Any], bool]]) -> Response:
    told, is_new = await run_in_threadpool(work)
    if not told:
        raise Problem("error")
    return JSONResponse(told, 201 if is_new else 200)


def finite(content: Any) -> Any:
    """Return plain data with null in the place of numbers that JSON has not."""
    if isinstance(content, dict):
        return {name: finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    return None if isinstance(content, float) and content != content else content

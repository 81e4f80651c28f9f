"""Routes of the viewer: studies of the lake, their pixels, answers and maps, films that were dropped on the page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from radia_pipeline.contracts.pools import POOLS
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom import png16
from radia_pipeline.errors import Refusal
from radia_pipeline.review.bodies import read_json
from radia_pipeline.review.pixels import pixel_response
from radia_pipeline.review.problems import Problem
from radia_pipeline.review.server import Server
from radia_pipeline.review.shapes import PostedWrong, parsed
from radia_pipeline.review.uploads import Upload
from radia_pipeline.review.users import user_of
from radia_pipeline.usecases.asking import Wish
from radia_pipeline.usecases.held_bytes import HeldBytes
from radia_pipeline.usecases.lake_studies import LakeStudies, Listing, told_flag
from radia_pipeline.usecases.looking import Looked
from radia_pipeline.usecases.native_pixels import native_film, stored_film

KEY = Path(pattern=r"^[0-9a-f]{32}$")
StudyKey = Annotated[str, KEY]
ImageKey = Annotated[str, KEY]
Size = Annotated[str, Query(pattern="^(stored|native)$")]
_HAS = ("report", "prior", "lateral")


class StudiesAsked(BaseModel):
    """What the list of studies is asked for. ``q``: how a study's key begins; ``withheld``: those to be read, too."""

    source: str | None = None
    pool: str | None = None
    label: str | None = None
    has: list[str] = []
    q: str = Field("", pattern="^[0-9a-f]{0,32}$")
    withheld: bool = True
    offset: int = Field(0, ge=0)
    limit: int = Field(50, ge=1, le=500)


def study_view(server: Server, study_id: str, user: str) -> dict[str, Any]:
    """Return everything that tables say of a study; raises Problem ``unknown``."""
    studies: LakeStudies = server.studies
    rows = studies.images_of(study_id)
    if not rows:
        raise Problem("unknown", "No study of that key")
    first, source = rows[0], rows[0]["source"]
    state, report = studies.report(source, study_id)
    age = first["patient_age_years"]
    withheld = server.room.withheld(user)
    return {
        "study_id": study_id,
        "source": source,
        "pool": studies.pool_of(first),
        "sex": first["patient_sex"],
        "age_years": None if age is None else int(age),
        "images": server.images(study_id, False),
        "priors": [
            {"study_id": prior, "days_before": days, "images": server.images(prior, prior in withheld)}
            for prior, days in studies.priors_of(study_id)
        ],
        "reference": studies.reference(source, study_id),
        "report": report,
        "report_state": state,
        "wrong": server.room.wrongs(study_id, user),
    }


def viewer_routes(server: Server) -> APIRouter:
    """Return the viewer's routes over one server."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/page/studies")
    def listed(request: Request, asked: Annotated[StudiesAsked, Query()]) -> dict[str, Any]:
        hidden = server.room.withheld(user_of(request, server.settings))
        if unknown := sorted(set(asked.has) - set(_HAS)):
            raise Problem("bad_input", f"{len(unknown)} unknown things to have", do=f"one of {', '.join(_HAS)}")
        if asked.label is not None:
            vocabulary().index(asked.label)
            hidden_too = hidden  # a filter by label would tell the label of what is still to be read
        else:
            hidden_too = frozenset() if asked.withheld else hidden
        wish = Listing(asked.source, asked.pool, tuple(asked.has), asked.label, asked.q, hidden_too)
        total, rows = server.studies.listed(wish, asked.offset, asked.limit)
        told = [{**row, "is_withheld": row["study_id"] in hidden} for row in rows]
        return {
            "total": total,
            "offset": asked.offset,
            "sources": server.studies.sources(),
            "pools": list(POOLS),
            "studies": told,
        }

    @routes.get("/page/studies/{study_id}")
    def study(request: Request, study_id: StudyKey) -> dict[str, Any]:
        user = user_of(request, server.settings)
        server.room.require_open(user, study_id)
        return study_view(server, study_id, user)

    @routes.get("/page/studies/{study_id}/answer")
    def answer(request: Request, study_id: StudyKey) -> dict[str, Any]:
        user = user_of(request, server.settings)
        server.room.require_open(user, study_id)
        server.require_ready()
        found = server.models.answer(study_id, user)
        if found is None:
            raise Problem("unknown", "No study of that key")
        return found

    @routes.post("/page/studies/{study_id}/wrong")
    async def wrong(request: Request, study_id: StudyKey) -> Response:
        user = user_of(request, server.settings)
        posted = parsed(PostedWrong, await read_json(request, server.settings))
        from starlette.concurrency import run_in_threadpool

        def taken() -> tuple[dict[str, Any], bool]:
            server.room.require_open(user, study_id)
            return server.room.wrong(study_id, posted, user)

        told, is_new = await run_in_threadpool(taken)
        return JSONResponse(told, 201 if is_new else 200)

    @routes.get("/page/images/{image_id}/pixels")
    def pixels(request: Request, image_id: ImageKey, size: Size = "stored") -> Response:
        user = user_of(request, server.settings)
        row = _image(server, image_id)
        server.access.image(user, row["study_id"])
        if size == "stored":
            try:
                return pixel_response(request, stored_film(png16.decode(server.studies.stored_path(row).read_bytes())))
            except (OSError, Refusal):
                raise Problem("error", "The stored image cannot be read", do="look at the lake's disk") from None
        path = server.studies.native_path(row)
        try:
            if path is None:
                raise Problem("no_native")
            return pixel_response(request, native_film(path, row["file_sha256"]))
        except Refusal as refusal:
            raise Problem("no_native", str(refusal)) from None

    @routes.get("/page/images/{image_id}/maps")
    def maps(request: Request, image_id: ImageKey) -> dict[str, Any]:
        user = user_of(request, server.settings)
        row = _image(server, image_id)
        server.room.require_open(user, row["study_id"])
        server.require_ready()
        found = server.models.maps(row, user)
        if found is None:
            raise Problem("unknown", "No model explains this film")
        return found

    _add_uploads(routes, server)
    return routes


def _image(server: Server, image_id: str) -> dict[str, Any]:
    row = server.studies.image(image_id)
    if row is None:
        raise Problem("unknown", "No image of that key")
    return row


def _add_uploads(routes: APIRouter, server: Server) -> None:
    @routes.post("/page/uploads")
    async def upload(request: Request, identified: bool = False, ocr: str = "auto") -> dict[str, Any]:
        user = user_of(request, server.settings)
        async with server.films(request) as films:
            wish = Wish(server.settings.source, identified, True, ocr, wants_pictures=True)
            return await server.gate.run(lambda: kept(server, films, wish, user))

    @routes.get("/page/uploads/{upload_id}/{number}/pixels")
    def pixels(request: Request, upload_id: str, number: int, size: Size = "stored") -> Response:
        path, film = server.uploads.film(upload_id, number, user_of(request, server.settings))
        try:
            shown = stored_film(film.stored_picture()) if size == "stored" else native_film(path)
        except Refusal as refusal:
            raise Problem("no_native", str(refusal)) from None
        return pixel_response(request, shown)

    @routes.get("/page/uploads/{upload_id}/{number}/maps")
    def maps(request: Request, upload_id: str, number: int) -> dict[str, Any]:
        _, film = server.uploads.film(upload_id, number, user_of(request, server.settings))
        found = server.models.film_maps(f"image {number}", film)
        if found is None:
            raise Problem("unknown", "No model explains this film")
        return found


def kept(server: Server, films: list[bytes], wish: Wish, user: str) -> dict[str, Any]:
    """Answer films that were dropped and hold them for the page."""
    held = HeldBytes(films)
    try:
        found = server.models.answer_films(held, wish)
        let_in = {
            number: (path, film)
            for number, path in enumerate(held.paths, 1)
            if (film := found.films[f"image {number}"]).reason is None and film.picture is not None
        }
        name = server.uploads.keep(Upload(user, held, let_in))
    except BaseException:
        held.close()
        raise
    hung = sorted(let_in.items(), key=lambda one: (one[1][1].view == "LATERAL", one[0]))
    return {
        "upload_id": name,
        "expires_in_s": round(server.settings.upload_lives_s),
        "answer": found.answer,
        "images": [_told(name, number, film) for number, (_, film) in hung],
    }


def _told(upload_id: str, number: int, film: Looked) -> dict[str, Any]:
    base = f"/page/uploads/{upload_id}/{number}"
    return {
        "image_id": f"image {number}",
        "view": film.view,
        "stored": list(film.stored),
        "native": list(film.native),
        "has_native": True,
        "bits": None,
        "photometric": None,
        "spacing_mm": None,
        "device": None,
        "flags": [told_flag(name, score) for name, score in film.doubts],
        "pixels": f"{base}/pixels",
        "maps": None if film.view == "LATERAL" else f"{base}/maps",
    }

"""A study as DICOM objects for an archive: what crosses to the worker that makes them, and where they go.

Whoever looks into the archive sees what became of every film that was let in: a study without an answer has objects
too, with the reasons and no figure. A film that was not let in (``privacy.reasons``) has none: its header goes nowhere.

A worker reads the films' headers again and hands back finished files, so that no name ever stands in this process but
inside their bytes. Here: what is asked, why there may be none, and writing. Not here: what is in them
(``structured_report``, ``presentation_state``), and making them (``dicom_objects_work``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radia_pipeline.contracts.choices import Table
from radia_pipeline.dicom.doubts import DOUBTS
from radia_pipeline.errors import BadInput, RadiaError, Refusal
from radia_pipeline.lake import atomic
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.limits import DEFAULT_LIMITS
from radia_pipeline.processes import pool
from radia_pipeline.processes.frames import Caps, Frame
from radia_pipeline.usecases.filed_under import NO_UID, SEVERAL
from radia_pipeline.usecases.looking import Looked
from radia_pipeline.usecases.refusals import Words

if TYPE_CHECKING:
    from radia_pipeline.usecases.film_maps import FilmMaps

SR, GSPS = "sr", "gsps"
KINDS = Table("kind of DICOM object", {SR: "Structured Report", GSPS: "Grayscale Softcopy Presentation State"})
NOT_DICOM, BAD_HEADER, CHANGED = "not_dicom", "bad_header", "changed"
NO_OBJECTS: Table[Words] = Table(
    "reason for no object",
    {
        NOT_DICOM: Words("a film is no DICOM file, and an object refers to DICOM instances", "send the film as DICOM"),
        NO_UID: Words("a film does not say of which study and series it is", "export it again with its UIDs"),
        SEVERAL: Words("the films are of several studies or patients", "ask about each study by itself"),
        BAD_HEADER: Words("a header cannot be taken over into an object", "mend the study's header in the archive"),
        CHANGED: Words("a film was written anew while it was answered", "ask again when nobody writes it"),
    },
)
NO_MARKS: dict[str, Any] = {"boxes": [], "outlines": []}
_WORK = pool.Work(
    "radia_pipeline.usecases.dicom_objects_work:make_frame",
    "radia_pipeline.usecases.dicom_objects_work:warm_up",
    seconds=DEFAULT_LIMITS.seconds,
    memory_bytes=DEFAULT_LIMITS.memory_bytes,
    caps=Caps(json_bytes=4 << 20, array_bytes=64 << 20),
)


@dataclass(frozen=True)
class Made:
    """One finished object. ``kind``: of KINDS; ``film``: place of its film in the study from 1, None of a report."""

    kind: str
    film: int | None
    content: bytes


def kinds_of(words: str) -> tuple[str, ...]:
    """Return the kinds that a comma-separated list names, each once, in the table's order; raises UnknownName."""
    named = {word.strip() for word in words.split(",")}
    for name in named:
        KINDS[name]
    return tuple(kind for kind in KINDS if kind in named)


class ObjectMaker:
    """Makes the objects of answered studies. ``maps``: what finds the maps whose outlines are shown."""

    def __init__(self, head: Mapping[str, Any], kinds: Sequence[str], maps: FilmMaps | None) -> None:
        self._head, self._kinds, self._maps = dict(head), list(kinds), maps

    def make(
        self, study: Mapping[str, Any], films: Sequence[tuple[Path, str, Looked]]
    ) -> tuple[list[Made], dict[str, str] | None]:
        """Return a study's objects, or none and why; neither of a study of which no film was let in.

        ``films``: where each can be opened, how the answer calls it, and what came of it; in the answer's order.
        """
        let_in = [
            (place, *film, file)
            for place, (film, file) in enumerate(zip(films, study["files"], strict=True), 1)
            if file["reason"] is None or file["reason"] in DOUBTS
        ]
        if not let_in:
            return [], None
        asked = {
            "kinds": self._kinds,
            "head": self._head,
            "study": _without_files(study),
            "films": [self._film(study, *one) for one in let_in],
        }
        (answer,) = (answer for _, answer in pool.map_tasks(_WORK, [Frame(asked)], workers=1))
        return _received(answer)

    def _film(
        self, study: Mapping[str, Any], place: int, path: Path, name: str, looked: Looked, file: Mapping[str, Any]
    ) -> dict[str, Any]:
        marks = self._marks(study, name, looked) if file["used"] else NO_MARKS
        return {
            "path": str(path.absolute()),
            "seal": looked.seal,
            "place": place,
            "marks": marks,
            "flags": [flag["flag"] for flag in file["flags"]],
            "reason": file["reason"],
            "used": file["used"],
        }

    def _marks(self, study: Mapping[str, Any], name: str, looked: Looked) -> dict[str, Any]:
        """Return boxes and outlines of a film that was read, as ``film_marks.told`` has them."""
        from radia_pipeline.usecases import film_marks

        rows = [box for box in study["boxes"] if box["file"] == name and box["class"] in study["called"]]
        called = self._mapped(study, looked)
        outlines, thorax = [], None
        if called and self._maps is not None:
            seen = self._maps.of(looked, called)
            thorax = seen.thorax
            outlines = [
                film_marks.Outline(one.class_name, film_marks.outline_of(one.shown, looked.matrix), one.warning)
                for one in seen.maps
            ]
        elif rows:
            from radia_pipeline.dicom.thorax import thorax_of

            thorax = thorax_of(looked.stored_picture())
        return film_marks.told(film_marks.boxes_of(looked, rows, thorax), [one for one in outlines if one.lines])

    def _mapped(self, study: Mapping[str, Any], looked: Looked) -> list[str]:
        """Return the called classes whose maps are shown on a film: those with a place, on a frontal one."""
        from radia_pipeline.localisation.benchmark import boxed_classes
        from radia_pipeline.training.studies import LATERAL

        is_shown = self._maps is not None and GSPS in self._kinds and looked.view != LATERAL
        return [name for name in study["called"] if name in boxed_classes()] if is_shown else []


def write_objects(folder: Path, number: int, made: Sequence[Made]) -> list[dict[str, str]]:
    """Write a study's objects into a folder, each readable by its owner alone; returns kind and file of each."""
    told = []
    for one in made:
        film = "" if one.film is None else f"_film_{one.film}"
        path = folder / f"study_{number:05d}{film}_{one.kind}.dcm"
        with atomic.writable(folder):
            atomic.write_private(path, one.content)
        told.append({"kind": one.kind, "file": str(path)})
    return told


def opened_folder(folder: Path) -> Path:
    """Return a folder for objects, made for its owner alone where it is not there; raises BadInput for a file."""
    if folder.exists() and not folder.is_dir():
        raise BadInput("--dicom-out names a file", accepted="a folder")
    with atomic.writable(folder.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _without_files(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an object says of a study: no name of a file, which may name a patient."""
    return {name: study[name] for name in ("status", "normal", "groups", "classes", "called") if name in study}


def _received(answer: pool.Answer) -> tuple[list[Made], dict[str, str] | None]:
    if isinstance(answer, Frame):
        match answer.body:
            case [[*named]] if len(named) == len(answer.arrays):
                made = [Made(kind, film, array.tobytes()) for (kind, film), array in zip(named, answer.arrays)]
                return made, None
            case str(reason) if reason in NO_OBJECTS:
                return [], _words(reason)
    if isinstance(answer, Refusal):
        return [], _words(CHANGED if answer.reason in (reasons.CHANGED_WHILE_READ, reasons.UNREADABLE) else BAD_HEADER)
    if isinstance(answer, RadiaError):
        raise answer
    return [], _words(BAD_HEADER)


def _words(reason: str) -> dict[str, str]:
    return {"reason": reason, "means": NO_OBJECTS[reason].means, "do": NO_OBJECTS[reason].do}

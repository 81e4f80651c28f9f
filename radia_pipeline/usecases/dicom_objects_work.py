"""Films' headers and an answer -> finished DICOM files; runs in a worker, whose output goes nowhere.

Libraries warn of odd names by repeating them: here nobody hears it. What crosses stands in ``dicom_objects``.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from radia_pipeline.dicom.delivered import read_whole
from radia_pipeline.dicom.facts import pixel_facts
from radia_pipeline.privacy import container
from radia_pipeline.processes.frames import Frame
from radia_pipeline.usecases.dicom_objects import CHANGED, GSPS, NOT_DICOM, SR
from radia_pipeline.usecases.filed_under import Unfit, digest_of, film_of, lies_as_usual, require_one_study
from radia_pipeline.usecases.film_marks import marks_of
from radia_pipeline.usecases.filmed import NOT_READ, Film
from radia_pipeline.usecases.looking import sealed


def warm_up() -> None:
    """Import what making objects needs, once for all workers."""
    from radia_pipeline.usecases import presentation_state, structured_report

    assert presentation_state and structured_report


def make_frame(task: Frame) -> Frame:
    """Make the objects of a task's record: kind and film of each beside their bytes, or why there are none."""
    warnings.simplefilter("ignore")
    try:
        made = _made(task.body)
    except Unfit as unfit:
        return Frame(unfit.reason)
    arrays = tuple(np.frombuffer(content, dtype=np.uint8) for _, _, content in made)
    return Frame([[[kind, film] for kind, film, _ in made]], arrays)


def _made(asked: dict[str, Any]) -> list[tuple[str, int | None, bytes]]:
    from radia_pipeline.usecases.presentation_state import presentation_state
    from radia_pipeline.usecases.structured_report import structured_report

    head, study, films = asked["head"], asked["study"], _films(asked["films"])
    require_one_study([film.data for film in films])
    model = head["model"]
    identity = [
        films[0].data.StudyInstanceUID,
        *(film.data.SOPInstanceUID for film in films),
        *(digest_of(film.data) for film in films),
        model["ensemble"],
        str(model["detector"]),
        str(model.get("release")),
        *head["versions"].values(),
        *_said(films),
    ]
    made: list[tuple[str, int | None, bytes]] = []
    if SR in asked["kinds"]:
        report = structured_report(head, study, films, identity)
        made.append((SR, None, _bytes(report)))
    if GSPS in asked["kinds"]:
        for film in films:
            state = presentation_state(head, study, film, identity)
            made.append((GSPS, film.place, _bytes(state)))
    return made


def _films(asked: list[dict[str, Any]]) -> list[Film]:
    """Read the films; one that the models did not read may be unfit, and is left out, where they read another."""
    is_answered = any(one["used"] for one in asked)
    films = []
    for one in asked:
        try:
            films.append(_film(one))
        except Unfit:
            if one["used"] or not is_answered:
                raise
    return films


def _said(films: list[Film]) -> list[str]:
    """Return what is said of films that can change while films and models stay: print is looked for, or not."""
    return [word for film in films for word in (*film.flags, film.lack or "") if word]


def _film(asked: dict[str, Any]) -> Film:
    data, _ = read_whole(asked["path"])
    if sealed(data, asked["seal"][:32]) != asked["seal"]:
        raise Unfit(CHANGED)
    if container.sniff(data) != "dicom":
        raise Unfit(NOT_DICOM)
    parsed = container.parse(data)
    facts = pixel_facts(parsed)
    boxes, outlines = marks_of(asked["marks"])
    if not lies_as_usual(parsed.dataset):
        boxes = [replace(box, side=None) for box in boxes]
    return Film(
        film_of(parsed.dataset, (facts.rows, facts.columns)),
        asked["place"],
        facts.row_over_column,
        tuple(boxes),
        tuple(outlines),
        tuple(asked["flags"]),
        asked["reason"] or (None if asked["used"] else NOT_READ),
    )


def _bytes(dataset: Dataset) -> bytes:
    held = BytesIO()
    dataset.save_as(held, enforce_file_format=True)
    return held.getvalue()

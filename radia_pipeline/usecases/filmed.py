"""A film of a study as its DICOM objects speak of it: its header's copy, its marks, and why it was not judged, if so.

Here too: the words that objects bear, in which every figure is missing where no film was read. Not here: headers
(``filed_under``), marks (``film_marks``), what an object is made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from radia_pipeline.usecases.film_marks import Box, Outline
from radia_pipeline.usecases.refusals import meaning, what_to_do

NOT_READ = "not_read"
"""Why a sound film has no figure: the models read other views of its study."""


@dataclass(frozen=True)
class Film:
    """``data``: as ``filed_under.film_of`` gives it; ``place``: in the study, from 1; ``row_over_column``: height of
    its pixels over their width. ``lack``: why it was not judged, a doubt (``dicom.doubts``) or NOT_READ; None: it was.
    """

    data: Dataset
    place: int
    row_over_column: float
    boxes: tuple[Box, ...] = ()
    outlines: tuple[Outline, ...] = ()
    flags: tuple[str, ...] = ()
    lack: str | None = None


def comment(head: Mapping[str, Any], study: Mapping[str, Any], films: Sequence[Film]) -> str:
    """Return in words what a study's report is for, and what is called or why nothing was judged."""
    notice = f"{head['notice'].capitalize()}."
    if study["status"] == "answered":
        called = ", ".join(study["called"]) or "nothing"
        return f"{notice} Called at the models' thresholds: {called}."
    reasons = dict.fromkeys(film.lack for film in films if film.lack is not None)
    return " ".join([notice, "No answer, and no figure:", *(f"{meaning(name)}." for name in reasons)])


def note(head: Mapping[str, Any], study: Mapping[str, Any], film: Film) -> str:
    """Return in words what a film's marks are for, and what to do where it was not judged."""
    if film.lack is None:
        return comment(head, study, [film])
    notice = f"{head['notice'].capitalize()}."
    if film.lack == NOT_READ:
        return f"{notice} The models did not read this film."
    return f"{notice} No answer for this film: {meaning(film.lack)}. {what_to_do(film.lack).capitalize()}."

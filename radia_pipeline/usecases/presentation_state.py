"""A film's marks as a Grayscale Softcopy Presentation State (PS3.3 A.33.1), by highdicom: in layers.

Boxes with class and score, outlines of the maps of called classes, and what this is for. Grey is the film's own: an
inverted film stays the right way round. Not here: where marks lie (``film_marks``), whose header it gets
(``filed_under``).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any

import highdicom as hd
import numpy as np
from highdicom import pr
from highdicom.color import CIELabColor
from pydicom.dataset import Dataset

from radia_pipeline.usecases.filed_under import uid_of
from radia_pipeline.usecases.film_labels import BREAK, Place, placed
from radia_pipeline.usecases.film_marks import Box, Outline
from radia_pipeline.usecases.filmed import Film, note
from radia_pipeline.usecases.structured_report import MAKER, PRODUCT

SERIES_NUMBER = 9802
BOXES, MAPS, NOTE = "RADIA_BOXES", "RADIA_MAPS", "RADIA_NOTE"
"""Names of the layers, from the uppermost down."""
_YELLOW, _CYAN = CIELabColor(92.0, -18.0, 85.0), CIELabColor(88.0, -50.0, -14.0)
"""As the page draws boxes and maps; a viewer without colours shows both white."""
_NOTE_LEFT, _NOTE_RIGHT, _NOTE_FOOT, _NOTE_LINE, _NOTE_LETTERS = 0.02, 0.98, 0.99, 0.03, 56
"""Of the displayed area: edges of the note, height of its lines; how many letters stand on one."""


def presentation_state(
    head: Mapping[str, Any], study: Mapping[str, Any], shown: Film, identity: Sequence[str]
) -> Dataset:
    """Return the presentation of one film; ``identity`` as of ``structured_report``."""
    film, boxes, outlines = shown.data, shown.boxes, shown.outlines
    layers = {
        BOXES: pr.GraphicLayer(BOXES, 3, "Boxes of the detector", _YELLOW),
        MAPS: pr.GraphicLayer(MAPS, 2, "Where the models look: half of each map's peak", _CYAN),
        NOTE: pr.GraphicLayer(NOTE, 1, "What this is for"),
    }
    words = [_label(box) for box in boxes] + [_title(one) for one in outlines]
    texts = [_text(place) for place in placed(words, (film.Rows, film.Columns), shown.row_over_column)]
    annotations = [
        pr.GraphicAnnotation(
            [film], layers[BOXES], graphic_objects=[_rectangle(box) for box in boxes], text_objects=texts[: len(boxes)]
        )
        if boxes
        else None,
        pr.GraphicAnnotation(
            [film],
            layers[MAPS],
            graphic_objects=[_line(line) for one in outlines for line in one.lines],
            text_objects=texts[len(boxes) :],
        )
        if outlines
        else None,
        pr.GraphicAnnotation([film], layers[NOTE], text_objects=[_note(note(head, study, shown))]),
    ]
    shape = hd.PresentationLUTShapeValues
    is_inverted = film.PhotometricInterpretation == "MONOCHROME1"
    state = pr.GrayscaleSoftcopyPresentationState(
        referenced_images=[film],
        series_instance_uid=uid_of("gsps series", *identity),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("gsps", film.SOPInstanceUID, *identity),
        instance_number=shown.place,
        manufacturer=MAKER,
        manufacturer_model_name=PRODUCT,
        software_versions=head["versions"]["radia"],
        device_serial_number=str(head["model"]["ensemble"])[:64],
        content_label="RADIA_RESEARCH",
        content_description=f"RadIA: {head['notice']}",
        graphic_layers=list(layers.values()),
        graphic_annotations=[one for one in annotations if one is not None],
        # A presentation state ignores the photometric interpretation (PS3.3 C.11.6.1.2).
        presentation_lut_transformation=hd.PresentationLUTTransformation(
            presentation_lut_shape=shape.INVERSE if is_inverted else shape.IDENTITY
        ),
        series_description=f"RadIA marks: {head['notice']}",
    )
    state.Laterality = ""  # type 2C: a chest is no paired structure, and no code of a body part says so to a reader
    _show_whole(state, shown.row_over_column)
    return state


def _rectangle(box: Box) -> pr.GraphicObject:
    left, top, right, bottom = box.corners
    return _line(np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]))


def _line(points: np.ndarray) -> pr.GraphicObject:
    return pr.GraphicObject(pr.GraphicTypeValues.POLYLINE, points, pr.AnnotationUnitsValues.PIXEL)


def _label(box: Box) -> tuple[str, float, float]:
    """Return a box's label and where it stands: on its upper left corner."""
    return f"{box.class_name} {box.score:.2f}", box.corners[0], box.corners[1]


def _title(outline: Outline) -> tuple[str, float, float]:
    """Return an outline's label and where it stands: on its highest point."""
    first = outline.lines[0]
    x, y = first[int(np.argmin(first[:, 1]))]
    told = f"{outline.class_name}: map" + (f" ({outline.warning})" if outline.warning else "")
    return told, float(x), float(y)


def _text(place: Place) -> pr.TextObject:
    box = (place.left, place.top, place.right, place.bottom)
    return pr.TextObject(
        place.text, pr.AnnotationUnitsValues.PIXEL, bounding_box=box, text_justification=pr.TextJustificationValues.LEFT
    )


def _note(words: str) -> pr.TextObject:
    """Return what the marks are for, in lines."""
    lines = textwrap.wrap(f"RadIA. {words}", _NOTE_LETTERS)
    box = (_NOTE_LEFT, _NOTE_FOOT - _NOTE_LINE * len(lines), _NOTE_RIGHT, _NOTE_FOOT)
    return pr.TextObject(
        BREAK.join(lines),
        pr.AnnotationUnitsValues.DISPLAY,
        bounding_box=box,
        text_justification=pr.TextJustificationValues.LEFT,
    )


def _show_whole(state: Dataset, row_over_column: float) -> None:
    """Show the whole film with the shape of its pixels; their origin is told of tiles alone (PS3.3 C.10.4)."""
    area = state.DisplayedAreaSelectionSequence[0]
    if "PixelOriginInterpretation" in area:
        del area.PixelOriginInterpretation
    down = round(1000 * row_over_column)
    factor = gcd(down, 1000)
    area.PresentationPixelAspectRatio = [down // factor, 1000 // factor]

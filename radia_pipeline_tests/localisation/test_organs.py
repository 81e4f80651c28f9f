"""Classes of a whole organ get the organ's box."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.dicom.thorax import Thorax
from radia_pipeline.localisation.benchmark import ExplainedFilms, cut
from radia_pipeline.localisation.boxes import Frame
from radia_pipeline.localisation.choice import Choice
from radia_pipeline.localisation.explainer import Explained, ImageSet
from radia_pipeline.localisation.organs import OF_BOTH_LUNGS, organ_boxes

THORAX = Thorax(np.array([[10, 20], [90, 20], [110, 70], [-4, 70]], dtype=float), 0.9)


def test_the_box_is_the_thorax_inside_the_film_scored_by_probability():
    assert organ_boxes("Emphysema", 0.7, THORAX, Frame(100, 80, 64)) == [((0.0, 20.0, 100.0, 70.0), 0.7)]
    assert organ_boxes("Mass", 0.7, THORAX, Frame(100, 80, 64)) is None
    assert organ_boxes("Emphysema", 0.7, None, Frame(100, 80, 64)) is None


@pytest.mark.parametrize("found", [True, False])
def test_the_benchmark_judges_what_is_drawn(found):
    words = vocabulary()
    maps = np.zeros((1, len(words.classes), 8, 8), dtype=np.float32)
    maps[:, :, 1:7, 1:7] = 1.0
    one = Explained(np.full(len(words.classes), 0.6), {"m": maps[0]})
    columns = {"image_id": ["a"], "width_px": [100], "height_px": [80]}
    images = ImageSet(columns, np.zeros((1, len(words.classes)), dtype=np.int8))
    boxes = cut(
        ExplainedFilms([one], images, 64),
        np.zeros(len(words.classes)),
        Choice("m"),
        classes=[*OF_BOTH_LUNGS, "Edema"],
        thoraces={"a": THORAX} if found else {},
    )
    (corners,) = boxes.corners[boxes.label == "Emphysema"]
    assert (corners.tolist() == [0.0, 20.0, 100.0, 70.0]) == found
    assert len(boxes.corners[boxes.label == "Edema"]) == 1

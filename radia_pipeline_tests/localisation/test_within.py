"""How much of a map lies outside the thorax."""

from __future__ import annotations

import numpy as np
import pytest

from radia_pipeline.dicom.thorax import Thorax
from radia_pipeline.localisation.boxes import Frame
from radia_pipeline.localisation.within import on_image, outside_share

LEFT_HALF = Thorax(np.array([[0, 0], [50, 0], [50, 80], [0, 80]], dtype=float), 0.9)
FRAME = Frame(100, 80, 64)


def test_a_map_of_one_level_is_shared_as_the_picture_is():
    assert outside_share(np.ones((8, 8)), FRAME, LEFT_HALF) == pytest.approx(0.49, abs=0.02)


def test_only_what_lies_on_the_image_counts():
    padding = np.zeros((16, 16))
    padding[0] = 5.0
    inside = padding.copy()
    inside[8, 2] = 1.0
    assert outside_share(inside, FRAME, LEFT_HALF) < 0.05
    assert on_image(padding, FRAME).shape == (51, 64)


def test_a_peak_outside_is_outside_and_what_speaks_against_does_not_count():
    saliency = np.full((16, 16), -3.0)
    saliency[8, 13] = 2.0
    assert outside_share(saliency, FRAME, LEFT_HALF) > 0.95
    assert outside_share(-np.ones((4, 4)), FRAME, LEFT_HALF) == 0.0

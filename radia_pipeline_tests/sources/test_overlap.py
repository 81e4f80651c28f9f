"""Intersection over union: known boxes, boxes without area, and torchvision's answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.sources.overlap import iou


def test_iou_of_known_boxes():
    overlaps = iou(np.array([[0, 0, 2, 2]]), np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [1, 1, 1, 1]]))
    assert overlaps[0] == pytest.approx([1, 1 / 3, 0, 0])
    assert iou(np.zeros((0, 4)), np.ones((2, 4))).shape == (0, 2)


@given(st.integers(0, 5000))
@settings(max_examples=30)
def test_iou_equals_torchvisions_and_is_symmetric(seed):
    import torch
    from torchvision.ops import box_iou

    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 50, (12, 2))
    corners = np.concatenate([low, low + rng.uniform(1, 40, (12, 2))], axis=1)
    overlaps = iou(corners, corners)
    assert np.allclose(overlaps, box_iou(torch.tensor(corners), torch.tensor(corners)).numpy())
    assert np.array_equal(overlaps, overlaps.T)
